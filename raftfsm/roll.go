package raftfsm

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
)

// roll is what a node knows of the members beside what is in the state: the leader
// by their beats, the others by its answers.
type roll struct {
	mu     sync.Mutex
	said   map[string]*said
	report *Report   // a leader's newest answer
	at     time.Time // when it came
	heard  [2]heard  // of the newest answers, the newest last
}

// heard is what a leader had applied when it answered.
type heard struct {
	at      time.Time
	applied uint64
}

// said is what the leader knows of a node.
type said struct {
	applied uint64
	differs bool
	odd     *Mark // a majority has this, the node something else
}

func (r *roll) ofLocked(node string) *said {
	s := r.said[node]
	if s == nil {
		s = &said{}
		if r.said == nil {
			r.said = map[string]*said{}
		}
		r.said[node] = s
	}
	return s
}

func (r *roll) applied(node string, index uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ofLocked(node).applied = index
}

// forget drops what is known of a node that is gone for good.
func (r *roll) forget(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.said, node)
}

// agrees notes that a node's state is the leader's.
func (r *roll) agrees(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.ofLocked(node)
	s.differs, s.odd = false, nil
}

// differs notes that it is not, and what a majority has, nil if there is none. It
// says so once.
func (r *roll) differs(log *slog.Logger, node string, odd *Mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.ofLocked(node)
	news := !s.differs || s.odd == nil && odd != nil
	s.differs, s.odd = true, odd
	switch {
	case news && odd != nil:
		log.Error("chronos: the state of a node is not that of a majority; it is told to stop", "node", node, "entry", odd.Index)
	case news:
		log.Error("chronos: the state of a node is not the leader's, and no majority says whose is right", "node", node)
	}
}

// verdict is what a node is to be told: what a majority has and it has not.
func (r *roll) verdict(node string) *Mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ofLocked(node).odd
}

// report is what this node, as the leader, knows of the members.
func (n *Node) report() *Report {
	applied := n.st.Index()
	out := &Report{Applied: applied}
	for _, node := range slices.Sorted(maps.Keys(n.Voters())) {
		h := &Heard{Node: node, Applied: applied}
		if node != n.id {
			n.roll.mu.Lock()
			s := *n.roll.ofLocked(node)
			n.roll.mu.Unlock()
			h.Applied, h.Differs, h.Silent = s.applied, s.differs, -1
			if at := n.beats.newest(node); !at.IsZero() {
				behind, delay := n.fsm.trail.behind(s.applied)
				h.Silent, h.Behind, h.Delay = int64(time.Since(at)), behind, int64(delay)
			}
		}
		out.Nodes = append(out.Nodes, h)
	}
	return out
}

// told takes in what the leader answered to a beat.
func (n *Node) told(body []byte) {
	r := &Report{}
	if err := proto.Unmarshal(body, r); err != nil {
		n.log.Warn("chronos: what the leader answered to a beat cannot be read", "error", err)
		return
	}
	n.roll.mu.Lock()
	n.roll.report, n.roll.at = r, time.Now()
	n.roll.heard = [2]heard{n.roll.heard[1], {n.roll.at, r.Applied}}
	n.roll.mu.Unlock()
	if r.Odd != nil {
		n.accused(r.Odd)
	}
}

// Behind tells if this node has not applied what a leader had applied longer than
// patience ago, as far as it has heard: it does not know what was decided since.
func (n *Node) Behind(patience time.Duration) bool {
	if n.IsLeader() {
		return false
	}
	n.roll.mu.Lock()
	last := n.roll.heard
	n.roll.mu.Unlock()
	for _, h := range last {
		if time.Since(h.at) > patience && !n.fsm.applied.reached(h.applied) {
			return true
		}
	}
	return false
}

// Member is how a member of the cluster is, as the leader sees it: this node, or the
// one that answered its newest beat.
type Member struct {
	Voter   bool
	Applied uint64        // entry, by its newest beat
	Behind  uint64        // entries, of what the leader has applied
	Delay   time.Duration // how long ago the leader applied the first of them
	Heard   time.Time     // when its newest beat came, zero if none is known of
	Differs bool          // its state is not the leader's
}

// Members lists the members by name.
func (n *Node) Members() map[string]Member {
	out := map[string]Member{}
	for node, voter := range n.Voters() {
		out[node] = Member{Voter: voter}
	}
	n.roll.mu.Lock()
	report, at := n.roll.report, n.roll.at
	n.roll.mu.Unlock()
	if n.IsLeader() {
		report, at = n.report(), time.Now()
	}
	for _, h := range report.GetNodes() {
		m, ok := out[h.Node]
		if !ok {
			continue
		}
		m.Applied, m.Behind, m.Delay, m.Differs = h.Applied, h.Behind, time.Duration(h.Delay), h.Differs
		if h.Silent >= 0 {
			m.Heard = at.Add(-time.Duration(h.Silent))
		}
		out[h.Node] = m
	}
	return out
}

// Addr is where another node is, as far as this one knows, "" if it does not.
func (n *Node) Addr(node string) string {
	if n.mesh == nil {
		return ""
	}
	return n.mesh.Addr(node)
}
