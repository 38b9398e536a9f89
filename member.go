package chronos

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos/dispatch"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// member is what a node of a cluster does beside running attempts: it shows that
// it lives, gives up what it runs when nobody hears of it, and, while it leads,
// plans for all and ends the leases of nodes that it does not hear of.
type member struct {
	s    *Scheduler
	log  *slog.Logger
	ctx  context.Context
	end  context.CancelFunc
	done sync.WaitGroup

	contact atomic.Pointer[time.Time] // before the newest beat that was answered
	fenced  atomic.Bool               // given up, not taken up again yet
	lapsed  atomic.Bool               // a fence has to follow
	relabel atomic.Bool               // this node's labels are to be announced
	wake    chan struct{}
	opened  chan struct{} // a session has been opened: somebody may run now
}

// A holder gives up at seven tenths of the lease; the leader, which counts from
// later, gives what it held away at the end of it.
const (
	beatsPerLease  = 10
	holderTenths   = 7
	clockTolerance = time.Second
)

func newMember(s *Scheduler) *member {
	m := &member{s: s, log: s.log, wake: make(chan struct{}, 1), opened: make(chan struct{}, 1)}
	m.ctx, m.end = context.WithCancel(context.Background())
	m.touch(time.Now())
	return m
}

// start begins when New has reached a leader.
func (m *member) start() {
	m.touch(time.Now())
	m.done.Go(m.guard)
	m.done.Go(m.beat)
	m.done.Go(m.lead)
	if m.s.options.Cluster.RemoveDeadAfter > 0 {
		m.done.Go(m.removeDead)
	}
}

func (m *member) touch(at time.Time) { m.contact.Store(&at) }

// lastContact is when the newest beat was made that a leader has answered.
func (m *member) lastContact() time.Time { return *m.contact.Load() }

func (m *member) stop() {
	m.end()
	m.done.Wait()
}

// mayStart is asked before each start, because a process may have been frozen
// meanwhile. What may not start is given up, and all else with it; what was given
// to an earlier incarnation is nobody's here.
func (m *member) mayStart(a *dispatch.Attempt) bool {
	if a.Session != m.s.incarnation.Load() {
		return false
	}
	if !m.alive() {
		m.lapse()
		return false
	}
	if m.outdated(a) {
		m.s.giveUp(a)
		return false
	}
	return true
}

// outdated tells if an attempt begins so late that its job may have been edited
// meanwhile, and was.
func (m *member) outdated(a *dispatch.Attempt) bool {
	if time.Since(a.StartAt) < m.s.options.Cluster.Lease/beatsPerLease {
		return false
	}
	outdated := false
	err := m.s.node.Store().View(func(r *store.Reader) error {
		job, err := r.Job(a.Job)
		outdated = job != nil && !job.Deleted && job.Generation == a.Generation && job.Version != a.Version
		return err
	})
	return err == nil && outdated
}

// behind is asked before what is due starts here: a node that lags, because its disk is
// full or slow, may not have heard that a job was edited or an attempt taken back. So it
// waits until it has applied what the leader had one beat before.
func (m *member) behind() bool {
	return m.s.node.Behind(m.s.options.Cluster.Lease / beatsPerLease)
}

// lapse has the node fence itself: it has let go of something, or the log says
// that its session has ended.
func (m *member) lapse() {
	m.lapsed.Store(true)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *member) limit() time.Duration { return m.s.options.Cluster.Lease * holderTenths / 10 }

// alive tells if this node may still run what it holds. Where the wall clock has
// gone on without the elapsed one, the machine has slept.
func (m *member) alive() bool {
	last := *m.contact.Load()
	elapsed := time.Since(last)
	slept := time.Now().Round(0).Sub(last.Round(0)) - elapsed
	return !m.fenced.Load() && elapsed < m.limit() && slept < clockTolerance && slept > -clockTolerance
}

// guard fences the node when no leader has answered for too long. It waits for
// nothing but time: a beat may hang in the network.
func (m *member) guard() {
	tick := time.NewTicker(m.s.options.Cluster.Lease / beatsPerLease / 4)
	defer tick.Stop()
	for {
		if m.lapsed.Swap(false) || !m.fenced.Load() && !m.alive() {
			m.fence()
		}
		select {
		case <-tick.C:
		case <-m.wake:
		case <-m.ctx.Done():
			return
		}
	}
}

// beat shows the leader that this node lives, and brings the node back when a
// leader answers after it had given up.
func (m *member) beat() {
	every := m.s.options.Cluster.Lease / beatsPerLease
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		began := time.Now()
		ctx, cancel := context.WithTimeout(m.ctx, every)
		err := m.s.node.Beat(ctx, m.s.incarnation.Load())
		cancel()
		// An answer that comes when the lease has run out renews nothing.
		if fenced := m.fenced.Load(); err == nil && (fenced || m.alive()) {
			m.touch(began)
			if fenced {
				m.rejoin(began)
			}
		}
		select {
		case <-tick.C:
		case <-m.ctx.Done():
			return
		}
	}
}

