package raftfsm

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// votersKept is how many voters a removal of the dead leaves at the least: with
// fewer, the loss of one more is the loss of the majority.
const votersKept = 3

// contacts is what a leader's Raft says of the others: since when their heartbeats
// fail. A node that hears its leader, and does not reach it, is not dead.
type contacts struct {
	mu    sync.Mutex
	term  uint64
	since map[raft.ServerID]time.Time
}

func (c *contacts) fails(term uint64, node raft.ServerID, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since == nil || c.term != term {
		c.term, c.since = term, map[raft.ServerID]time.Time{}
	}
	c.since[node] = since
}

func (c *contacts) works(node raft.ServerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.since, node)
}

// last is when a node last answered in a term: now, if nothing is known against it.
func (c *contacts) last(term uint64, node string, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.since[raft.ServerID(node)]; ok && c.term == term {
		return at
	}
	return now
}

// observe keeps contacts until the node closes.
func (n *Node) observe() {
	seen := make(chan raft.Observation, 64)
	o := raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.FailedHeartbeatObservation, raft.ResumedHeartbeatObservation:
			return true
		}
		return false
	})
	n.raft.RegisterObserver(o)
	defer n.raft.DeregisterObserver(o)
	for {
		select {
		case one := <-seen:
			switch heartbeat := one.Data.(type) {
			case raft.FailedHeartbeatObservation:
				n.contacts.fails(n.raft.CurrentTerm(), heartbeat.PeerID, heartbeat.LastContact)
			case raft.ResumedHeartbeatObservation:
				n.contacts.works(heartbeat.PeerID)
			}
		case <-n.closing:
			return
		}
	}
}

// standing is how a member stands with its leader.
type standing struct {
	node  string
	voter bool
	heard time.Time // of it, in any way
}

// RemoveDead takes a member out that this node, which leads, has not heard of for
// so long, and returns its name; "" if there is none, or none may go. See pickDead.
func (n *Node) RemoveDead(after time.Duration) (string, error) {
	n.changing.Lock()
	defer n.changing.Unlock()
	members, now := n.standings()
	dead := pickDead(members, now, after, n.cfg.Cluster.lease())
	if dead == "" {
		return "", nil
	}
	return dead, n.dropLocked(dead)
}

// dropLocked takes a member out of the configuration; the caller holds changing.
func (n *Node) dropLocked(node string) error {
	if err := n.raft.RemoveServer(raft.ServerID(node), 0, n.cfg.EntryTimeout).Error(); err != nil {
		return fmt.Errorf("%w: %w", ErrNoLeader, err)
	}
	return nil
}

// standings lists the members as this leader sees them; none if it does not lead.
// It counts from when it began to lead: what came before went to another leader.
func (n *Node) standings() (members []standing, now time.Time) {
	term := n.raft.CurrentTerm()
	since := n.lead.since.Load()
	f := n.raft.GetConfiguration()
	if !n.IsLeader() || since == nil || f.Error() != nil {
		return nil, time.Time{}
	}
	now = time.Now()
	for _, s := range f.Configuration().Servers {
		m := standing{node: string(s.ID), voter: s.Suffrage == raft.Voter, heard: now}
		if m.node != n.id {
			m.heard = slices.MaxFunc([]time.Time{*since, n.beats.newest(m.node), n.beats.asked(m.node), n.contacts.last(term, m.node, now)}, time.Time.Compare)
		}
		members = append(members, m)
	}
	return members, now
}

// pickDead chooses the member that was not heard of for longest, and for so long,
// workers first. There is none unless those heard of within a lease are a majority
// of the voters, and so of those that are left, too; and these are at least
// votersKept.
func pickDead(members []standing, now time.Time, after, lease time.Duration) string {
	voters, live := 0, 0
	for _, m := range members {
		if m.voter {
			voters++
			if now.Sub(m.heard) < lease {
				live++
			}
		}
	}
	dead := slices.DeleteFunc(slices.Clone(members), func(m standing) bool { return now.Sub(m.heard) < after })
	slices.SortFunc(dead, func(a, b standing) int {
		return cmp.Or(order(a.voter, b.voter), a.heard.Compare(b.heard), cmp.Compare(a.node, b.node))
	})
	for _, m := range dead {
		left := voters
		if m.voter {
			left--
		}
		if 2*live > voters && (!m.voter || left >= votersKept) {
			return m.node
		}
	}
	return ""
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
