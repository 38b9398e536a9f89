package raftfsm

import (
	"maps"
	"slices"

	"github.com/chronos-go/chronos/store"
)

// A job that runs on every node has, for each of its instants, one execution per
// node that runs then and can have it. Each is for that node alone, and meets the
// overlap policy with what is unfinished on that node.

// targets names the nodes that an instant is for now. One that was not heard of
// for a moment is among them: if it is dead, its lease will tell.
func (e *entry) targets(def *store.Definition) []string {
	c := parseClass(classOf(def, nil))
	var out []string
	for _, node := range slices.Sorted(maps.Keys(e.f.sessions)) {
		sess := e.f.sessions[node]
		if sess.Capacity > 0 && !sess.Expired && sess.runs(node, c) {
			out = append(out, node)
		}
	}
	return out
}

// each makes the executions of one occurrence; base is its key. It returns the
// keys of those that are there now, new or not, and how many are new.
// prepare, if not nil, sees the key of each new one first.
func (e *entry) each(s *subject, base string, made func() *store.Execution, prepare func(exec string) error) (keys []string, fresh uint64, err error) {
	targets := []string{""}
	if s.job.Definition.EveryNode {
		targets = e.targets(s.job.Definition)
	}
	for _, target := range targets {
		exec := store.TargetKey(base, target)
		old, err := e.tx.Execution(s.id, exec)
		if err != nil {
			return nil, 0, err
		}
		keys = append(keys, exec)
		if old != nil {
			continue // the same occurrence a second time: the first one stands
		}
		if err := e.tx.NoActive(s.id, exec); err != nil {
			return nil, 0, err
		}
		if prepare != nil {
			if err := prepare(exec); err != nil {
				return nil, 0, err
			}
		}
		x := made()
		x.Target = target
		if err := e.admit(s, exec, x); err != nil {
			return nil, 0, err
		}
		fresh++
	}
	return keys, fresh, nil
}

// nowhere is the row of an instant for every node that came when no node was
// there.
func (e *entry) nowhere(s *subject, base string, x *store.Execution) error {
	found, err := e.occurred(s, base, func(string, *store.Execution) bool { return true })
	if err != nil || found {
		return err
	}
	x.Status, x.Version, x.CreatedAt = store.Status_STATUS_PENDING, s.job.Version, e.now
	s.st.Rows++
	e.change(ExecutionCreated, s.id, base, x)
	return e.verdict(s, base, x, store.Status_STATUS_MISSED, store.Reason_REASON_NODE)
}

// rivals counts what an execution has to share the job with: all that is
// unfinished and not buffered, or, if it is for a node, what of it is for that
// node, or for any: the job has been another until just now.
func (e *entry) rivals(s *subject, target string) (uint64, error) {
	if target == "" || s.st.Active == 0 {
		return s.st.Active, nil
	}
	buffered := make(map[string]bool, len(s.st.Buffer))
	for _, exec := range s.st.Buffer {
		buffered[exec] = true
	}
	n := uint64(0)
	err := e.tx.Active(s.id, "", "", func(_, exec string, _ *store.Active) (bool, error) {
		if shares(target, store.KeyTarget(exec)) && !buffered[exec] && !s.aside[exec] {
			n++
		}
		return true, nil
	})
	return n, err
}

// buffered counts what waits for the same as an execution with that target.
func (s *subject) buffered(target string) (n int) {
	for _, exec := range s.st.Buffer {
		if shares(target, store.KeyTarget(exec)) {
			n++
		}
	}
	return n
}

// shares tells if an execution with a target ("" = any node) has to share the job
// with one of another: what is for any node may be on that one.
func shares(target, other string) bool { return target == "" || other == "" || target == other }

// splits tells if some of the buffer is for one node: it does not wait for all of
// the job.
func (s *subject) splits() bool {
	return slices.ContainsFunc(s.st.Buffer, func(exec string) bool { return store.KeyTarget(exec) != "" })
}

// lockOf names the lock of an exclusive job that an execution needs.
func lockOf(job string, x *store.Execution) string { return store.TargetKey(job, x.Target) }

// withTarget narrows a choice of executions to those that x has to share with.
func withTarget(x *store.Execution, want func(*store.Execution) bool) func(*store.Execution) bool {
	return func(o *store.Execution) bool { return shares(x.Target, o.Target) && want(o) }
}

// split takes out of a buffer what an execution with that target has to share
// the job with.
func split(buffer []string, target string) (its, rest []string) {
	for _, exec := range buffer {
		if shares(target, store.KeyTarget(exec)) {
			its = append(its, exec)
		} else {
			rest = append(rest, exec)
		}
	}
	return its, rest
}
