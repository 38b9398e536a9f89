package raftfsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// proposer is the one door to the log. It packs whatever waits into one entry,
// so that the cost of consensus and of a fsync is per entry, not per command.
// Two lanes take turns at packing: while one entry is on its way, the next one
// fills. Answers go back to each caller.
//
// What Raft answers with "leadership lost", or not at all, may be applied or
// not. The proposer asks again with the same commands: those with an ID get
// their first answer, those without are idempotent by themselves.
type proposer struct {
	apply    func(data []byte, timeout time.Duration) raft.ApplyFuture
	room     func() error // the disk guard
	fsm      stopper
	timeout  time.Duration // per attempt
	patience time.Duration // without a leader
	// forward has another node, which leads, commit commands, and waits until
	// they are applied here; nil if there are no other nodes.
	forward func(ctx context.Context, body []byte) (results []*Result, index uint64, err error)

	queue   chan *request
	packing chan struct{} // held by the lane that packs
	carry   *request      // did not fit into the last entry; guarded by packing
	full    atomic.Pointer[error]

	closing   chan struct{} // no new requests
	abort     chan struct{} // no more waiting
	gone      chan struct{} // the lanes have ended
	once      sync.Once
	abortOnce sync.Once
	lanes     sync.WaitGroup
	waiting   sync.WaitGroup // futures that Raft still owes an answer
	owed      atomic.Int64
}

// stopper is the state machine as the proposer sees it.
type stopper interface {
	stopped() error
	stop(error)
}

const (
	lanes      = 2
	queueDepth = 1024
	// owedLimit is how many futures may be overdue before a lane waits for
	// its own instead of proposing once more: each retry adds to the log.
	owedLimit = 8
	retryMin  = 5 * time.Millisecond
	retryMax  = 250 * time.Millisecond
)

var errOverdue = errors.New("raftfsm: no answer from Raft in time")

func newProposer(p *proposer) *proposer {
	p.queue = make(chan *request, queueDepth)
	p.packing = make(chan struct{}, 1)
	p.closing = make(chan struct{})
	p.abort = make(chan struct{})
	p.gone = make(chan struct{})
	for range lanes {
		p.lanes.Go(p.lane)
	}
	go func() {
		p.lanes.Wait()
		close(p.gone)
	}()
	return p
}

// propose hands commands to the log and waits for their results, in order.
// Commands of one call stay in order; those that fit share an entry. When the
// call fails part-way, the results so far come with the error.
func (p *proposer) propose(ctx context.Context, cmds []*Command) ([]*Result, error) {
	chunks, err := chunk(cmds)
	if err != nil {
		return nil, err
	}
	out := make([]*Result, 0, len(cmds))
	for _, r := range chunks {
		r.ctx = ctx
		res, err := p.submit(r)
		if err != nil {
			return out, err
		}
		out = append(out, res...)
	}
	return out, nil
}

// submit queues one request and waits for its answer.
func (p *proposer) submit(r *request) ([]*Result, error) {
	if err := p.refusal(); err != nil {
		return nil, err
	}
	if err := r.ctx.Err(); err != nil {
		return nil, context.Cause(r.ctx)
	}
	select {
	case p.queue <- r:
	case <-r.ctx.Done():
		return nil, context.Cause(r.ctx)
	case <-p.gone:
		return nil, ErrClosed
	}
	select {
	case a := <-r.done:
		return a.results, a.err
	case <-r.ctx.Done():
		return r.giveUp(context.Cause(r.ctx))
	case <-p.gone:
		select {
		case a := <-r.done:
			return a.results, a.err
		default:
			return nil, ErrClosed
		}
	}
}

// refusal is why nothing is accepted now. On a full disk one lane asks for
// room again with every request that got this far.
func (p *proposer) refusal() error {
	select {
	case <-p.closing:
		return ErrClosed
	default:
	}
	if err := p.fsm.stopped(); err != nil {
		return stoppedBy(err)
	}
	if p.full.Load() == nil {
		return nil
	}
	return p.checkRoom()
}

// checkRoom asks the disk guard and remembers the answer for the door.
func (p *proposer) checkRoom() error {
	if p.room == nil {
		return nil
	}
	if err := p.room(); err != nil {
		p.full.Store(&err)
		return err
	}
	p.full.Store(nil)
	return nil
}

// lane packs an entry, commits it, and packs the next.
func (p *proposer) lane() {
	for {
		batch, ok := p.pack()
		if !ok {
			return
		}
		p.commit(batch)
	}
}

// pack waits for a request and takes what else is there, as far as it fits.
func (p *proposer) pack() ([]*request, bool) {
	select {
	case p.packing <- struct{}{}:
	case <-p.closing:
		return nil, false
	}
	defer func() { <-p.packing }()
	first := p.carry
	p.carry = nil
	for first == nil || !first.take() {
		select {
		case first = <-p.queue:
		case <-p.closing:
			return nil, false
		}
	}
	batch, size, weight := []*request{first}, len(first.body), first.weight
	for {
		select {
		case r := <-p.queue:
			if size+len(r.body) > entryBytes || weight+r.weight > entryCells {
				p.carry = r
				return batch, true
			}
			if r.take() {
				batch, size, weight = append(batch, r), size+len(r.body), weight+r.weight
			}
		default:
			return batch, true
		}
	}
}

