package dispatch

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

func TestWaitlistOrder(t *testing.T) {
	now := time.Now()
	for _, c := range []struct{ due, later int }{{0, 5}, {5, 0}, {5, 500}, {100, 10}, {5000, 0}, {5000, 700}} {
		var w waitlist
		var gone int
		for i := range c.due + c.later {
			a := &Attempt{Number: i, StartAt: now}
			if i >= c.due {
				a.StartAt = now.Add(time.Duration(1+(i*7919)%1000) * time.Second)
			} else if i%2 == 1 {
				a.StartAt = now.Add(-time.Second)
			}
			a.prepare(now, 0)
			w.add(a)
			if i%10 == 9 {
				w.remove(a)
				if i < c.due {
					gone++
				}
			}
		}
		inOrder := func(a, b *Attempt) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.Number, b.Number)) }
		left := w.size
		got := w.due(now)
		if len(got) != c.due-gone || w.size != left-len(got) || !slices.IsSortedFunc(got, inOrder) {
			t.Errorf("%+v: took %d, left %d", c, len(got), w.size)
		}
		for i, m := range w.next {
			if m.index != i || m.left == 0 || w.newest[m.startAt.UnixNano()] != m {
				t.Fatalf("%+v: moment %d is %+v", c, i, m)
			}
		}
		rest := w.due(now.Add(time.Hour))
		if len(rest)+len(got) != left || !slices.IsSortedFunc(rest, inOrder) || w.size != 0 || len(w.newest) != 0 {
			t.Errorf("%+v: of the rest %d, left %d", c, len(rest), w.size)
		}
	}
}

// TestWaitlistTaken: what is taken back while others are being taken is in no batch twice,
// and attempts of a moment that has gone begin another.
func TestWaitlistTaken(t *testing.T) {
	now := time.Now()
	var w waitlist
	made := func() *Attempt {
		a := &Attempt{StartAt: now}
		a.prepare(now, 0)
		w.add(a)
		return a
	}
	a, b := made(), made()
	w.remove(a)
	if got := w.due(now); len(got) != 1 || got[0] != b {
		t.Fatalf("took %v", got)
	}
	c := made()
	w.remove(c)
	if w.first() != nil || w.size != 0 || len(w.newest) != 0 {
		t.Errorf("left: %+v", w)
	}
	d := made()
	if got := w.all(); len(got) != 1 || got[0] != d || w.first() != nil {
		t.Errorf("took %v", got)
	}
}

// TestWaitlistShrinks: a moment keeps no places of those who were taken back, and whoever is
// taken back next is the right one.
func TestWaitlistShrinks(t *testing.T) {
	now := time.Now()
	var w waitlist
	keep := &Attempt{StartAt: now}
	keep.prepare(now, 0)
	w.add(keep)
	for range 10 * compactMin {
		a := &Attempt{StartAt: now}
		a.prepare(now, 0)
		w.add(a)
		w.remove(a)
	}
	if n := len(w.first().attempts); n > compactMin+1 || w.first().attempts[keep.index] != keep {
		t.Errorf("%d places for one attempt", n)
	}
	if got := w.all(); len(got) != 1 || got[0] != keep {
		t.Errorf("took %v", got)
	}
}

// TestWaitlistMany counts across moments, and none beyond the horizon.
func TestWaitlistMany(t *testing.T) {
	now := time.Now()
	var w waitlist
	for i := range 100 {
		a := &Attempt{StartAt: now.Add(time.Duration(1+i/10) * time.Second)}
		a.prepare(now, 0)
		w.add(a)
	}
	for within, count := range map[time.Duration]int{0: 0, time.Second: 10, 5 * time.Second: 50, time.Hour: 100} {
		if then := now.Add(within); !w.many(then, count) || w.many(then, count+1) {
			t.Errorf("within %v there are not %d", within, count)
		}
	}
}

// TestWaitlistClockSetBack: an attempt that is assigned after the clock was set back waits as
// long as the clock says, whoever waits for the same instant.
func TestWaitlistClockSetBack(t *testing.T) {
	now := time.Now()
	var w waitlist
	first, second := &Attempt{StartAt: now.Add(time.Minute)}, &Attempt{StartAt: now.Add(time.Minute)}
	first.prepare(now, 0)
	second.prepare(now, 0)
	second.at = second.at.Add(time.Hour)
	w.add(first)
	w.add(second)
	// The wall clock is an hour behind: only the monotonic one has come to it.
	seen := now.Add(time.Minute)
	w.next[0].startAt, w.next[1].startAt = now.Add(time.Hour), now.Add(time.Hour)
	if got := w.due(seen); len(got) != 1 || got[0] != first {
		t.Errorf("took %d", len(got))
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
		var w waitlist
		w.add(a)
		if got := len(w.due(c.now)); got != c.due {
			t.Errorf("%s: %d due, want %d", c.name, got, c.due)
		}
	}
	for _, at := range []time.Time{{}, time.Unix(1<<50, 0)} {
		a := &Attempt{StartAt: at}
		a.prepare(now, 0)
		var w waitlist
		w.add(a)
		if got := len(w.due(now)) == 1; got != at.Before(now) {
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
