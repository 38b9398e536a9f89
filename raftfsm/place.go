package raftfsm

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos/store"
)

// ageing is how long an execution must have waited to draw level with one of
// the next higher priority: a rank fixed at the start, so nothing starves.
const ageing = int64(60_000_000_000)

// place gives a ready execution to a node, or queues it until it may run: first
// for a place of its job's concurrency key, then for a node with room.
func (e *entry) place(s *subject, exec string, x *store.Execution) error {
	if in, err := e.enter(s, exec, x); err != nil || !in {
		return err
	}
	return e.seat(s, exec, x)
}

// seat finds a node with room, or queues. Who queued before goes first.
func (e *entry) seat(s *subject, exec string, x *store.Execution) error {
	class := classOf(s.job.Definition, x)
	if e.f.waiting[class] == 0 {
		if node := e.pick(class, s.prefers()); node != "" {
			return e.assign(s, exec, x, node)
		}
	}
	e.f.waiting[class]++
	e.f.queued++
	return e.enqueue(s, exec, x, class, store.Wait_WAIT_ROOM)
}

// prefers is the node where a sticky job ran last.
func (s *subject) prefers() string {
	if s.job.Definition.Sticky {
		return s.st.LastNode
	}
	return ""
}

// enqueue lets an execution wait in a queue, by rank, and watches its start
// deadline there.
func (e *entry) enqueue(s *subject, exec string, x *store.Execution, queue string, wait store.Wait) error {
	x.Wait, x.Class = wait, queue
	x.Rank = max(x.ReadyAt, e.now) - int64(x.Priority)*ageing
	x.Node, x.Incarnation, x.DeadlineAt = "", 0, 0
	if x.Attempts == 0 && s.job.Definition.StartDeadline > 0 {
		x.DeadlineAt = x.ReadyAt + s.job.Definition.StartDeadline
		if err := e.watchDeadline(s, exec, x); err != nil {
			return err
		}
	}
	w := store.WaitingEntry{Class: queue, Rank: x.Rank, Job: s.id, Exec: exec}
	e.f.fronts.join(w)
	if err := e.tx.NoWaiting(w); err != nil { // who waits has one place in line
		return err
	}
	if err := e.tx.PutWaiting(w); err != nil {
		return err
	}
	if err := e.tx.PutActive(s.id, exec, &store.Active{}); err != nil {
		return err
	}
	return e.tx.PutExecution(s.id, exec, x)
}

// assign commits who runs the next attempt, under a new fencing token.
func (e *entry) assign(s *subject, exec string, x *store.Execution, node string) error {
	exclusive := overlapOf(s.job.Definition, x) != store.Overlap_OVERLAP_ALLOW_ALL
	if exclusive {
		if held, err := e.tx.Lock(lockOf(s.id, x)); err != nil {
			return err
		} else if held != nil && held.Execution != exec {
			// Only after an edit from AllowAll: the older one goes first.
			s.st.Active--
			if err := e.vacate(x); err != nil {
				return err
			}
			return e.buffer(s, exec, x)
		}
	}
	sess := e.f.sessions[node]
	sess.load++
	if err := e.forgetDeadline(s, exec, x); err != nil {
		return err
	}
	x.DeadlineAt = 0
	x.Wait, x.Node, x.Incarnation, x.Token = store.Wait_WAIT_ASSIGNED, node, sess.Incarnation, e.sequence()
	x.Class, x.Rank = "", 0
	x.Version = s.job.Version
	x.Attempts++
	if s.job.Definition.Sticky {
		s.st.LastNode = node
	}
	if exclusive {
		lock := &store.Lock{Execution: exec, Node: node, Incarnation: sess.Incarnation, Token: x.Token}
		if err := e.tx.PutLock(lockOf(s.id, x), lock); err != nil {
			return err
		}
	}
	payload, err := e.payload(s, exec, x)
	if err != nil {
		return err
	}
	e.eff.Assigned = append(e.eff.Assigned, Assignment{Job: s.id, Exec: exec, Execution: x, Record: s.job, Payload: payload})
	e.change(ExecutionAssigned, s.id, exec, x)
	if err := e.tx.PutActive(s.id, exec, &store.Active{Node: node, Incarnation: sess.Incarnation, Token: x.Token}); err != nil {
		return err
	}
	return e.tx.PutExecution(s.id, exec, x)
}

func (e *entry) payload(s *subject, exec string, x *store.Execution) ([]byte, error) {
	if !x.HasPayload {
		return s.job.Definition.Payload, nil
	}
	p, err := e.tx.Payload(s.id, exec)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fmt.Errorf("execution %s:%s has lost its payload", s.id, exec)
	}
	return p.Data, nil
}

