package faults

import "errors"

// order is what the parent wants of a node of a cluster: one line of its
// standard input. The answer is one line of its standard output; orders are
// worked on side by side.
type order struct {
	N    uint64
	Op   string
	Seq  string `json:",omitempty"` // the call's name: actor of a put, key of a trigger
	Job  string `json:",omitempty"`
	Plan *plan  `json:",omitempty"`
	Path string `json:",omitempty"`
	From int64  `json:",omitempty"`
	To   int64  `json:",omitempty"`
}

// What a node can be told.
const (
	opPut          = "put"
	opTrigger      = "trigger"
	opStatus       = "status"
	opSync         = "sync"
	opBehind       = "behind"        // how many jobs have an instant that passed a while ago
	opPause        = "pause all"     // jobs
	opUnfinished   = "unfinished"    // how many executions are
	opUnfinishedOf = "unfinished of" // a job
	opDump         = "dump"
	opProfile      = "profile" // of the processor, for ten seconds
	opBackfill     = "backfill"
	opRows         = "rows" // how many backfilled executions of a job have succeeded
	opMemory       = "memory"
)

type answer struct {
	N       uint64
	Err     string `json:",omitempty"`
	Version uint64 `json:",omitempty"`
	Exec    string `json:",omitempty"`
	Count   int    `json:",omitempty"`
	Ready   bool   `json:",omitempty"`
	Leading bool   `json:",omitempty"`
	Applied uint64 `json:",omitempty"`
	Voters  int    `json:",omitempty"`
	Heap    uint64 `json:",omitempty"`
}

func (a answer) err() error {
	if a.Err == "" {
		return nil
	}
	return errors.New(a.Err)
}
