package chronoshttp

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

func rows(a *reply) (out []string) {
	a.t.Helper()
	for _, x := range decode[executionsJSON](a.want(http.StatusOK)).Items {
		out = append(out, x.ID)
	}
	return out
}

func TestListExecutions(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "a", Schedule: chronos.Every(time.Minute)})
		r.put(chronos.Job{ID: "a/b", Schedule: chronos.Every(2 * time.Minute), Handler: "fails"})
		r.pass(10*time.Minute + 30*time.Second)
		r.call("POST", base+"/jobs/a:trigger", `{"note": "now"}`).want(http.StatusAccepted)

		all := rows(r.get(base + "/executions"))
		equal(t, "rows", len(all), 10+5+1)
		var paged []string
		next := ""
		for {
			page := r.get(base + "/executions?limit=3&cursor=" + url.QueryEscape(next))
			paged = append(paged, rows(page)...)
			if next = decode[executionsJSON](page).NextCursor; next == "" {
				break
			}
		}
		if !slices.Equal(paged, all) {
			t.Errorf("paged\n%s\nall\n%s", strings.Join(paged, "\n"), strings.Join(all, "\n"))
		}
		for query, want := range map[string]int{
			"?job=a":                            11,
			"?job=a%2Fb":                        5,
			"?status=failed":                    5,
			"?status=failed&status=succeeded":   16,
			"?origin=trigger":                   1,
			"?origin=schedule&job=a":            10,
			"?node=local":                       16,
			"?node=other":                       0,
			"?from=2000-01-01T00:09:00Z":        4,
			"?to=2000-01-01T00:01:00Z":          1,
			"?job=a&limit=4":                    4,
			"?origin=schedule&limit=4":          4,
			"?from=2000-01-01T01:09:00%2B01:00": 4,
		} {
			equal(t, query, len(rows(r.get(base+"/executions"+query))), want)
		}
		r.get(base+"/executions?status=ok").problem(http.StatusBadRequest, codeInvalid, "status")
		r.get(base+"/executions?origin=x").problem(http.StatusBadRequest, codeInvalid, "origin")
		r.get(base+"/executions?from=x").problem(http.StatusBadRequest, codeInvalid, "from")
		r.get(base+"/executions?to=x").problem(http.StatusBadRequest, codeInvalid, "to")
		r.get(base+"/executions?cursor=x").problem(http.StatusBadRequest, codeInvalid, "cursor")
		r.get(base+"/executions?job=-").problem(http.StatusBadRequest, codeInvalid, "")

		x := decode[executionJSON](r.get(base + "/executions/" + url.PathEscape(all[len(all)-1])).want(http.StatusOK))
		if x.Job != "a" || x.Status != chronos.StatusSucceeded || !x.Final || x.Output == nil || *x.Output != "got " || len(x.Attempts) != 1 {
			t.Errorf("%+v", x)
		}
		r.get(base+"/executions/a:none").problem(http.StatusNotFound, codeNotFound, "")
		r.get(base+"/executions/none").problem(http.StatusBadRequest, codeInvalid, "id")
	})
}

func TestTrigger(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "job", Payload: []byte("own")})
		trigger := func(body any, headers ...string) executionJSON {
			t.Helper()
			x := decode[executionJSON](r.call("POST", base+"/jobs/job:trigger", body, headers...).want(http.StatusAccepted))
			r.pass(time.Second)
			return decode[executionJSON](r.get(base + "/executions/" + x.ID).want(http.StatusOK))
		}
		first := trigger(`{"payload": "other", "note": "why"}`, "Idempotency-Key", "k1")
		if *first.Output != "got other" || first.Note != "why" || first.Actor != "ann" || first.Key != "k1" || first.Origin != chronos.OriginTrigger {
			t.Errorf("%+v", first)
		}
		equal(t, "the same key", trigger(nil, "Idempotency-Key", "k1").ID, first.ID)
		equal(t, "own payload", *trigger(nil).Output, "got own")
		equal(t, "empty payload", *trigger(`{"payload": ""}`).Output, "got ")
		binary := trigger(`{"payload_base64": "/w=="}`)
		equal(t, "binary", binary.OutputBase64, "Z290IP8=")
		r.call("POST", base+"/jobs/job:trigger", `{"overlap": "x"}`).problem(http.StatusBadRequest, codeInvalid, "overlap")
		r.call("POST", base+"/jobs/job:trigger", nil, "Idempotency-Key", strings.Repeat("k", 257)).problem(http.StatusBadRequest, codeInvalid, "Idempotency-Key")

		r.put(chronos.Job{ID: "busy", Handler: "waits"})
		r.call("POST", base+"/jobs/busy:trigger", nil).want(http.StatusAccepted)
		skipped := decode[executionJSON](r.call("POST", base+"/jobs/busy:trigger", nil).want(http.StatusAccepted))
		equal(t, "second", skipped.Status, chronos.StatusSkipped)
		equal(t, "reason", skipped.Reason, chronos.ReasonOverlap)
	})
}

