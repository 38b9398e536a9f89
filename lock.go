package chronos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chronos-go/chronos/raftfsm"
)

// Lock is a named lock of the whole cluster, or of one process and the next one
// on its directory. It is for work of the host's own, such as that of a leader;
// jobs need none (see Overlap). It is lost when this node is given up: then its
// Context ends, before anybody else can have the lock.
type Lock struct {
	name   string
	token  uint64
	s      *Scheduler
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Name is what the lock is called.
func (l *Lock) Name() string { return l.name }

// FencingToken grows with every holder of any lock: a resource that remembers the
// highest one it has seen can refuse who has lost the lock and does not know it.
func (l *Lock) FencingToken() uint64 { return l.token }

// Context ends when the lock is given back or lost; context.Cause is ErrFenced if
// it was lost, and ErrClosed if the scheduler was closed.
func (l *Lock) Context() context.Context { return l.ctx }

// Unlock gives the lock back. It returns ErrFenced if it had been lost. After
// another error it is given back as soon as that is possible.
func (l *Lock) Unlock(ctx context.Context) error {
	if !l.s.held.drop(l) {
		if errors.Is(context.Cause(l.ctx), ErrFenced) {
			return fmt.Errorf("%w: lock %q was lost", ErrFenced, l.name)
		}
		return nil // it was given back before
	}
	cmd := &raftfsm.Command{Body: &raftfsm.Command_Release{Release: &raftfsm.Release{Name: l.name, Token: l.token}}}
	res, err := l.s.propose(ctx, cmd)
	if err != nil {
		l.s.reporter.add(cmd) // until it is through
		return err
	}
	return verdict(res)
}

// Lock waits for a lock until ctx ends. Who waits gets it in no particular order.
// The name is at most 128 letters, digits and ._-/.
func (s *Scheduler) Lock(ctx context.Context, name string) (*Lock, error) {
	for {
		freed := s.held.changed()
		l, err := s.TryLock(ctx, name)
		if err == nil || !errors.Is(err, ErrConflict) && !errors.Is(err, ErrFenced) {
			return l, err
		}
		select {
		case <-freed:
		case <-time.After(time.Second): // the leader may have ended a lease without a word
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// TryLock takes a lock, or returns ErrConflict, with the name of the node that has
// it, at once. A lock is not reentrant: who has it cannot take it again.
func (s *Scheduler) TryLock(ctx context.Context, name string) (*Lock, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if err := checkID("name", name); err != nil {
		return nil, err
	}
	got := make(chan claimed, 1)
	s.held.asking.Go(func() { got <- s.acquire(name) })
	select {
	case c := <-got:
		return c.lock, c.err
	case <-ctx.Done():
		s.held.asking.Go(func() { // it may come all the same
			if c := <-got; c.err == nil {
				_ = c.lock.Unlock(context.Background())
			}
		})
		return nil, ctx.Err()
	}
}

type claimed struct {
	lock *Lock
	err  error
}

// acquire asks for a lock, and waits until its fate is known.
func (s *Scheduler) acquire(name string) claimed {
	incarnation := s.incarnation.Load()
	body := &raftfsm.Acquire{Name: name, Node: s.options.Node, Incarnation: incarnation, Holder: uuid.NewString()}
	res, err := s.propose(context.Background(), &raftfsm.Command{Body: &raftfsm.Command_Acquire{Acquire: body}})
	for wait := 10 * time.Millisecond; errors.Is(err, ErrUncertain) && !s.closed(); wait = min(2*wait, time.Second) {
		select {
		case <-time.After(wait): // a full disk is full for a while
		case <-s.node.Stopped():
		}
		// The same holder gets the same answer.
		res, err = s.propose(context.Background(), &raftfsm.Command{Body: &raftfsm.Command_Acquire{Acquire: body}})
	}
	switch {
	case err != nil:
		return claimed{err: err}
	case res.Code == raftfsm.Code_CODE_BUSY:
		return claimed{err: fmt.Errorf("%w: lock %q is held by node %q", ErrConflict, name, res.Text)}
	case res.Code != raftfsm.Code_CODE_OK:
		return claimed{err: verdict(res)}
	}
	l := &Lock{name: name, token: res.Token, s: s}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	if !s.held.keep(l, func() bool { return s.incarnation.Load() == incarnation && !s.closed() }) {
		l.cancel(ErrFenced)
		if s.closed() {
			s.giveBack([]*Lock{l})
		}
		return claimed{err: fmt.Errorf("%w: the node was given up while it took lock %q", ErrFenced, name)}
	}
	return claimed{lock: l}
}

// heldLocks are the locks that this process has.
type heldLocks struct {
	mu     sync.Mutex
	locks  map[*Lock]struct{}
	wake   chan struct{}
	asking sync.WaitGroup
}

// keep takes a lock in, if it is still valid.
func (h *heldLocks) keep(l *Lock, valid func() bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !valid() {
		return false
	}
	if h.locks == nil {
		h.locks = map[*Lock]struct{}{}
	}
	h.locks[l] = struct{}{}
	return true
}

// drop forgets a lock and ends its context; false if it is not there any more.
func (h *heldLocks) drop(l *Lock) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.locks[l]
	delete(h.locks, l)
	l.cancel(context.Canceled)
	return ok
}

// lose ends all of them, and says which those were.
func (h *heldLocks) lose(cause error) []*Lock {
	h.mu.Lock()
	defer h.mu.Unlock()
	lost := make([]*Lock, 0, len(h.locks))
	for l := range h.locks {
		l.cancel(cause)
		lost = append(lost, l)
	}
	clear(h.locks)
	return lost
}

// giveBackMost bounds how long a scheduler that closes tries to give its locks back:
// the others may be gone, too.
const giveBackMost = time.Second

// giveBack lets the others of a cluster have locks at once that would be free when
// this node's lease ends. Their contexts have ended. On a single node the next
// opening does it.
func (s *Scheduler) giveBack(locks []*Lock) {
	if s.member == nil || len(locks) == 0 {
		return
	}
	now := time.Now().UnixNano()
	cmds := make([]*raftfsm.Command, len(locks))
	for i, l := range locks {
		cmds[i] = &raftfsm.Command{Now: now, Body: &raftfsm.Command_Release{Release: &raftfsm.Release{Name: l.name, Token: l.token}}}
	}
	ctx, cancel := context.WithTimeout(context.Background(), giveBackMost)
	defer cancel()
	if _, err := s.node.Propose(ctx, cmds); err != nil {
		s.log.Info("chronos: locks could not be given back; they are free when the lease of this node ends", "count", len(locks), "error", err)
	}
}

// changed is closed when some lock may have become free.
func (h *heldLocks) changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wake == nil {
		h.wake = make(chan struct{})
	}
	return h.wake
}

func (h *heldLocks) freed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
}
