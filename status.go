package chronos

import (
	"maps"
	"slices"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// NodeStatus is how a scheduler stands, for people and for a readiness probe.
type NodeStatus struct {
	Node string
	// Ready says that writes are accepted: the scheduler is open and has not
	// stopped, its disk has room, and it leads, or knows a leader that has answered
	// it within seven tenths of the lease. A node that was removed is not ready.
	// It says nothing of Run, which Running does, nor of whether somebody else
	// is up to date.
	Ready   bool
	Running bool  // Run runs: jobs fire
	Err     error // what stopped the scheduler, nil while it works

	Attempts int // running on this node
	Assigned int // assigned to this node, waiting for their instant
	Stuck    int // given up, but their handlers have not returned
	Handlers []string

	// In a cluster: who leads, as far as this node knows, and whether this node
	// does; who is in it, by name; and when this node last had word of a leader that
	// leads a majority. A leader has it of itself.
	Leader      string
	Leading     bool
	Members     []Member
	LastContact time.Time

	// NextDue is the earliest instant at which something is due in the whole cluster,
	// a retry and a start deadline included, zero if nothing is.
	NextDue time.Time
	// Waiting counts executions that are due and wait for room, or for a place of a
	// concurrency key.
	Waiting []Backlog
	// Overdue counts the jobs that have not succeeded within Job.SucceedWithin, as far
	// as this node knows; OverdueJobs names those that have been so the longest, at
	// most 100.
	Overdue     int
	OverdueJobs []string
	// Ended counts the executions that have ended, in the whole cluster, since New
	// returned: all that this node has applied one by one. Unlike Events nothing is
	// ever dropped; but a node that is sent the state as a whole, after it was long
	// away, has not seen what led to it.
	Ended []Ended
	// Trouble names jobs that cannot be scheduled, and why. The others go on. In
	// a cluster its leader knows them.
	Trouble map[string]string

	Level                           int // feature level in use: what all members know
	AppliedIndex, CommitIndex, Term uint64
	SnapshotIndex                   uint64 // the log entry up to which the newest snapshot goes
	LogBytes                        int64  // since the last snapshot
	Queue                           int    // commands waiting to be committed
	Records                         uint64 // in the state
	DiskFull                        bool   // writes are refused until there is room
	DiskFree, DiskTotal             uint64 // bytes of the volume of Options.Dir; zero in memory, or if it does not tell
	Recovered                       string // what New had to repair, empty if nothing
}

// Backlog is how many executions wait for the same: for a place of a concurrency
// key, or for room on a node that can run them.
type Backlog struct {
	Key     string            // of the places; empty: they wait for room
	Handler string            // what a node has to have; empty: they are webhooks, or wait for a key
	Labels  map[string]string // and what else, by the job's Placement
	Node    string            // if only this node may run them: the job runs on every node
	Count   int
	Nobody  bool // no node that runs can run them: they wait until one does
	// Since is when the one that is first in line could have started. Priority may have
	// put it before others that wait longer. Zero if nobody is there any more.
	Since time.Time
}

// Ended is how many executions ended in one way. Of those that never ran (skipped,
// missed, dropped) every instant counts, also where many share a row.
type Ended struct {
	Status Status
	Reason Reason
	Count  uint64
}

// Member is a node of a cluster, by what it last said of itself.
type Member struct {
	Node        string
	Addr        string // where this node reaches it
	Capacity    int    // how many attempts it takes at once; 0: it does not run
	Attempts    int    // assigned to it: running, or waiting for their instant
	Handlers    []string
	Voter       bool
	Removed     bool // it is no member any more; it is listed until what it ran is resolved
	Held        bool // its beats are missing: it gets nothing new until they come again
	Expired     bool // its lease has run out, and it has not come back
	Incarnation uint64
	Labels      map[string]string
	Level       int // feature level that its program knows

	// What the leader knows by its beats (by default twice a second). On another
	// node this is as of LastContact. AppliedIndex is how far it has applied the log, Behind
	// how many entries of it the leader had applied beyond that, and Delay how long
	// ago it had applied the first of those.
	LastBeat     time.Time // zero if the leader has had none
	AppliedIndex uint64
	Behind       uint64
	Delay        time.Duration
	// Differs says that its state was not the leader's after the same entry. When a
	// majority agrees, who has something else stops with ErrDiverged; otherwise
	// nothing happens but this and an error in the log, and a person has to decide.
	Differs bool
}

// ready tells if writes are accepted.
func (s *Scheduler) ready(raft raftfsm.Status, members map[string]raftfsm.Member) bool {
	if s.closed() || raft.Stopped != nil || raft.DiskFull {
		return false
	}
	if s.member == nil {
		return raft.Leader
	}
	_, member := members[s.options.Node]
	return member && (raft.Leader || raft.LeaderID != "" && s.member.alive())
}

// Status tells how this scheduler stands. It does not fail, also when closed.
func (s *Scheduler) Status() NodeStatus {
	s.mu.Lock()
	running := s.runEnd != nil
	s.mu.Unlock()
	raft := s.node.Status()
	sessions := s.sessions()
	out := NodeStatus{
		Node: s.options.Node, Running: running && !s.closed(),
		Attempts: s.dispatcher.Running(), Assigned: s.dispatcher.Pending(), Stuck: s.dispatcher.Stuck(),
		Handlers:     slices.Clone(s.dispatcher.Handlers()),
		Waiting:      s.backlog(sessions),
		Trouble:      maps.Clone(s.planner.Trouble()),
		AppliedIndex: raft.AppliedIndex, CommitIndex: raft.CommitIndex, Term: raft.Term, SnapshotIndex: raft.SnapshotIndex,
		LogBytes: raft.LogBytes, Queue: raft.Queue, DiskFull: raft.DiskFull, DiskFree: raft.DiskFree, DiskTotal: raft.DiskTotal,
		Ended: s.tally.list(), Recovered: raft.Recovered,
		Records: s.node.Store().Applied().GetRecords(), Level: int(s.node.Level()),
	}
	out.Overdue, out.OverdueJobs = s.alarms.overdue()
	if err := s.node.Err(); err != nil {
		out.Err = translate(err)
	}
	members := map[string]raftfsm.Member{}
	if s.member != nil {
		members = s.node.Members()
		out.Leader, out.Leading, out.LastContact = raft.LeaderID, raft.Leader, s.member.lastContact()
		out.Members = s.members(sessions, members)
	}
	out.Ready = s.ready(raft, members)
	if next, ok := s.planner.NextDue(); ok {
		out.NextDue = next
	}
	return out
}

// sessions lists what the nodes have said of themselves.
func (s *Scheduler) sessions() map[string]*store.Session {
	out := map[string]*store.Session{}
	err := s.node.Store().View(func(r *store.Reader) error {
		return r.Sessions(func(node string, sess *store.Session) (bool, error) {
			out[node] = sess
			return true, nil
		})
	})
	if err != nil && !s.closed() {
		s.log.Warn("chronos: sessions cannot be read", "error", err)
	}
	return out
}

// members lists the nodes by name.
func (s *Scheduler) members(sessions map[string]*store.Session, known map[string]raftfsm.Member) []Member {
	out := make([]Member, 0, len(sessions))
	for _, node := range slices.Sorted(maps.Keys(sessions)) {
		sess := sessions[node]
		m, member := known[node]
		addr := s.node.Addr(node)
		if addr == "" {
			addr = sess.Addr
		}
		out = append(out, Member{
			Node: node, Addr: addr, Capacity: int(sess.Capacity), Attempts: s.node.Load(node, sess.Incarnation), Handlers: sess.Handlers,
			Voter: m.Voter, Removed: !member, Held: sess.Held, Expired: sess.Expired, Incarnation: sess.Incarnation,
			Labels: labelsFrom(sess.Labels), Level: int(max(sess.Features, raftfsm.LevelFirst)),
			LastBeat: m.Heard, AppliedIndex: m.Applied, Behind: m.Behind, Delay: m.Delay, Differs: m.Differs,
		})
	}
	return out
}

// backlog lists what waits.
func (s *Scheduler) backlog(sessions map[string]*store.Session) (out []Backlog) {
	for _, b := range s.node.Backlog(sessions) {
		out = append(out, Backlog{
			Key: b.Key, Handler: b.Handler, Node: b.Node, Labels: labelsFrom(b.Labels), Count: b.Count, Nobody: b.Nobody, Since: instant(b.Since),
		})
	}
	return out
}
