package raftfsm

import (
	"fmt"

	"github.com/chronos-go/chronos/store"
)

// final ends an execution for good and lets what waited for it go on. The
// caller saves the subject.
func (e *entry) final(s *subject, exec string, x *store.Execution, status store.Status, why store.Reason) error {
	if err := e.end(s, exec, x, status, why); err != nil {
		return err
	}
	if s.job != nil && s.job.Definition.PauseOnFailure && failed(status) {
		note := fmt.Sprintf("execution %s ended as failed", store.JoinID(s.id, exec))
		if err := e.hold(s, "chronos", note); err != nil {
			return err
		}
	}
	return e.free(s, x)
}

// end ends an execution for good, and nothing follows from it.
func (e *entry) end(s *subject, exec string, x *store.Execution, status store.Status, why store.Reason) error {
	buffered := x.Wait == store.Wait_WAIT_OVERLAP
	if err := e.leave(s, exec, x); err != nil {
		return err
	}
	if err := e.vacate(x); err != nil {
		return err
	}
	if !buffered {
		s.st.Active--
		e.tally(s, status)
	}
	if err := e.verdict(s, exec, x, status, why); err != nil {
		return err
	}
	return e.tx.DeleteActive(s.id, exec)
}

// leave takes an execution out of whatever it waits in.
func (e *entry) leave(s *subject, exec string, x *store.Execution) error {
	switch x.Wait {
	case store.Wait_WAIT_ROOM, store.Wait_WAIT_KEY:
		return e.unqueue(s, exec, x)
	case store.Wait_WAIT_INSTANT:
		return e.tx.DeleteDue(store.DueEntry{At: x.ReadyAt, Kind: store.DueReady, Job: s.id, Exec: exec})
	case store.Wait_WAIT_OVERLAP:
		s.st.Buffer = without(s.st.Buffer, exec)
	case store.Wait_WAIT_ASSIGNED:
		return e.release(s, exec, x)
	default:
		return nil
	}
	return e.forgetDeadline(s, exec, x)
}

func without(list []string, one string) []string {
	out := list[:0:0]
	for _, s := range list {
		if s != one {
			out = append(out, s)
		}
	}
	return out
}

func failed(s store.Status) bool {
	return s == store.Status_STATUS_FAILED || s == store.Status_STATUS_TIMED_OUT || s == store.Status_STATUS_LOST
}

func (e *entry) tally(s *subject, status store.Status) {
	s.st.LastStatus, s.st.LastEnd = status, e.now
	switch {
	case status == store.Status_STATUS_SUCCEEDED:
		s.st.LastSuccess, s.st.Failures = e.now, 0
	case failed(status):
		s.st.Failures++
	}
}

// chain sets the next due instant of a fixed delay, which counts from the end.
func (e *entry) chain(s *subject, x *store.Execution) error {
	if s.job == nil || s.job.Definition.FixedDelay == 0 || s.job.Generation != x.Generation || s.st.NextDue != 0 ||
		x.Origin != store.Origin_ORIGIN_SCHEDULE && s.st.Active > 0 {
		return nil
	}
	def := s.job.Definition
	next := e.now + def.FixedDelay
	if def.Until != 0 && next > def.Until || def.MaxRuns > 0 && s.st.Runs >= uint64(def.MaxRuns) {
		s.st.Exhausted = true
		return nil
	}
	if s.st.Paused {
		s.st.PausedDue = next
		return nil
	}
	return e.setNext(s, next)
}

// free runs when an execution has ended: if the job is idle, or idle on the node
// that it was for, the next buffered one is taken, under the policy as it is now.
func (e *entry) free(s *subject, x *store.Execution) error {
	if s.st.Active > 0 && x.Target == "" && !s.splits() {
		return nil
	}
	if s.job != nil {
		if err := e.unbuffered(s); err != nil {
			return err
		}
	}
	if s.st.Active == 0 {
		e.eff.Freed = append(e.eff.Freed, s.id)
		return e.retire(s)
	}
	return nil
}

// unbuffered takes what may start now out of the buffer. Each is looked at
// once: one that has to wait for another after all is buffered again.
func (e *entry) unbuffered(s *subject) error {
	waiting := s.st.Buffer
	s.st.Buffer, s.aside = nil, map[string]bool{}
	for _, exec := range waiting {
		s.aside[exec] = true
	}
	defer func() { s.aside = nil }()
	full := map[string]bool{} // targets that have rivals, until something starts that shares with all
	for i, exec := range waiting {
		target := store.KeyTarget(exec)
		busy, err := e.full(s, target, full)
		if err != nil {
			return err
		}
		if busy {
			if target == "" { // all of it waits for the whole job
				s.st.Buffer = append(s.st.Buffer, waiting[i:]...)
				return nil
			}
			s.st.Buffer = append(s.st.Buffer, exec)
			continue
		}
		if target == "" {
			clear(full)
		}
		delete(s.aside, exec)
		if err := e.unblock(s, exec); err != nil {
			return err
		}
	}
	return nil
}

// full tells if what was buffered for a target has to wait for others. To find that
// out takes a look at all that is unfinished, so known targets are not asked again.
func (e *entry) full(s *subject, target string, known map[string]bool) (bool, error) {
	if known[target] || s.job.Definition.Overlap == store.Overlap_OVERLAP_ALLOW_ALL {
		return known[target], nil
	}
	rivals, err := e.rivals(s, target)
	known[target] = rivals > 0
	return known[target], err
}

// unblock starts one that was buffered, unless its deadline has passed.
func (e *entry) unblock(s *subject, exec string) error {
	x, err := e.tx.Execution(s.id, exec)
	if err != nil {
		return err
	}
	if x == nil {
		return fmt.Errorf("buffered execution %s:%s %w", s.id, exec, errNoRow)
	}
	if err := e.forgetDeadline(s, exec, x); err != nil {
		return err
	}
	if x.DeadlineAt > 0 && e.now > x.DeadlineAt {
		if err := e.tx.DeleteActive(s.id, exec); err != nil {
			return err
		}
		return e.verdict(s, exec, x, store.Status_STATUS_MISSED, store.Reason_REASON_DEADLINE)
	}
	x.Wait = store.Wait_WAIT_NONE
	return e.start(s, exec, x)
}

// retire deletes a job that asked for it once nothing of it is due or
// unfinished any more.
func (e *entry) retire(s *subject) error {
	if s.keep || s.job == nil || !s.job.Definition.RemoveAfter || !s.st.Exhausted || s.st.NextDue != 0 ||
		s.st.Paused || s.st.Active > 0 || len(s.st.Buffer) > 0 {
		return nil
	}
	return e.bury(s)
}

// revoke makes an attempt's token void, and tells its node. The row remembers the
// attempt: whether it had begun, nobody can know who has not heard of it.
func (e *entry) revoke(job, exec string, x *store.Execution, why store.Reason) {
	if x.Wait != store.Wait_WAIT_ASSIGNED {
		return
	}
	e.eff.Revoked = append(e.eff.Revoked, holding(job, exec, x, why))
	if levelOf(e.applied) < Level2 {
		return // what older members do
	}
	record(x, &store.Attempt{
		Number: x.Attempts, Node: x.Node, Token: x.Token, Version: x.Version,
		Started: min(x.ReadyAt, e.now), Ended: e.now, Status: store.Status_STATUS_TERMINATED, Reason: why,
	})
}

func holding(job, exec string, x *store.Execution, why store.Reason) Holding {
	return Holding{Job: job, Exec: exec, Node: x.Node, Incarnation: x.Incarnation, Token: x.Token, Reason: why}
}
