package raftfsm

import "github.com/chronos-go/chronos/store"

// One entry is applied as a whole, in one transaction of the store, so what
// it may write is bounded before it is proposed. The unit is a cell: one key
// with a small record. These are upper bounds of what Apply writes, not exact,
// and leave room for what one entry gives out from the waiting queue.
const (
	cellBytes   = 192
	entryCells  = 6_000     // what one entry may write
	entryBytes  = 500 << 10 // encoded, of Raft's suggested 512 KiB
	cellsBase   = 5         // schedule, due index (off and on), job, answer
	cellsPerRun = 5         // execution, active, due or waiting, lock, deadline
	cellsSwept  = 4         // of an execution that a command ends or deletes
)

// The store must take an entry, and what the transaction held before it.
var _ = [store.MaxBytes - entryCells*cellBytes - (1 << 20)]struct{}{}

// weigh says how many cells a command may write.
func weigh(c *Command, encoded int) int {
	n := cellsBase
	switch b := c.Body.(type) {
	case *Command_Barrier:
		return 1
	case *Command_Put:
		n += 2 * cells(encoded) // the job and its version
	case *Command_Fire:
		n += cellsPerRun*len(b.Fire.GetRuns()) + 2*len(b.Fire.GetSpans())
	case *Command_Backfill:
		n += cellsPerRun * len(b.Backfill.GetDue())
	case *Command_Load:
		for _, rec := range b.Load.GetRecords() {
			n += cells(len(rec.Key) + len(rec.Payload))
		}
	case *Command_Unload:
		n += sweepMax
	case *Command_Delete:
		n += cellsSwept * sweepMax
	case *Command_Expire:
		n += cellsSwept * sweepMax
	case *Command_Forget:
		n += cellsSwept * sweepMax
	case *Command_Resolve:
		n += cellsSwept * swept(b.Resolve.GetLimit())
	case *Command_Prune:
		n += cellsSwept * swept(b.Prune.GetLimit())
	default:
		n += cellsPerRun + cells(encoded)
	}
	return n
}

func swept(limit uint32) int {
	if limit == 0 || limit > sweepMax {
		return sweepMax
	}
	return int(limit)
}

func cells(bytes int) int { return (bytes + cellBytes - 1) / cellBytes }
