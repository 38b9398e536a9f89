package raftfsm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A node lives as long as its leader hears of it: it sends beats, and the leader
// remembers when the last one came. Both sides count elapsed time on their own
// clock: the node from before it sent the beat that was answered, the leader from
// when it heard it, so the node's count always runs out first.

// beats is what a leader remembers of the other nodes.
type beats struct {
	mu   sync.Mutex
	last map[string]beat
}

type beat struct {
	incarnation uint64
	at          time.Time
}

func (b *beats) hear(node string, incarnation uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil {
		b.last = map[string]beat{}
	}
	b.last[node] = beat{incarnation, time.Now()}
}

// within tells if a node was heard of not longer ago than that.
func (b *beats) within(node string, d time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, ok := b.last[node]
	return ok && time.Since(last.at) < d
}

// Beat tells the leader that this incarnation of the node lives, and returns nil
// when a leader has answered that still leads a majority.
func (n *Node) Beat(ctx context.Context, incarnation uint64) error {
	if n.IsLeader() {
		verified := make(chan error, 1)
		n.owned.Go(func() { verified <- n.raft.VerifyLeader().Error() })
		select {
		case err := <-verified:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, leader := n.raft.LeaderWithID()
	if leader == "" || string(leader) == n.id || n.links == nil {
		return ErrNoLeader
	}
	f, _, err := n.links.ask(ctx, string(leader), askBeat, binary.BigEndian.AppendUint64(nil, incarnation))
	if err == nil && f.code != saidDone {
		err = fmt.Errorf("%w: %q leads no more", ErrNoLeader, leader)
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
	n.beats.mu.Lock()
	defer n.beats.mu.Unlock()
	if b, ok := n.beats.last[node]; ok && b.incarnation == incarnation && b.at.After(at) {
		at = b.at
	}
	return at, term, nil
}

// TransferLeadership hands leadership to another voter, if this node leads.
func (n *Node) TransferLeadership() error {
	if n.cfg.Cluster == nil || !n.IsLeader() {
		return nil
	}
	err := n.raft.LeadershipTransfer().Error()
	if err != nil {
		return errors.Join(ErrNoLeader, err)
	}
	return nil
}
