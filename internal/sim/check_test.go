package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// ran is a job that ran three times, all of it in order.
func ran() (*world, *jobDump) {
	w := newWorld(1, profiles[0], "")
	begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	p := &plan{Job: "fixed/00", When: []when{{Every: 10 * time.Second}}, Work: work{Seq: "put-1"}}
	j := &jobDump{exists: true, versions: []chronos.Version{{Number: 1, At: begin, Actor: "put-1", Job: chronos.Job{ID: p.Job, Payload: p.payload()}}}}
	j.job.State = chronos.JobState{Paused: true, PausedBy: settler, PausedAt: begin.Add(31 * time.Second)}
	w.log.calls = []*call{{seq: "put-1", op: "put", job: p.Job, plan: p, begin: begin.UnixNano(), end: begin.UnixNano(), beginPos: 1, endPos: 2, version: 1}}
	one := &proc{w: w, name: "a"}
	for i := range 3 {
		due, token := begin.Add(time.Duration(i+1)*10*time.Second), uint64(10+i)
		id := p.Job + ":" + string(rune('x'+i))
		j.rows = append(j.rows, chronos.Execution{
			ID: id, Job: p.Job, Generation: 1, Version: 1, Due: due, Origin: chronos.OriginSchedule, Status: chronos.StatusSucceeded, Attempt: 1,
			FencingToken: token, CreatedAt: due, EndedAt: due, Count: 1, Attempts: []chronos.Attempt{{Number: 1, Node: "a", FencingToken: token, Status: chronos.StatusSucceeded}},
		})
		w.log.attempts = append(w.log.attempts, &attempt{
			node: "a", proc: one, job: p.Job, exec: id, gen: 1, version: 1, token: token, number: 1, due: due.UnixNano(), start: due.UnixNano(), end: due.UnixNano(),
			startPos: 10 * (i + 1), endPos: 10*(i+1) + 1, how: "ok", exclusive: true,
		})
	}
	w.log.closed = true
	return w, j
}

// asked is what a node says of a job in the end.
func asked(j *jobDump) *dumps {
	at := j.versions[0].At.Add(40 * time.Second)
	return &dumps{at: at.UnixNano(), nodes: []string{"a"}, byNode: map[string]map[string]*jobDump{"a": {j.versions[0].Job.ID: j}}}
}

// fixture checks such a job after a change.
func fixture(change func(*world, *jobDump)) []violation {
	w, j := ran()
	change(w, j)
	check(w, asked(j), nil)
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
		"fence: token 11 is twice in the history":           func(_ *world, j *jobDump) { j.rows[1].Attempts = append(j.rows[1].Attempts, j.rows[1].Attempts[0]) },
		"fence: the row has it on b":                        func(_ *world, j *jobDump) { j.rows[1].Attempts[0].Node = "b" },
		"fence: succeeded before its handler had returned":  func(w *world, _ *jobDump) { w.log.attempts[1].end += 1e9 },
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
		"edit: began under version 1, 1s after put-2": func(w *world, j *jobDump) { // on the same node
			v := j.versions[0]
			v.Number, v.Actor = 2, "put-2"
			j.versions = append(j.versions, v)
			end := w.log.attempts[2].start - int64(time.Second)
			w.log.calls = append(w.log.calls, &call{seq: "put-2", op: "put", job: "fixed/00", node: "a#0", plan: &plan{Job: "fixed/00", Work: work{Seq: "put-2"}}, begin: end, end: end, beginPos: 25, endPos: 26})
		},
	} {
		if found := fixture(change); !slices.ContainsFunc(found, func(v violation) bool { return strings.HasPrefix(v.kind+": "+v.text, want) }) {
			t.Errorf("%s: not seen, but %+v", want, found)
		}
	}
}

// beside puts the same job on another node beside the first one, at the same instants.
func beside(w *world, j *jobDump, change func(p *plan)) {
	one := w.log.attempts[0].proc
	one.labels = map[string]string{"gpu": "yes"}
	other := &proc{w: w, name: "b", labels: map[string]string{}}
	change(w.log.calls[0].plan)
	for i := range 3 {
		r, a := j.rows[i], *w.log.attempts[i]
		j.rows[i].ID, j.rows[i].Target, j.rows[i].Node, w.log.attempts[i].exec, w.log.attempts[i].target = r.ID+"@a", "a", "a", a.exec+"@a", "a"
		r.ID, r.Target, r.Node, r.FencingToken, r.Attempts = r.ID+"@b", "b", "b", r.FencingToken+10, nil
		r.Attempts = []chronos.Attempt{{Number: 1, Node: "b", FencingToken: r.FencingToken, Status: chronos.StatusSucceeded}}
		a.exec, a.target, a.node, a.proc, a.token = r.ID, "b", "b", other, r.FencingToken
		j.rows, w.log.attempts = append(j.rows, r), append(w.log.attempts, &a)
	}
	for i, a := range w.log.attempts { // each goes on until the next instant has begun
		a.startPos, a.endPos, a.end = 10*i+3, 10*i+4, a.end+int64(11*time.Second)
		j.rows[i].EndedAt = time.Unix(0, a.end)
	}
}

