package raftfsm

import (
	"strings"

	"github.com/chronos-go/chronos/store"
)

// fire commits that instants of a job have come due: every one of them gets
// its ledger row here, and the schedule moves on in the same step.
func (e *entry) fire(c *Fire) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	if s.job == nil || s.job.Generation != c.Generation || s.job.Version != c.Version ||
		s.st.Paused || s.st.NextDue != c.ExpectDue || c.ExpectDue == 0 || s.st.Withdrawn != c.BaseWithdrawn {
		return &Result{Code: Code_CODE_STALE}, nil
	}
	busy, err := e.busy(s, c)
	if err != nil || busy {
		return &Result{Code: Code_CODE_BUSY}, err
	}
	s.keep = true
	if err := e.clearNext(s); err != nil {
		return nil, err
	}
	if len(c.Spans) > 0 {
		if err := e.lapse(s); err != nil {
			return nil, err
		}
	}
	for _, span := range c.Spans {
		if interrupted(s.st.LastDue, span, c.Runs) {
			s.st.LastRange = ""
		}
		if err := e.span(s, span); err != nil {
			return nil, err
		}
	}
	used, err := e.fireRuns(s, c.Runs)
	if err != nil {
		return nil, err
	}
	if err := e.advance(s, c, used); err != nil {
		return nil, err
	}
	s.keep = false
	if err := e.retire(s); err != nil {
		return nil, err
	}
	return &Result{Changed: true}, e.save(s)
}

// interrupted tells if something runs between what the ledger has so far and
// a span of the same fire: the span then begins a row of its own.
func interrupted(last int64, span *Span, runs []*Run) bool {
	for _, run := range runs {
		if run.Due > last && run.Due < span.From {
			return true
		}
	}
	return false
}

// advance moves the schedule on. A fixed delay's next instant is known only
// when what was fired has ended.
func (e *entry) advance(s *subject, c *Fire, used bool) error {
	if s.job.Definition.FixedDelay > 0 {
		if !used {
			return nil
		}
		s.st.Exhausted = true
		return e.clearNext(s)
	}
	next := c.NextDue
	if used {
		next = 0
	}
	s.st.CatchingUp = c.CatchingUp && next != 0
	if s.st.CatchingUp {
		s.st.CaughtUp += uint64(len(c.Runs))
	} else {
		s.st.CaughtUp = 0
	}
	s.st.Exhausted = next == 0
	return e.setNext(s, next)
}

// busy tells if the fire comes too early to be decided: before its instant the
// job may still become free, and an attempt under recall may still be given back.
func (e *entry) busy(s *subject, c *Fire) (bool, error) {
	overlap := s.job.Definition.Overlap
	for _, run := range c.Runs {
		if run.Due > e.now && s.st.Active > 0 && overlap != store.Overlap_OVERLAP_ALLOW_ALL {
			return true, nil
		}
		if s.st.Active == 0 {
			continue
		}
		recalled, err := e.recalled(s, run.Due)
		if err != nil || recalled {
			return recalled, err
		}
	}
	return false, nil
}

// remade is for how long after an edit an instant may be due that was fired before it:
// fires are at most a second ahead, by clocks that may differ.
const remade = int64(60_000_000_000)

// justEdited tells if an instant may have been fired under an earlier version.
func justEdited(s *subject, due int64) bool {
	return s.job.Version > 1 && due-s.job.UpdatedAt <= remade
}

// firedBefore tells if an instant was fired ahead of an edit that has the job run
// somewhere else: on every node, or not on every node any more. What began by then is
// the instant's execution.
func (e *entry) firedBefore(s *subject, base string, due int64) (found bool, err error) {
	if !justEdited(s, due) {
		return false, nil
	}
	every := s.job.Definition.EveryNode
	return e.occurred(s, base, func(exec string, _ *store.Execution) bool { return (exec == base) == every })
}

