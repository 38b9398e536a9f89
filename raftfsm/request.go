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

	after *request      // of the same call, before this one; nil if it is the first
	log   chan struct{} // closed when Raft has it, to be stored next; not while another node leads
	has   bool          // log is closed; the lane's
	again atomic.Bool   // it did not get through at once

	done    chan struct{} // closed when there is an answer
	results []*Result
	err     error
}

func newRequest() *request {
	return &request{log: make(chan struct{}), done: make(chan struct{})}
}

func (r *request) answer(results []*Result, err error) {
	r.results, r.err = results, err
	close(r.done)
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
			before := cur
			cur = newRequest()
			cur.after = before
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
	case <-r.done:
		return r.results, r.err
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

// inLog lets what follows in the same call come: Raft keeps the order.
func inLog(batch []*request) {
	for _, r := range batch {
		if !r.has {
			r.has = true
			close(r.log)
		}
	}
}

// failing has what follows in the same call wait.
func failing(batch []*request) {
	for _, r := range batch {
		r.again.Store(true)
	}
}

// inTurn waits, if a request did not get through at once, until what comes after it in
// the same call does not overtake it. Who waits was handed to Raft later, so nobody waits
// for himself.
func inTurn(batch []*request, abort <-chan struct{}) {
	for _, r := range batch {
		if r.after == nil || !r.again.Load() && !r.after.again.Load() {
			continue
		}
		select {
		case <-r.after.done:
		case <-r.ctx.Done(): // which is that of both
		case <-abort:
		}
	}
}

func markTried(batch []*request) {
	for _, r := range batch {
		r.tried.Store(true)
	}
}

// deliver hands each request its share of the entry's results.
func deliver(batch []*request, results []*Result) {
	for _, r := range batch {
		r.answer(results[:r.n:r.n], nil)
		results = results[r.n:]
	}
}

// refuse answers a whole batch with an error.
func refuse(batch []*request, err error) {
	for _, r := range batch {
		if r.tried.Load() {
			r.answer(nil, uncertain(err))
		} else {
			r.answer(nil, err)
		}
	}
}
