package chronos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// zoo is a job of every kind. Those in it that are due every so many seconds
// have their first instant that long after epoch.
func zoo() map[string]chronos.Job {
	every := func(s int, j chronos.Job) chronos.Job {
		j.Schedule = chronos.Every(time.Duration(s) * time.Second)
		return j
	}
	retry := chronos.Retry{MaxAttempts: 50, Initial: 15 * time.Second, Multiplier: 1, NoJitter: true}
	all := map[string]chronos.Job{
		"misfire-latest":   every(10, chronos.Job{}),
		"misfire-earliest": every(10, chronos.Job{Misfire: chronos.MisfireEarliest}),
		"misfire-all":      every(10, chronos.Job{Misfire: chronos.MisfireAll, Overlap: chronos.OverlapBufferAll}),
		"misfire-skip":     every(10, chronos.Job{Misfire: chronos.MisfireSkip}),
		"retry":            every(20, chronos.Job{Handler: "fail", Retry: retry}),
		"pause-on-failure": every(50, chronos.Job{Handler: "long", PauseOnFailure: true}),
		"at-most-once":     every(40, chronos.Job{Handler: "long", Delivery: chronos.AtMostOnce}),
		"at-least-once":    every(40, chronos.Job{Handler: "long"}),
		"jitter":           every(60, chronos.Job{}),
		"no-handler":       every(10, chronos.Job{Handler: "nobody", Overlap: chronos.OverlapAllowAll, StartDeadline: time.Hour}),
		"window":           every(10, chronos.Job{Misfire: chronos.MisfireAll, CatchUpWindow: time.Minute}),
		"runs":             every(10, chronos.Job{MaxRuns: 1_000_000}),
		"key-1":            every(10, chronos.Job{Handler: "slow", Concurrency: chronos.Concurrency{Key: "k", Limit: 1}}),
		"key-2":            every(10, chronos.Job{Handler: "slow", Concurrency: chronos.Concurrency{Key: "k", Limit: 1}}),
		"sticky":           every(10, chronos.Job{Placement: chronos.Placement{Sticky: true}}),
	}
	j := all["jitter"]
	j.Schedule = j.Schedule.Jitter(50 * time.Second)
	all["jitter"] = j
	for _, o := range []chronos.Overlap{chronos.OverlapSkip, chronos.OverlapBufferOne, chronos.OverlapBufferAll,
		chronos.OverlapCancelOther, chronos.OverlapTerminateOther, chronos.OverlapAllowAll} {
		all["overlap-"+string(o)] = every(10, chronos.Job{Handler: "slow", Overlap: o})
	}
	return all
}

func periodOf(j chronos.Job) time.Duration {
	due := j.Schedule.NextN(epoch, 2)
	return due[1].Sub(due[0])
}

// fill puts the zoo and what is in it besides, and lets it work until 00:01:31.5,
// with look-ahead: then something of everything is unfinished.
func (r *rig) fill() {
	r.t.Helper()
	r.handle(busy(100 * time.Millisecond))
	r.handleAs("slow", busy(35*time.Second))
	r.handleAs("long", deaf(2*time.Minute, nil))
	r.handleAs("fail", fail)
	for id, j := range zoo() {
		j.ID = id
		r.put(j)
	}
	r.put(chronos.Job{ID: "paused", Schedule: chronos.Every(10 * time.Second)})
	r.put(chronos.Job{ID: "once-past", Schedule: chronos.At(at("00:30:00"))})
	r.put(chronos.Job{ID: "once-removed", Schedule: chronos.At(at("00:30:00")), RemoveAfter: true})
	r.put(chronos.Job{ID: "once-future", Schedule: chronos.At(at("3 00:00:00"))})
	r.put(chronos.Job{ID: "delay-idle", Schedule: chronos.After(20 * time.Second)})
	r.put(chronos.Job{ID: "delay-runs", Schedule: chronos.After(20 * time.Second), Handler: "long"})
	r.put(chronos.Job{ID: "zone", Schedule: chronos.Cron("0 6 * * *").In(zone("America/New_York"))})
	r.put(chronos.Job{ID: "called", Handler: "slow", Overlap: chronos.OverlapBufferAll})
	r.put(chronos.Job{ID: "deleted", Schedule: chronos.Every(10 * time.Second)})
	r.start()
	r.until("00:01:05")
	r.must(r.Pause(r.ctx, "paused", "by test"))
	r.must(r.Delete(r.ctx, "deleted"))
	r.trigger("called", chronos.TriggerRequest{Key: "first", Payload: []byte("p1")})
	r.trigger("called", chronos.TriggerRequest{Key: "second", Payload: []byte("p2")})
	r.until("00:01:29")
	time.Sleep(500 * time.Millisecond)
	synctest.Wait()
}

