package dispatch

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// attemptHeap holds waiting attempts, the next one first; attempts of the same
// instant leave in the order in which they were assigned.
type attemptHeap []*Attempt

func (h attemptHeap) Len() int { return len(h) }

func (h attemptHeap) Less(i, j int) bool {
	return h[i].compare(h[j]) < 0
}

func (h attemptHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push and Pop are for container/heap; use add, remove and due.
func (h *attemptHeap) Push(x any) {
	a := x.(*Attempt)
	a.index = len(*h)
	*h = append(*h, a)
}

func (h *attemptHeap) Pop() any {
	old := *h
	last := len(old) - 1
	a := old[last]
	old[last] = nil
	*h = old[:last]
	return a
}

func (h *attemptHeap) add(a *Attempt) { heap.Push(h, a) }

func (h *attemptHeap) remove(a *Attempt) { heap.Remove(h, a.index) }

// manyDue is how many attempts are taken one by one before the heap is looked
// through as a whole.
const manyDue = 64

// due takes out all attempts whose instant has come, in order. Few of many are
// taken from the top; many at once, as at the full hour, in one pass.
func (h *attemptHeap) due(now time.Time) []*Attempt {
	var batch []*Attempt
	for len(*h) > 0 && (*h)[0].due(now) {
		if len(batch) == manyDue {
			return append(batch, h.split(now)...)
		}
		batch = append(batch, heap.Pop(h).(*Attempt))
	}
	return batch
}

// split takes out all attempts whose instant has come, in order, in a pass over
// the whole heap.
func (h *attemptHeap) split(now time.Time) []*Attempt {
	all := *h
	var batch, rest attemptHeap
	for _, a := range all {
		if a.due(now) {
			batch = append(batch, a)
		} else {
			rest = append(rest, a)
		}
	}
	slices.SortFunc(batch, (*Attempt).compare)
	for i, a := range rest {
		a.index = i
	}
	heap.Init(&rest)
	*h = rest
	return batch
}

// due reports whether an attempt's instant has come: on the monotonic clock, so
// that setting the clock back delays nothing, or on the wall clock, so that
// setting it forward does not either.
func (a *Attempt) due(now time.Time) bool {
	return !a.at.After(now) || !a.StartAt.After(now)
}

// compare orders waiting attempts: by instant, then by order of assignment.
func (a *Attempt) compare(b *Attempt) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.seq, b.seq))
}
