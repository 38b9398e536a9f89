package raftfsm

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos/store"
)

// open says what a node is now: which incarnation, what it can run, how much
// at once. A new incarnation means that the old one is gone.
func (e *entry) open(c *Open) (*Result, error) {
	if old := e.f.sessions[c.Node]; old != nil && old.Expired && old.Incarnation == c.Incarnation {
		return &Result{Code: Code_CODE_FENCED, Text: fmt.Sprintf("the lease of node %q ran out: it comes back as a new incarnation", c.Node)}, nil
	}
	if at := levelOf(e.applied); max(c.Features, LevelFirst) < at {
		return &Result{Code: Code_CODE_INVALID, Text: fmt.Sprintf("node %q runs an older Chronos (feature level %d) than the cluster has come to use (%d); upgrade it", c.Node, c.Features, at)}, nil
	}
	rec := &store.Session{
		Incarnation: c.Incarnation, Handlers: c.Handlers, Capacity: c.Capacity, At: e.now, Features: c.Features, Addr: c.Addr, Labels: c.Labels,
	}
	e.eff.Unlocked = true // what an earlier incarnation held is free
	e.eff.Opened = append(e.eff.Opened, Opened{c.Node, c.Addr, c.Incarnation})
	next := newSession(rec)
	if old := e.f.sessions[c.Node]; old != nil && old.Incarnation == c.Incarnation {
		next.load = old.load
	}
	e.f.sessions[c.Node] = next
	return &Result{Changed: true}, e.tx.PutSession(c.Node, rec)
}

// resolve finds what earlier incarnations of a node held, and decides by the
// job's delivery what becomes of it. It works in bounded steps: Cursor is
// where the next one goes on, empty when none is left.
func (e *entry) resolve(c *Resolve) (*Result, error) {
	return e.resolveSome(c.After, func(a *store.Active) bool { return a.Node == c.Node && a.Incarnation != c.Incarnation })
}

// expire ends a session and resolves what it held, in steps like resolve. It is a
// compare and set on term and incarnation: a leader that was cut off and wakes
// up ends nothing, and a node that has come back anew is another.
func (e *entry) expire(c *Expire) (*Result, error) {
	sess := e.f.sessions[c.Node]
	if sess == nil || sess.Incarnation != c.Incarnation || c.Term != e.applied.Term {
		return &Result{Code: Code_CODE_STALE}, nil
	}
	if !sess.Expired {
		sess.Capacity, sess.Expired = 0, true
		e.eff.Unlocked = true
		e.eff.Expired = append(e.eff.Expired, Opened{Node: c.Node, Incarnation: c.Incarnation})
		if err := e.tx.PutSession(c.Node, sess.Session); err != nil {
			return nil, err
		}
	}
	return e.resolveSome(c.After, func(a *store.Active) bool { return a.Node == c.Node }) // what older ones left, too
}

// forgetNode removes the session of a node that was taken out of the cluster. It is a
// compare and set on the incarnation: a node of that name that is back is another
// one, and one whose lease has not ended may still run something. What refers to
// the node is ended first, in steps like expire.
func (e *entry) forgetNode(c *Forget) (*Result, error) {
	sess := e.f.sessions[c.Node]
	if sess == nil || sess.Incarnation != c.Incarnation || !sess.Expired {
		return &Result{Code: Code_CODE_STALE}, nil
	}
	res, err := e.sweepActive(c.After, func(exec string, a *store.Active) bool {
		return a.Node == c.Node || store.KeyTarget(exec) == c.Node
	}, e.abandon)
	if err != nil || res.Cursor != "" {
		return res, err
	}
	delete(e.f.sessions, c.Node)
	e.eff.Forgotten = append(e.eff.Forgotten, c.Node)
	res.Changed = true
	return res, e.tx.DeleteSession(c.Node)
}

// abandon ends an execution that is for a node which will not come back, and
// resolves one that only happened to be there.
func (e *entry) abandon(job, exec string) error {
	x, err := e.tx.Execution(job, exec)
	if err != nil || x == nil || x.Status != store.Status_STATUS_PENDING {
		return err
	}
	if x.Wait == store.Wait_WAIT_ASSIGNED {
		if err := e.resolveOne(job, exec); err != nil || x.Target == "" {
			return err
		}
		if x, err = e.tx.Execution(job, exec); err != nil || x.GetStatus() != store.Status_STATUS_PENDING {
			return err
		}
	}
	s, err := e.load(job)
	if err != nil {
		return err
	}
	status := store.Status_STATUS_MISSED
	if x.Attempts > 0 {
		status = store.Status_STATUS_LOST
	}
	if err := e.final(s, exec, x, status, store.Reason_REASON_NODE); err != nil {
		return err
	}
	e.swept++
	e.weight += proto.Size(x)
	return e.save(s)
}

