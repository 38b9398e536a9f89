package raftfsm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chronos-go/chronos/store"
)

// trigger makes an execution outside the schedule. The same idempotency key
// gives the same execution.
func (e *entry) trigger(c *Trigger) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	if s.job == nil {
		return notFound("job", c.Job), nil
	}
	if first, err := e.triggered(s, c); first != nil || err != nil {
		return first, err
	}
	keys, x, err := e.triggerEach(s, c)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return &Result{Code: Code_CODE_CONFLICT, Text: fmt.Sprintf("job %q is for every node, and no node is there to run it", c.Job)}, nil
	}
	if c.Key != "" {
		if err := e.tx.PutTriggerKey(s.id, c.Key, keys[0]); err != nil {
			return nil, err
		}
	}
	return &Result{Execution: keys[0], Status: x.Status, Changed: true}, e.save(s)
}

// triggerEach makes what was asked for, on every node where the job is for every
// one: their keys, and the first of them.
func (e *entry) triggerEach(s *subject, c *Trigger) (keys []string, first *store.Execution, err error) {
	s.keep = true
	keys, _, err = e.each(s, c.Execution, func() *store.Execution {
		x := &store.Execution{
			Generation: s.job.Generation, Due: e.cmd.Now, ReadyAt: e.cmd.Now, Origin: store.Origin_ORIGIN_TRIGGER,
			HasPayload: c.HasPayload, HasOverlap: c.HasOverlap, Overlap: c.Overlap,
			Key: c.Key, Actor: e.cmd.Actor, Note: e.cmd.Note,
		}
		if first == nil {
			first = x
		}
		return x
	}, func(exec string) error {
		if !c.HasPayload {
			return nil
		}
		return e.tx.PutPayload(s.id, exec, c.Payload)
	})
	if err == nil && first == nil && len(keys) > 0 {
		err = fmt.Errorf("trigger made nothing of %v", keys)
	}
	return keys, first, err
}

// triggered is the answer if this trigger was made before.
func (e *entry) triggered(s *subject, c *Trigger) (*Result, error) {
	exec := c.Execution
	if c.Key != "" {
		ref, err := e.tx.TriggerKey(s.id, c.Key)
		if err != nil {
			return nil, err
		}
		if ref != nil {
			exec = ref.Execution
		}
	}
	x, err := e.tx.Execution(s.id, exec)
	if err != nil || x == nil || x.Generation != s.job.Generation {
		return nil, err
	}
	return &Result{Execution: exec, Status: x.Status}, nil
}

// backfill makes executions for instants of the past, which keep their due
// instants and say that they were asked for.
func (e *entry) backfill(c *Backfill) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	if s.job == nil {
		return notFound("job", c.Job), nil
	}
	keys := make([]string, len(c.Due))
	for i, due := range c.Due {
		keys[i] = store.ExecutionKey(due, store.Origin_ORIGIN_BACKFILL, c.Id)
	}
	if err := e.lookThrough(s, c.Due, keys); err != nil {
		return nil, err
	}
	n := uint64(0)
	s.keep = true
	for i, due := range c.Due {
		_, fresh, err := e.each(s, keys[i], func() *store.Execution {
			return &store.Execution{
				Generation: s.job.Generation, Due: due, ReadyAt: e.now, Origin: store.Origin_ORIGIN_BACKFILL,
				HasOverlap: c.HasOverlap, Overlap: c.Overlap, Actor: e.cmd.Actor, Note: e.cmd.Note,
			}
		}, nil)
		if err != nil {
			return nil, err
		}
		n += fresh
	}
	return &Result{Count: n, Changed: n > 0}, e.save(s)
}

// From walkMin executions on, no further apart than walkSpan on average, a walk over the
// ledger costs less than to look for each of them in all tables. Over a longer stretch it might
// pass over any number of rows that retention has removed, and would not know.
const (
	walkMin  = 16
	walkSpan = uint64(60_000_000_000)
)

