package chronos_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// call is one public method with valid arguments, as a function of the
// arguments that a test makes wrong.
type call struct {
	name string
	do   func(s *chronos.Scheduler, ctx context.Context, job, exec string) error
}

func drainSeq[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

var calls = []call{
	{"Put", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error {
		_, err := s.Put(ctx, chronos.Job{ID: job, Handler: "h"})
		return err
	}},
	{"PutAll", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error {
		_, err := s.PutAll(ctx, []chronos.Job{{ID: job, Handler: "h"}})
		return err
	}},
	{"Get", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error {
		_, err := s.Get(ctx, job)
		return err
	}},
	{"Delete", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error { return s.Delete(ctx, job) }},
	{"Versions", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error {
		return drainSeq(s.Versions(ctx, job))
	}},
	{"Rollback", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error {
		_, err := s.Rollback(ctx, job, 1)
		return err
	}},
	{"Pause", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error { return s.Pause(ctx, job, "") }},
	{"Resume", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error { return s.Resume(ctx, job) }},
	{"Trigger", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error {
		_, err := s.Trigger(ctx, job, chronos.TriggerRequest{})
		return err
	}},
	{"Backfill", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error {
		_, err := s.Backfill(ctx, job, chronos.BackfillRequest{From: epoch.Add(-time.Hour), To: epoch})
		return err
	}},
	{"Execution", func(s *chronos.Scheduler, ctx context.Context, _, exec string) error {
		_, err := s.Execution(ctx, exec)
		return err
	}},
	{"Cancel", func(s *chronos.Scheduler, ctx context.Context, _, exec string) error { return s.Cancel(ctx, exec) }},
	{"Terminate", func(s *chronos.Scheduler, ctx context.Context, _, exec string) error { return s.Terminate(ctx, exec) }},
	{"Redrive", func(s *chronos.Scheduler, ctx context.Context, _, exec string) error {
		_, err := s.Redrive(ctx, exec)
		return err
	}},
	{"Wait", func(s *chronos.Scheduler, ctx context.Context, _, exec string) error {
		_, err := s.Wait(ctx, exec)
		return err
	}},
	{"Jobs", func(s *chronos.Scheduler, ctx context.Context, _, _ string) error {
		return drainSeq(s.Jobs(ctx, nil))
	}},
	{"PauseAll", func(s *chronos.Scheduler, ctx context.Context, _, _ string) error {
		_, err := s.PauseAll(ctx, nil, "")
		return err
	}},
	{"ResumeAll", func(s *chronos.Scheduler, ctx context.Context, _, _ string) error {
		_, err := s.ResumeAll(ctx, nil)
		return err
	}},
	{"Executions", func(s *chronos.Scheduler, ctx context.Context, _, _ string) error {
		return drainSeq(s.Executions(ctx, chronos.Query{}))
	}},
	{"Executions of a job", func(s *chronos.Scheduler, ctx context.Context, job, _ string) error {
		return drainSeq(s.Executions(ctx, chronos.Query{Job: job}))
	}},
	{"Sync", func(s *chronos.Scheduler, ctx context.Context, _, _ string) error { return s.Sync(ctx) }},
	{"Run", func(s *chronos.Scheduler, ctx context.Context, _, _ string) error { return s.Run(ctx) }},
}

// Every call on a closed scheduler and with an ended context says so, and
// changes nothing.
func TestBadState(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute)})
		exec := r.trigger("job", chronos.TriggerRequest{}).ID
		over, cancel := context.WithCancel(r.ctx)
		cancel()
		before := fmt.Sprintf("%+v %+v", r.get("job"), r.rows("job"))
		for _, c := range calls {
			t.Run(c.name+"/ended context", func(t *testing.T) {
				for _, job := range []string{"job", "new"} {
					wantError(t, c.do(r.Scheduler, over, job, exec), context.Canceled)
				}
			})
		}
		if after := fmt.Sprintf("%+v %+v", r.get("job"), r.rows("job")); after != before {
			t.Errorf("something was written:\n%s\n%s", before, after)
		}
		if _, err := r.Get(r.ctx, "new"); err == nil {
			t.Error("a job was written")
		}
		r.shut()
		for _, c := range calls {
			t.Run(c.name+"/closed", func(t *testing.T) {
				wantError(t, c.do(r.Scheduler, r.ctx, "job", exec), chronos.ErrClosed)
				wantError(t, c.do(r.Scheduler, over, "job", exec), chronos.ErrClosed)
			})
		}
		wantError(t, r.Handle("x", succeed), chronos.ErrClosed)
	})
}