// occurred tells if an occurrence has a row of that kind.
func (e *entry) occurred(s *subject, base string, kind func(exec string, x *store.Execution) bool) (found bool, err error) {
	err = e.tx.Executions(s.id, base, func(exec string, x *store.Execution) (bool, error) {
		found = store.KeyOccurrence(exec) == base && kind(exec, x)
		return !found && strings.HasPrefix(exec, base), nil
	})
	return found, err
}

// recalled tells if an attempt of an occurrence is under recall.
func (e *entry) recalled(s *subject, due int64) (bool, error) {
	base := store.ScheduledKey(due, s.job.Generation)
	if s.job.Definition.EveryNode || justEdited(s, due) {
		return e.occurred(s, base, func(_ string, x *store.Execution) bool {
			return x.Status == store.Status_STATUS_PENDING && x.RecallAt != 0
		})
	}
	x, err := e.tx.Execution(s.id, base)
	return x.GetRecallAt() != 0, err
}

// fireRuns creates the executions; used tells that the job has had all its runs.
func (e *entry) fireRuns(s *subject, runs []*Run) (used bool, err error) {
	def := s.job.Definition
	for _, run := range runs {
		if def.MaxRuns > 0 && s.st.Runs >= uint64(def.MaxRuns) {
			return true, nil
		}
		base := store.ScheduledKey(run.Due, s.job.Generation)
		if run.Due > s.st.LastDue { // no row of this generation is beyond it
			if err := e.tx.NoExecution(s.id, base); err != nil {
				return false, err
			}
		}
		s.st.LastDue = max(s.st.LastDue, run.Due)
		if stands, err := e.firedBefore(s, base, run.Due); err != nil {
			return false, err
		} else if stands {
			continue
		}
		made := func() *store.Execution {
			return &store.Execution{Generation: s.job.Generation, Due: run.Due, ReadyAt: max(run.StartAt, run.Due)}
		}
		keys, _, err := e.each(s, base, made, nil)
		if err == nil && len(keys) == 0 {
			err = e.nowhere(s, base, made())
		}
		if err != nil {
			return false, err
		}
	}
	return def.MaxRuns > 0 && s.st.Runs >= uint64(def.MaxRuns), nil
}

// span accounts for a range of instants that will not run, as one row. A range
// that continues the newest one extends it, so that a long outage or pause
// does not fill the ledger.
func (e *entry) span(s *subject, c *Span) error {
	if c.Count == 0 {
		return nil
	}
	defer func() { s.st.LastDue = max(s.st.LastDue, c.To) }()
	if s.st.LastRange != "" {
		x, err := e.tx.Execution(s.id, s.st.LastRange)
		if err != nil {
			return err
		}
		if x != nil && x.Status == c.Status && x.Reason == c.Reason && x.RangeTo == s.st.LastDue &&
			x.Generation == s.st.Generation && c.From > x.RangeTo {
			x.RangeTo, x.RangeCount, x.RangeMore = c.To, x.RangeCount+c.Count, x.RangeMore || c.More
			x.EndedAt = e.now
			e.changeRange(s.id, s.st.LastRange, x, c.Count)
			return e.tx.PutExecution(s.id, s.st.LastRange, x)
		}
	}
	from, count := c.From, c.Count
	exec := store.ScheduledKey(from, s.st.Generation)
	for {
		old, err := e.tx.Execution(s.id, exec)
		if err != nil {
			return err
		}
		if old == nil {
			break
		}
		if count == 1 {
			return nil // the first row of an occurrence stands
		}
		from, count = from+1, count-1 // the range begins behind it
		exec = store.ScheduledKey(from, s.st.Generation)
	}
	x := &store.Execution{
		Generation: s.st.Generation, Version: s.version(), Due: from,
		Status: c.Status, Reason: c.Reason, CreatedAt: e.now, EndedAt: e.now,
		RangeTo: c.To, RangeCount: count, RangeMore: c.More,
	}
	s.st.Rows++
	s.st.LastRange = exec
	e.changeRange(s.id, exec, x, count)
	return e.tx.PutExecution(s.id, exec, x)
}

