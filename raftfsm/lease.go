package raftfsm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos/store"
)

// A node lives as long as its leader hears of it: it sends beats, and the leader
// remembers when the last one came. Both sides count elapsed time on their own
// clock: the node from before it sent the beat that was answered, the leader from
// when it heard it, so the node's count always runs out first.

// beats is what a leader remembers of the other nodes: when it last heard of any
// incarnation of each, and of which. To have opened a session is to be heard.
type beats struct {
	mu      sync.Mutex
	last    map[string]map[uint64]time.Time
	calls   map[string]time.Time // when a node last asked anything
	arrived map[string]arrival
}

// called notes that a node asked something: it is there, whether or not it has a
// session yet.
func (b *beats) called(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls == nil {
		b.calls = map[string]time.Time{}
	}
	b.calls[node] = time.Now()
}

// asked is when a node last did, zero if never.
func (b *beats) asked(node string) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[node]
}

// arrival is when a node's newest beat was here, whether or not it counts yet: to
// see if it does may have to wait for a large write.
type arrival struct {
	incarnation uint64
	at          time.Time
}

// incarnationsKept bounds what is remembered of one node.
const incarnationsKept = 8

func (b *beats) hear(node string, incarnation uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil {
		b.last = map[string]map[uint64]time.Time{}
	}
	of := b.last[node]
	if of == nil || len(of) >= incarnationsKept && of[incarnation].IsZero() {
		of = map[uint64]time.Time{}
		b.last[node] = of
	}
	of[incarnation] = time.Now()
}

// forget drops what is known of a node that was taken out.
func (b *beats) forget(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.last, node)
	delete(b.calls, node)
	delete(b.arrived, node)
}

func (b *beats) arrive(node string, incarnation uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.arrived == nil {
		b.arrived = map[string]arrival{}
	}
	b.arrived[node] = arrival{incarnation, time.Now()}
}

// arrivalOf is when an incarnation's newest beat was here, zero if none was.
func (b *beats) arrivalOf(node string, incarnation uint64) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.arrived[node]; a.incarnation == incarnation {
		return a.at
	}
	return time.Time{}
}

// of is when an incarnation was last heard of, zero if never.
func (b *beats) of(node string, incarnation uint64) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last[node][incarnation]
}

