package gocronlock

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/chronos-go/chronos"
)

// Options of a Locker or an Elector. The zero value is fine.
type Options struct {
	// Prefix begins the names of the locks. Give each application its own. Default
	// "gocron".
	Prefix string
	// Hold is how long a Locker keeps a lock at least, counted from when it was taken.
	// Default 1 s; negative: it is given back as soon as the job is over.
	Hold time.Duration
	// Patience bounds how long asking for a lock, or giving one back, may take while this
	// process hears of no majority. A Locker is not more patient than half of Hold: later
	// the lock could be free because another process has run the job and is done, and this
	// one may have asked late. Default 5 s.
	Patience time.Duration
}

func (o Options) check() (Options, error) {
	o.Prefix = cmp.Or(o.Prefix, "gocron")
	o.Hold = cmp.Or(o.Hold, time.Second)
	o.Patience = cmp.Or(o.Patience, 5*time.Second)
	if !valid(o.Prefix) || len(o.Prefix) > maxPrefix {
		return o, fmt.Errorf("gocronlock: Options.Prefix %q is no name of a lock; use up to %d letters, digits and ._-/, beginning with a letter or digit", o.Prefix, maxPrefix)
	}
	return o, nil
}

const (
	maxPrefix = 40
	maxName   = 128 // of a lock
)

func valid(name string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || strings.IndexByte("._-/", c) < 0) {
			return false
		}
	}
	return name != ""
}

// lockName is the name of the lock for a key, which may be anything: that of a function,
// for example, with parentheses and stars.
func lockName(prefix, key string) string {
	if name := prefix + "/" + key; valid(name) && len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(key))
	return prefix + "/" + hex.EncodeToString(sum[:16])
}

// Locker is a gocron.Locker. It needs no Close: a scheduler that closes gives its locks
// back.
type Locker struct {
	s       *chronos.Scheduler
	options Options
}

var _ gocron.Locker = (*Locker)(nil)

// NewLocker makes a Locker on a scheduler, which has to be open, and need not run.
func NewLocker(s *chronos.Scheduler, o Options) (*Locker, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	return &Locker{s: s, options: o}, nil
}

// Lock takes the lock of a job, or fails at once: with an error that matches
// chronos.ErrConflict if another process has it, and then this one skips the run.
func (l *Locker) Lock(ctx context.Context, key string) (gocron.Lock, error) {
	patience := l.options.Patience
	if l.options.Hold > 0 {
		patience = min(patience, l.options.Hold/2) // the other half is for clocks that differ
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	held, err := l.s.TryLock(asking, lockName(l.options.Prefix, key))
	if err != nil {
		return nil, fmt.Errorf("gocronlock: job %q: %w", key, err)
	}
	return &lock{held: held, options: l.options, taken: time.Now()}, nil
}

// lock is one that a job has.
type lock struct {
	held    *chronos.Lock
	options Options
	taken   time.Time
}

// Unlock gives the lock back, or leaves that to a timer if it is too early. The error is
// chronos.ErrFenced if the lock was lost while the job ran.
func (l *lock) Unlock(ctx context.Context) error {
	early := l.options.Hold - time.Since(l.taken)
	if early <= 0 || l.held.Context().Err() != nil {
		return l.held.Unlock(ctx)
	}
	go func() {
		timer := time.NewTimer(early)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.held.Context().Done(): // lost, or the scheduler was closed
		}
		ctx, cancel := context.WithTimeout(context.Background(), l.options.Patience)
		defer cancel()
		_ = l.held.Unlock(ctx) // after an error it is given back as soon as that is possible
	}()
	return nil
}

// Elector is a gocron.Elector. The leader is who has a lock: the first one that asks, for
// as long as it lives.
type Elector struct {
	s       *chronos.Scheduler
	options Options
	name    string

	turn chan struct{} // who has it may look at what follows; a mutex knows no context
	held *chronos.Lock
	over bool
}

var _ gocron.Elector = (*Elector)(nil)

// NewElector makes an Elector on a scheduler, which has to be open, and need not run.
func NewElector(s *chronos.Scheduler, o Options) (*Elector, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	return &Elector{s: s, options: o, name: lockName(o.Prefix, "leader"), turn: make(chan struct{}, 1)}, nil
}

// IsLeader is nil if this process leads, and becomes the leader if nobody is. The error
// says who leads.
func (e *Elector) IsLeader(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.options.Patience)
	defer cancel()
	if err := e.take(ctx); err != nil {
		return err
	}
	defer e.give()
	if e.over {
		return errors.New("gocronlock: the elector was closed")
	}
	if e.held != nil && e.held.Context().Err() == nil {
		return nil
	}
	held, err := e.s.TryLock(ctx, e.name)
	if err != nil {
		return fmt.Errorf("gocronlock: not the leader: %w", err)
	}
	e.held = held
	return nil
}

func (e *Elector) take(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("gocronlock: nobody answers who leads: %w", ctx.Err())
	}
}

func (e *Elector) give() { <-e.turn }

// Close gives leadership up, for good. A scheduler that closes does so, too.
func (e *Elector) Close(ctx context.Context) error {
	if err := e.take(ctx); err != nil {
		return err
	}
	defer e.give()
	e.over = true
	if e.held == nil {
		return nil
	}
	return e.held.Unlock(ctx)
}

// Leadership is a gocron.Elector for which the leader is the node that leads the Chronos
// cluster: nothing is taken, but it moves whenever the cluster elects another one. A
// worker never leads.
type Leadership struct{ s *chronos.Scheduler }

var _ gocron.Elector = Leadership{}

// NewLeadership makes a Leadership. The scheduler has to be a node of a cluster.
func NewLeadership(s *chronos.Scheduler) Leadership { return Leadership{s} }

// IsLeader is nil if this node led the cluster during the call: it asks a majority, for
// up to 5 s.
func (l Leadership) IsLeader(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if !l.s.Status().Leading {
		return fmt.Errorf("gocronlock: node %q does not lead; the leader is %q", l.s.Status().Node, l.s.Status().Leader)
	}
	if err := l.s.Sync(ctx); err != nil { // it may have been cut off, and not know yet
		return fmt.Errorf("gocronlock: nobody knows if this node leads: %w", err)
	}
	if !l.s.Status().Leading {
		return fmt.Errorf("gocronlock: node %q leads no more", l.s.Status().Node)
	}
	return nil
}
