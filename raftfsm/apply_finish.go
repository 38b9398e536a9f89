package raftfsm

import (
	"fmt"

	"github.com/chronos-go/chronos/store"
)

// What an execution's row keeps of its attempts: the first one and the newest.
const (
	historyKept = 10
	errorKept   = 1 << 10
)

// finish records how an attempt ended. Only the holder of the newest fencing
// token is heard.
func (e *entry) finish(c *Finish) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	x, err := e.tx.Execution(c.Job, c.Execution)
	if err != nil {
		return nil, err
	}
	if res := fence(x, c.Token); res != nil {
		return res, nil
	}
	if err := e.release(s, c.Execution, x); err != nil {
		return nil, err
	}
	if x.FirstStart == 0 {
		x.FirstStart = c.Started
	}
	if c.Started == 0 {
		x.Attempts-- // canceled before its instant: nothing was called
	} else {
		record(x, &store.Attempt{
			Number: x.Attempts, Node: x.Node, Token: c.Token, Version: x.Version,
			Started: c.Started, Ended: c.Ended, Status: c.Status, Error: c.Error,
			HttpStatus: c.HttpStatus, Stuck: c.Stuck, Stack: c.Stack,
		})
	}
	x.Error, x.Output, x.Truncated = c.Error, c.Output, c.Truncated
	if err := e.outcome(s, c, x); err != nil {
		return nil, err
	}
	if c.PauseJob && s.job != nil {
		if err := e.hold(s, "chronos", fmt.Sprintf("execution %s asked for it", store.JoinID(c.Job, c.Execution))); err != nil {
			return nil, err
		}
	}
	return &Result{Status: x.Status, Changed: true}, e.save(s)
}

// fence is the answer to a report that does not come from the current holder;
// nil if it does. A repeated report is answered like the first.
func fence(x *store.Execution, token uint64) *Result {
	if x != nil && x.Status == store.Status_STATUS_PENDING && x.Wait == store.Wait_WAIT_ASSIGNED && x.Token == token {
		return nil
	}
	if x != nil {
		for _, a := range x.History {
			if a.Token == token && a.Status != store.Status_STATUS_LOST && a.Status != store.Status_STATUS_TERMINATED {
				return &Result{Status: x.Status}
			}
		}
	}
	return &Result{Code: Code_CODE_FENCED, Text: fmt.Sprintf("fencing token %d is not the newest", token)}
}

// outcome decides what follows from an attempt: the end, or another attempt.
func (e *entry) outcome(s *subject, c *Finish, x *store.Execution) error {
	switch c.Status {
	case store.Status_STATUS_SUCCEEDED:
		return e.final(s, c.Execution, x, c.Status, store.Reason_REASON_NONE)
	case store.Status_STATUS_CANCELED:
		return e.final(s, c.Execution, x, c.Status, cancelReason(x, c.Stuck))
	}
	if x.Cancel {
		return e.final(s, c.Execution, x, store.Status_STATUS_CANCELED, cancelReason(x, c.Stuck))
	}
	if !c.Snooze {
		x.Failures++
	}
	if s.job == nil || s.job.Generation != x.Generation || c.Permanent || exhausted(s.job.Definition.Retry, x, c) {
		return e.final(s, c.Execution, x, c.Status, stuckReason(c.Stuck))
	}
	x.Output, x.Truncated = nil, false // a row that goes on is written often: it stays small
	e.change(ExecutionRetrying, s.id, c.Execution, x)
	return e.waitInstant(s, c.Execution, x, c.RetryAt)
}

func cancelReason(x *store.Execution, stuck bool) store.Reason {
	if stuck {
		return store.Reason_REASON_STUCK
	}
	if x.Reason != store.Reason_REASON_NONE {
		return x.Reason
	}
	return store.Reason_REASON_REQUEST
}

func stuckReason(stuck bool) store.Reason {
	if stuck {
		return store.Reason_REASON_STUCK
	}
	return store.Reason_REASON_NONE
}

func exhausted(r *store.Retry, x *store.Execution, c *Finish) bool {
	if !c.Snooze && x.Failures >= max(r.GetMaxAttempts(), 1) {
		return true
	}
	return r.GetMaxElapsed() > 0 && c.RetryAt-x.FirstStart > r.GetMaxElapsed()
}

// waitInstant lets an execution wait for the instant of its next attempt. It is
// unfinished meanwhile, and holds its place under the overlap policy.
func (e *entry) waitInstant(s *subject, exec string, x *store.Execution, at int64) error {
	x.Wait, x.ReadyAt, x.Node, x.Incarnation = store.Wait_WAIT_INSTANT, at, "", 0
	x.RecallAt = 0
	e.eff.dueAt(at)
	if err := e.tx.PutDue(store.DueEntry{At: at, Kind: store.DueReady, Job: s.id, Exec: exec}); err != nil {
		return err
	}
	if err := e.tx.PutActive(s.id, exec, &store.Active{}); err != nil {
		return err
	}
	return e.tx.PutExecution(s.id, exec, x)
}

// record adds an attempt to the row's history, within its bounds.
func record(x *store.Execution, a *store.Attempt) {
	if n := len(x.History); n > 0 {
		last := x.History[n-1]
		last.Stack = ""
		last.Error = clip(last.Error, errorKept)
	}
	if len(x.History) >= historyKept {
		x.History = append(x.History[:1], x.History[2:]...)
		x.Elided++
	}
	x.History = append(x.History, a)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 { // not inside a rune
		n--
	}
	return s[:n]
}