// Malformed and unknown IDs.
func TestBadIDs(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{})
		exec := r.trigger("job", chronos.TriggerRequest{}).ID
		for _, id := range []string{"", " ", "-a", "a b", ":", "a\x00b", "ä", "a\n", "/a", strings.Repeat("x", 129)} {
			for _, c := range calls {
				switch c.name {
				case "Jobs", "PauseAll", "ResumeAll", "Executions", "Sync", "Run":
					continue
				}
				err := c.do(r.Scheduler, r.ctx, id, id)
				switch c.name {
				case "Put", "PutAll":
					wantField(t, err, "Job.ID")
				case "Executions of a job":
					if id != "" {
						wantField(t, err, "Query.Job")
					}
				default:
					if wantField(t, err, "id"); t.Failed() {
						t.Fatalf("%s(%q)", c.name, id)
					}
				}
			}
		}
		for _, c := range calls {
			switch c.name {
			case "Put", "PutAll", "Jobs", "PauseAll", "ResumeAll", "Executions", "Executions of a job", "Sync", "Run":
				continue
			}
			err := c.do(r.Scheduler, r.ctx, "nobody", strings.Replace(exec, "job:", "nobody:", 1))
			wantError(t, err, chronos.ErrNotFound)
			if err != nil && !strings.Contains(err.Error(), "nobody") {
				t.Errorf("%s: %v does not name what is missing", c.name, err)
			}
		}
		for _, id := range []string{exec[:len(exec)-1], exec + "x", "job:x", "job:" + strings.Repeat("z", 500), "job:\xff"} {
			for _, c := range calls {
				switch c.name {
				case "Execution", "Cancel", "Terminate", "Redrive", "Wait":
					if err := c.do(r.Scheduler, r.ctx, "", id); err == nil {
						t.Errorf("%s(%q) went well", c.name, id)
					}
				}
			}
		}
		wantError(t, r.Delete(r.ctx, "nobody"), chronos.ErrNotFound)
		if got := r.get("job"); got.Version != 1 {
			t.Errorf("got %+v", got)
		}
		// The longest ID, and those that are prefixes of each other.
		long := strings.Repeat("x", 128)
		for _, id := range []string{long, long[:127], "a", "a/", "a.b", "0", "A_b-c"} {
			r.put(chronos.Job{ID: id})
			r.trigger(id, chronos.TriggerRequest{Key: id})
		}
		for _, id := range []string{long, long[:127], "a", "a/"} {
			if n := len(r.rows(id)); n != 1 {
				t.Errorf("%s has %d rows", id, n)
			}
			r.must(r.Delete(r.ctx, id))
		}
	})
}