// release takes an attempt from the node that held it.
func (e *entry) release(s *subject, exec string, x *store.Execution) error {
	if sess := e.f.sessions[x.Node]; sess != nil && sess.Incarnation == x.Incarnation {
		sess.load--
	}
	x.Wait = store.Wait_WAIT_NONE
	lock, err := e.tx.Lock(lockOf(s.id, x))
	if err != nil {
		return err
	}
	if lock != nil && lock.Execution == exec {
		return e.tx.DeleteLock(lockOf(s.id, x))
	}
	return nil
}

// unqueue takes an execution out of the waiting queue, and stops watching its
// start deadline.
func (e *entry) unqueue(s *subject, exec string, x *store.Execution) error {
	if err := e.forgetDeadline(s, exec, x); err != nil {
		return err
	}
	e.forgetWaiting(x)
	return e.tx.DeleteWaiting(store.WaitingEntry{Class: x.Class, Rank: x.Rank, Job: s.id, Exec: exec})
}

// requeue places what waits for room anew: an edit gave the job another handler.
func (e *entry) requeue(s *subject, exec string, x *store.Execution) error {
	if err := e.leave(s, exec, x); err != nil {
		return err
	}
	return e.place(s, exec, x)
}

func (e *entry) forgetWaiting(x *store.Execution) {
	if x.Wait == store.Wait_WAIT_KEY {
		key := strings.TrimPrefix(x.Class, gatePrefix)
		e.f.ajar[key] = true // somebody else is the first in line now, perhaps
		if e.f.gated[key]--; e.f.gated[key] == 0 {
			delete(e.f.gated, key)
			delete(e.f.fronts, x.Class)
		}
		return
	}
	e.f.queued--
	if e.f.waiting[x.Class]--; e.f.waiting[x.Class] == 0 {
		delete(e.f.waiting, x.Class)
		delete(e.f.fronts, x.Class)
	}
}

// settleMax and settleBytes bound what one entry does to rows that no command
// names: what it gives out from the queue, resolves, recalls or ends. With what
// its commands name, it fits one transaction of the store.
const (
	settleMax   = 1_000
	settleBytes = 512 << 10
)

// settle closes an entry: places of concurrency keys, and room, that have become
// free go to who waits for them. Each may make the other free.
func (e *entry) settle() error {
	for {
		if err := e.settleGates(); err != nil {
			return err
		}
		if err := e.settleRoom(); err != nil {
			return err
		}
		if len(e.f.ajar) == 0 || e.eff.More {
			return nil
		}
	}
}

// settleRoom gives room to who waits for it, best rank first over all classes.
func (e *entry) settleRoom() error {
	if e.f.queued == 0 {
		return nil
	}
	heads, err := e.heads()
	if err != nil {
		return err
	}
	for _, w := range heads {
		if e.swept >= settleMax || e.weight >= settleBytes {
			e.eff.More = true
			return nil
		}
		if e.pick(w.Class, "") == "" {
			continue
		}
		if err := e.take(w); err != nil {
			return err
		}
	}
	return nil
}

// heads is who may come off the queue now: of every class that some node has
// room for, no more than there is room.
func (e *entry) heads() ([]store.WaitingEntry, error) {
	var out []store.WaitingEntry
	for _, class := range e.classes() {
		room := e.room(class)
		if room == 0 {
			continue
		}
		line, err := e.line(class, min(room, settleMax+1))
		if err != nil {
			return nil, err
		}
		out = append(out, line...)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Rank < out[j].Rank })
	return out, nil
}

func (e *entry) classes() []string {
	out := make([]string, 0, len(e.f.waiting))
	for class := range e.f.waiting {
		out = append(out, class)
	}
	slices.Sort(out)
	return out
}

// take gives one queued execution to a node, unless it may not start any more.
func (e *entry) take(w store.WaitingEntry) error {
	s, err := e.load(w.Job)
	if err != nil {
		return err
	}
	x, err := e.tx.Execution(w.Job, w.Exec)
	if err != nil {
		return err
	}
	if x == nil || x.Wait != store.Wait_WAIT_ROOM {
		return fmt.Errorf("queued execution %s:%s does not wait", w.Job, w.Exec)
	}
	switch {
	case s.job == nil || s.job.Generation != x.Generation:
		err = e.final(s, w.Exec, x, store.Status_STATUS_CANCELED, store.Reason_REASON_DELETED)
	case x.DeadlineAt > 0 && e.now > x.DeadlineAt:
		err = e.final(s, w.Exec, x, store.Status_STATUS_MISSED, store.Reason_REASON_DEADLINE)
	case classOf(s.job.Definition, x) != w.Class:
		err = e.requeue(s, w.Exec, x)
	default:
		if err = e.unqueue(s, w.Exec, x); err == nil {
			err = e.assign(s, w.Exec, x, e.pick(w.Class, s.prefers()))
		}
	}
	if err != nil {
		return err
	}
	e.swept++
	e.weight += proto.Size(x)
	return e.save(s)
}
