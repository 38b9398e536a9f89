package raftfsm

// Status is what an operator or a readiness probe asks for.
type Status struct {
	ID            string
	State         string // Raft's word: Leader, Follower, Candidate, Shutdown
	Leader        bool   // leads, and its state is up to date
	LeaderID      string // who leads, as far as this node knows
	Term          uint64
	LastIndex     uint64 // end of the log
	CommitIndex   uint64
	AppliedIndex  uint64 // in the state, durable
	SnapshotIndex uint64 // newest snapshot
	LogBytes      int64  // appended since then
	Queue         int    // proposals waiting to be packed
	DiskFull      bool
	DiskFree      uint64 // bytes that may still be written to the volume, and its size; 0 if that is not known
	DiskTotal     uint64
	Recovered     string // what Open had to repair, "" if nothing
	Stopped       error  // why nothing is applied any more, nil while it is
}

// Status tells how the node is.
func (n *Node) Status() Status {
	_, leader := n.raft.LeaderWithID()
	s := Status{
		ID:           n.id,
		State:        n.raft.State().String(),
		Leader:       n.IsLeader(),
		LeaderID:     string(leader),
		Term:         n.raft.CurrentTerm(),
		LastIndex:    n.raft.LastIndex(),
		CommitIndex:  n.raft.CommitIndex(),
		AppliedIndex: n.st.Index(),
		LogBytes:     n.logs.appended(),
		Queue:        n.prop.depth(),
		DiskFull:     n.guard != nil && n.guard.Full(),
		Recovered:    n.plan.why,
		Stopped:      n.fsm.stopped(),
	}
	if n.guard != nil {
		s.DiskFree, s.DiskTotal = n.guard.Space()
	}
	if list, err := n.snaps.List(); err == nil && len(list) > 0 {
		s.SnapshotIndex = list[0].Index
	}
	return s
}