// admit lets a new execution in under the job's overlap policy: it becomes
// ready, is buffered, or ends as a row that says why it did not run.
func (e *entry) admit(s *subject, exec string, x *store.Execution) error {
	def := s.job.Definition
	x.Status = store.Status_STATUS_PENDING
	x.Version = s.job.Version
	x.CreatedAt = e.now
	x.Priority = def.Priority
	s.st.Rows++
	e.change(ExecutionCreated, s.id, exec, x)
	if err := e.decide(s, exec, x); err != nil {
		return err
	}
	if x.Origin == store.Origin_ORIGIN_SCHEDULE && x.Status == store.Status_STATUS_PENDING {
		s.st.Runs++ // one that waits in the buffer counts, too
	}
	return nil
}

// bufferDefault bounds the buffer where a request asked for OverlapBufferAll
// and the job itself has no such bound.
const bufferDefault = 1_000

func (e *entry) decide(s *subject, exec string, x *store.Execution) error {
	def := s.job.Definition
	if def.StartDeadline > 0 {
		x.DeadlineAt = x.ReadyAt + def.StartDeadline
		if e.now > x.DeadlineAt {
			return e.verdict(s, exec, x, store.Status_STATUS_MISSED, store.Reason_REASON_DEADLINE)
		}
	}
	overlap := overlapOf(def, x)
	rivals, err := e.rivals(s, x.Target)
	if err != nil {
		return err
	}
	if rivals == 0 || overlap == store.Overlap_OVERLAP_ALLOW_ALL {
		return e.start(s, exec, x)
	}
	switch overlap {
	case store.Overlap_OVERLAP_BUFFER_ONE:
		if s.buffered(x.Target) > 0 {
			return e.verdict(s, exec, x, store.Status_STATUS_SKIPPED, store.Reason_REASON_OVERLAP)
		}
		return e.buffer(s, exec, x)
	case store.Overlap_OVERLAP_BUFFER_ALL:
		if limit := def.BufferMax; len(s.st.Buffer) >= bufferDefault || limit > 0 && int64(s.buffered(x.Target)) >= limit {
			return e.verdict(s, exec, x, store.Status_STATUS_DROPPED, store.Reason_REASON_BUFFER)
		}
		return e.buffer(s, exec, x)
	case store.Overlap_OVERLAP_CANCEL_OTHER:
		return e.cancelOther(s, exec, x)
	case store.Overlap_OVERLAP_TERMINATE_OTHER:
		return e.terminateOther(s, exec, x)
	default:
		return e.verdict(s, exec, x, store.Status_STATUS_SKIPPED, store.Reason_REASON_OVERLAP)
	}
}

func overlapOf(def *store.Definition, x *store.Execution) store.Overlap {
	if x.HasOverlap {
		return x.Overlap
	}
	return def.Overlap
}

// verdict ends an execution that never ran.
func (e *entry) verdict(s *subject, exec string, x *store.Execution, status store.Status, why store.Reason) error {
	x.Status, x.Reason, x.Wait, x.EndedAt, x.DeadlineAt = status, why, store.Wait_WAIT_NONE, e.now, 0
	if x.HasPayload {
		if err := e.tx.DeletePayload(s.id, exec); err != nil {
			return err
		}
	}
	e.change(ExecutionEnded, s.id, exec, x)
	if err := e.chain(s, x); err != nil {
		return err
	}
	return e.tx.PutExecution(s.id, exec, x)
}

// aheadMax is how long before its instant an execution may hold room on a
// node. One that starts later, by jitter, waits in the due index until then.
const aheadMax = int64(5_000_000_000)

// start makes an admitted execution one of the job's unfinished ones.
func (e *entry) start(s *subject, exec string, x *store.Execution) error {
	s.st.Active++
	if x.ReadyAt > e.now+aheadMax {
		return e.waitInstant(s, exec, x, x.ReadyAt)
	}
	return e.place(s, exec, x)
}

