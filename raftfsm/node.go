package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/raftfsm/mesh"
	"github.com/chronos-go/chronos/store"
)

// Node is one member of the log: it takes commands, and applies what is
// committed to its store.
type Node struct {
	cfg    Config
	log    *slog.Logger
	id     string
	lock   *store.DirLock
	guard  *store.Guard
	starts *starts
	plan   plan

	st    *store.Store
	fsm   *fsm
	logs  *logStore
	snaps raft.SnapshotStore
	trans raft.Transport
	raft  *raft.Raft
	lead  *leadership
	prop  *proposer

	// With companions:
	mesh  *mesh.Mesh
	layer *streamLayer
	links *links // for commands
	pulse *links // for beats and questions, which wait behind no command
	desk  *desk
	epoch epochs // of the cluster, as this node has it
	blank bool   // it began with an empty log: it is to join
	beats beats
	roll  roll

	contacts contacts
	changing sync.Mutex // held while members are taken out

	open    atomic.Bool // effects are reported
	spoiled atomic.Bool // the state is not to be used again
	damage  atomic.Pointer[error]
	closing chan struct{}
	owned   sync.WaitGroup

	closeMu  sync.Mutex
	down     bool  // Raft has ended, or never will
	closed   bool  // so has the state
	closeErr error // what was left to say of it
}

// OpenNode opens a node: directory, state, log, Raft. It returns when the node
// leads and its state is up to date. Where state and log disagree, or either
// is damaged, it heals what can be healed without losing anything that was
// acknowledged, and refuses with a DamageError otherwise.
func OpenNode(cfg Config) (*Node, error) {
	cfg = cfg.withDefaults()
	n := &Node{cfg: cfg, log: cfg.Logger, closing: make(chan struct{})}
	n.lead = newLeadership(n.log)
	if cfg.Cluster != nil {
		if err := n.openMesh(); err != nil {
			return nil, err
		}
	}
	if err := n.openFiles(); err != nil {
		n.closeNet()
		return nil, err
	}
	err := n.startRaft()
	if err == nil {
		err = n.await()
	}
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.logs.forget()
	n.blank = false // it has come in
	n.open.Store(true)
	if damage := n.damage.Load(); damage != nil {
		n.fsm.stop(*damage)
	}
	n.owned.Go(n.keep)
	if n.mesh != nil {
		n.owned.Go(n.watch)
		n.owned.Go(n.seek)
	}
	return n, nil
}

// openFiles opens what is below Raft, on disk or in memory.
func (n *Node) openFiles() error {
	if n.cfg.InMemory {
		return n.openMemory()
	}
	starts := startsIn(n.cfg.Dir)
	_, encoder := raft.NewInmemTransport("")
	r := &recovery{cfg: &n.cfg, log: n.log, trans: encoder, onDamage: n.damaged, onFailure: n.failed, mayForm: n.mayForm, answers: n.answers, learn: n.learn}
	if err := r.run(); err != nil {
		return errors.Join(err, r.release())
	}
	if r.confKnown {
		n.epoch.begin(epochOf(r.conf))
	} else {
		n.epoch.begin("")
	}
	n.id, n.lock, n.guard, n.plan = r.nodeID, r.lock, r.guard, r.plan
	n.starts, n.st, n.logs, n.snaps = &starts, r.view, r.logs, r.snaps
	logs, snaps := r.logs, r.snaps
	snaps.taken = logs.snapshotTaken
	logs.keepFrom = func() uint64 { return snaps.oldest() + 1 }
	if n.cfg.backend != nil {
		logs.backend = n.cfg.backend(logs.backend)
	}
	if n.cfg.LogWrite != nil {
		logs.backend = &watchedBackend{logBackend: logs.backend, before: n.cfg.LogWrite}
	}
	return nil
}

func (n *Node) openMemory() (err error) {
	n.id = n.cfg.ID
	if n.id == "" {
		n.id = randomID()
	}
	n.st, err = store.Open(store.Options{InMemory: true, Logger: n.log, OnCorrupt: n.damaged, OnFailed: n.failed, Busy: n.cfg.Busy, NoCompaction: n.cfg.NoCompaction})
	if err != nil {
		return err
	}
	n.logs = newLogStore(raft.NewInmemStore(), "memory", n.cfg.SnapshotBytes)
	join, err := n.mayForm()
	if err != nil {
		return err
	}
	conf := n.cfg.firstConfiguration(n.id)
	first := &conf
	if join {
		first = nil
		n.epoch.begin("")
	} else {
		n.epoch.begin(mesh.Unrecovered)
	}
	c := &createLog{logID: n.cfg.newLogID(), nodeID: n.id, term: 1}
	n.snaps = &memorySnapshots{taken: n.logs.snapshotTaken}
	return errors.Join(c.fill(n.logs, first), n.st.SetLogID(c.logID))
}

