package raftfsm

import (
	"context"
	"fmt"
	"sync/atomic"
)

// request is what one caller wants in one entry: its commands, encoded by the
// caller, so that the caller's memory is not read later.
type request struct {
	ctx    context.Context
	body   []byte
	n      int // commands in body
	weight int
	state  atomic.Int32
	tried  atomic.Bool // proposed at least once, with unknown outcome
	done   chan answer
}

type answer struct {
	results []*Result
	err     error
}

const (
	requestWaits int32 = iota
	requestTaken
	requestDropped
)

// chunk encodes commands and splits them where an entry would overflow.
func chunk(cmds []*Command) ([]*request, error) {
	var out []*request
	var cur *request
	for i, c := range cmds {
		if c == nil || c.Body == nil {
			return nil, fmt.Errorf("raftfsm: command %d has no body", i)
		}
		body, err := appendCommand(nil, c)
		if err != nil {
			return nil, fmt.Errorf("raftfsm: command %d: %w", i, err)
		}
		weight := weigh(c, len(body))
		if len(body) > entryBytes || weight > entryCells {
			return nil, fmt.Errorf("%w: command %d (%T) has %d bytes of at most %d, and touches up to %d cells of at most %d: split it",
				ErrTooLarge, i, c.Body, len(body), entryBytes, weight, entryCells)
		}
		if cur == nil || len(cur.body)+len(body) > entryBytes || cur.weight+weight > entryCells {
			cur = &request{done: make(chan answer, 1)}
			out = append(out, cur)
		}
		cur.body, cur.n, cur.weight = append(cur.body, body...), cur.n+1, cur.weight+weight
	}
	return out, nil
}

// take claims the request for an entry; false when its caller has gone.
func (r *request) take() bool {
	if r.ctx.Err() != nil {
		r.state.CompareAndSwap(requestWaits, requestDropped)
	}
	return r.state.CompareAndSwap(requestWaits, requestTaken)
}

// giveUp is the caller leaving. What no lane has taken is certain not to be
// applied.
func (r *request) giveUp(cause error) ([]*Result, error) {
	if r.state.CompareAndSwap(requestWaits, requestDropped) {
		return nil, cause
	}
	select {
	case a := <-r.done:
		return a.results, a.err
	default:
		if r.state.Load() == requestDropped {
			return nil, cause
		}
		return nil, uncertain(cause)
	}
}

// stillWanted drops the requests whose callers have gone.
func stillWanted(batch []*request) []*request {
	kept := batch[:0]
	for _, r := range batch {
		if r.ctx.Err() == nil {
			kept = append(kept, r)
		}
	}
	return kept
}

func markTried(batch []*request) {
	for _, r := range batch {
		r.tried.Store(true)
	}
}

// deliver hands each request its share of the entry's results.
func deliver(batch []*request, results []*Result) {
	for _, r := range batch {
		r.done <- answer{results: results[:r.n:r.n]}
		results = results[r.n:]
	}
}

// refuse answers a whole batch with an error.
func refuse(batch []*request, err error) {
	for _, r := range batch {
		if r.tried.Load() {
			r.done <- answer{err: uncertain(err)}
		} else {
			r.done <- answer{err: err}
		}
	}
}