func TestCancelTerminateRedrive(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "busy", Handler: "waits", Overlap: chronos.OverlapAllowAll})
		r.put(chronos.Job{ID: "bad", Handler: "fails"})
		start := func(job string) string {
			id := decode[executionJSON](r.call("POST", base+"/jobs/"+job+":trigger", nil).want(http.StatusAccepted)).ID
			r.pass(time.Second)
			return base + "/executions/" + url.PathEscape(id)
		}
		x := start("busy")
		equal(t, "started", decode[executionJSON](r.get(x)).Status, chronos.StatusRunning)
		r.call("POST", x+":cancel", nil).want(http.StatusOK)
		r.pass(time.Second)
		equal(t, "canceled", decode[executionJSON](r.get(x)).Status, chronos.StatusCanceled)
		x = start("busy")
		equal(t, "terminated", decode[executionJSON](r.call("POST", x+":terminate", nil).want(http.StatusOK)).Status, chronos.StatusTerminated)
		x = start("bad")
		equal(t, "failed", decode[executionJSON](r.get(x)).Status, chronos.StatusFailed)
		r.call("POST", x+":redrive", nil).want(http.StatusOK)
		r.pass(time.Second)
		equal(t, "attempts", decode[executionJSON](r.get(x)).Attempt, 2)
		x = start("busy")
		r.call("POST", x+":redrive", nil).problem(http.StatusConflict, codeConflict, "")
		r.call("POST", base+"/executions/busy:none:cancel", nil).problem(http.StatusNotFound, codeNotFound, "")
	})
}

func TestBackfill(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "job", Schedule: chronos.Every(time.Minute)})
		r.pass(10 * time.Minute)
		fill := func(body string, headers ...string) *reply {
			return r.call("POST", base+"/jobs/job:backfill", body, headers...)
		}
		body := `{"from": "2000-01-01T00:02:00Z", "to": "2000-01-01T00:04:00Z", "note": "again"}`
		equal(t, "count", decode[backfilledJSON](fill(body, "Idempotency-Key", "k").want(http.StatusAccepted)).Count, 3)
		fill(body, "Idempotency-Key", "k").want(http.StatusAccepted)
		r.pass(time.Minute)
		equal(t, "rows", len(rows(r.get(base+"/executions?origin=backfill"))), 3)
		fill(`{"to": "2000-01-01T00:04:00Z"}`).problem(http.StatusBadRequest, codeInvalid, "from")
		fill(`{"from": "2000-01-01T00:02:00Z", "to": "2000-01-01T00:01:00Z"}`).problem(http.StatusBadRequest, codeInvalid, "to")
		fill(`{"from": "x", "to": "2000-01-01T00:01:00Z"}`).problem(http.StatusBadRequest, codeInvalid, "")
	})
}

