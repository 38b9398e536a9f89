package dispatch

import (
	"slices"
	"testing"
	"time"
)

func TestHeapOrder(t *testing.T) {
	now := time.Now()
	for _, c := range []struct{ due, later int }{{0, 5}, {5, 0}, {5, 500}, {manyDue, 10}, {manyDue + 1, 10}, {5000, 0}, {5000, 700}} {
		var h attemptHeap
		for i := range c.due + c.later {
			a := &Attempt{Number: i, StartAt: now}
			if i >= c.due {
				a.StartAt = now.Add(time.Duration(1+(i*7919)%1000) * time.Second)
			} else if i%2 == 1 {
				a.StartAt = now.Add(-time.Second)
			}
			a.prepare(now, 0)
			a.seq = uint64(i)
			h.add(a)
		}
		got := h.due(now)
		if len(got) != c.due || len(h) != c.later || !slices.IsSortedFunc(got, (*Attempt).compare) {
			t.Errorf("%+v: took %d, left %d", c, len(got), len(h))
		}
		for i, a := range h {
			if a.index != i {
				t.Fatalf("%+v: index %d at %d", c, a.index, i)
			}
		}
		if rest := h.due(now.Add(time.Hour)); len(rest) != c.later || !slices.IsSortedFunc(rest, (*Attempt).compare) {
			t.Errorf("%+v: the rest is not in order", c)
		}
	}
}

// The wall clock may be set while attempts wait; the heap takes either clock's word.
func TestClockSteps(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name string
		now  time.Time
		due  int
	}{
		{"nothing happened", now, 0},
		{"monotonic clock has come to it", now.Add(time.Minute), 1},
		{"wall clock was set forward past it", now.Round(0).Add(time.Minute), 1},
	} {
		a := &Attempt{StartAt: now.Add(time.Minute)}
		a.prepare(now, 0)
		var h attemptHeap
		h.add(a)
		if got := len(h.due(c.now)); got != c.due {
			t.Errorf("%s: %d due, want %d", c.name, got, c.due)
		}
	}
	for _, at := range []time.Time{{}, time.Unix(1<<50, 0)} {
		a := &Attempt{StartAt: at}
		a.prepare(now, 0)
		var h attemptHeap
		h.add(a)
		if got := len(h.due(now)) == 1; got != at.Before(now) {
			t.Errorf("StartAt %v: due %v", at, got)
		}
	}
}

func TestRecentIsBounded(t *testing.T) {
	var r recent
	for i := range recentMax + 10 {
		r.add(key{"x", uint64(i)})
		r.add(key{"x", uint64(i)})
	}
	if len(r.keys) != recentMax || len(r.ring) != recentMax {
		t.Errorf("%d keys, ring of %d", len(r.keys), len(r.ring))
	}
	if r.has(key{"x", 9}) || !r.has(key{"x", 10}) || !r.has(key{"x", recentMax + 9}) {
		t.Error("not the last ones are remembered")
	}
}