// unfinishedBy counts the rows of a ledger by what they wait for.
func unfinishedBy(r *rig) map[string]int {
	out := map[string]int{}
	for x, err := range r.Executions(r.ctx, chronos.Query{}) {
		r.must(err)
		if !x.Final() {
			out[string(x.Status)+" "+string(x.Waiting)]++
		}
	}
	return out
}

// backed is a backup of the zoo, taken while it works, and its scheduler's end.
func backed(r *rig) []byte {
	r.t.Helper()
	r.fill()
	for _, want := range []string{"running ", "pending instant", "pending overlap", "pending room"} {
		if unfinishedBy(r)[want] == 0 {
			r.t.Fatalf("nothing is %q when the backup is taken: %v", want, unfinishedBy(r))
		}
	}
	var file bytes.Buffer
	r.must(r.Backup(r.ctx, &file))
	r.until("00:02:30") // what is lost goes on here
	r.shut()
	return file.Bytes()
}

// accounts checks a job that is due every so many seconds: each instant up to one
// has exactly one row, or is within exactly one range.
func accounts(t *testing.T, s *chronos.Scheduler, job string, period time.Duration, until time.Time) {
	t.Helper()
	seen := map[time.Time]int{}
	for x, err := range s.Executions(t.Context(), chronos.Query{Job: job}) {
		if err != nil {
			t.Fatal(err)
		}
		if x.Origin != chronos.OriginSchedule {
			continue
		}
		last, n := x.Due, 0
		if !x.RangeTo.IsZero() {
			last = x.RangeTo
		}
		for at := x.Due; !at.After(last); at = at.Add(period) {
			seen[at]++
			n++
		}
		if n != x.Count || x.CountIsFloor {
			t.Errorf("%s: a row from %s to %s counts %d (floor: %v), not %d", job, clockText(x.Due), clockText(last), x.Count, x.CountIsFloor, n)
		}
	}
	for at := epoch.Add(period); !at.After(until); at = at.Add(period) {
		if seen[at] != 1 {
			t.Errorf("%s: %d rows for %s", job, seen[at], clockText(at))
		}
		delete(seen, at)
	}
	for at := range seen {
		if at.Before(until) {
			t.Errorf("%s: a row for %s, when it was not due", job, clockText(at))
		}
	}
}

// restored checks a scheduler that came from the zoo's backup a while ago.
func restored(t *testing.T, s *chronos.Scheduler, when time.Time) {
	t.Helper()
	for x, err := range s.Executions(t.Context(), chronos.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if x.CreatedAt.Before(when) && !x.Final() {
			t.Errorf("%s is %s", x.ID, rowText(x))
		}
		if x.Reason == chronos.ReasonRestore && (x.EndedAt.After(when) || when.Sub(x.EndedAt) > time.Second) {
			t.Errorf("%s ended at %s, not just before %s", x.ID, clockText(x.EndedAt), clockText(when))
		}
	}
	for id, j := range zoo() {
		period := periodOf(j)
		accounts(t, s, id, period, time.Now())
		got, err := s.Get(t.Context(), id)
		if err != nil || got.State.Paused || got.State.NextDue.Before(time.Now()) {
			t.Errorf("%s: %v, next due %s, paused %v", id, err, got.State.NextDue, got.State.Paused)
		}
	}
}