// Every field of a job, wrong.
func TestBadJobs(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		labels := map[string]string{}
		for i := range 33 {
			labels[fmt.Sprint(i)] = ""
		}
		hook := func(edit func(*chronos.Webhook)) func(*chronos.Job) {
			return func(j *chronos.Job) {
				j.Handler, j.Webhook = "", &chronos.Webhook{URL: "https://example.com/"}
				edit(j.Webhook)
			}
		}
		century := 101 * 365 * 24 * time.Hour
		for _, tc := range []struct {
			field string
			edit  func(*chronos.Job)
		}{
			{"Job.ID", func(j *chronos.Job) { j.ID = "a b" }},
			{"Job.Handler", func(j *chronos.Job) { j.Handler = "" }},
			{"Job.Handler", func(j *chronos.Job) { j.Webhook = &chronos.Webhook{URL: "http://x"} }},
			{"Job.Handler", func(j *chronos.Job) { j.Handler = strings.Repeat("x", 129) }},
			{"Job.Handler", func(j *chronos.Job) { j.Handler = "a\x00" }},
			{"Job.Schedule", func(j *chronos.Job) { j.Schedule = chronos.Cron("61 * * * *") }},
			{"Job.Payload", func(j *chronos.Job) { j.Payload = make([]byte, 256<<10+1) }},
			{"Job.Labels", func(j *chronos.Job) { j.Labels = labels }},
			{"Job.Labels", func(j *chronos.Job) { j.Labels = map[string]string{"": "x"} }},
			{"Job.Labels key", func(j *chronos.Job) { j.Labels = map[string]string{strings.Repeat("x", 65): ""} }},
			{"Job.Labels[k]", func(j *chronos.Job) { j.Labels = map[string]string{"k": strings.Repeat("x", 257)} }},
			{"Job.Labels[k]", func(j *chronos.Job) { j.Labels = map[string]string{"k": "\xff"} }},
			{"Job.Description", func(j *chronos.Job) { j.Description = strings.Repeat("x", 1025) }},
			{"Job.Note", func(j *chronos.Job) { j.Note = "\x1b[2J" }},
			{"Job.Overlap", func(j *chronos.Job) { j.Overlap = "Skip" }},
			{"Job.BufferMax", func(j *chronos.Job) { j.BufferMax = 1001 }},
			{"Job.BufferMax", func(j *chronos.Job) { j.BufferMax = -1 }},
			{"Job.Misfire", func(j *chronos.Job) { j.Misfire = "some" }},
			{"Job.CatchUpMax", func(j *chronos.Job) { j.CatchUpMax = 10_001 }},
			{"Job.CatchUpWindow", func(j *chronos.Job) { j.CatchUpWindow = -1 }},
			{"Job.CatchUpWindow", func(j *chronos.Job) { j.CatchUpWindow = century }},
			{"Job.StartDeadline", func(j *chronos.Job) { j.StartDeadline = -1 }},
			{"Job.Retry.MaxAttempts", func(j *chronos.Job) { j.Retry.MaxAttempts = 10_001 }},
			{"Job.Retry.MaxAttempts", func(j *chronos.Job) { j.Retry.MaxAttempts = -1 }},
			{"Job.Retry.Initial", func(j *chronos.Job) { j.Retry.Initial = -1 }},
			{"Job.Retry.Initial", func(j *chronos.Job) { j.Retry.Initial = century }},
			{"Job.Retry.Multiplier", func(j *chronos.Job) { j.Retry.Multiplier = 0.5 }},
			{"Job.Retry.Multiplier", func(j *chronos.Job) { j.Retry.Multiplier = 1e9 }},
			{"Job.Retry.Max", func(j *chronos.Job) { j.Retry = chronos.Retry{Initial: time.Minute, Max: time.Second} }},
			{"Job.Retry.MaxElapsed", func(j *chronos.Job) { j.Retry.MaxElapsed = -1 }},
			{"Job.Delivery", func(j *chronos.Job) { j.Delivery = "exactly_once" }},
			{"Job.Timeout", func(j *chronos.Job) { j.Timeout = -1 }},
			{"Job.Timeout", func(j *chronos.Job) { j.Timeout = century }},
			{"Job.Priority", func(j *chronos.Job) { j.Priority = 101 }},
			{"Job.Priority", func(j *chronos.Job) { j.Priority = -101 }},
			{"Job.MaxRuns", func(j *chronos.Job) { j.MaxRuns = -1 }},
			{"Job.Webhook.URL", hook(func(w *chronos.Webhook) { w.URL = "" })},
			{"Job.Webhook.URL", hook(func(w *chronos.Webhook) { w.URL = "/relative" })},
			{"Job.Webhook.URL", hook(func(w *chronos.Webhook) { w.URL = "file:///etc/passwd" })},
			{"Job.Webhook.Method", hook(func(w *chronos.Webhook) { w.Method = "GE T" })},
			{"Job.Webhook.Method", hook(func(w *chronos.Webhook) { w.Method = "CONNECT" })},
			{"Job.Webhook.Headers[Bad Name]", hook(func(w *chronos.Webhook) { w.Headers = map[string]string{"Bad Name": ""} })},
			{"Job.Webhook.Headers[X]", hook(func(w *chronos.Webhook) { w.Headers = map[string]string{"X": "a\r\nY: b"} })},
			{"Job.Webhook.SecretHeaders[X]", hook(func(w *chronos.Webhook) { w.SecretHeaders = map[string]chronos.Secret{"X": "a\nb"} })},
			{"Job.Webhook.BasicPassword", hook(func(w *chronos.Webhook) { w.BasicUser, w.BasicPassword = "u", chronos.SecretKept })},
			{"Job.Webhook.Bearer", hook(func(w *chronos.Webhook) { w.Bearer = chronos.SecretKept })},
			{"Job.Webhook.Secrets", hook(func(w *chronos.Webhook) { w.Secrets = []chronos.Secret{chronos.SecretKept} })},
			{"Job.Webhook.SecretHeaders[X]", hook(func(w *chronos.Webhook) { w.SecretHeaders = map[string]chronos.Secret{"X": chronos.SecretKept} })},
			{"Job.Webhook.SuccessCodes[0]", hook(func(w *chronos.Webhook) { w.SuccessCodes = []int{99} })},
			{"Job.Webhook.FollowRedirects", hook(func(w *chronos.Webhook) { w.FollowRedirects = 11 })},
			{"Job.Webhook.MaxResponse", hook(func(w *chronos.Webhook) { w.MaxResponse = -1 })},
		} {
			job := chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Hour)}
			tc.edit(&job)
			_, err := r.Put(r.ctx, job)
			wantField(t, err, tc.field)
			_, err = r.PutAll(r.ctx, []chronos.Job{{ID: "first", Handler: "h"}, job})
			wantField(t, err, tc.field)
		}
		for j := range r.Jobs(r.ctx, nil) {
			t.Errorf("%s was written", j.ID)
		}
	})
}