// startRaft starts Raft, which restores a snapshot first when the plan says
// so. NewRaft panics on some damage: that is an error here.
func (n *Node) startRaft() error {
	n.openTransport()
	n.fsm = newFSM(n.st, n.applied, n.log)
	n.fsm.level = n.cfg.level()
	if err := n.cfg.checkLevel(n.st.Applied()); err != nil {
		return err
	}
	if n.mesh != nil {
		n.fsm.trail = newTrail(n.st.Applied())
	}
	n.logs.fail = n.fsm.stop
	rc := n.cfg.raftConfig(n.id, n.lead.notify)
	rc.NoSnapshotRestoreOnStart = !n.plan.restore
	machine := &restorer{fsm: n.fsm}
	err := guarded(func() (err error) {
		n.raft, err = raft.NewRaft(rc, machine, n.logs, n.logs, n.snaps, n.trans)
		return err
	})
	if err != nil {
		n.raft = nil
		return fmt.Errorf("raftfsm: start Raft: %w", errors.Join(err, machine.err))
	}
	n.blank = n.raft.LastIndex() == 0
	n.logs.running.Store(true)
	if n.cfg.Cluster != nil {
		n.lead.late, n.lead.pass = max(lateMin, rc.HeartbeatTimeout), n.passOn
	}
	n.lead.start(n.raft)
	n.prop = newProposer(&proposer{
		apply:    n.raft.Apply,
		room:     n.room,
		fsm:      n.fsm,
		timeout:  n.cfg.EntryTimeout,
		patience: n.cfg.LeaderTimeout,
		forward:  n.forwarding(),
	})
	if n.desk != nil {
		n.learnMembers()
		n.epoch.follow(n.raft)
		n.owned.Go(n.observe)
		n.desk.take()
	}
	if at := n.raft.LastIndex(); at < n.plan.expect {
		if machine.err != nil {
			return fmt.Errorf("raftfsm: restore: %w", machine.err)
		}
		return &DamageError{Path: n.cfg.Dir, Remedy: remedyAll,
			Reason: fmt.Sprintf("Raft starts at entry %d, the log and the snapshots go to %d", at, n.plan.expect)}
	}
	return n.Err()
}

// applied passes effects on, once the host has seen the state they build on.
func (n *Node) applied(e *Effects) {
	if n.mesh != nil {
		for _, o := range e.Opened {
			n.mesh.Learn(o.Node, o.Addr)
			n.beats.hear(o.Node, o.Incarnation)
		}
		for _, node := range e.Forgotten {
			n.beats.forget(node)
			n.roll.forget(node)
		}
	}
	if n.open.Load() {
		n.cfg.OnApply(e)
	}
}

func (n *Node) room() error {
	if n.guard == nil {
		return nil
	}
	return n.guard.Check()
}

// campaign makes a single node elect itself now instead of after a timeout
// that waits for others.
func (n *Node) campaign() {
	trans := n.trans.(*raft.InmemTransport)
	to := trans.LocalAddr()
	trans.Connect(to, trans)
	defer trans.Disconnect(to)
	req := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(n.id), Addr: []byte(to),
	}}
	if err := trans.TimeoutNow(raft.ServerID(n.id), to, req, &raft.TimeoutNowResponse{}); err != nil {
		n.log.Debug("chronos: no early election", "error", err)
	}
}

// await waits until this node's state is up to date.
func (n *Node) await() error {
	if n.cfg.Cluster != nil {
		return n.awaitCluster()
	}
	return n.awaitLeader()
}

// forwarding is the proposer's way to another node that leads, nil without any.
func (n *Node) forwarding() func(context.Context, []byte) ([]*Result, uint64, error) {
	if n.cfg.Cluster == nil {
		return nil
	}
	return func(ctx context.Context, body []byte) ([]*Result, uint64, error) {
		_, leader := n.raft.LeaderWithID()
		if leader == "" || string(leader) == n.id {
			return nil, 0, raft.ErrNotLeader
		}
		asking, cancel := n.whileLeading(ctx, leader)
		defer cancel()
		results, index, err := n.links.commit(asking, string(leader), body)
		if err != nil {
			return nil, 0, err
		}
		return results, index, n.fsm.applied.wait(ctx, index)
	}
}

// leaderCheck is how often a node that waits for its leader sees if it still is.
const leaderCheck = 20 * time.Millisecond

