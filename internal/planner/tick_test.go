package planner

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

func compile(t testing.TB, text string) *schedule.Schedule {
	t.Helper()
	s, err := new(schedule.Cache).Get(text, "job")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const sec = int64(1e9)

// text writes a Fire in seconds: what runs, what is passed over, what is next.
func text(f *raftfsm.Fire) string {
	var parts []string
	for _, r := range f.Runs {
		parts = append(parts, fmt.Sprintf("run %d", r.Due/sec))
	}
	for _, s := range f.Spans {
		why := strings.ToLower(strings.TrimPrefix(s.Reason.String(), "REASON_"))
		parts = append(parts, fmt.Sprintf("%s %d-%d=%d", why, s.From/sec, s.To/sec, s.Count))
	}
	parts = append(parts, fmt.Sprintf("next %d", f.NextDue/sec))
	if f.CatchingUp {
		parts = append(parts, "more")
	}
	return strings.Join(parts, ", ")
}

// TestCatchUp: a job every 10 s, next due at 100, looked at again at 155.
func TestCatchUp(t *testing.T) {
	latest, earliest, all, skip := store.Misfire_MISFIRE_LATEST, store.Misfire_MISFIRE_EARLIEST, store.Misfire_MISFIRE_ALL, store.Misfire_MISFIRE_SKIP
	for _, c := range []struct {
		name string
		def  *store.Definition
		st   *store.Schedule
		want string
	}{
		{"latest", &store.Definition{Misfire: latest}, nil, "run 150, catch_up 100-140=5, next 160"},
		{"earliest", &store.Definition{Misfire: earliest}, nil, "run 100, catch_up 110-150=5, next 160"},
		{"earliest, gone on with", &store.Definition{Misfire: earliest}, &store.Schedule{CaughtUp: 1}, "catch_up 100-150=6, next 160"},
		{"all", &store.Definition{Misfire: all, CatchUpMax: 100}, nil, "run 100, run 110, run 120, run 130, run 140, run 150, next 160"},
		{"all, at most two", &store.Definition{Misfire: all, CatchUpMax: 2}, nil, "run 100, run 110, catch_up_max 120-150=4, next 160"},
		{"all, one left", &store.Definition{Misfire: all, CatchUpMax: 3}, &store.Schedule{CaughtUp: 2}, "run 100, catch_up_max 110-150=5, next 160"},
		{"skip", &store.Definition{Misfire: skip}, nil, "catch_up 100-150=6, next 160"},
		{"window", &store.Definition{Misfire: all, CatchUpMax: 9, CatchUpWindow: 30 * sec}, nil, "run 130, run 140, run 150, window 100-120=3, next 160"},
		{"latest, older than the window", &store.Definition{CatchUpWindow: 2 * sec}, nil, "window 100-150=6, next 160"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := c.st
			if st == nil {
				st = &store.Schedule{}
			}
			st.NextDue = 100 * sec
			fire := &raftfsm.Fire{}
			catchUp(fire, compile(t, "@every 10s"), c.def, st, nil, 155*sec)
			if got := text(fire); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestCatchUpInSteps: an outage of a year of a job every second is accounted
// for in bounded steps, each instant once, and the last one runs.
func TestCatchUpInSteps(t *testing.T) {
	const year = 365 * 86_400
	sched := compile(t, "* * * * * *")
	st := &store.Schedule{NextDue: sec}
	counted, runs, steps := uint64(0), 0, 0
	for more := true; more; steps++ {
		fire := &raftfsm.Fire{}
		catchUp(fire, sched, &store.Definition{}, st, nil, year*sec)
		runs += len(fire.Runs)
		for _, s := range fire.Spans {
			counted += s.Count
		}
		more = fire.CatchingUp
		st.NextDue = fire.NextDue
		if more && runs > 0 {
			t.Fatal("one ran though later ones were missed, too")
		}
	}
	if counted != year-1 || runs != 1 || st.NextDue != (year+1)*sec {
		t.Errorf("counted %d of %d, ran %d, next %d", counted, year-1, runs, st.NextDue/sec)
	}
	if want := year / stepMax; steps != want+1 {
		t.Errorf("took %d steps, not %d", steps, want+1)
	}
}

func TestCount(t *testing.T) {
	sched := compile(t, "@every 10s")
	for _, c := range []struct {
		first, until int64
		limit        uint64
		count        uint64
		last         int64
		more         bool
	}{
		{100, 155, 1000, 6, 150, false},
		{100, 100, 1000, 1, 100, false},
		{100, 99, 1000, 0, 0, false},
		{100, 1000, 3, 3, 120, true},
	} {
		count, last, more := Count(sched, c.first*sec, c.until*sec, c.limit)
		if count != c.count || last != c.last*sec || more != c.more {
			t.Errorf("%+v: got %d, %d, %v", c, count, last/sec, more)
		}
	}
}

// TestTroubleEnds: a job that can be planned again is no longer named.
func TestTroubleEnds(t *testing.T) {
	p := New(Config{Schedules: new(schedule.Cache), LookAhead: time.Second, Logger: slog.New(slog.DiscardHandler)})
	p.giveUp(store.DueEntry{Kind: store.DueTick, Job: "j"}, 0, errors.New("unreadable"))
	if len(p.Trouble()) != 1 {
		t.Fatal("a job that cannot be planned is not named")
	}
	st, err := store.Open(store.Options{InMemory: true, NoCompaction: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	tx := st.Begin()
	err = errors.Join(
		tx.PutJob("j", &store.Job{Generation: 1, Version: 1, Definition: &store.Definition{Schedule: "@every 10s", Handler: "h"}}),
		tx.PutSchedule("j", &store.Schedule{Generation: 1, NextDue: 10 * sec}),
		tx.Commit(),
	)
	if err != nil {
		t.Fatal(err)
	}
	var work []item
	err = st.View(func(r *store.Reader) error {
		p.plan(r, store.DueEntry{At: 10 * sec, Kind: store.DueTick, Job: "j"}, 10*sec, &work)
		return nil
	})
	if err != nil || len(work) != 1 {
		t.Fatalf("%v, %d commands", err, len(work))
	}
	if trouble := p.Trouble(); len(trouble) != 0 {
		t.Errorf("it is planned, and still named: %v", trouble)
	}
}

func TestAgenda(t *testing.T) {
	var a agenda
	a.reset()
	if from, _, _ := a.begin(0); from != minInstant {
		t.Fatalf("the first scan starts at %d, not at the beginning", from)
	}
	// While the scan runs, something earlier is put: the next scan starts there.
	a.observe(&raftfsm.Effects{Due: 50})
	a.end(100, 200)
	if from, _, _ := a.begin(0); from != 50 {
		t.Fatalf("the next scan starts at %d, not at 50", from)
	}
	a.end(100, 200)
	if next, act := a.due(10); next != 200 || act != 190 {
		t.Fatalf("next %d, to act at %d", next, act)
	}

	tick := store.DueEntry{At: 150, Kind: store.DueTick, Job: "j"}
	a.hold(tick, 150)
	if _, act := a.due(10); act != 150 {
		t.Fatalf("a held entry is to be looked at at %d, not at 150", act)
	}
	if _, ready, _ := a.begin(100); len(ready) != 0 {
		t.Fatal("a held entry came up before its instant")
	}
	if !a.observe(&raftfsm.Effects{Freed: []string{"j"}}) {
		t.Fatal("a job that became free does not wake the planner")
	}
	if _, ready, _ := a.begin(100); len(ready) != 1 || ready[0] != tick {
		t.Fatalf("a job that became free does not come up: %v", ready)
	}
	a.hold(tick, 150)
	a.observe(&raftfsm.Effects{Changes: []raftfsm.Change{{Kind: raftfsm.JobPut, Job: "j"}}})
	if a.isHeld(tick) {
		t.Fatal("an edited job is still held for the old definition")
	}
}