// The remaining arguments, wrong.
func TestBadArguments(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute)})
		r.put(chronos.Job{ID: "idle"})
		r.put(chronos.Job{ID: "after", Schedule: chronos.After(time.Minute)})
		r.until("01:00:00")
		long, name := strings.Repeat("x", 2000), chronos.WithActor(r.ctx, strings.Repeat("x", 257))
		back := func(id string, from, to time.Time, o chronos.Overlap, note string) error {
			_, err := r.Backfill(r.ctx, id, chronos.BackfillRequest{From: from, To: to, Overlap: o, Note: note})
			return err
		}
		trig := func(ctx context.Context, req chronos.TriggerRequest) error {
			_, err := r.Trigger(ctx, "job", req)
			return err
		}
		put := func(ctx context.Context) error {
			_, err := r.Put(ctx, chronos.Job{ID: "new", Handler: "h"})
			return err
		}
		all := func(_ int, err error) error { return err }
		query := func(q chronos.Query) error { return drainSeq(r.Executions(r.ctx, q)) }
		for _, tc := range []struct {
			field string
			err   error
		}{
			{"name", r.Handle("", succeed)},
			{"name", r.Handle("h", succeed)}, // a second time
			{"name", r.Handle(strings.Repeat("x", 129), succeed)},
			{"name", r.Handle("a\x00", succeed)},
			{"handler", r.Handle("nil", nil)},
			{"note", r.Pause(r.ctx, "job", long)},
			{"note", all(r.PauseAll(r.ctx, nil, long))},
			{"note", all(r.PauseAll(r.ctx, chronos.Selector{"none": ""}, long))},
			{"actor", r.Pause(name, "job", "")},
			{"actor", put(name)},
			{"actor", put(chronos.WithActor(r.ctx, "a\nb\x01"))},
			{"actor", all(r.PutAll(name, []chronos.Job{{ID: "new", Handler: "h"}}))},
			{"actor", trig(name, chronos.TriggerRequest{})},
			{"TriggerRequest.Payload", trig(r.ctx, chronos.TriggerRequest{Payload: make([]byte, 256<<10+1)})},
			{"TriggerRequest.Overlap", trig(r.ctx, chronos.TriggerRequest{Overlap: "x"})},
			{"TriggerRequest.Key", trig(r.ctx, chronos.TriggerRequest{Key: strings.Repeat("x", 257)})},
			{"TriggerRequest.Key", trig(r.ctx, chronos.TriggerRequest{Key: "a\x00"})},
			{"TriggerRequest.Note", trig(r.ctx, chronos.TriggerRequest{Note: long})},
			{"BackfillRequest.From", back("job", time.Time{}, epoch, "", "")},
			{"BackfillRequest.To", back("job", at("00:10:00"), at("00:05:00"), "", "")},
			{"BackfillRequest.To", back("job", at("00:10:00"), at("02:00:00"), "", "")},
			{"BackfillRequest.To", back("job", epoch.AddDate(-1, 0, 0), epoch, "", "")},
			{"BackfillRequest.Overlap", back("job", epoch, epoch, "x", "")},
			{"BackfillRequest.Note", back("job", epoch, epoch, "", long)},
			{"id", back("idle", epoch, epoch, "", "")},
			{"id", back("after", epoch, epoch, "", "")},
			{"Query.Job", query(chronos.Query{Job: "a b"})},
			{"Query.Limit", query(chronos.Query{Limit: -1})},
			{"Query.After", query(chronos.Query{After: "x"})},
			{"Query.After", query(chronos.Query{After: "job:x"})},
			{"Query.After", query(chronos.Query{Job: "idle", After: "job:hkhkpnaah9c00-s6"})},
		} {
			wantField(t, tc.err, tc.field)
		}
		if n := r.count("job"); n != 0 {
			t.Errorf("%d rows were written: %v", n, r.ledgerText("job"))
		}
		if got := r.get("job"); got.State.Paused || got.Version != 1 {
			t.Errorf("job %+v", got)
		}
		if _, err := r.Get(r.ctx, "new"); err == nil {
			t.Error("a job was written")
		}
		// The largest that is allowed.
		x := r.trigger("job", chronos.TriggerRequest{Payload: make([]byte, 256<<10), Key: strings.Repeat("k", 256), Note: strings.Repeat("n", 1024)})
		r.put(chronos.Job{ID: "large", Payload: make([]byte, 256<<10), Description: strings.Repeat("d", 1024)})
		r.start()
		if got, err := r.Wait(r.ctx, x.ID); err != nil || got.Status != chronos.StatusSucceeded {
			t.Errorf("got %+v, %v", got.Status, err)
		}
		chronos.SetOutput(r.ctx, []byte("outside a handler"))
		if chronos.Permanent(nil) != nil || chronos.RetryAfter(time.Second, nil) == nil {
			t.Error("Permanent(nil) or RetryAfter(nil)")
		}
		if _, err := chronos.ParseSchedule("@every"); err == nil {
			t.Error("ParseSchedule took @every")
		}
	})
}

// An output beyond the bound is cut, and says so.
func TestOutputBound(t *testing.T) {
	bubble(t, chronos.Options{MaxOutput: 10}, func(r *rig) {
		r.handle(func(ctx context.Context, _ chronos.Execution) error {
			chronos.SetOutput(ctx, []byte("replaced"))
			chronos.SetOutput(ctx, []byte("0123456789abc"))
			return nil
		})
		r.put(chronos.Job{})
		r.start()
		x, err := r.Wait(r.ctx, r.trigger("job", chronos.TriggerRequest{}).ID)
		r.must(err)
		if string(x.Output) != "0123456789" || !x.OutputTruncated {
			t.Errorf("row %+v", x)
		}
	})
}
