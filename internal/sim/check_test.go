package sim

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// fixture is a checker over one job that ran three times, all of it in order.
func fixture(change func(*world, *jobDump)) []violation {
	w := newWorld(1, profiles[0], "")
	begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	p := &plan{Job: "fixed/00", When: []when{{Every: 10 * time.Second}}, Work: work{Seq: "put-1"}}
	j := &jobDump{exists: true, versions: []chronos.Version{{Number: 1, At: begin, Actor: "put-1", Job: chronos.Job{Payload: p.payload()}}}}
	j.job.State = chronos.JobState{Paused: true, PausedBy: settler, PausedAt: begin.Add(31 * time.Second)}
	w.log.calls = []*call{{seq: "put-1", op: "put", job: p.Job, plan: p, begin: begin.UnixNano(), end: begin.UnixNano(), beginPos: 1, endPos: 2, version: 1}}
	one := &proc{w: w, name: "a"}
	for i := range 3 {
		due, token := begin.Add(time.Duration(i+1)*10*time.Second), uint64(10+i)
		id := p.Job + ":" + string(rune('x'+i))
		j.rows = append(j.rows, chronos.Execution{
			ID: id, Job: p.Job, Generation: 1, Version: 1, Due: due, Origin: chronos.OriginSchedule, Status: chronos.StatusSucceeded, Attempt: 1,
			FencingToken: token, CreatedAt: due, EndedAt: due, Count: 1, Attempts: []chronos.Attempt{{Number: 1, FencingToken: token, Status: chronos.StatusSucceeded}},
		})
		w.log.attempts = append(w.log.attempts, &attempt{
			node: "a", proc: one, job: p.Job, exec: id, gen: 1, version: 1, token: token, number: 1, due: due.UnixNano(), start: due.UnixNano(), end: due.UnixNano(),
			startPos: 10 * (i + 1), endPos: 10*(i+1) + 1, how: "ok", exclusive: true,
		})
	}
	change(w, j)
	w.log.closed = true
	check(w, &dumps{at: begin.Add(40 * time.Second).UnixNano(), nodes: []string{"a"}, byNode: map[string]map[string]*jobDump{"a": {p.Job: j}}})
	return w.log.found
}

// What is in order passes, and each mistake is seen for what it is.
func TestChecker(t *testing.T) {
	if found := fixture(func(*world, *jobDump) {}); len(found) > 0 {
		t.Errorf("in order: %+v", found)
	}
	for want, change := range map[string]func(*world, *jobDump){
		"ledger: 1 instants of versions 1 to 1 have no row": func(w *world, j *jobDump) { j.rows, w.log.attempts = j.rows[:2], w.log.attempts[:2] },
		"ledger: instant 01 00:00:20.000 is in 2 rows":      func(_ *world, j *jobDump) { r := j.rows[1]; r.ID += "2"; j.rows = append(j.rows, r) },
		"ledger: row for an instant that was not due":       func(_ *world, j *jobDump) { j.rows[1].Due = j.rows[1].Due.Add(time.Second) },
		"ledger: succeeded, but its handler did not":        func(w *world, _ *jobDump) { w.log.attempts[1].how = "work failed" },
		"ledger: its handler succeeded":                     func(_ *world, j *jobDump) { j.rows[1].Status = chronos.StatusFailed },
		"stuck: unfinished at the end":                      func(_ *world, j *jobDump) { j.rows[1].Status = chronos.StatusRunning },
		"lost: given up although":                           func(_ *world, j *jobDump) { j.rows[1].Status = chronos.StatusLost },
		"lost: started without a row":                       func(_ *world, j *jobDump) { j.rows = j.rows[:2] },
		"lost: token 99 was given out":                      func(w *world, _ *jobDump) { w.log.attempts[1].token = 99 },
		"fence: token 12 started after 12":                  func(w *world, _ *jobDump) { w.log.attempts[1].token = 12 },
		"double: token 11 started twice":                    func(w *world, _ *jobDump) { a := *w.log.attempts[1]; w.log.attempts = append(w.log.attempts, &a) },
		"double: at most once": func(w *world, j *jobDump) {
			w.log.calls[0].plan.Delivery = chronos.AtMostOnce
			a := *w.log.attempts[1]
			w.log.attempts[1].endPos, a.token, a.startPos = 0, 50, 25
			w.log.attempts = slices.Insert(w.log.attempts, 2, &a)
		},
		"lost: acknowledged put put-2 made no version": func(w *world, _ *jobDump) {
			w.log.calls = append(w.log.calls, &call{seq: "put-2", op: "put", job: "fixed/00", plan: w.log.calls[0].plan, beginPos: 3, endPos: 4})
		},
		"lost: acknowledged trigger t-1 has no row": func(w *world, _ *jobDump) {
			w.log.calls = append(w.log.calls, &call{seq: "t-1", op: "trigger", job: "fixed/00", exec: "fixed/00:t", beginPos: 3, endPos: 4})
		},
		"ledger: version 1 comes from":             func(_ *world, j *jobDump) { j.versions[0].Actor = "nobody" },
		"lost: version 1 has the payload of other": func(_ *world, j *jobDump) { j.versions[0].Job.Payload = []byte(`{"Seq":"other"}`) },
		"edit: began under version 1": func(w *world, j *jobDump) {
			v := j.versions[0]
			v.Number, v.Actor = 2, "put-2"
			j.versions = append(j.versions, v)
			w.log.calls = append(w.log.calls, &call{seq: "put-2", op: "put", job: "fixed/00", plan: &plan{Job: "fixed/00", Work: work{Seq: "put-2"}}, beginPos: 3, endPos: 4})
		},
	} {
		if found := fixture(change); !slices.ContainsFunc(found, func(v violation) bool { return strings.HasPrefix(v.kind+": "+v.text, want) }) {
			t.Errorf("%s: not seen, but %+v", want, found)
		}
	}
}