// newest is when any incarnation was.
func (b *beats) newest(node string) (at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.last[node] {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// Beat tells the leader that this incarnation of the node lives, and returns nil
// when a leader has answered that still leads a majority.
func (n *Node) Beat(ctx context.Context, incarnation uint64) error {
	if err := n.Err(); err != nil {
		return err
	}
	if n.IsLeader() {
		select {
		case err := <-n.answer(n.raft.VerifyLeader):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, leader := n.raft.LeaderWithID()
	if leader == "" || string(leader) == n.id || n.pulse == nil {
		return ErrNoLeader
	}
	followed := string(leader)
	n.lead.followed.Store(&followed)
	body := binary.BigEndian.AppendUint64(nil, incarnation)
	if n.Level() >= Level2 { // an older leader refuses a longer one
		var err error
		if body, err = (proto.MarshalOptions{}).MarshalAppend(body, &Beat{Marks: n.fsm.trail.newest()}); err != nil {
			return err
		}
	}
	f, _, err := n.pulse.ask(ctx, string(leader), askBeat, body)
	if err == nil && f.code != saidDone {
		err = fmt.Errorf("%w: %q leads no more", ErrNoLeader, leader)
	}
	if err == nil {
		n.told(f.body)
	}
	return err
}

// LastBeat is when this node, as the leader of a term, last heard of another
// one's incarnation; it counts from the beginning of its leadership. It is an
// error if this node does not lead.
func (n *Node) LastBeat(node string, incarnation uint64) (at time.Time, term uint64, err error) {
	term = n.raft.CurrentTerm()
	since := n.lead.since.Load()
	if !n.IsLeader() || since == nil {
		return time.Time{}, 0, ErrNoLeader
	}
	at = *since
	if node == n.id {
		return time.Now(), term, nil
	}
	if heard := n.beats.of(node, incarnation); heard.After(at) {
		at = heard
	}
	return at, term, nil
}

// LastSign is like LastBeat, and counts what has arrived and not been looked at, too.
// It is for who asks whether a node is silent, not whether its lease holds.
func (n *Node) LastSign(node string, incarnation uint64) (at time.Time, term uint64, err error) {
	at, term, err = n.LastBeat(node, incarnation)
	if sign := n.Sign(node, incarnation); err == nil && sign.After(at) {
		at = sign
	}
	return at, term, err
}

// Sign is when this node last had a beat of an incarnation, zero if it had none. Its own
// it always has.
func (n *Node) Sign(node string, incarnation uint64) time.Time {
	if node == n.id {
		return time.Now()
	}
	at := n.beats.of(node, incarnation)
	if arrived := n.beats.arrivalOf(node, incarnation); arrived.After(at) {
		at = arrived
	}
	return at
}

// Deposed tells if a node led before this one, which leads because of its silence, and
// this incarnation of it has not been heard of since.
func (n *Node) Deposed(node string, incarnation uint64) bool {
	d := n.lead.deposed.Load()
	return d != nil && d.node == node && n.IsLeader() && !n.Sign(node, incarnation).After(d.elected)
}

// mayLive tells if a process of a node's name may still think itself alive, as
// far as this leader can know.
func (n *Node) mayLive(node string) bool {
	at := n.beats.newest(node)
	if since := n.lead.since.Load(); since != nil && since.After(at) {
		at = *since // what came before went to another leader
	}
	return time.Since(at) < n.cfg.Cluster.lease()
}

// transferMax bounds a hand-over: a disk that hangs holds it up for ever.
const transferMax = 2 * time.Second

// TransferLeadership hands leadership to another voter, if this node leads.
func (n *Node) TransferLeadership() error {
	if n.cfg.Cluster == nil || !n.IsLeader() {
		return nil
	}
	if err := n.handOver(); err != nil {
		return errors.Join(ErrNoLeader, err)
	}
	return nil
}

// handOver asks Raft to hand leadership over, and waits for the answer, but not for ever.
func (n *Node) handOver() error {
	t := time.NewTimer(transferMax)
	defer t.Stop()
	select {
	case err := <-n.answer(n.raft.LeadershipTransfer):
		return err
	case <-t.C:
		return fmt.Errorf("the hand-over took longer than %v", transferMax)
	}
}

// answer asks Raft a question beside the caller, and waits for the answer until it comes or
// the node is closed.
func (n *Node) answer(ask func() raft.Future) <-chan error {
	out := make(chan error, 1)
	n.owned.Go(func() {
		f := ask()
		if !endsWith(f, n.closing) { // answered already, or one that Close might wait for in vain
			go func() { out <- f.Error() }()
			return
		}
		out <- f.Error()
	})
	return out
}

// endsWith has who waits for the answer to a question wait no longer than until a channel
// is closed; false if that cannot be done. Raft's main loop answers, and when Raft is shut
// down it ends without a look at what is queued: VerifyLeader and LeadershipTransfer then
// wait for ever. For some questions of its own Raft sets deferError.ShutdownCh against
// that, for these it does not (v1.8.0), and there is no way to take a question back. So
// the field, which only who waits for the answer ever reads, is set from here.
func endsWith(f raft.Future, end chan struct{}) bool {
	v := reflect.Indirect(reflect.ValueOf(f))
	if v.Kind() != reflect.Struct {
		return false
	}
	field := v.FieldByName("ShutdownCh")
	if !field.IsValid() || !field.CanSet() || field.Type() != reflect.TypeOf(end) {
		return false
	}
	field.Set(reflect.ValueOf(end))
	return true
}

const (
	// lateMin is how long a new leader may take, at least, until its state is up to
	// date; lateEntries by how much that must be behind to be the reason.
	lateMin     = time.Second
	lateEntries = 64
)

// passOn hands leadership over when this node was elected while its state is
// behind, as that of one that rebuilds it: Raft elects by the log. Until the state
// has come up to it, nobody could write or fire anything.
func (n *Node) passOn() {
	behind := int64(n.raft.CommitIndex()) - int64(n.st.Index())
	if behind < lateEntries {
		return
	}
	n.log.Info("chronos: this node was elected while its state is behind; it hands leadership over", "entries", behind)
	if err := n.handOver(); err != nil {
		n.log.Debug("chronos: leadership could not be handed over", "error", err)
	}
}

// expired tells if a session was ended, as far as this node has applied the log.
func (n *Node) expired(node string, incarnation uint64) (ended bool) {
	err := n.st.View(func(r *store.Reader) error {
		sess, err := r.Session(node)
		ended = sess.GetExpired() && sess.GetIncarnation() == incarnation
		return err
	})
	return ended || err != nil
}
