package raftfsm

import (
	"log/slog"
	"testing"

	"github.com/chronos-go/chronos/store"
)

// TestFront: one comes off a queue, too late to start, and brings in the next of its job,
// which was buffered and has a rank between those that come off with it. It is found, and
// by a node that was restarted at the same entry.
func TestFront(t *testing.T) {
	const ms = int64(1e6)
	s := newScenario(t, 1)
	t0 := s.now
	put := func(job string, overlap store.Overlap, deadline, due int64) {
		s.entry(&Command{Now: s.now, Body: &Command_Put{Put: &Put{Job: job, NextDue: due, Definition: &store.Definition{
			Schedule: "@every 1s", Handler: "h", Overlap: overlap, BufferMax: 3, StartDeadline: deadline,
			Retry: &store.Retry{MaxAttempts: 1, Initial: 1e9, Multiplier: 2, Max: 60e9},
		}}}})
	}
	trigger := func(job string, after int64) {
		s.now = t0 + after
		s.entry(&Command{Now: s.now, Body: &Command_Trigger{Trigger: &Trigger{Job: job, Execution: store.ExecutionKey(s.now, store.Origin_ORIGIN_TRIGGER, "x")}}})
	}
	put("late", store.Overlap_OVERLAP_BUFFER_ALL, 2000*ms, t0+3600_000*ms)
	put("other", store.Overlap_OVERLAP_ALLOW_ALL, 0, t0+3000*ms)
	trigger("late", 0)
	trigger("late", 1500*ms) // buffered
	trigger("other", 1800*ms)
	s.now = t0 + 2500*ms
	rec, _ := s.state("other")
	s.entry(&Command{Now: s.now, Body: &Command_Fire{Fire: &Fire{
		Job: "other", Generation: rec.Generation, Version: 1, ExpectDue: t0 + 3000*ms, NextDue: t0 + 4000*ms,
		Runs: []*Run{{Due: t0 + 3000*ms, StartAt: t0 + 3000*ms}},
	}}})
	s.now = t0 + 2600*ms
	s.entry(&Command{Now: s.now, Body: &Command_Open{Open: &Open{Node: "a", Incarnation: 1, Capacity: 10, Handlers: []string{"h"}}}})
	if s.f.queued != 1 {
		t.Fatalf("%d wait; the one that was buffered should", s.f.queued)
	}
	if err := s.audit(); err != nil {
		t.Error(err)
	}
	again := newFSM(s.f.st, nil, slog.New(slog.DiscardHandler))
	for class, front := range again.fronts {
		if mine, ok := s.f.fronts[class]; !ok || front.Before(mine) {
			t.Errorf("the front of %s is %v, restarted %v", class, mine, front)
		}
	}
	if len(again.fronts) != 1 {
		t.Errorf("fronts after a restart: %v", again.fronts)
	}
	s.entry(&Command{Now: s.now, Body: &Command_Barrier{Barrier: &Barrier{}}})
	if s.f.queued != 0 || len(s.last.Assigned) != 1 {
		t.Errorf("%d wait though there is room, %d were given out", s.f.queued, len(s.last.Assigned))
	}
}
