package raftfsm

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos/store"
)

// A concurrency key is a number of places that jobs share over the cluster. An
// execution takes one before it looks for a node and keeps it until it is final,
// while it waits for a retry, too. Without one it waits at the gate, by rank like
// those that wait for room. How many places there are is the job's own to say.

// enter takes a place of the job's concurrency key, or queues the execution at
// the gate; in tells which. Without a key everybody is in.
func (e *entry) enter(s *subject, exec string, x *store.Execution) (in bool, err error) {
	key := s.job.Definition.ConcurrencyKey
	if x.Slot == key {
		return true, nil
	}
	if err := e.vacate(x); err != nil || key == "" {
		return key == "", err
	}
	if e.f.gated[key] == 0 {
		if in, err = e.occupy(s, x); in || err != nil {
			return in, err
		}
	}
	e.f.gated[key]++
	e.f.ajar[key] = true // it may be the first in line, and have a higher limit
	return false, e.enqueue(s, exec, x, gateOf(key), store.Wait_WAIT_KEY)
}

// occupy takes a place if one is free.
func (e *entry) occupy(s *subject, x *store.Execution) (bool, error) {
	key := s.job.Definition.ConcurrencyKey
	p, err := e.tx.Places(key)
	if err != nil || p.GetTaken() >= uint64(s.job.Definition.ConcurrencyLimit) {
		return false, err
	}
	x.Slot = key
	return true, e.tx.PutPlaces(key, &store.Places{Taken: p.GetTaken() + 1})
}

// vacate gives an execution's place back.
func (e *entry) vacate(x *store.Execution) error {
	key := x.Slot
	if key == "" {
		return nil
	}
	x.Slot = ""
	e.stir(key)
	p, err := e.tx.Places(key)
	if err != nil {
		return err
	}
	if p.GetTaken() == 0 {
		return fmt.Errorf("concurrency key %q has a holder and no place taken", key)
	}
	if p.Taken--; p.Taken == 0 {
		return e.tx.DeletePlaces(key)
	}
	return e.tx.PutPlaces(key, p)
}

// stir has a gate looked at when the entry closes, if anybody waits there.
func (e *entry) stir(key string) {
	if e.f.gated[key] > 0 {
		e.f.ajar[key] = true
	}
}

// settleGates lets in who may. A gate that was not looked at because the entry
// has done enough stays ajar for the next one. A gate that is not ajar has a head that
// may not pass, whatever the time is, so a node that has been restarted may take all of
// them for ajar: it looks in vain, and decides the same as the others.
func (e *entry) settleGates() error {
	for _, key := range slices.Sorted(maps.Keys(e.f.ajar)) {
		for moved := true; moved; {
			if e.swept >= settleMax || e.weight >= settleBytes {
				e.eff.More = true
				return nil
			}
			var err error
			if moved, err = e.letIn(key); err != nil {
				return err
			}
		}
		delete(e.f.ajar, key)
	}
	return nil
}

// letIn takes the first one off a gate's queue, if it may pass.
func (e *entry) letIn(key string) (moved bool, err error) {
	line, err := e.line(gateOf(key), 1)
	if err != nil || len(line) == 0 {
		return false, err
	}
	head := line[0]
	s, err := e.load(head.Job)
	if err != nil {
		return false, err
	}
	x, err := e.tx.Execution(head.Job, head.Exec)
	if err != nil {
		return false, err
	}
	if x == nil || x.Wait != store.Wait_WAIT_KEY {
		return false, fmt.Errorf("execution %s:%s does not wait for %q", head.Job, head.Exec, key)
	}
	if moved, err = e.pass(s, head.Exec, x); err != nil || !moved {
		return false, err
	}
	e.swept++
	e.weight += proto.Size(x)
	return true, e.save(s)
}

// pass lets the head of a gate in if there is a place. Until then nothing happens
// to it here, not even for being late: that the clock goes on makes no gate ajar, and
// who waits for a deadline is told of it by a command.
func (e *entry) pass(s *subject, exec string, x *store.Execution) (moved bool, err error) {
	if s.job == nil || s.job.Generation != x.Generation {
		return true, e.final(s, exec, x, store.Status_STATUS_CANCELED, store.Reason_REASON_DELETED)
	}
	if in, err := e.occupy(s, x); !in || err != nil {
		return false, err
	}
	if x.DeadlineAt > 0 && e.now > x.DeadlineAt {
		return true, e.final(s, exec, x, store.Status_STATUS_MISSED, store.Reason_REASON_DEADLINE)
	}
	if err := e.unqueue(s, exec, x); err != nil {
		return false, err
	}
	return true, e.seat(s, exec, x)
}