func TestVersions(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		put := func(body string) { r.call("PUT", base+"/jobs/job", body).want(http.StatusOK) }
		put(`{"definition": {"handler": "ok", "labels": {"a.b": "1", "c": "2"}, "retry": {"max_attempts": 3}}}`)
		put(`{"note": "faster", "definition": {"handler": "ok", "schedule": "@every 1m0s", "labels": {"a.b": "9"}, "retry": {"max_attempts": 5}}}`)
		put(`{"definition": {"handler": "fails", "payload": "x"}}`)
		all := decode[versionsJSON](r.get(base + "/jobs/job:versions").want(http.StatusOK)).Items
		if len(all) != 3 || all[0].Number != 3 || all[1].Note != "faster" || all[2].Actor != "ann" {
			t.Errorf("%+v", all)
		}
		page := decode[versionsJSON](r.get(base + "/jobs/job:versions?limit=2").want(http.StatusOK))
		equal(t, "cursor", page.NextCursor, "2")
		page = decode[versionsJSON](r.get(base + "/jobs/job:versions?limit=2&cursor=2").want(http.StatusOK))
		if len(page.Items) != 1 || page.Items[0].Number != 1 || page.NextCursor != "" {
			t.Errorf("%+v", page)
		}
		diff := decode[diffJSON](r.get(base + "/jobs/job:diff?from=1&to=2").want(http.StatusOK))
		var got []string
		for _, c := range diff.Changes {
			got = append(got, c.Field)
		}
		equal(t, "changes", strings.Join(got, " "), "labels[a.b] labels[c] retry.max_attempts schedule")
		if c := diff.Changes[2]; c.Before != 3.0 || c.After != 5.0 {
			t.Errorf("%+v", c)
		}
		if c := diff.Changes[3]; c.Before != nil || c.After != "@every 1m0s" {
			t.Errorf("%+v", c)
		}
		equal(t, "none", len(decode[diffJSON](r.get(base+"/jobs/job:diff?from=2&to=2")).Changes), 0)
		r.get(base+"/jobs/job:diff?from=1").problem(http.StatusBadRequest, codeInvalid, "to")
		r.get(base+"/jobs/job:diff?from=x&to=1").problem(http.StatusBadRequest, codeInvalid, "from")
		r.get(base+"/jobs/job:diff?from=1&to=9").problem(http.StatusNotFound, codeNotFound, "")

		back := r.call("POST", base+"/jobs/job:rollback", `{"version": 1}`).want(http.StatusOK)
		equal(t, "ETag", back.header.Get("ETag"), `"4"`)
		equal(t, "handler", decode[jobJSON](back).Definition.Handler, "ok")
		equal(t, "said so", decode[versionsJSON](r.get(base + "/jobs/job:versions")).Items[0].RolledBackTo, 1)
		r.call("POST", base+"/jobs/job:rollback", `{}`).problem(http.StatusBadRequest, codeInvalid, "version")
		r.call("POST", base+"/jobs/job:rollback", `{"version": 77}`).problem(http.StatusNotFound, codeNotFound, "")

		r.call("DELETE", base+"/jobs/job", nil).want(http.StatusNoContent)
		put(`{"definition": {"handler": "ok"}}`)
		all = decode[versionsJSON](r.get(base + "/jobs/job:versions")).Items
		if len(all) != 6 || !all[1].Deleted || all[0].Number != 6 {
			t.Errorf("%+v", all)
		}
		r.get(base + "/jobs/job:diff?from=4&to=5").want(http.StatusOK)
		r.get(base+"/jobs/none:versions").problem(http.StatusNotFound, codeNotFound, "")
	})
}