func everywhere(p *plan) { p.EveryNode, p.Overlap = true, chronos.OverlapAllowAll }

// What a job for every node left behind, and what is bound to labels and to a
// concurrency key.
func TestCheckerPlacement(t *testing.T) {
	inOrder := func(w *world, j *jobDump) { beside(w, j, everywhere) }
	for _, change := range []func(*world, *jobDump){
		inOrder,
		func(w *world, j *jobDump) { // b was told to stop: it need not have a part
			inOrder(w, j)
			w.log.attempts[3].proc.stopped.Store(w.log.attempts[4].start)
			j.rows, w.log.attempts = slices.Delete(j.rows, 4, 5), slices.Delete(w.log.attempts, 4, 5)
		},
		func(w *world, _ *jobDump) { w.log.calls[0].plan.Key, w.log.calls[0].plan.Places = "k", 1 },
		func(w *world, j *jobDump) { overdue(w, j, 0, 1) },
		func(w *world, j *jobDump) { resumedAt(w, j, 2e9, 2e9, nil) },
		func(w *world, j *jobDump) { resumedAt(w, j, 1e9, 3e9, nil) },
		func(w *world, j *jobDump) { resumedAt(w, j, 1e9, 1e9, errDead) }, // and later all the same
	} {
		if found := fixture(change); len(found) > 0 {
			t.Errorf("in order: %+v", found)
		}
	}
	for want, change := range map[string]func(*world, *jobDump){
		"placement: instant 01 00:00:20.000 was fired": func(w *world, j *jobDump) {
			inOrder(w, j)
			j.rows, w.log.attempts = slices.Delete(j.rows, 4, 5), slices.Delete(w.log.attempts, 4, 5)
		},
		"ledger: instant 01 00:00:20.000 is in 3 rows": func(w *world, j *jobDump) {
			inOrder(w, j)
			r := j.rows[1]
			r.ID += "2"
			j.rows = append(j.rows, r)
		},
		"placement: is for node \"a\"": func(w *world, j *jobDump) {
			inOrder(w, j)
			w.log.attempts[1].node = "b"
		},
		"lost: its node was never taken out": func(w *world, j *jobDump) {
			inOrder(w, j)
			j.rows[1].Status, j.rows[1].Reason = chronos.StatusLost, chronos.ReasonNode
		},
		"placement: is for a, and was on b": func(w *world, j *jobDump) {
			inOrder(w, j)
			j.rows[1].Node = "b"
		},
		"placement: is for node \"\"": func(w *world, _ *jobDump) { everywhere(w.log.calls[0].plan) },
		"placement: asks for nodes with [gpu]": func(w *world, j *jobDump) {
			beside(w, j, func(p *plan) { everywhere(p); p.Needs = []string{"gpu"} })
		},
		"overlap: was let in while another one was unfinished": func(_ *world, j *jobDump) { j.rows[0].EndedAt = j.rows[1].CreatedAt.Add(time.Second) },
		"overdue: a#0 says too early":                          func(w *world, j *jobDump) { overdue(w, j, 0, -1) },
		"overdue: a#0 says twice":                              func(w *world, j *jobDump) { overdue(w, j, 0, 1); overdue(w, j, 0, 1) },
		"overdue: a#0 says that it is overdue since":           func(w *world, j *jobDump) { overdue(w, j, 1, 1) },
		"overdue: a#0 says that it is overdue since 01 00:00:03.000, and nothing": func(w *world, j *jobDump) {
			resumedAt(w, j, 1e9, 2e9-1, nil)
		},
		"overdue: a#0 says that it is overdue since 01 00:00:03.000": func(w *world, j *jobDump) {
			resumedAt(w, j, 2e9, 2e9, chronos.ErrConflict)
		},
		"overdue: a#0 says that it is overdue since 01 00:00:10.500, and it had": func(w *world, j *jobDump) {
			resumedAt(w, j, 9.5e9, 9.5e9, nil)
			w.log.alarms[0].by, w.log.alarms[0].at = w.log.alarms[0].by+7.5e9, w.log.alarms[0].at+7.5e9
		},
		"key: 2 executions of k are unfinished": func(w *world, j *jobDump) {
			w.log.calls[0].plan.Key, w.log.calls[0].plan.Places = "k", 1
			j.rows[0].EndedAt, j.rows[1].EndedAt = j.rows[1].Due.Add(time.Second), j.rows[1].Due.Add(time.Second)
		},
	} {
		if found := fixture(change); !slices.ContainsFunc(found, func(v violation) bool { return strings.HasPrefix(v.kind+": "+v.text, want) }) {
			t.Errorf("%s: not seen, but %+v", want, found)
		}
	}
}