// TestRestore: a backup of a scheduler at work, in a new one an hour or three
// days later. Nothing of the past runs, every instant has its row, and from then
// on each is due once.
func TestRestore(t *testing.T) {
	for _, c := range []struct {
		name, when string
		disk       bool
	}{{"hour, in memory", "01:00:04", false}, {"at once", "00:03:00", false}, {"days, on disk", "4 01:00:04", true}} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, chronos.Options{}, func(r *rig) {
				file := backed(r)
				if c.disk {
					r.opts.InMemory, r.opts.Dir = false, t.TempDir()
				}
				r.until(c.when)
				r.calls, r.times = nil, nil
				r.open()
				_ = r.Status() // nothing is due, it says
				r.must(r.Restore(r.ctx, bytes.NewReader(file)))
				when := time.Now()
				restored(t, r.Scheduler, when)
				var first time.Time
				for id := range zoo() {
					if due := r.get(id).State.NextDue; first.IsZero() || due.Before(first) {
						first = due
					}
				}
				if next := r.Status().NextDue; next.IsZero() || next.After(first) {
					t.Errorf("something is due next at %s, says Status, and not at %s", clockText(next), clockText(first))
				}
				if c.disk {
					r.wantClean()
					r.away(time.Second)
				}
				r.handle(busy(100 * time.Millisecond))
				for _, h := range []string{"slow", "long", "fail"} {
					r.handleAs(h, busy(100*time.Millisecond))
				}
				r.start()
				time.Sleep(2*time.Minute + 500*time.Millisecond)
				r.afterRestore(when)
			})
		})
	}
}

// wantClean checks that Restore left nothing beside the state.
func (r *rig) wantClean() {
	r.t.Helper()
	if _, err := os.Stat(filepath.Join(r.opts.Dir, "restore")); !errors.Is(err, os.ErrNotExist) {
		r.t.Errorf("Restore left its working directory: %v", err)
	}
}

// afterRestore checks what a restored scheduler has done since.
func (r *rig) afterRestore(when time.Time) {
	r.t.Helper()
	once := map[string]int{}
	for _, x := range r.called() {
		if x.Origin == chronos.OriginSchedule && !x.Due.After(when) {
			r.t.Errorf("ran, of the past: %s %s", x.ID, rowText(x))
		}
		if once[x.ID]++; once[x.ID] > 1 {
			r.t.Errorf("%s ran %d times", x.ID, once[x.ID])
		}
	}
	for id, j := range zoo() {
		period := periodOf(j)
		accounts(r.t, r.Scheduler, id, period, time.Now())
		ran := 0
		for _, x := range r.called() {
			if x.Job == id {
				ran++
			}
		}
		due := int(time.Now().Unix()/int64(period.Seconds()) - when.Unix()/int64(period.Seconds()))
		if id == "no-handler" {
			due = 0
		}
		if id == "jitter" && ran == due-1 {
			ran++ // the last one's start is still to come
		}
		if ran != due {
			r.t.Errorf("%s: %d were due since the restore, %d ran", id, due, ran)
		}
	}
	r.afterRestoreOthers(when)
}