func TestSimulate(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "hourly", Schedule: chronos.Cron("0 * * * *")})
		r.put(chronos.Job{ID: "daily", Schedule: chronos.Cron("0 9 * * *")})
		r.put(chronos.Job{ID: "paused", Schedule: chronos.Cron("* * * * *")})
		r.put(chronos.Job{ID: "manual"})
		r.call("POST", base+"/jobs/paused:pause", nil).want(http.StatusOK)
		run := func(body any) simulationJSON {
			t.Helper()
			return decode[simulationJSON](r.call("POST", base+"/simulate", body).want(http.StatusOK))
		}
		week := run(nil)
		equal(t, "total", week.Total, 7*24+7)
		equal(t, "buckets", len(week.Load), 7*24)
		equal(t, "complete", week.Complete, true)
		equal(t, "busiest", week.Busiest[0].Count, 2)
		equal(t, "when", week.Busiest[0].At, epoch.Add(9*time.Hour))
		equal(t, "first job", week.Jobs[0].ID, "hourly")
		equal(t, "begins", week.Jobs[0].First[0], epoch)
		equal(t, "jobs", len(week.Jobs), 4)

		day := run(`{"from": "2000-03-26T00:00:00Z", "to": "2000-03-27T00:00:00Z", "bucket": "1m", "jobs": ["daily"],
			"drafts": [{"id": "new", "definition": {"handler": "ok", "schedule": "CRON_TZ=Europe/Berlin 30 2 * * *"}}, {"id": "delay", "definition": {"handler": "ok", "schedule": "@after 6h"}}]}`)
		equal(t, "total", day.Total, 1+1+3) // the gap: once, right after it
		for _, j := range day.Jobs {
			equal(t, j.ID, j.Estimated, j.ID == "delay")
			if j.ID == "new" {
				equal(t, "after the gap", j.First[0], time.Date(2000, 3, 26, 1, 0, 0, 0, time.UTC))
			}
		}
		equal(t, "shifts", len(day.Clock), 1)
		if c := day.Clock[0]; c.Job != "new" || c.Zone != "Europe/Berlin" || time.Duration(c.By) != time.Hour || c.First != "02:30:00" || c.Times != 1 || c.What == "" {
			t.Errorf("%+v", c)
		}
		if jobs, _ := r.s.Get(t.Context(), "new"); jobs.ID != "" {
			t.Error("a draft was stored")
		}
		often := run(`{"drafts": [{"id": "often", "definition": {"handler": "ok", "schedule": "@every 10ms"}}, {"id": "rare", "definition": {"handler": "ok", "schedule": "@every 1h"}}]}`)
		equal(t, "complete", often.Complete, false)
		counted := often.Jobs[0].Count
		if counted < 900_000 || counted+7*24 != often.Total {
			t.Errorf("%d were counted, of %d", counted, often.Total)
		}
		equal(t, "cut off", often.Jobs[0].CountedTo, epoch.Add(time.Duration(counted)*10*time.Millisecond))
		equal(t, "all of it", often.CountedTo, often.Jobs[0].CountedTo)
		equal(t, "the other", often.Jobs[1].Count, 7*24)
		equal(t, "the other", often.Jobs[1].CountedTo, time.Time{})
		if len(often.Cut) != 1 || !strings.Contains(often.Cut[0], `instants of job "often" from `) {
			t.Errorf("%q", often.Cut)
		}
		sum := 0
		for _, l := range often.Load {
			sum += l.Count
		}
		equal(t, "load", sum, often.Total)
		equal(t, "the last hour", often.Load[len(often.Load)-1].At, epoch.Add((7*24-1)*time.Hour))

		for body, field := range map[string]string{
			`{"to": "1999-01-01T00:00:00Z"}`:                                      "to",
			`{"to": "2002-01-01T00:00:00Z"}`:                                      "to",
			`{"bucket": "90s"}`:                                                   "bucket",
			`{"drafts": [{"id": "", "definition": {"handler": "ok"}}]}`:           "drafts.id",
			`{"drafts": [{"id": "x", "definition": {"schedule": "61 * * * *"}}]}`: "definition.schedule",
			`{"drafts": [{"id": "x", "definition": {"overlap": "never"}}]}`:       "definition.overlap",
			`{"jobs": ["daily", "daily"]}`:                                        "jobs",
			`{"jobs": ["daily"], "drafts": [{"id": "daily", "definition": {}}]}`:  "drafts.id",
		} {
			r.call("POST", base+"/simulate", body).problem(http.StatusBadRequest, codeInvalid, field)
		}
		r.call("POST", base+"/simulate", `{"jobs": ["none"]}`).problem(http.StatusNotFound, codeNotFound, "")
	})
}

// What has run for a minute is expected to, and to be in the way of what is due in it.
func TestSimulateOverlaps(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "tight", Handler: "waits", Schedule: chronos.Every(30 * time.Second)})
		time.Sleep(5 * time.Minute)
		sim := decode[simulationJSON](r.call("POST", base+"/simulate", `{"jobs": ["tight"]}`).want(http.StatusOK))
		j := sim.Jobs[0]
		if time.Duration(j.Typical) != time.Minute || j.Overlaps == 0 || j.Lost != j.Overlaps || len(sim.Clock) != 0 {
			t.Errorf("%+v", j)
		}
	})
}

