package raftfsm

import (
	"fmt"

	"github.com/chronos-go/chronos/store"
)

// audit holds the whole state against the invariants that tie its parts
// together: indexes and counters say exactly what the rows say.
func (s *scenario) audit() error {
	return s.f.st.View(func(r *store.Reader) error {
		a := &auditor{r: r, want: map[string]int{}, load: map[string]int64{}}
		if err := a.jobs(); err != nil {
			return err
		}
		if err := a.indexes(); err != nil {
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
	if st.NextDue != 0 {
		a.want[fmt.Sprintf("due %d %d %s %s", st.NextDue, store.DueTick, id, "")]++
		if rec.Deleted || st.Paused {
			return fmt.Errorf("is due though deleted or paused")
		}
	}
	c := &counts{}
	err = a.r.Executions(id, "", func(exec string, x *store.Execution) (bool, error) {
		return true, a.row(c, id, exec, rec, x)
	})
	if err != nil {
		return err
	}
	lock, err := a.r.Lock(id)
	if err != nil {
		return err
	}
	if lock != nil && c.byExec[lock.Execution] != lock.Token {
		return fmt.Errorf("its lock is held by %s with token %d, which does not run", lock.Execution, lock.Token)
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
	return nil
}

type counts struct {
	active, rows uint64
	buffered     int
	byExec       map[string]uint64
}

func (a *auditor) row(c *counts, id, exec string, rec *store.Job, x *store.Execution) error {
	c.rows++
	if x.Status != store.Status_STATUS_PENDING {
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
		return nil
	case store.Wait_WAIT_ROOM:
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

// memory holds what the state machine keeps in memory against the rows.
func (a *auditor) memory(f *fsm) error {
	if f.queued != a.wait {
		return fmt.Errorf("%d wait for room, memory says %d", a.wait, f.queued)
	}
	for node, sess := range f.sessions {
		if got := a.load[fmt.Sprint(node, sess.Incarnation)]; got != sess.load {
			return fmt.Errorf("node %s holds %d attempts, memory says %d", node, got, sess.load)
		}
	}
	return nil
}
