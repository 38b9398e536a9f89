package raftfsm

import "github.com/chronos-go/chronos/store"

// fronts is a place in each queue before which nothing waits: of those that wait for
// room by class, and at gates. Who comes off a queue leaves a tombstone in the tables,
// and who looks for the first in line would pass over all of them, each time. Only what
// was found first moves a front on: what comes off may bring another one in, at any rank.
type fronts map[string]store.WaitingEntry

// join is told of who gets in line.
func (f fronts) join(w store.WaitingEntry) {
	if front, ok := f[w.Class]; !ok || w.Before(front) {
		f[w.Class] = w
	}
}

// line is the first of a queue, so many at the most, best rank first.
func (e *entry) line(queue string, most int64) (out []store.WaitingEntry, err error) {
	front, ok := e.f.fronts[queue]
	if !ok {
		return nil, nil // nobody waits
	}
	err = e.tx.WaitingFrom(front, func(w store.WaitingEntry) (bool, error) {
		out = append(out, w)
		return int64(len(out)) < most, nil
	})
	if len(out) > 0 {
		e.f.fronts[queue] = out[0]
	}
	return out, err
}
