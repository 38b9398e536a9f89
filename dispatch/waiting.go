package dispatch

import (
	"cmp"
	"container/heap"
	"time"
)

// moment is an instant and the attempts that wait for it, in the order in which they were
// assigned. Ten thousand jobs that are due at the full hour are one moment: nothing is
// left to be sorted when it comes.
type moment struct {
	startAt  time.Time  // of all of them
	at       time.Time  // the same on the monotonic clock
	seq      uint64     // order of moments
	attempts []*Attempt // nil: taken back
	left     int        // those that are not nil
	index    int        // in the heap
}

// sameMoment is how far apart the monotonic clock may put one instant for two attempts of a
// moment. It differs when the wall clock is set in between.
const sameMoment = time.Millisecond

// waitlist holds waiting attempts by moment. The zero value is ready to use.
type waitlist struct {
	next   moments
	newest map[int64]*moment // by StartAt
	size   int
	seq    uint64
}

func (w *waitlist) add(a *Attempt) {
	m := w.newest[a.StartAt.UnixNano()]
	if m == nil || !m.startAt.Equal(a.StartAt) || a.at.Sub(m.at).Abs() > sameMoment {
		m = w.begin(a)
	} else if a.at.After(m.at) { // nobody starts early
		m.at = a.at
		heap.Fix(&w.next, m.index)
	}
	a.moment, a.index = m, len(m.attempts)
	m.attempts = append(m.attempts, a)
	m.left++
	w.size++
}

func (w *waitlist) begin(a *Attempt) *moment {
	w.seq++
	m := &moment{startAt: a.StartAt, at: a.at, seq: w.seq}
	if w.newest == nil {
		w.newest = map[int64]*moment{}
	}
	w.newest[a.StartAt.UnixNano()] = m
	heap.Push(&w.next, m)
	return m
}

func (w *waitlist) remove(a *Attempt) {
	m := a.moment
	m.attempts[a.index] = nil
	a.moment = nil
	m.left--
	w.size--
	switch {
	case m.left == 0:
		heap.Remove(&w.next, m.index)
		w.forget(m)
	case len(m.attempts) > compactMin && m.left < len(m.attempts)/2:
		m.compact()
	}
}

// compactMin is from how many attempts on a moment gives back the places of those that
// were taken back.
const compactMin = 64

func (m *moment) compact() {
	rest := make([]*Attempt, 0, m.left)
	for _, a := range m.attempts {
		if a != nil {
			a.index = len(rest)
			rest = append(rest, a)
		}
	}
	m.attempts = rest
}

func (w *waitlist) forget(m *moment) {
	if key := m.startAt.UnixNano(); w.newest[key] == m {
		delete(w.newest, key)
	}
}

// first is the moment that comes next, nil if nobody waits.
func (w *waitlist) first() *moment {
	if len(w.next) == 0 {
		return nil
	}
	return w.next[0]
}

// many tells if at least so many attempts wait for moments up to then.
func (w *waitlist) many(then time.Time, least int) bool {
	found, todo := 0, []int{0}
	for len(todo) > 0 && found < least {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if i < len(w.next) && w.next[i].due(then) { // what lies below in the heap is later
			found += w.next[i].left
			todo = append(todo, 2*i+1, 2*i+2)
		}
	}
	return found >= least
}

// due takes out all attempts whose instant has come, in order.
func (w *waitlist) due(now time.Time) (batch []*Attempt) {
	for len(w.next) > 0 && w.next[0].due(now) {
		batch = w.take(batch)
	}
	return batch
}

// all takes out everything.
func (w *waitlist) all() (batch []*Attempt) {
	for len(w.next) > 0 {
		batch = w.take(batch)
	}
	return batch
}

// take adds the attempts of the first moment to a batch.
func (w *waitlist) take(batch []*Attempt) []*Attempt {
	m := heap.Pop(&w.next).(*moment)
	w.forget(m)
	w.size -= m.left
	if batch == nil && m.left == len(m.attempts) {
		batch = m.attempts
	} else {
		for _, a := range m.attempts {
			if a != nil {
				batch = append(batch, a)
			}
		}
	}
	for _, a := range m.attempts {
		if a != nil {
			a.moment = nil
		}
	}
	return batch
}

// due reports whether a moment has come: on the monotonic clock, so that setting the clock
// back delays nothing, or on the wall clock, so that setting it forward does not either.
func (m *moment) due(now time.Time) bool {
	return !m.at.After(now) || !m.startAt.After(now)
}

// moments is a heap, the next one first.
type moments []*moment

func (h moments) Len() int { return len(h) }

func (h moments) Less(i, j int) bool {
	return cmp.Or(h[i].at.Compare(h[j].at), cmp.Compare(h[i].seq, h[j].seq)) < 0
}

func (h moments) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push and Pop are for container/heap.
func (h *moments) Push(x any) {
	m := x.(*moment)
	m.index = len(*h)
	*h = append(*h, m)
}

func (h *moments) Pop() any {
	old := *h
	last := len(old) - 1
	m := old[last]
	old[last] = nil
	*h = old[:last]
	return m
}
