package planner

import (
	"maps"
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

// TestCatchUpBeyondRows: a fire that moves the schedule on beyond rows of their own says so
// by a span, if an empty one: by that the state machine knows that they stand for good.
func TestCatchUpBeyondRows(t *testing.T) {
	st := &store.Schedule{NextDue: 10 * sec}
	for _, c := range []struct {
		misfire store.Misfire
		has     Instants
		runs    int
		spans   int
	}{
		{store.Misfire_MISFIRE_LATEST, Instants{10 * sec: true, 20 * sec: true}, 0, 1},
		{store.Misfire_MISFIRE_SKIP, Instants{10 * sec: true, 20 * sec: true}, 0, 1},
		{store.Misfire_MISFIRE_LATEST, Instants{10 * sec: true}, 1, 1},
		{store.Misfire_MISFIRE_ALL, Instants{20 * sec: true}, 1, 1},
		{store.Misfire_MISFIRE_ALL, nil, 2, 0},
	} {
		fire := &raftfsm.Fire{}
		catchUp(fire, compile(t, "@every 10s"), &store.Definition{Misfire: c.misfire, CatchUpMax: 9}, st, c.has, 25*sec)
		if len(fire.Runs) != c.runs || len(fire.Spans) != c.spans || fire.NextDue != 30*sec {
			t.Errorf("%v with %v: fire is %v", c.misfire, c.has, fire)
		}
		for _, s := range fire.Spans {
			if s.Count != 0 || !c.has[s.From] || s.To != s.From {
				t.Errorf("%v with %v: span is %v", c.misfire, c.has, s)
			}
		}
	}
}

// TestAhead: rows from the instant on are found, those of an earlier generation and of other
// origins are not, and a schedule that has stood at the instant last may have a row there.
func TestAhead(t *testing.T) {
	st, err := store.Open(store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tx := st.Begin()
	defer tx.Discard()
	for key, due := range map[string]int64{
		store.ScheduledKey(10*sec, 2):                                10 * sec,
		store.ScheduledKey(12*sec, 2):                                12 * sec,
		store.ScheduledKey(11*sec, 1):                                11 * sec,
		store.ExecutionKey(11*sec, store.Origin_ORIGIN_TRIGGER, "k"): 11 * sec,
	} {
		if err := tx.PutExecution("j", key, &store.Execution{Due: due}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		first int64
		want  Instants
	}{
		{10 * sec, Instants{10 * sec: true, 12 * sec: true}},
		{11 * sec, Instants{12 * sec: true}},
		{12 * sec, Instants{12 * sec: true}}, // the newest
		{13 * sec, nil},
	} {
		err := st.View(func(r *store.Reader) error {
			got, err := Ahead(r, "j", &store.Schedule{Generation: 2, LastDue: 12 * sec}, c.first)
			if !maps.Equal(got, c.want) {
				t.Errorf("from %d s on: %v, not %v", c.first/sec, got, c.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
