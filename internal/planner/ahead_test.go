package planner

import (
	"testing"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// TestCatchUpAhead: an instant that has a row already, because it was fired
// ahead of an edit, is not counted once more in a range of missed ones.
func TestCatchUpAhead(t *testing.T) {
	fire := &raftfsm.Fire{}
	st := &store.Schedule{NextDue: 10 * sec}
	def := &store.Definition{Misfire: store.Misfire_MISFIRE_SKIP}
	catchUp(fire, compile(t, "@every 10s"), def, st, Instants{20 * sec: true, 50 * sec: true}, 55*sec)
	if len(fire.Runs) != 0 || len(fire.Spans) != 1 || fire.NextDue != 60*sec {
		t.Fatalf("fire is %v", fire)
	}
	if s := fire.Spans[0]; s.From != 10*sec || s.To != 40*sec || s.Count != 3 {
		t.Errorf("range is %v, want 3 instants from 10 s to 40 s", s)
	}
}
