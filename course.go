package chronos

import (
	"cmp"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
)

// course is what becomes of one job.
type course struct {
	job           Job
	sched         *schedule.Schedule // nil: none
	row           SimulatedJob
	due           time.Time // the instant that is looked at
	next          time.Time // the one after it, zero if there is none; not of a fixed delay
	runs          int
	typical, slow lane
}

func (c *course) note() {
	switch {
	case c.sched == nil:
		c.row.Note = "it has no schedule, and is due when it is triggered"
	case c.job.State.Paused:
		c.row.Note = "it is paused, and not due until it is resumed"
	case c.after() && c.row.Samples == 0:
		c.row.Note = "its delay counts from the end of each execution, and without a past these are taken to take no time"
	case c.after():
		c.row.Note = "its delay counts from the end of each execution, and these are taken to take the typical time"
	case c.job.Placement.EveryNode:
		c.row.Note = "it is for every node, and counted for one"
	}
}

func (c *course) after() bool { return c.sched.Is(schedule.KindAfter) }

// begin finds the first instant.
func (c *course) begin(from, to time.Time) bool {
	c.runs = c.job.State.Runs
	at, ok := c.sched.Next(from.Add(-1))
	if c.after() {
		if at, ok = c.sched.Next(from); !c.job.State.NextDue.Before(from) {
			at, ok = c.job.State.NextDue, true
		}
	}
	c.due = at
	return ok && !at.After(to) && c.left()
}

// left tells if MaxRuns allows another one. What has its row already is among the
// Runs.
func (c *course) left() bool {
	return c.job.MaxRuns == 0 || c.runs < c.job.MaxRuns || !c.due.After(c.job.State.LastDue)
}

// step goes on to the next instant.
func (c *course) step(to time.Time) bool {
	if c.after() {
		c.next, _ = c.sched.Next(c.due.Add(c.row.Typical))
	}
	c.due = c.next
	return !c.due.IsZero() && !c.due.After(to) && c.left()
}

// fire decides about the instant that is looked at, and says when what it starts ends.
func (c *course) fire() (f SimulatedFire, end time.Time) {
	f = SimulatedFire{Job: c.job.ID, Due: c.due.UTC()}
	start := c.due
	if !c.after() { // whose instants have no jitter
		c.next, _ = c.sched.Next(c.due)
		start = start.Add(c.sched.Offset(c.job.ID, c.due, c.next))
	}
	bound := orDefault(c.job.BufferMax, bufferMax)
	f.Start, f.Overlap, f.Status, f.Reason = c.typical.take(c.job.Overlap, c.due, start, bound)
	if _, over, _, _ := c.slow.take(c.job.Overlap, c.due, start, bound); over {
		c.row.SlowOverlaps++
	}
	c.count(&f)
	end = f.Start.Add(c.row.Typical)
	if ends := c.job.Overlap == OverlapCancelOther || c.job.Overlap == OverlapTerminateOther; ends && !c.next.IsZero() && c.next.Before(end) {
		end = c.next
	}
	return f, end
}

func (c *course) count(f *SimulatedFire) {
	if f.Overlap {
		c.row.Overlaps++
	}
	if f.Start.IsZero() {
		c.row.Lost++
	} else {
		f.Start = f.Start.UTC()
		if c.due.After(c.job.State.LastDue) {
			c.runs++
		}
	}
	c.row.Instants++
	if c.row.First.IsZero() {
		c.row.First = f.Due
	}
	c.row.Last = f.Due
}

// lane is a job whose executions all take the same time.
type lane struct {
	takes   time.Duration
	busy    time.Time   // until when what was let in is unfinished, the buffer included
	waiting []time.Time // when those in the buffer start
}

// take says what becomes of an instant: when it starts, the zero Time if it does not,
// and what the ledger says then.
func (l *lane) take(policy Overlap, due, start time.Time, bound int) (at time.Time, over bool, status Status, reason Reason) {
	for len(l.waiting) > 0 && !l.waiting[0].After(due) {
		l.waiting = l.waiting[1:]
	}
	over = l.busy.After(due)
	if !over || policy == OverlapAllowAll || policy == OverlapTerminateOther || policy == OverlapCancelOther {
		if policy == OverlapAllowAll {
			l.busy = later(l.busy, start.Add(l.takes))
		} else {
			l.busy = start.Add(l.takes) // what ran ends
		}
		return start, over, "", ""
	}
	switch {
	case policy == OverlapBufferOne && len(l.waiting) == 0, policy == OverlapBufferAll && len(l.waiting) < bound:
		start = later(start, l.busy)
		l.waiting = append(l.waiting, start)
		l.busy = start.Add(l.takes)
		return start, true, "", ""
	case policy == OverlapBufferAll:
		return time.Time{}, true, StatusDropped, ReasonBuffer
	}
	return time.Time{}, true, StatusSkipped, ReasonOverlap
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stay is when an execution is expected to start and to end.
type stay struct{ at, end time.Time }

// Heaps: of stays by start, of stays by end, of courses by due instant.
type (
	byStart []stay
	byEnd   []stay
	courses []*course
)

func (h byStart) Len() int           { return len(h) }
func (h byStart) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h byStart) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byStart) Push(x any)        { *h = append(*h, x.(stay)) }
func (h *byStart) Pop() any          { return pop(h) }

func (h byEnd) Len() int { return len(h) }
func (h byEnd) Less(i, j int) bool {
	return cmp.Or(h[i].end.Compare(h[j].end), h[i].at.Compare(h[j].at)) < 0
}
func (h byEnd) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *byEnd) Push(x any)   { *h = append(*h, x.(stay)) }
func (h *byEnd) Pop() any     { return pop(h) }

func (h courses) Len() int { return len(h) }
func (h courses) Less(i, j int) bool {
	return cmp.Or(h[i].due.Compare(h[j].due), cmp.Compare(h[i].job.ID, h[j].job.ID)) < 0
}
func (h courses) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *courses) Push(x any)   { *h = append(*h, x.(*course)) }
func (h *courses) Pop() any     { return pop(h) }

func pop[S ~[]E, E any](h *S) E {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