// whileLeading is a context that ends when another node does not lead any more,
// as far as this one knows. A leader that stands still, or that the network
// swallows, keeps its connections and never answers: whoever waited for it for
// long would have no lane left for its successor, or to be that itself.
func (n *Node) whileLeading(ctx context.Context, leader raft.ServerID) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	n.owned.Go(func() {
		tick := time.NewTicker(leaderCheck)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if _, now := n.raft.LeaderWithID(); now != leader {
				cancel(raft.ErrLeadershipLost)
				return
			}
		}
	})
	return ctx, func() { cancel(nil) }
}

// awaitLeader waits until this node leads and has applied the log. A long
// replay may take its time, as long as it gets on.
func (n *Node) awaitLeader() error {
	n.campaign()
	last, since := n.st.Index(), time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-n.lead.ready:
			return n.Err()
		case <-n.fsm.stopCh:
			return stoppedBy(n.fsm.stopped())
		case <-tick.C:
		}
		if at := n.st.Index(); at != last {
			last, since = at, time.Now()
		}
		if time.Since(since) > n.cfg.StartTimeout {
			return fmt.Errorf("%w after %v: Raft is %s at entry %d, the state at %d",
				ErrNoLeader, n.cfg.StartTimeout, n.raft.State(), n.raft.LastIndex(), last)
		}
	}
}

// damaged hears from the store, perhaps while the node still opens, that the
// state is not what was written.
func (n *Node) damaged(err error) {
	n.spoil(err)
	n.damage.Store(&err)
	if n.open.Load() {
		n.fsm.stop(err)
	}
}

// failed hears from the store, perhaps while the node still opens, that it writes nothing
// any more. A leader that has nothing to apply would learn it from nobody else, and lead on.
func (n *Node) failed(err error) {
	n.damage.CompareAndSwap(nil, &err)
	if n.open.Load() {
		n.fsm.stop(err)
	}
}

// spoil makes the next start rebuild the state.
func (n *Node) spoil(err error) {
	if n.spoiled.Swap(true) || n.cfg.InMemory {
		return
	}
	startsIn(n.cfg.Dir).condemn(err.Error())
}

// keep does what has to be done beside the log while the node is open.
func (n *Node) keep() {
	healthy := time.NewTimer(healthyAfter)
	defer healthy.Stop()
	stopped := n.fsm.stopCh
	for {
		select {
		case <-n.logs.heavy:
			if err := n.Snapshot(); err != nil {
				n.log.Warn("chronos: snapshot for the sake of the log's size", "error", err)
			}
		case <-healthy.C:
			if n.starts != nil && !n.spoiled.Load() {
				n.starts.ended()
			}
		case <-stopped:
			stopped = nil
			if err := n.fsm.stopped(); errors.Is(err, store.ErrCorrupt) {
				n.spoil(err)
			}
		case <-n.closing:
			return
		}
	}
}

// Store is the node's state, for reading.
func (n *Node) Store() *store.Store { return n.st }

// ID is the node's name.
func (n *Node) ID() string { return n.id }

// Propose commits commands and returns their results, in order; this node
// has applied them by then. Commands of one call are applied in order, in one
// entry if they fit into one; when not, the results of those that were
// applied come with the error.
//
// An error that matches ErrUncertain leaves open whether the commands were or
// will be applied; ctx ending is one such case. The same command with the same
// ID may be proposed again: it gets its first answer. Without ErrUncertain
// they were not applied and will not be.
func (n *Node) Propose(ctx context.Context, cmds []*Command) ([]*Result, error) {
	return n.prop.propose(ctx, cmds)
}

// IsLeader says whether this node leads and its state holds everything that
// was committed before. It is a hint: by the time it is read it may be over.
func (n *Node) IsLeader() bool { return n.lead.leads.Load() && n.fsm.stopped() == nil }

// LeaderCh delivers changes of IsLeader. It is for one reader, which sees at
// least the newest.
func (n *Node) LeaderCh() <-chan bool { return n.lead.out }

// Snapshot takes a snapshot now, so that the log can be shortened. It returns
// when the snapshot is on disk.
func (n *Node) Snapshot() error {
	if err := n.fsm.stopped(); err != nil {
		return stoppedBy(err)
	}
	if err := n.room(); err != nil {
		return err
	}
	err := n.raft.Snapshot().Error()
	switch {
	case errors.Is(err, raft.ErrNothingNewToSnapshot):
		return nil
	case errors.Is(err, raft.ErrRaftShutdown):
		return ErrClosed
	}
	return err
}