// fence gives up everything this node runs: somebody else may have it soon. The
// node is another incarnation from then on; also if it was about to come back.
func (m *member) fence() {
	again := m.fenced.Swap(true)
	m.s.incarnation.Store(newIncarnation())
	if again {
		return
	}
	m.log.Warn("chronos: no leader has been heard of for most of the lease, or it was ended; what runs here is canceled", "lease", m.s.options.Cluster.Lease)
	m.s.held.lose(ErrFenced)
	m.s.dispatcher.RevokeAll(ErrRevoked)
}

// rejoin announces the new incarnation, resolves what the old ones held, and takes
// attempts again if Run runs: all within what the answered beat is worth.
func (m *member) rejoin(began time.Time) {
	ctx, cancel := context.WithDeadline(m.ctx, began.Add(m.limit()))
	defer cancel()
	if err := m.s.takeOver(ctx); err != nil {
		m.log.Debug("chronos: the node could not rejoin yet", "error", err)
		return
	}
	err := m.s.alone(ctx, func() error {
		m.fenced.Store(false) // what is assigned from now on may start
		return m.s.announceAlone(ctx)
	})
	if err != nil {
		m.log.Debug("chronos: the node could not announce itself yet", "error", err)
		m.lapse() // perhaps it could: then what it was given is another incarnation's
		return
	}
	m.log.Info("chronos: the node takes part again")
}

// observe looks for what the log says of this node's own session.
func (m *member) observe(eff *raftfsm.Effects) {
	if (eff.Raised || eff.Restored) && len(m.s.options.Labels) > 0 {
		m.relabel.Store(true) // announced elsewhere: this is the state machine's goroutine
	}
	if len(eff.Opened) > 0 {
		select {
		case m.opened <- struct{}{}:
		default:
		}
	}
	for _, o := range eff.Expired {
		if o.Node == m.s.options.Node && o.Incarnation == m.s.incarnation.Load() {
			m.lapse()
		}
	}
}

// lead plans while this node leads and some node runs.
func (m *member) lead() {
	var plan planning
	defer plan.stop()
	var silence silence
	var over over
	tick := time.NewTicker(m.lookEvery())
	defer tick.Stop()
	for {
		leads := m.s.node.IsLeader()
		var sessions map[string]*store.Session
		if leads {
			sessions = m.s.sessions()
			m.hold(&silence, sessions) // before anything is planned
		}
		if someRun(sessions) {
			plan.start(m.ctx, m.s.planner.Run)
		} else {
			plan.stop()
		}
		if leads {
			m.expire(&over, sessions)
			m.raise()
			m.forget(sessions)
			if err := m.s.sweepRestore(m.ctx); err != nil && m.ctx.Err() == nil {
				m.log.Debug("chronos: a restore that was given up is in the way", "error", err)
			}
		}
		m.announceLabels()
		select {
		case <-tick.C:
		case <-m.s.node.LeaderCh():
		case <-m.opened:
		case <-m.ctx.Done():
			return
		}
	}
}

// raise has the cluster use what all members know by now.
func (m *member) raise() {
	ctx, cancel := context.WithTimeout(m.ctx, m.s.options.Cluster.Lease)
	defer cancel()
	if err := m.s.node.Raise(ctx, time.Now().UnixNano()); err != nil && m.ctx.Err() == nil {
		m.log.Debug("chronos: the feature level could not be raised yet", "error", err)
	}
}

// announceLabels tells the log this node's labels, once all members know what
// that means.
func (m *member) announceLabels() {
	if !m.relabel.Swap(false) {
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, m.s.options.Cluster.Lease)
	defer cancel()
	if err := m.s.alone(ctx, func() error { return m.s.announceAlone(ctx) }); err != nil {
		m.relabel.Store(true)
	}
}

// planning is the planner while it runs.
type planning struct {
	end  context.CancelFunc
	done sync.WaitGroup
}

func (p *planning) start(ctx context.Context, run func(context.Context)) {
	if p.end != nil {
		return
	}
	ctx, p.end = context.WithCancel(ctx)
	p.done.Go(func() { run(ctx) })
}

func (p *planning) stop() {
	if p.end == nil {
		return
	}
	p.end()
	p.done.Wait()
	p.end = nil
}

func someRun(sessions map[string]*store.Session) bool {
	for _, sess := range sessions {
		if sess.Capacity > 0 {
			return true
		}
	}
	return false
}

// RemoveMember takes a node out of the cluster for good, whether it is up or not;
// it may be called on any node. What it was running is resolved, as each job's
// Delivery says, when its lease has run out. It keeps its directory, and New
// refuses it from then on (ErrConflict): it joins again with an empty one.
func (s *Scheduler) RemoveMember(ctx context.Context, node string) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if s.member == nil {
		return invalid("node", "is no member: this scheduler has no cluster (Options.Cluster)")
	}
	members, votes := s.node.Voters(), 0
	for _, voter := range members {
		if voter {
			votes++
		}
	}
	voter, ok := members[node]
	if !ok {
		return fmt.Errorf("%w: node %q is no member", ErrNotFound, node)
	}
	if voter && votes == 1 {
		return invalid("node", "%q is the last one that votes", node)
	}
	return translate(s.node.Remove(ctx, node))
}
