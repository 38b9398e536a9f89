package chronoshttp

import (
	"time"

	"github.com/chronos-go/chronos"
)

// clusterJSON is how the scheduler stands, as the node that answers knows it.
type clusterJSON struct {
	Now           time.Time         `json:"now" doc:"the clock of the node that answers"`
	Node          string            `json:"node" doc:"who answers"`
	Ready         bool              `json:"ready" doc:"writes are accepted"`
	Running       bool              `json:"running" doc:"jobs fire"`
	Error         string            `json:"error,omitempty" doc:"what stopped the scheduler"`
	Attempts      int               `json:"attempts" doc:"running on this node"`
	Assigned      int               `json:"assigned" doc:"assigned to this node, waiting for their instant"`
	Stuck         int               `json:"stuck" doc:"given up, but their handlers have not returned"`
	Handlers      []string          `json:"handlers" doc:"registered on this node"`
	Clustered     bool              `json:"clustered" doc:"there may be other nodes"`
	Leader        string            `json:"leader,omitempty" doc:"who leads, as far as this node knows"`
	Leading       bool              `json:"leading" doc:"this node leads"`
	Members       []memberJSON      `json:"members" doc:"all nodes, by name; empty without a cluster"`
	LastContact   time.Time         `json:"last_contact,omitzero" doc:"when this node last had word of a leader"`
	NextDue       time.Time         `json:"next_due,omitzero" doc:"when anything is due next"`
	Waiting       []backlogJSON     `json:"waiting" doc:"what is due and waits"`
	Trouble       map[string]string `json:"trouble,omitempty" doc:"jobs that cannot be scheduled, and why"`
	Overdue       int               `json:"overdue" doc:"how many jobs have not succeeded in time (succeed_within), as far as this node knows"`
	OverdueJobs   []string          `json:"overdue_jobs,omitempty" doc:"those that have been so the longest, at most 100"`
	Level         int               `json:"level" doc:"feature level in use"`
	Term          uint64            `json:"term" doc:"grows with every election"`
	AppliedIndex  uint64            `json:"applied_index" doc:"how far this node has applied the log"`
	CommitIndex   uint64            `json:"commit_index" doc:"how far the log is committed"`
	SnapshotIndex uint64            `json:"snapshot_index" doc:"how far the newest snapshot goes"`
	LogBytes      int64             `json:"log_bytes" doc:"written since the newest snapshot"`
	Queue         int               `json:"queue" doc:"commands waiting to be committed"`
	Records       uint64            `json:"records" doc:"in the state"`
	DiskFree      uint64            `json:"disk_free,omitempty" doc:"bytes left on the volume; absent in memory"`
	DiskTotal     uint64            `json:"disk_total,omitempty" doc:"of so many"`
	DiskFull      bool              `json:"disk_full" doc:"writes are refused until there is room"`
	Recovered     string            `json:"recovered,omitempty" doc:"what had to be repaired at the start"`
}

type memberJSON struct {
	Node         string            `json:"node" doc:"its name"`
	Addr         string            `json:"addr" doc:"where the others reach it"`
	Capacity     int               `json:"capacity" doc:"how many attempts it takes at once; 0: it does not run"`
	Attempts     int               `json:"attempts" doc:"assigned to it"`
	Handlers     []string          `json:"handlers" doc:"that it has"`
	Voter        bool              `json:"voter" doc:"it has a vote"`
	Removed      bool              `json:"removed,omitempty" doc:"it is no member any more"`
	Held         bool              `json:"held,omitempty" doc:"its beats are missing: it gets nothing new"`
	Expired      bool              `json:"expired,omitempty" doc:"its lease has run out"`
	Incarnation  uint64            `json:"incarnation" doc:"grows with every start"`
	Labels       map[string]string `json:"labels,omitempty" doc:"what it is, for placement"`
	Level        int               `json:"level" doc:"feature level that its program knows"`
	LastBeat     time.Time         `json:"last_beat,omitzero" doc:"when the leader heard of it"`
	AppliedIndex uint64            `json:"applied_index" doc:"how far it has applied the log"`
	Behind       uint64            `json:"behind" doc:"entries that the leader had applied beyond that"`
	Delay        duration          `json:"delay,omitzero" doc:"how long ago the leader had applied the first of those"`
	Differs      bool              `json:"differs,omitempty" doc:"its state was not the leader's"`
}

type backlogJSON struct {
	Key     string            `json:"key,omitempty" doc:"of the places that they wait for; absent: they wait for room"`
	Handler string            `json:"handler,omitempty" doc:"what a node has to have"`
	Labels  map[string]string `json:"labels,omitempty" doc:"and what else"`
	Node    string            `json:"node,omitempty" doc:"if only this node may run them"`
	Count   int               `json:"count" doc:"how many"`
	Since   time.Time         `json:"since,omitzero" doc:"when the one that is first in line could have started"`
	Nobody  bool              `json:"nobody,omitempty" doc:"no node that runs can run them"`
}

func showStatus(st chronos.NodeStatus) clusterJSON {
	out := clusterJSON{
		Now: time.Now().UTC(), Node: st.Node, Ready: st.Ready, Running: st.Running,
		Attempts: st.Attempts, Assigned: st.Assigned, Stuck: st.Stuck, Handlers: append([]string{}, st.Handlers...),
		Clustered: st.Members != nil, Leader: st.Leader, Leading: st.Leading, LastContact: st.LastContact, NextDue: st.NextDue,
		Members: make([]memberJSON, len(st.Members)), Waiting: make([]backlogJSON, len(st.Waiting)), Trouble: st.Trouble,
		Overdue: st.Overdue, OverdueJobs: st.OverdueJobs, DiskFree: st.DiskFree, DiskTotal: st.DiskTotal,
		Level: st.Level, Term: st.Term, AppliedIndex: st.AppliedIndex, CommitIndex: st.CommitIndex, SnapshotIndex: st.SnapshotIndex,
		LogBytes: st.LogBytes, Queue: st.Queue, Records: st.Records, DiskFull: st.DiskFull, Recovered: st.Recovered,
	}
	if st.Err != nil {
		out.Error = st.Err.Error()
	}
	for i, m := range st.Members {
		out.Members[i] = memberJSON{
			Node: m.Node, Addr: m.Addr, Capacity: m.Capacity, Attempts: m.Attempts, Handlers: append([]string{}, m.Handlers...), Voter: m.Voter,
			Removed: m.Removed, Held: m.Held, Expired: m.Expired, Incarnation: m.Incarnation, Labels: m.Labels, Level: m.Level,
			LastBeat: m.LastBeat, AppliedIndex: m.AppliedIndex, Behind: m.Behind, Delay: duration(m.Delay), Differs: m.Differs,
		}
	}
	for i, b := range st.Waiting {
		out.Waiting[i] = backlogJSON{b.Key, b.Handler, b.Labels, b.Node, b.Count, b.Since, b.Nobody}
	}
	return out
}
