package raftfsm

import (
	"testing"

	"github.com/chronos-go/chronos/store"
)

// TestBackfillLooksThrough: a backfill makes what is not there, however much else the ledger has
// between, and nothing twice. What has ended is not in memory any more: it has to be found.
func TestBackfillLooksThrough(t *testing.T) {
	const sec = int64(1e9)
	s := newScenario(t, 1)
	first := s.now - 1000*sec
	s.entry(&Command{Now: s.now, Body: &Command_Put{Put: &Put{Job: "j", NextDue: s.now + sec, Definition: &store.Definition{
		Schedule: "@every 1s", Handler: "h", Overlap: store.Overlap_OVERLAP_SKIP, Retry: &store.Retry{MaxAttempts: 1, Initial: 1e9, Multiplier: 2, Max: 60e9},
	}}}})
	backfill := func(id string, from, step, n int64) uint64 {
		var due []int64
		for i := range n {
			due = append(due, first+(from+(n-1-i)*step)*sec) // latest first
		}
		return s.entry(&Command{Now: s.now, Body: &Command_Backfill{Backfill: &Backfill{Job: "j", Id: id, Due: due}}})[0].Count
	}
	for _, one := range []struct {
		id            string
		from, step, n int64
		made          uint64
	}{
		{"a", 0, 10, 40, 40},
		{"a", 0, 10, 40, 0},     // all of it is there
		{"a", 5, 5, 40, 20},     // half of it
		{"b", 0, 1, 500, 500},   // beside the others
		{"a", 0, 5, 100, 40},    // much else between, and sixty are there
		{"a", 0, 5, 100, 0},     // and so is the rest
		{"b", 495, 1, 20, 15},   // only its end is new
		{"a", 900, 1, 3, 3},     // few
		{"a", 899, 1, 5, 2},     // some of them
		{"c", 700, 1, 100, 100}, // where nothing is
	} {
		if made := backfill(one.id, one.from, one.step, one.n); made != one.made {
			t.Errorf("%+v made %d", one, made)
		}
		if err := s.audit(); err != nil {
			t.Fatalf("%+v: %v", one, err)
		}
		if err := s.f.st.Verify(t.Context()); err != nil {
			t.Fatalf("%+v: %v", one, err)
		}
	}
}