// overdue has the process say that the job is, some time after it was put or a bit beside
// that, and some time after that has passed.
func overdue(w *world, j *jobDump, beside, after int64) {
	p := w.log.calls[0].plan
	p.Within = time.Second
	by := nanos(j.versions[0].At) + int64(p.Within) + beside
	w.log.alarms = append(w.log.alarms, alarm{w.log.attempts[0].proc, w.log.calls[0].job, by, by + after})
}

// resumedAt has the process say that the job is overdue from a second on that began two
// seconds after the put, and a resume between two times after it.
func resumedAt(w *world, j *jobDump, begin, end int64, err error) {
	overdue(w, j, 2e9, 1)
	put := nanos(j.versions[0].At)
	w.log.calls = append(w.log.calls, &call{
		seq: "r", op: "resume", job: w.log.calls[0].job, begin: put + begin, end: put + end, beginPos: 3, endPos: 3, err: err, unsure: err == errDead,
	})
}

// What a restored scheduler did after a backup that was taken between the second
// instant and the third.
func TestCheckerRestore(t *testing.T) {
	restored := func(change func(w *world, j *jobDump)) []violation {
		old, before := ran()
		before.rows, old.log.attempts = before.rows[:2], old.log.attempts[:2]
		begin := before.versions[0].At
		before.job.State.PausedAt = begin.Add(26 * time.Second)
		w, j := ran()
		w.log.attempts = w.log.attempts[2:]
		taken := begin.Add(25 * time.Second).UnixNano()
		v := &revival{w: w, backup: &backup{call: &call{seq: "backup-1", op: "backup", begin: taken, end: taken}}, begun: taken + 2e9, ended: taken + 2e9, dumps: asked(j)}
		change(w, j)
		check(old, asked(before), v)
		return old.log.found
	}
	if found := restored(func(*world, *jobDump) {}); len(found) > 0 {
		t.Errorf("in order: %+v", found)
	}
	for want, change := range map[string]func(*world, *jobDump){
		"restore: restored: had ended before the backup, and is not there": func(_ *world, j *jobDump) { j.rows = j.rows[1:] },
		"ledger: restored: 1 instants of versions 1 to 1 have no row":      func(_ *world, j *jobDump) { j.rows = j.rows[:2] },
		"restore: restored: is another":                                    func(_ *world, j *jobDump) { j.rows[0].Attempt++ },
		"restore: restored: fires the past":                                func(w *world, j *jobDump) { w.log.attempts[0].due = nanos(j.rows[1].Due) },
		"restore: restored: token 11 was given out before":                 func(w *world, _ *jobDump) { w.log.attempts[0].token = 11 },
		"restore: restored: had begun before":                              func(w *world, j *jobDump) { w.log.attempts[0].exec = j.rows[1].ID },
		"restore: restored: is lost, and was": func(_ *world, j *jobDump) {
			j.rows[0].Status, j.rows[0].Reason = chronos.StatusLost, chronos.ReasonRestore
		},
		"restore: restored: goes on":                   func(_ *world, j *jobDump) { j.rows[1].Status = chronos.StatusRunning },
		"restore: restored: was made after the backup": func(_ *world, j *jobDump) { j.rows[1].CreatedAt = j.rows[1].CreatedAt.Add(6 * time.Second) },
	} {
		if found := restored(change); !slices.ContainsFunc(found, func(v violation) bool { return strings.HasPrefix(v.kind+": "+v.text, want) }) {
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
		for i, places := range []int{2, 1} { // the second one goes by one place
			c := &attempt{proc: a.proc, job: "k", exec: fmt.Sprint("k:", i), token: 3, ctx: t.Context(), key: "k", places: places}
			w.log.beginAttempt(c)
		}
		if len(w.log.found) != 2 || w.log.found[1].kind != "key" {
			t.Errorf("found %+v", w.log.found)
		}
		w.log.found = w.log.found[:1]
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
