package raftfsm

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/chronos-go/chronos/store"
)

// audit holds the whole state against the invariants that tie its parts
// together: indexes and counters say exactly what the rows say.
func (s *scenario) audit() error {
	return s.f.st.View(func(r *store.Reader) error {
		a := &auditor{r: r, want: map[string]int{}, load: map[string]int64{}, slots: map[string]uint64{}, gated: map[string]int{}}
		if err := a.jobs(); err != nil {
			return err
		}
		if err := a.orphans(); err != nil {
			return err
		}
		if err := a.indexes(); err != nil {
			return err
		}
		if err := a.gates(s.f); err != nil {
			return err
		}
		return a.memory(s.f)
	})
}

type auditor struct {
	r    *store.Reader
	want map[string]int // index entries that the rows call for
	load map[string]int64
	wait int

	slots map[string]uint64 // places of concurrency keys that rows hold
	gated map[string]int    // and those that wait for one
}

func (a *auditor) jobs() error {
	var ids []string
	err := a.r.Jobs("", func(id string, _ func() (*store.Job, error)) (bool, error) {
		ids = append(ids, id)
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := a.job(id); err != nil {
			return fmt.Errorf("job %s: %w", id, err)
		}
	}
	return nil
}

// orphans finds what no job has: a new one does not look for it (load, writeVersion).
func (a *auditor) orphans() error {
	return a.r.Loadable(func(key, _ []byte) error {
		prefix, id, _ := strings.Cut(string(key), "/")
		version := uint64(0)
		switch prefix {
		case "schedule":
		case "versions":
			var n string
			id, n, _ = strings.Cut(id, "\x00")
			version = binary.BigEndian.Uint64([]byte(n))
		default:
			return nil
		}
		rec, err := a.r.Job(id)
		if err == nil && (rec == nil || version > rec.Version) {
			err = fmt.Errorf("record %q is left of job %s, at version %d", key, id, rec.GetVersion())
		}
		return err
	})
}

func (a *auditor) job(id string) error {
	rec, err := a.r.Job(id)
	if err != nil {
		return err
	}
	st, err := a.r.Schedule(id)
	if err != nil {
		return err
	}
	if st == nil {
		return fmt.Errorf("has no schedule record")
	}
	if rec.Generation != st.Generation || rec.Generation > a.r.Applied().Sequence {
		return fmt.Errorf("is of generation %d, its schedule of %d, and the newest is %d", rec.Generation, st.Generation, a.r.Applied().Sequence)
	}
	if st.NextDue != 0 {
		a.want[fmt.Sprintf("due %d %d %s %s", st.NextDue, store.DueTick, id, "")]++
		if rec.Deleted || st.Paused {
			return fmt.Errorf("is due though deleted or paused")
		}
	}
	c := &counts{on: map[string]bool{}, st: st}
	err = a.r.Executions(id, "", func(exec string, x *store.Execution) (bool, error) {
		return true, a.row(c, id, exec, rec, x)
	})
	if err != nil {
		return err
	}
	for _, target := range []string{"", "a", "b"} {
		lock, err := a.r.Lock(store.TargetKey(id, target))
		if err != nil {
			return err
		}
		if lock != nil && c.byExec[lock.Execution] != lock.Token {
			return fmt.Errorf("its lock is held by %s with token %d, which does not run", lock.Execution, lock.Token)
		}
	}
	switch {
	case st.Active != c.active:
		return fmt.Errorf("counts %d unfinished executions, has %d", st.Active, c.active)
	case len(st.Buffer) != c.buffered:
		return fmt.Errorf("has %d in its buffer, %d rows say so", len(st.Buffer), c.buffered)
	case st.Rows != c.rows:
		return fmt.Errorf("counts %d rows, has %d", st.Rows, c.rows)
	case c.buffered > 0 && c.active == 0:
		return fmt.Errorf("is idle, and %d are buffered", c.buffered)
	}
	if err := foreseen(a.r, id, st); err != nil {
		return err
	}
	for _, exec := range st.Buffer {
		if target := store.KeyTarget(exec); target != "" && !c.on[target] && !c.on[""] {
			return fmt.Errorf("is idle on %s, and %s is buffered", target, exec)
		}
	}
	return nil
}

type counts struct {
	st           *store.Schedule
	active, rows uint64
	buffered     int
	byExec       map[string]uint64
	on           map[string]bool // nodes that unfinished executions are for; "" = any
}

func (a *auditor) row(c *counts, id, exec string, rec *store.Job, x *store.Execution) error {
	c.rows++
	if x.Target != store.KeyTarget(exec) {
		return fmt.Errorf("%s is for %q", exec, x.Target)
	}
	if x.Slot != "" {
		a.slots[x.Slot]++
	}
	if x.Origin == store.Origin_ORIGIN_SCHEDULE && x.Generation == c.st.Generation && max(x.Due, x.RangeTo) > c.st.LastDue {
		return fmt.Errorf("%s is beyond the newest instant %d", exec, c.st.LastDue)
	}
	if x.Status != store.Status_STATUS_PENDING {
		if x.Slot != "" {
			return fmt.Errorf("%s is final and holds a place of %q", exec, x.Slot)
		}
		if x.Wait != store.Wait_WAIT_NONE {
			return fmt.Errorf("%s is final and waits", exec)
		}
		return nil
	}
	if rec.Deleted {
		return fmt.Errorf("%s is unfinished though the job is deleted", exec)
	}
	a.want[fmt.Sprintf("active %s %s %s %d", id, exec, x.Node, x.Incarnation)]++
	switch x.Wait {
	case store.Wait_WAIT_OVERLAP:
		c.buffered++
		a.deadline(id, exec, x)
		if x.Slot != "" {
			return fmt.Errorf("%s is buffered and holds a place of %q", exec, x.Slot)
		}
		return nil
	case store.Wait_WAIT_KEY:
		a.gated[strings.TrimPrefix(x.Class, gatePrefix)]++
		if x.Class != gateOf(rec.Definition.ConcurrencyKey) || x.Slot != "" {
			return fmt.Errorf("%s waits at %s with a place of %q", exec, x.Class, x.Slot)
		}
		a.want[fmt.Sprintf("waiting %s %d %s %s", x.Class, x.Rank, id, exec)]++
		a.deadline(id, exec, x)
	case store.Wait_WAIT_ROOM:
		if x.Slot != rec.Definition.ConcurrencyKey {
			return fmt.Errorf("%s waits for room with a place of %q", exec, x.Slot)
		}
		a.wait++
		a.want[fmt.Sprintf("waiting %s %d %s %s", x.Class, x.Rank, id, exec)]++
		a.deadline(id, exec, x)
	case store.Wait_WAIT_INSTANT:
		a.want[fmt.Sprintf("due %d %d %s %s", x.ReadyAt, store.DueReady, id, exec)]++
	case store.Wait_WAIT_ASSIGNED:
		a.load[fmt.Sprint(x.Node, x.Incarnation)]++
		if c.byExec == nil {
			c.byExec = map[string]uint64{}
		}
		c.byExec[exec] = x.Token
	default:
		return fmt.Errorf("%s is unfinished and waits for nothing", exec)
	}
	c.active++
	c.on[x.Target] = true
	return nil
}

// gates holds the places taken against the rows, and finds who could pass.
func (a *auditor) gates(f *fsm) error {
	for _, key := range []string{"p", "q"} {
		p, err := a.r.Places(key)
		if err != nil {
			return err
		}
		if p.GetTaken() != a.slots[key] || f.gated[key] != a.gated[key] {
			return fmt.Errorf("key %s: %d places are taken, the record says %d; %d wait, memory says %d", key, a.slots[key], p.GetTaken(), a.gated[key], f.gated[key])
		}
		err = a.r.Waiting(gateOf(key), func(w store.WaitingEntry) (bool, error) {
			rec, err := a.r.Job(w.Job)
			if err == nil && p.GetTaken() < uint64(rec.Definition.ConcurrencyLimit) && !f.ajar[key] {
				err = fmt.Errorf("key %s: %d of %d places are taken, and %s:%s waits", key, p.GetTaken(), rec.Definition.ConcurrencyLimit, w.Job, w.Exec)
			}
			return false, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *auditor) deadline(id, exec string, x *store.Execution) {
	if x.DeadlineAt != 0 {
		a.want[fmt.Sprintf("due %d %d %s %s", x.DeadlineAt, store.DueDeadline, id, exec)]++
	}
}

// indexes takes away what the indexes hold from what the rows call for.
func (a *auditor) indexes() error {
	err := a.r.Due(-1<<63, func(e store.DueEntry) (bool, error) {
		a.want[fmt.Sprintf("due %d %d %s %s", e.At, e.Kind, e.Job, e.Exec)]--
		return true, nil
	})
	if err != nil {
		return err
	}
	err = a.r.Active("", "", "", func(job, exec string, x *store.Active) (bool, error) {
		a.want[fmt.Sprintf("active %s %s %s %d", job, exec, x.Node, x.Incarnation)]--
		return true, nil
	})
	if err != nil {
		return err
	}
	err = a.r.Waiting("", func(w store.WaitingEntry) (bool, error) {
		a.want[fmt.Sprintf("waiting %s %d %s %s", w.Class, w.Rank, w.Job, w.Exec)]--
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, k := range sortedKeys(a.want) {
		if a.want[k] != 0 {
			return fmt.Errorf("index entry %q: %d too few", k, a.want[k])
		}
	}
	return nil
}

// lines holds the fronts of the queues against the queues: a queue has a front, and
// nothing waits before it.
func (a *auditor) lines(f *fsm) error {
	queues := map[string]bool{}
	err := a.r.Waiting("", func(w store.WaitingEntry) (bool, error) {
		queues[w.Class] = true
		if front, ok := f.fronts[w.Class]; !ok || w.Before(front) {
			return false, fmt.Errorf("%+v waits before the front of its queue, %+v", w, front)
		}
		return true, nil
	})
	if err == nil && len(queues) != len(f.fronts) {
		err = fmt.Errorf("%d queues have entries, %d have a front", len(queues), len(f.fronts))
	}
	return err
}

// memory holds what the state machine keeps in memory against the rows.
func (a *auditor) memory(f *fsm) error {
	if f.queued != a.wait {
		return fmt.Errorf("%d wait for room, memory says %d", a.wait, f.queued)
	}
	if err := a.lines(f); err != nil {
		return err
	}
	for node, sess := range f.sessions {
		if got := a.load[fmt.Sprint(node, sess.Incarnation)]; got != sess.load {
			return fmt.Errorf("node %s holds %d attempts, memory says %d", node, got, sess.load)
		}
	}
	return nil
}
