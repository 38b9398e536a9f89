package raftfsm

import "github.com/chronos-go/chronos/store"

// fronts is a place in each queue before which nothing waits: of those that wait for
// room by class, and at gates. Who comes off a queue leaves a tombstone in the tables,
// and who looks for the first in line would pass over all of them, each time.
type fronts map[string]store.WaitingEntry

// behind is the place right after an entry.
func behind(w store.WaitingEntry) store.WaitingEntry {
	w.Exec += "\x00"
	return w
}

// join is told of who gets in line.
func (f fronts) join(w store.WaitingEntry) {
	if front, ok := f[w.Class]; !ok || w.Before(front) {
		f[w.Class] = w
	}
}

// leave is told of who comes off, and of who is next.
func (f fronts) leave(w, next store.WaitingEntry) {
	if f[w.Class] == w {
		f[w.Class] = next
	}
}

// walk goes through a queue, best rank first.
func (e *entry) walk(queue string, fn func(store.WaitingEntry) (bool, error)) error {
	front, ok := e.f.fronts[queue]
	if !ok {
		return nil // nobody waits
	}
	first := true
	return e.tx.WaitingFrom(front, func(w store.WaitingEntry) (bool, error) {
		if first {
			e.f.fronts[queue], first = w, false
		}
		return fn(w)
	})
}

// head is one that may come off a queue now.
type head struct {
	store.WaitingEntry
	next store.WaitingEntry // of the same queue
}

// line is the first of a queue, so many at the most.
func (e *entry) line(queue string, most int64) (out []head, err error) {
	err = e.walk(queue, func(w store.WaitingEntry) (bool, error) {
		if len(out) > 0 {
			out[len(out)-1].next = w
		}
		out = append(out, head{w, behind(w)})
		return int64(len(out)) < most, nil
	})
	return out, err
}