// ready gives the next attempt of an execution out, or ends what has waited
// beyond its start deadline.
func (e *entry) ready(c *Ready) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	x, err := e.tx.Execution(c.Job, c.Execution)
	if err != nil {
		return nil, err
	}
	if x == nil || x.Status != store.Status_STATUS_PENDING {
		return &Result{Code: Code_CODE_STALE}, nil
	}
	if c.Deadline {
		return e.deadline(s, c, x)
	}
	if x.Wait != store.Wait_WAIT_INSTANT || x.ReadyAt != c.ReadyAt {
		return &Result{Code: Code_CODE_STALE}, nil
	}
	if err := e.tx.DeleteDue(store.DueEntry{At: x.ReadyAt, Kind: store.DueReady, Job: c.Job, Exec: c.Execution}); err != nil {
		return nil, err
	}
	if s.job == nil || s.job.Generation != x.Generation {
		err = e.final(s, c.Execution, x, store.Status_STATUS_CANCELED, store.Reason_REASON_DELETED)
	} else {
		err = e.place(s, c.Execution, x)
	}
	if err != nil {
		return nil, err
	}
	return &Result{Changed: true}, e.save(s)
}

func (e *entry) deadline(s *subject, c *Ready, x *store.Execution) (*Result, error) {
	waits := x.Wait == store.Wait_WAIT_ROOM || x.Wait == store.Wait_WAIT_KEY || x.Wait == store.Wait_WAIT_OVERLAP
	if !waits || x.DeadlineAt != c.ReadyAt || e.now < x.DeadlineAt {
		return &Result{Code: Code_CODE_STALE}, nil
	}
	if err := e.final(s, c.Execution, x, store.Status_STATUS_MISSED, store.Reason_REASON_DEADLINE); err != nil {
		return nil, err
	}
	return &Result{Changed: true}, e.save(s)
}

// handBack takes an attempt back from a node that will not finish it: it is
// stopping, or the job was edited before the attempt began.
func (e *entry) handBack(c *HandBack) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	x, err := e.tx.Execution(c.Job, c.Execution)
	if err != nil {
		return nil, err
	}
	if res := fence(x, c.Token); res != nil {
		return res, nil
	}
	if c.Kept {
		x.RecallAt = 0 // it had begun before the edit: it goes on
		return &Result{}, e.tx.PutExecution(c.Job, c.Execution, x)
	}
	if err := e.release(s, c.Execution, x); err != nil {
		return nil, err
	}
	if err := e.returned(s, c, x); err != nil {
		return nil, err
	}
	return &Result{Status: x.Status, Changed: true}, e.save(s)
}

func (e *entry) returned(s *subject, c *HandBack, x *store.Execution) error {
	recalled := x.RecallAt
	x.RecallAt = 0
	if c.Started {
		record(x, &store.Attempt{
			Number: x.Attempts, Node: x.Node, Token: c.Token, Version: x.Version, Started: c.StartedAt, Ended: e.now,
			Status: store.Status_STATUS_CANCELED, Reason: store.Reason_REASON_SHUTDOWN, Error: c.Reason,
		})
	} else {
		x.Attempts--
	}
	switch {
	case s.job == nil || s.job.Generation != x.Generation:
		return e.final(s, c.Execution, x, store.Status_STATUS_CANCELED, store.Reason_REASON_DELETED)
	case x.Cancel:
		return e.final(s, c.Execution, x, store.Status_STATUS_CANCELED, cancelReason(x, false))
	case c.Started && s.job.Definition.Delivery == store.Delivery_DELIVERY_AT_MOST_ONCE:
		return e.final(s, c.Execution, x, store.Status_STATUS_LOST, store.Reason_REASON_SHUTDOWN)
	case recalled != 0 && !c.Started && withdrawable(x, recalled):
		return e.withdraw(s, c.Execution, x, recalled)
	case recalled == 0 && !c.Started && withdrawable(x, e.now) && x.Target == "": // its node comes back for the others
		return e.withdraw(s, c.Execution, x, 0)
	default:
		return e.place(s, c.Execution, x)
	}
}

// withdraw removes an execution that was fired ahead of its instant and never
// started. Its instant is the new definition's to account for; without an edit
// (0) the job is due at it once more, for whoever is there then.
func (e *entry) withdraw(s *subject, exec string, x *store.Execution, edit int64) error {
	if err := e.leave(s, exec, x); err != nil {
		return err
	}
	if err := e.vacate(x); err != nil {
		return err
	}
	s.st.Active--
	s.st.Runs--
	s.st.Rows--
	s.st.Withdrawn++ // whoever has seen the row has to look again
	if err := e.dueAgain(s, x, edit); err != nil {
		return err
	}
	if s.st.NextDue != 0 {
		e.eff.dueAt(s.st.NextDue)
	}
	e.change(ExecutionWithdrawn, s.id, exec, x)
	if err := e.tx.DeleteActive(s.id, exec); err != nil {
		return err
	}
	if err := e.tx.DeleteExecution(s.id, exec); err != nil {
		return err
	}
	return e.free(s, x)
}

// dueAgain lets the schedule go on after a withdrawal. An edit or a resume has
// set the next instant, unless it had to wait for the execution's end.
func (e *entry) dueAgain(s *subject, x *store.Execution, edit int64) error {
	def, due := s.job.Definition, x.Due
	switch {
	case s.st.Paused:
		if s.st.PausedDue == 0 || due < s.st.PausedDue {
			s.st.PausedDue = due
		}
		return nil
	case s.st.NextDue != 0 && (edit != 0 || s.st.NextDue < due), def.Schedule == "":
		return nil
	case edit != 0 && def.FixedDelay > 0:
		due = edit + def.FixedDelay
	}
	s.st.Exhausted = false
	return e.setNext(s, due)
}