func (r *rig) afterRestoreOthers(when time.Time) {
	r.t.Helper()
	first := when.Add(20 * time.Second)
	for _, id := range []string{"delay-idle", "delay-runs"} {
		i := slices.IndexFunc(r.called(), func(x chronos.Execution) bool { return x.Job == id })
		if i < 0 || !r.called()[i].Due.Equal(first) && when.After(at("00:02:30")) {
			r.t.Errorf("%s did not go on 20 s after the restore: %v", id, r.ledgerText(id))
		}
	}
	if j := r.get("paused"); !j.State.Paused || j.State.PauseNote != "by test" {
		r.t.Errorf("paused is %+v", j.State)
	}
	r.must(r.Resume(r.ctx, "paused"))
	time.Sleep(20 * time.Second)
	accounts(r.t, r.Scheduler, "paused", 10*time.Second, time.Now())
	late := when.After(at("00:30:00"))
	if got := r.ledgerText("once-past"); late && !slices.Equal(got, []string{"00:30:00 missed(restore)"}) || !late && len(got) != 0 {
		r.t.Errorf("once-past: %v", got)
	}
	if _, err := r.Get(r.ctx, "once-removed"); late != errors.Is(err, chronos.ErrNotFound) {
		r.t.Errorf("once-removed: %v", err)
	}
	if future := r.get("once-future").State.NextDue; !when.After(at("3 00:00:00")) != future.Equal(at("3 00:00:00")) {
		r.t.Errorf("once-future is due %s", future)
	}
	for i, key := range []string{"first", "second"} {
		x := r.trigger("called", chronos.TriggerRequest{Key: key})
		if x.Status != chronos.StatusLost || x.Reason != chronos.ReasonRestore || x.CreatedAt.After(when) {
			r.t.Errorf("trigger %d is answered with %s", i, rowText(x))
		}
	}
	x := r.trigger("called", chronos.TriggerRequest{Key: "third"})
	time.Sleep(time.Minute)
	if x = r.execution(x.ID); x.Status != chronos.StatusSucceeded || x.FencingToken < 1<<32 {
		r.t.Errorf("a new trigger: %s, token %d", rowText(x), x.FencingToken)
	}
	if _, err := r.Get(r.ctx, "deleted"); !errors.Is(err, chronos.ErrNotFound) {
		r.t.Errorf("deleted: %v", err)
	}
	if n := len(r.rows("deleted")); n == 0 {
		r.t.Error("the ledger of a deleted job is gone")
	}
}

// failAfter is a writer with room for so many bytes.
type failAfter struct{ n int }

func (f *failAfter) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errBoom
	}
	return len(p), nil
}

// TestBackupFails: an error of the writer comes back, and a context that ends.
func TestBackupFails(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{Schedule: chronos.Every(time.Hour)})
		for _, room := range []int{0, 10, 100, 300} {
			if err := r.Backup(r.ctx, &failAfter{room}); !errors.Is(err, errBoom) {
				t.Errorf("with room for %d bytes: %v", room, err)
			}
		}
		ctx, cancel := context.WithCancel(r.ctx)
		cancel()
		if err := r.Backup(ctx, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
		var file bytes.Buffer
		r.must(r.Backup(r.ctx, &file))
		if err := r.Restore(r.ctx, &file); !errors.Is(err, chronos.ErrConflict) || !strings.Contains(err.Error(), "new directory") {
			t.Errorf("Restore into a scheduler that has a job: %v", err)
		}
		r.shut()
		if err := r.Backup(r.ctx, &file); !errors.Is(err, chronos.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if err := r.Restore(r.ctx, &file); !errors.Is(err, chronos.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// TestRestoreDamaged: a backup that was cut off anywhere, or has a bit flipped, is
// refused, and nothing has changed.
func TestRestoreDamaged(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and its scheduler is under the race detector in other tests, too")
	}
	bubble(t, chronos.Options{}, func(r *rig) {
		file := backed(r)
		r.opts.InMemory, r.opts.Dir = false, t.TempDir()
		r.open()
		refused := func(what string, data []byte) {
			before, _ := chronos.StateOf(r.Scheduler)
			err := r.Restore(r.ctx, bytes.NewReader(data))
			if !errors.Is(err, chronos.ErrCorrupt) && (err == nil || !strings.Contains(err.Error(), "upgrade")) {
				t.Fatalf("%s: %v", what, err)
			}
			if now, _ := chronos.StateOf(r.Scheduler); now != before+1 { // it looked, with a barrier
				t.Fatalf("%s: there are %d new entries in the log", what, now-before)
			}
		}
		step := max(1, len(file)/40)
		for n := 0; n < len(file); n += step {
			refused(fmt.Sprint("cut off at ", n), file[:n])
			flipped := bytes.Clone(file)
			flipped[n] ^= 1 << (n % 8)
			refused(fmt.Sprint("flipped at ", n), flipped)
		}
		refused("cut off by one", file[:len(file)-1])
		refused("longer", append(bytes.Clone(file), 0))
		r.wantClean()
		r.must(r.Restore(r.ctx, bytes.NewReader(file)))
		restored(t, r.Scheduler, time.Now())
	})
}
