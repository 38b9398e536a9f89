package raftfsm

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// leadership follows what Raft says of this node's role. Its owner is leader
// from the moment a barrier was applied: then everything that earlier leaders
// committed is in the state.
type leadership struct {
	raft   *raft.Raft
	log    *slog.Logger
	notify chan bool // Raft blocks on it: always drained
	out    chan bool // newest change, for the host
	late   time.Duration
	pass   func() // called when this node was elected, and is not ready after late; nil for none
	leads  atomic.Bool
	since  atomic.Pointer[time.Time] // when it last began to lead

	followed atomic.Pointer[string]  // the newest leader that got a beat of this node, since this one led
	deposed  atomic.Pointer[deposed] // with the newest election; nil if it does not know of any

	ready     chan struct{} // closed when this node leads for the first time
	readyOnce sync.Once
	closing   chan struct{}
	done      sync.WaitGroup
}

// deposed is a leader whose silence had this node elected.
type deposed struct {
	node    string
	elected time.Time
}

// depose notes, with an election, who led before: if its heartbeats had been missing for
// long enough to call one. A leader that hands over is heard until then.
func (l *leadership) depose() {
	var d *deposed
	if node := l.followed.Swap(nil); node != nil && time.Since(l.raft.LastContact()) >= l.raft.ReloadableConfig().HeartbeatTimeout {
		d = &deposed{*node, time.Now()}
	}
	l.deposed.Store(d)
}

func newLeadership(log *slog.Logger) *leadership {
	return &leadership{
		log:     log,
		notify:  make(chan bool, 4),
		out:     make(chan bool, 1),
		ready:   make(chan struct{}),
		closing: make(chan struct{}),
	}
}

func (l *leadership) start(r *raft.Raft) {
	l.raft = r
	l.done.Go(l.follow)
}

// follow runs until close. Raft may still notify then; the channel's buffer
// takes what a shutting down Raft, which does not block, has to say.
func (l *leadership) follow() {
	var caughtUp chan error // answers of the barrier under way
	var again, late <-chan time.Time
	elected := false
	barrier := func() {
		caughtUp, again = make(chan error, 1), nil
		done := caughtUp
		l.done.Go(func() { done <- l.raft.Barrier(time.Second).Error() })
	}
	for {
		select {
		case up := <-l.notify:
			elected, late = up, nil
			if !up {
				l.set(false)
				continue
			}
			l.depose()
			late = time.After(l.late)
			if caughtUp == nil {
				barrier()
			}
		case <-late:
			if elected && !l.leads.Load() && l.pass != nil {
				l.done.Go(l.pass)
			}
		case err := <-caughtUp:
			caughtUp = nil
			switch {
			case err == nil && elected:
				l.set(true)
			case elected:
				again = time.After(20 * time.Millisecond)
			}
		case <-again:
			if elected {
				barrier()
			}
		case <-l.closing:
			l.set(false)
			return
		}
	}
}

// set publishes a change; a reader that is late sees the newest.
func (l *leadership) set(leads bool) {
	if leads {
		now := time.Now()
		l.since.Store(&now)
	}
	if l.leads.Swap(leads) == leads {
		return
	}
	l.log.Debug("chronos: leadership", "leader", leads)
	select {
	case <-l.out:
	default:
	}
	l.out <- leads
	if leads {
		l.readyOnce.Do(func() { close(l.ready) })
	}
}

// close ends it. Raft answers the barrier while it runs, or when it ends.
func (l *leadership) close() { close(l.closing) }

// settle waits for the goroutines; bounded by the caller.
func (l *leadership) settle() { l.done.Wait() }