// Two live attempts of an exclusive job, and two holders of a lock, are seen as they
// begin.
func TestLiveChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, profiles[0], "")
		a := &attempt{proc: &proc{w: w, dead: make(chan struct{})}, job: "j", exec: "j:1", token: 1, ctx: t.Context(), exclusive: true}
		b := *a
		b.exec, b.token = "j:2", 2
		w.log.beginAttempt(a)
		w.log.beginAttempt(&b)
		if len(w.log.found) != 1 || w.log.found[0].kind != "exclusive" {
			t.Errorf("found %+v", w.log.found)
		}
		h := &holding{name: "l", proc: a.proc, token: 1, ctx: t.Context()}
		second := *h
		second.token = 2
		w.log.take(h)
		w.log.take(&second)
		if len(w.log.found) != 2 || w.log.found[1].kind != "lock" {
			t.Errorf("found %+v", w.log.found)
		}
	})
}

// A history that is none of a register's, and the same one where a call is
// uncertain.
func TestLinear(t *testing.T) {
	for unsure, want := range map[bool]int{false: 1, true: 0} {
		w := newWorld(1, profiles[0], "")
		w.log.closed = true
		put := &call{seq: "p1", op: "put", job: "register/0", version: 1, beginPos: 1, endPos: 2, unsure: unsure}
		if unsure {
			put.err = errDead
		}
		get := &call{seq: "g1", op: "get", job: "register/0", read: &reading{}, beginPos: 3, endPos: 4}
		k := &checker{w: w, log: w.log, byJob: map[string][]*call{"register/0": {put, get}}}
		k.checkLinear()
		if len(w.log.found) != want {
			t.Errorf("unsure %v: %+v", unsure, w.log.found)
		}
	}
}

// The naive model by examples, each looked up on a calendar.
func TestWhen(t *testing.T) {
	for _, c := range []struct {
		w        when
		from, to string
		want     string
	}{
		{when{Minutes: []int{30}, Hours: []int{2}, Zone: "Europe/Berlin"}, "2000-03-25T00:00:00Z", "2000-03-27T12:00:00Z", "25T01:30 26T01:00 27T00:30"},
		{when{Minutes: []int{30}, Hours: []int{2}, Zone: "Europe/Berlin"}, "2000-10-28T00:00:00Z", "2000-10-30T12:00:00Z", "28T00:30 29T00:30 30T01:30"},
		{when{Minutes: []int{30}, Zone: "Europe/Berlin"}, "2000-10-28T23:40:00Z", "2000-10-29T02:00:00Z", "29T00:30 29T01:30"},
		{when{MinuteStep: 30, NotHours: []int{2, 3}}, "2000-01-01T01:00:00Z", "2000-01-01T04:00:00Z", "01T01:30 01T04:00"},
		{when{MinuteStep: 30, NotDays: []int{0}}, "2000-01-01T23:00:00Z", "2000-01-03T00:00:00Z", "01T23:30 03T00:00"},
		{when{Every: time.Hour, Anchor: time.Date(2000, 1, 1, 0, 20, 0, 0, time.UTC).UnixNano()}, "1999-12-31T22:30:00Z", "2000-01-01T01:00:00Z", "31T23:20 01T00:20"},
	} {
		from, _ := time.Parse(time.RFC3339, c.from)
		to, _ := time.Parse(time.RFC3339, c.to)
		var got []string
		for _, at := range c.w.instants(from.UnixNano(), to.UnixNano()) {
			got = append(got, time.Unix(0, at).UTC().Format("02T15:04"))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.w.cron(), s, c.want)
		}
	}
}
