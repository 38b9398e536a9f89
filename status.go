package chronos

import (
	"maps"
	"slices"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
)

// NodeStatus is how a scheduler stands, for people and for a readiness probe.
type NodeStatus struct {
	Node    string
	Ready   bool  // writes are accepted
	Running bool  // Run runs: jobs fire
	Err     error // what stopped the scheduler, nil while it works

	Attempts int // running on this node
	Assigned int // assigned to this node, waiting for their instant
	Stuck    int // given up, but their handlers have not returned
	Handlers []string

	// In a cluster: who leads, as far as this node knows, and whether this node
	// does.
	Leader  string
	Leading bool
	Members []Member

	NextDue time.Time // earliest instant waited for, zero if none is known
	// Trouble names jobs that cannot be scheduled, and why. The others go on.
	Trouble map[string]string

	Level                           int // feature level in use: what all members know
	AppliedIndex, CommitIndex, Term uint64
	LogBytes                        int64  // since the last snapshot
	Queue                           int    // commands waiting to be committed
	Records                         uint64 // in the state
	DiskFull                        bool   // writes are refused until there is room
	Recovered                       string // what New had to repair, empty if nothing
}

// Member is a node of a cluster, by what it last said of itself.
type Member struct {
	Node        string
	Capacity    int // how many attempts it takes at once; 0: it does not run
	Handlers    []string
	Voter       bool
	Removed     bool // it is no member any more; it is listed until what it ran is resolved
	Expired     bool // its lease has run out, and it has not come back
	Incarnation uint64
	Labels      map[string]string
	Level       int // feature level that its program knows
}

// ready tells if writes are accepted.
func (s *Scheduler) ready(raft raftfsm.Status) bool {
	if s.closed() || raft.Stopped != nil || raft.DiskFull {
		return false
	}
	return raft.Leader || s.member != nil && raft.LeaderID != "" && s.member.alive()
}

// Status tells how this scheduler stands. It does not fail, also when closed.
func (s *Scheduler) Status() NodeStatus {
	s.mu.Lock()
	running := s.runEnd != nil
	s.mu.Unlock()
	raft := s.node.Status()
	out := NodeStatus{
		Node: s.options.Node, Ready: s.ready(raft), Running: running && !s.closed(),
		Attempts: s.dispatcher.Running(), Assigned: s.dispatcher.Pending(), Stuck: s.dispatcher.Stuck(),
		Handlers:     slices.Clone(s.dispatcher.Handlers()),
		Trouble:      maps.Clone(s.planner.Trouble()),
		AppliedIndex: raft.AppliedIndex, CommitIndex: raft.CommitIndex, Term: raft.Term,
		LogBytes: raft.LogBytes, Queue: raft.Queue, DiskFull: raft.DiskFull, Recovered: raft.Recovered,
		Records: s.node.Store().Applied().GetRecords(), Level: int(s.node.Level()),
	}
	if err := s.node.Err(); err != nil {
		out.Err = translate(err)
	}
	if s.member != nil {
		out.Leader, out.Leading, out.Members = raft.LeaderID, raft.Leader, s.member.members()
	}
	if next, ok := s.planner.NextDue(); ok && out.Running && (s.member == nil || raft.Leader) {
		out.NextDue = next
	}
	return out
}