// buffer keeps an execution until the job is free. It is not counted as
// running, so it does not block others.
func (e *entry) buffer(s *subject, exec string, x *store.Execution) error {
	s.st.Buffer = append(s.st.Buffer, exec)
	x.Wait, x.Node, x.Incarnation = store.Wait_WAIT_OVERLAP, "", 0
	if err := e.watchDeadline(s, exec, x); err != nil {
		return err
	}
	if err := e.tx.PutActive(s.id, exec, &store.Active{}); err != nil {
		return err
	}
	return e.tx.PutExecution(s.id, exec, x)
}

// watchDeadline lets the planner come back when a waiting execution's start
// deadline has passed.
func (e *entry) watchDeadline(s *subject, exec string, x *store.Execution) error {
	if x.DeadlineAt == 0 {
		return nil
	}
	e.eff.dueAt(x.DeadlineAt)
	return e.tx.PutDue(store.DueEntry{At: x.DeadlineAt, Kind: store.DueDeadline, Job: s.id, Exec: exec})
}

func (e *entry) forgetDeadline(s *subject, exec string, x *store.Execution) error {
	if x.DeadlineAt == 0 {
		return nil
	}
	return e.tx.DeleteDue(store.DueEntry{At: x.DeadlineAt, Kind: store.DueDeadline, Job: s.id, Exec: exec})
}

// cancelOther asks what runs to stop; the newcomer starts when it has ended,
// and takes the place of one that waited for the same.
func (e *entry) cancelOther(s *subject, exec string, x *store.Execution) error {
	if err := e.supersede(s, x.Target); err != nil {
		return err
	}
	others, err := e.unfinished(s, withTarget(x, func(o *store.Execution) bool { return !o.Cancel }))
	if err != nil {
		return err
	}
	if err := e.buffer(s, exec, x); err != nil {
		return err
	}
	for _, o := range others {
		if err := e.requestCancel(s, o.exec, o.x, store.Reason_REASON_OVERLAP); err != nil {
			return err
		}
	}
	return nil
}

// terminateOther ends what runs in the ledger at once; its late result will be
// refused. What of another node's has started by that, and shares with it, goes first.
func (e *entry) terminateOther(s *subject, exec string, x *store.Execution) error {
	if err := e.supersede(s, x.Target); err != nil {
		return err
	}
	others, err := e.unfinished(s, withTarget(x, func(*store.Execution) bool { return true }))
	if err != nil {
		return err
	}
	for _, o := range others {
		e.revoke(s.id, o.exec, o.x, store.Reason_REASON_OVERLAP)
		if err := e.final(s, o.exec, o.x, store.Status_STATUS_TERMINATED, store.Reason_REASON_OVERLAP); err != nil {
			return err
		}
	}
	if rivals, err := e.rivals(s, x.Target); err != nil {
		return err
	} else if rivals > 0 {
		return e.buffer(s, exec, x)
	}
	return e.start(s, exec, x)
}

// supersede skips what is buffered, for a node or for all.
func (e *entry) supersede(s *subject, target string) error {
	waiting, rest := split(s.st.Buffer, target)
	s.st.Buffer = rest
	for _, exec := range waiting {
		x, err := e.tx.Execution(s.id, exec)
		if err != nil {
			return err
		}
		if x == nil {
			continue
		}
		if err := e.unbuffer(s, exec, x); err != nil {
			return err
		}
		if err := e.verdict(s, exec, x, store.Status_STATUS_SKIPPED, store.Reason_REASON_OVERLAP); err != nil {
			return err
		}
	}
	return nil
}

// unbuffer removes a buffered execution's index entries; the caller has taken
// it out of the buffer.
func (e *entry) unbuffer(s *subject, exec string, x *store.Execution) error {
	if err := e.forgetDeadline(s, exec, x); err != nil {
		return err
	}
	return e.tx.DeleteActive(s.id, exec)
}