// setHeld has nothing new placed on a node, or something again; what it runs goes on. It
// is a compare and set like expire, and a node that announces itself is not held.
func (e *entry) setHeld(c *Hold) (*Result, error) {
	sess := e.f.sessions[c.Node]
	if sess == nil || sess.Incarnation != c.Incarnation || sess.Expired || c.Term != e.applied.Term {
		return &Result{Code: Code_CODE_STALE}, nil
	}
	if sess.Held == c.Held {
		return &Result{}, nil
	}
	sess.Held = c.Held
	return &Result{Changed: true}, e.tx.PutSession(c.Node, sess.Session)
}

// resolveSome resolves attempts of nodes that are gone, as many as one entry may.
func (e *entry) resolveSome(after string, gone func(*store.Active) bool) (*Result, error) {
	return e.sweepActive(after, func(_ string, a *store.Active) bool { return gone(a) }, e.resolveOne)
}

// sweepActive does something with executions that are not final, as many as one
// entry may.
func (e *entry) sweepActive(after string, want func(exec string, a *store.Active) bool, do func(job, exec string) error) (*Result, error) {
	afterJob, afterExec, _ := store.SplitID(after)
	type held struct{ job, exec string }
	var found []held
	res := &Result{}
	err := e.tx.Active("", afterJob, afterExec, func(job, exec string, a *store.Active) (bool, error) {
		if want(exec, a) {
			found = append(found, held{job, exec})
		}
		if len(found) >= sweepMax {
			res.Cursor = store.JoinID(job, exec)
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	for _, h := range found {
		if err := do(h.job, h.exec); err != nil {
			return nil, err
		}
		res.Count++
		if e.swept >= settleMax || e.weight >= settleBytes {
			res.Cursor = store.JoinID(h.job, h.exec)
			break
		}
	}
	return res, nil
}

func (e *entry) resolveOne(job, exec string) error {
	s, err := e.load(job)
	if err != nil {
		return err
	}
	x, err := e.tx.Execution(job, exec)
	if err != nil || x == nil {
		return err
	}
	if err := e.release(s, exec, x); err != nil {
		return err
	}
	if err := e.lost(s, exec, x); err != nil {
		return err
	}
	e.swept++
	e.weight += proto.Size(x)
	return e.save(s)
}

// lost decides what becomes of an attempt whose node is gone. Whether it had
// started cannot be known once its instant has passed; one that may run at
// most once is given up even before, because a clock may have been set back.
func (e *entry) lost(s *subject, exec string, x *store.Execution) error {
	recalled := x.RecallAt
	x.RecallAt = 0
	gone := s.job == nil || s.job.Generation != x.Generation
	atMostOnce := !gone && s.job.Definition.Delivery == store.Delivery_DELIVERY_AT_MOST_ONCE
	if x.ReadyAt > e.now && !gone && !atMostOnce && !x.Cancel {
		x.Attempts--
		if recalled != 0 && withdrawable(x, recalled) {
			return e.withdraw(s, exec, x, recalled) // its node was asked, and died before it answered
		}
		return e.place(s, exec, x)
	}
	record(x, &store.Attempt{
		Number: x.Attempts, Node: x.Node, Token: x.Token, Version: x.Version,
		Started: x.ReadyAt, Ended: e.now, Status: store.Status_STATUS_LOST,
		Error: "the node stopped or was restarted before it could report",
	})
	x.Losses++
	switch {
	case gone:
		return e.final(s, exec, x, store.Status_STATUS_CANCELED, store.Reason_REASON_DELETED)
	case x.Cancel:
		return e.final(s, exec, x, store.Status_STATUS_CANCELED, cancelReason(x, false))
	case atMostOnce:
		return e.final(s, exec, x, store.Status_STATUS_LOST, store.Reason_REASON_NONE)
	case x.Losses == 1:
		return e.place(s, exec, x)
	default:
		return e.waitInstant(s, exec, x, e.now+lossDelay(s.job.Definition.Retry, x.Losses))
	}
}

// lossDelay spaces the attempts of an execution that keeps taking its node
// down with it: the first loss is repeated at once, then after the retry
// policy's first delay, doubled each time up to its cap.
func lossDelay(r *store.Retry, losses int32) int64 {
	delay, limit := r.GetInitial(), r.GetMax()
	for i := int32(2); i < losses && delay < limit; i++ {
		delay *= 2
	}
	return min(delay, limit)
}
