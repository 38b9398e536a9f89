package raftfsm

import "github.com/chronos-go/chronos/store"

// Effects is what one committed batch means to this node. The log itself
// dispatches: an attempt starts because its assignment stands here.
type Effects struct {
	Assigned  []Assignment
	Recalled  []Holding // the job changed: give back what has not started
	Canceled  []Holding // end the attempt; its result still counts
	Revoked   []Holding // the token is void; the result will be refused
	Changes   []Change
	Due       int64    // earliest instant that entered the due index, 0 if none
	Freed     []string // jobs whose last unfinished execution ended
	More      bool     // work was left for the next entry: propose a Barrier
	LogTime   int64
	Opened    []Opened
	Expired   []Opened // sessions that were ended
	Forgotten []string // nodes whose sessions were removed
	Unlocked  bool     // a lock of a host's may be free
	Raised    bool     // the feature level rose
	Restored  bool     // the state was replaced as a whole: look at everything anew
	Loaded    bool     // a backup has come in as a whole: all jobs are new
}

// Assignment gives an execution's next attempt to a node.
type Assignment struct {
	Job       string
	Exec      string
	Execution *store.Execution
	Record    *store.Job
	Payload   []byte
}

// ReadAssignment is what the state says of an attempt that a node holds, nil if
// none does. It is for a node that has not seen the assignment itself.
func ReadAssignment(r *store.Reader, job, exec string) (*Assignment, error) {
	x, err := r.Execution(job, exec)
	if err != nil || x == nil || x.Wait != store.Wait_WAIT_ASSIGNED {
		return nil, err
	}
	rec, err := r.Job(job)
	if err != nil || rec == nil {
		return nil, err
	}
	a := &Assignment{Job: job, Exec: exec, Execution: x, Record: rec, Payload: rec.Definition.GetPayload()}
	if x.HasPayload {
		p, err := r.Payload(job, exec)
		if err != nil {
			return nil, err
		}
		a.Payload = p.GetData()
	}
	return a, nil
}

// Opened says where a node is that announced itself.
type Opened struct {
	Node, Addr  string
	Incarnation uint64
}

// Holding names an attempt that a node holds.
type Holding struct {
	Job, Exec, Node string
	Incarnation     uint64
	Token           uint64
	Reason          store.Reason
}

// ChangeKind says what happened.
type ChangeKind uint8

// The kinds of changes.
const (
	JobPut ChangeKind = iota + 1
	JobDeleted
	JobPaused
	JobResumed
	ExecutionCreated
	ExecutionAssigned
	ExecutionRetrying
	ExecutionEnded
	ExecutionWithdrawn
)

// Change is one step of a job or an execution, in log order. Records are
// shared: whoever gets one only reads it.
type Change struct {
	Kind      ChangeKind
	At        int64
	Job       string
	Exec      string
	Version   uint64
	Execution *store.Execution
	Instants  uint64 // of ExecutionEnded: that it accounts for; 0 is one
	Limited   bool   // of JobPut and JobResumed: the job has to succeed within some time
}

func (e *Effects) dueAt(at int64) {
	if e.Due == 0 || at < e.Due {
		e.Due = at
	}
}