// How long a job takes is known also beside others that run all the time.
func TestSimulatePast(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "tight", Handler: "waits", Schedule: chronos.Every(30 * time.Second)})
		r.pass(61 * time.Second)
		r.call("POST", base+"/jobs/tight:pause", nil).want(http.StatusOK)
		for i := range 12 {
			r.put(chronos.Job{ID: fmt.Sprint("busy-", i), Schedule: chronos.Every(time.Second)})
		}
		r.pass(10 * time.Minute)
		r.call("POST", base+"/jobs/tight:resume", nil).want(http.StatusOK)
		sim := decode[simulationJSON](r.call("POST", base+"/simulate", `{"to": "2000-01-01T01:00:00Z"}`).want(http.StatusOK))
		for _, j := range sim.Jobs {
			if j.ID == "tight" && (time.Duration(j.Typical) != time.Minute || j.Lost == 0) {
				t.Errorf("%+v", j)
			}
		}
	})
}

// A fixed delay counts from the ends, as far as they are known.
func TestSimulateDelay(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "delay", Handler: "waits", Schedule: chronos.After(time.Minute)})
		r.pass(3*time.Minute + time.Second) // due at 1 and at 3, and it takes one
		sim := decode[simulationJSON](r.call("POST", base+"/simulate", `{"from": "2000-01-01T00:04:00Z", "to": "2000-01-01T00:10:00Z"}`).want(http.StatusOK))
		j := sim.Jobs[0]
		equal(t, "estimated", j.Estimated, true)
		equal(t, "due", j.Count, len(j.First))
		for i, at := range j.First[1:] {
			equal(t, "from one to the next", at.Sub(j.First[i]), 2*time.Minute)
		}
		if j.Note == "" {
			t.Error("nothing was said of what was taken to be")
		}
	})
}

// A job that has not succeeded in time is seen to be overdue in every place.
func TestOverdue(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "late", Handler: "fails", SucceedWithin: time.Hour})
		l := r.listen("/events", nil)
		time.Sleep(time.Hour + time.Minute)
		j := decode[jobJSON](r.get(base + "/jobs/late").want(http.StatusOK))
		if !j.State.Overdue || !j.State.SucceedBy.Equal(epoch.Add(time.Hour)) || time.Duration(j.Definition.SucceedWithin) != time.Hour {
			t.Errorf("%+v", j)
		}
		st := decode[clusterJSON](r.get(base + "/cluster").want(http.StatusOK))
		if st.Overdue != 1 || len(st.OverdueJobs) != 1 || st.OverdueJobs[0] != "late" {
			t.Errorf("%+v", st)
		}
		l.cancel()
		<-l.done
		if got := l.text.String(); strings.Count(got, "event: job.overdue") != 1 {
			t.Errorf("not one such event: %s", got)
		}
	})
}

func TestCluster(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "orphan", Handler: "nobody has it"})
		r.call("POST", base+"/jobs/orphan:trigger", nil).want(http.StatusAccepted)
		st := decode[clusterJSON](r.get(base + "/cluster").want(http.StatusOK))
		if !st.Ready || !st.Running || st.Node != "local" || st.Clustered || len(st.Handlers) != 3 {
			t.Errorf("%+v", st)
		}
		if len(st.Waiting) != 1 || !st.Waiting[0].Nobody || st.Waiting[0].Count != 1 {
			t.Errorf("%+v", st.Waiting)
		}
	})
}

func TestOpenAPIIsServed(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		got := r.get(base + "/openapi.json").want(http.StatusOK)
		equal(t, "body", string(got.body), string(openAPIFile))
	})
}

func TestClosedScheduler(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "job"})
		if err := r.s.Close(); err != nil {
			t.Fatal(err)
		}
		got := r.get(base + "/jobs/job")
		got.problem(http.StatusServiceUnavailable, codeUnavailable, "")
		equal(t, "Retry-After", got.header.Get("Retry-After"), "1")
		r.get(base + "/cluster").want(http.StatusOK)
	})
}