// lookThrough finds out which of many executions the ledger does not have. It gives up where
// there are many others between them: then each is looked for.
func (e *entry) lookThrough(s *subject, due []int64, keys []string) error {
	n := len(keys)
	if n < walkMin || s.job.Definition.EveryNode || uint64(slices.Max(due)-slices.Min(due)) > uint64(n)*walkSpan {
		return nil
	}
	keys = slices.Sorted(slices.Values(keys))
	there, end := make(map[string]bool), "" // end is the first that was not looked at
	err := e.tx.ExecutionKeys(s.id, keys[0], func(exec string) bool {
		if exec > keys[n-1] || len(there) == 2*n {
			end = exec
			return false
		}
		there[exec] = true
		return true
	})
	for _, exec := range keys {
		if err == nil && !there[exec] && (end == "" || exec < end) {
			err = e.tx.NoExecution(s.id, exec)
		}
	}
	return err
}

// cancel ends an execution: one that waits at once, one that runs by its
// context, or at once and without waiting for it when terminate is set.
func (e *entry) cancel(c *Cancel) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	x, err := e.tx.Execution(c.Job, c.Execution)
	if err != nil {
		return nil, err
	}
	if x == nil {
		return notFound("execution", store.JoinID(c.Job, c.Execution)), nil
	}
	if x.Status != store.Status_STATUS_PENDING {
		return &Result{Status: x.Status}, nil
	}
	if x.Wait == store.Wait_WAIT_ASSIGNED && c.Terminate {
		e.revoke(c.Job, c.Execution, x, store.Reason_REASON_REQUEST)
		err = e.final(s, c.Execution, x, store.Status_STATUS_TERMINATED, store.Reason_REASON_REQUEST)
	} else {
		err = e.requestCancel(s, c.Execution, x, store.Reason_REASON_REQUEST)
	}
	if err != nil {
		return nil, err
	}
	return &Result{Status: x.Status, Changed: true}, e.save(s)
}

// requestCancel ends what waits and asks what runs to stop.
func (e *entry) requestCancel(s *subject, exec string, x *store.Execution, why store.Reason) error {
	if x.Wait != store.Wait_WAIT_ASSIGNED {
		return e.final(s, exec, x, store.Status_STATUS_CANCELED, why)
	}
	if x.Cancel {
		return nil
	}
	x.Cancel, x.Reason = true, why
	e.eff.Canceled = append(e.eff.Canceled, holding(s.id, exec, x, why))
	return e.tx.PutExecution(s.id, exec, x)
}

// redrive gives an execution that ended without success a new round of
// attempts, under the same ID.
func (e *entry) redrive(c *Redrive) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	x, err := e.tx.Execution(c.Job, c.Execution)
	if err != nil {
		return nil, err
	}
	rivals, err := e.rivals(s, x.GetTarget())
	if err != nil {
		return nil, err
	}
	switch {
	case x == nil:
		return notFound("execution", store.JoinID(c.Job, c.Execution)), nil
	case s.job == nil || s.job.Generation != x.Generation:
		return notFound("job", c.Job), nil
	case !failed(x.Status) && x.Status != store.Status_STATUS_CANCELED && x.Status != store.Status_STATUS_TERMINATED:
		return conflict("execution %s is %s: only one that ended without success can be run again", c.Job, c.Execution, x.Status), nil
	case rivals > 0 && overlapOf(s.job.Definition, x) != store.Overlap_OVERLAP_ALLOW_ALL:
		return conflict("execution %s has to wait: the job has another one unfinished (%s)", c.Job, c.Execution, s.st.LastStatus), nil
	case x.Target != "" && e.f.sessions[x.Target] == nil:
		return conflict("execution %s was for a node that is no member any more (%s): trigger the job anew", c.Job, c.Execution, x.Status), nil
	case x.HasPayload:
		return conflict("execution %s had a payload of its own, which is not kept after the end (%s): trigger the job anew", c.Job, c.Execution, x.Status), nil
	}
	x.Status, x.Reason, x.Cancel = store.Status_STATUS_PENDING, store.Reason_REASON_NONE, false
	x.Output, x.Truncated = nil, false
	x.Failures, x.Losses, x.FirstStart, x.EndedAt, x.ReadyAt = 0, 0, 0, 0, e.now
	s.st.Active++
	if err := e.place(s, c.Execution, x); err != nil {
		return nil, err
	}
	return &Result{Execution: c.Execution, Status: x.Status, Changed: true}, e.save(s)
}

func conflict(format, job, exec string, status store.Status) *Result {
	return &Result{Code: Code_CODE_CONFLICT, Status: status, Text: fmt.Sprintf(format, store.JoinID(job, exec), strings.ToLower(strings.TrimPrefix(status.String(), "STATUS_")))}
}