// commit proposes the batch until its fate is known or nobody waits for it.
func (p *proposer) commit(batch []*request) {
	var leaderless time.Time
	for delay := retryMin; ; delay = min(2*delay, retryMax) {
		if batch = stillWanted(batch); len(batch) == 0 {
			return
		}
		results, err := p.attempt(batch)
		if err == nil {
			deliver(batch, results)
			return
		}
		switch {
		case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		case errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrAbortedByRestore), errors.Is(err, errOverdue):
			markTried(batch)
		default:
			refuse(batch, err)
			return
		}
		if errors.Is(err, errOverdue) {
			leaderless = time.Time{}
		} else if leaderless.IsZero() {
			leaderless = time.Now()
		} else if time.Since(leaderless) >= p.patience {
			refuse(batch, fmt.Errorf("%w for %v: %w", ErrNoLeader, p.patience, err))
			return
		}
		select {
		case <-time.After(delay):
		case <-p.abort:
			refuse(batch, ErrClosed)
			return
		}
	}
}

// attempt proposes the batch once. Its errors are Raft's where Raft may be
// asked again, and final otherwise.
func (p *proposer) attempt(batch []*request) ([]*Result, error) {
	if err := p.fsm.stopped(); err != nil {
		return nil, stoppedBy(err)
	}
	if err := p.checkRoom(); err != nil {
		return nil, err
	}
	bodies, n := make([][]byte, len(batch)), 0
	for i, r := range batch {
		bodies[i], n = r.body, n+r.n
	}
	f := p.apply(sealEntry(bodies...), p.timeout)
	err := p.await(f)
	if errors.Is(err, raft.ErrNotLeader) && p.forward != nil {
		return p.abroad(batch, bodies, n)
	}
	if err != nil {
		return nil, p.failed(batch, err)
	}
	res, _ := f.Response().(*entryResult)
	switch {
	case res == nil:
		p.fsm.stop(fmt.Errorf("entry %d was answered with %T", f.Index(), f.Response()))
	case res.err == nil && len(res.results) == n:
		return res.results, nil
	case res.err == nil:
		p.fsm.stop(fmt.Errorf("entry %d: %d results for %d commands", f.Index(), len(res.results), n))
	}
	markTried(batch)
	if err := p.fsm.stopped(); err != nil {
		return nil, stoppedBy(err)
	}
	return nil, stoppedBy(res.err)
}

// abroad has the leader commit a batch.
func (p *proposer) abroad(batch []*request, bodies [][]byte, n int) ([]*Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	p.lanes.Go(func() { // close ends the wait
		select {
		case <-p.abort:
			cancel()
		case <-ctx.Done():
		}
	})
	results, index, err := p.forward(ctx, bytes.Join(bodies, nil))
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, errOverdue // committed, and not applied here
	case err != nil:
		return nil, p.failed(batch, err)
	case len(results) != n:
		markTried(batch)
		return nil, fmt.Errorf("raftfsm: the leader answered %d commands with %d results, at entry %d", n, len(results), index)
	}
	return results, nil
}

// failed sorts what Raft answered.
func (p *proposer) failed(batch []*request, err error) error {
	if stop := p.fsm.stopped(); stop != nil {
		markTried(batch)
		return stoppedBy(stop)
	}
	switch {
	case errors.Is(err, raft.ErrRaftShutdown), errors.Is(err, ErrClosed):
		markTried(batch)
		return ErrClosed
	case errors.Is(err, errOverdue):
		if full := p.checkRoom(); full != nil { // Apply waits for room: so may the caller
			markTried(batch)
			return full
		}
	case errors.Is(err, store.ErrDiskFull):
		markTried(batch) // the log may have it all the same
	}
	return err
}

// await waits for Raft's answer, but not for ever: Raft forgets some (#498).
func (p *proposer) await(f raft.ApplyFuture) error {
	done := make(chan error, 1)
	p.owed.Add(1)
	p.waiting.Go(func() {
		done <- f.Error()
		p.owed.Add(-1)
	})
	var overdue <-chan time.Time
	if p.owed.Load() <= owedLimit {
		t := time.NewTimer(p.timeout)
		defer t.Stop()
		overdue = t.C
	}
	select {
	case err := <-done:
		return err
	case <-overdue:
		return errOverdue
	case <-p.abort:
		return ErrClosed
	}
}

// close lets in nothing more, gives what is under way until wait is over, and
// ends the lanes.
func (p *proposer) close(wait time.Duration) {
	p.once.Do(func() { close(p.closing) })
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-p.gone:
	case <-t.C:
	}
	p.abortOnce.Do(func() { close(p.abort) })
	<-p.gone
}

// depth is how many requests wait to be packed.
func (p *proposer) depth() int { return len(p.queue) }
