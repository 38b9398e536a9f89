package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/chronos-go/chronos/store"
)

// Settled says what Settle found.
type Settled struct {
	Jobs   int
	Lost   int    // executions that were unfinished
	Missed uint64 // instants that had passed
	Held   int    // jobs that were paused, because their schedules cannot be read
}

// Passed answers for a job whose next instant is not after now: the instants up
// to now that have no row yet, and the next one after now.
type Passed func(job string, rec *store.Job, st *store.Schedule) (span *Span, next int64, err error)

// Settle brings the state of a backup, which nobody else works on, up to an
// instant without running anything. What was unfinished ends as lost, because it
// most probably ran after the backup was taken; instants that have passed are
// accounted for as missed. What it leaves has no unfinished execution, nothing
// that is due by now, and no trace of nodes. A state that somebody made up, and
// of which what the state machine knows without a look (store.Tx.NoExecution) would
// not be true, is ErrCorrupt.
func Settle(ctx context.Context, st *store.Store, now int64, passed Passed) (out Settled, err error) {
	if sequence := st.Applied().GetSequence(); sequence > sequenceMax {
		return out, fmt.Errorf("%w: its newest token is %d", store.ErrCorrupt, sequence)
	}
	defer func() { // what Apply does not expect must not end the host
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: it cannot be settled: %v", store.ErrCorrupt, p)
		}
	}()
	return settle(ctx, st, now, passed)
}

// sequenceMax bounds the tokens of a backup, so that those to come do not begin anew.
const sequenceMax = 1 << 62

func settle(ctx context.Context, st *store.Store, now int64, passed Passed) (Settled, error) {
	s := &settler{st: st, now: now, passed: passed, f: newFSM(st, nil, slog.New(slog.DiscardHandler))}
	if err := s.f.stopped(); err != nil {
		return s.out, err
	}
	s.begin()
	defer func() { s.tx.Discard() }()
	for from := ""; ; {
		ids, next, err := s.page(from)
		if err != nil {
			return s.out, err
		}
		for _, id := range ids {
			if ctx.Err() != nil {
				return s.out, ctx.Err()
			}
			if err := s.job(id); err != nil {
				return s.out, fmt.Errorf("job %s: %w", id, blame(err))
			}
		}
		if from = next; from == "" {
			break
		}
	}
	if err := s.tx.Commit(); err != nil {
		return s.out, err
	}
	return s.out, st.View(func(r *store.Reader) error {
		if err := s.ticks(r); err != nil {
			return err
		}
		return r.CheckLoadable(ctx)
	})
}

// blame says of what the state machine only stops at that it is the backup's fault.
func blame(err error) error {
	if errors.Is(err, errNoRow) {
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	return err
}

// settler works through a state job by job, in transactions of bounded size.
type settler struct {
	st     *store.Store
	f      *fsm
	now    int64
	passed Passed
	out    Settled

	tx *store.Tx
	e  *entry

	next uint64 // jobs that have a next instant
}

func (s *settler) begin() {
	s.tx = s.st.Begin()
	s.e = &entry{
		f: s.f, tx: s.tx, eff: &Effects{}, applied: s.tx.Applied(), now: s.now,
		cmd: &Command{Now: s.now, Actor: "chronos", Note: "restored from a backup"},
	}
}

func (s *settler) flush() error {
	if err := s.tx.Commit(); err != nil {
		return err
	}
	s.begin()
	return nil
}

// page lists some jobs; next is where the following ones begin, "" behind the last.
func (s *settler) page(from string) (ids []string, next string, err error) {
	err = s.st.View(func(r *store.Reader) error {
		return r.Jobs(from, func(id string, _ func() (*store.Job, error)) (bool, error) {
			if len(ids) == settleMax {
				next = id
				return false, nil
			}
			ids = append(ids, id)
			return true, nil
		})
	})
	return ids, next, err
}

func (s *settler) job(id string) error {
	if err := s.whole(id); err != nil {
		return err
	}
	for more := true; more; {
		var err error
		if more, err = s.lose(id); err != nil {
			return err
		}
	}
	sub, err := s.e.load(id)
	if err != nil {
		return err
	}
	if sub.job != nil {
		s.out.Jobs++
		if sub.st.SucceedFrom != 0 { // nobody knows what succeeded since the backup
			s.e.recount(sub)
		}
	}
	if sub.job != nil && sub.st.NextDue != 0 && sub.st.NextDue <= s.now {
		if err := s.pass(sub); err != nil {
			return err
		}
	}
	if err := foreseen(s.tx, id, sub.st); err != nil {
		return err
	}
	if err := s.e.retire(sub); err != nil {
		return err
	}
	if sub.st.NextDue != 0 {
		s.next++
	}
	if err := s.e.save(sub); err != nil {
		return err
	}
	if cells, bytes := s.tx.Size(); cells >= commitCells || bytes >= commitBytes {
		return s.flush()
	}
	return nil
}

// whole tells if a job has all that one has, also when it is deleted.
func (s *settler) whole(id string) error {
	sub, err := s.e.load(id)
	switch {
	case err != nil:
		return err
	case sub.rec.GetDefinition() == nil:
		return fmt.Errorf("%w: it has no definition", store.ErrCorrupt)
	case sub.rec.Generation == 0 || sub.rec.Generation != sub.st.Generation:
		return fmt.Errorf("%w: it is of generation %d, and its schedule of %d", store.ErrCorrupt, sub.rec.Generation, sub.st.Generation)
	}
	return nil
}

// lose ends what is unfinished of a job, as much as one transaction may.
func (s *settler) lose(id string) (more bool, err error) {
	sub, err := s.e.load(id)
	if err != nil || sub.unfinished() == 0 {
		return false, err
	}
	some, err := s.e.someUnfinished(sub, func(*store.Execution) bool { return true }, s.e.afford)
	if err != nil {
		return false, err
	}
	if len(some) == 0 {
		return false, fmt.Errorf("%w: it counts %d unfinished executions and has none", store.ErrCorrupt, sub.unfinished())
	}
	for _, one := range some {
		x := one.x
		if x.Wait == store.Wait_WAIT_ASSIGNED {
			x.Losses++
			record(x, &store.Attempt{
				Number: x.Attempts, Node: x.Node, Token: x.Token, Version: x.Version, Started: min(x.ReadyAt, s.now), Ended: s.now,
				Status: store.Status_STATUS_LOST, Reason: store.Reason_REASON_RESTORE,
				Error: "the job was restored from a backup that was taken before this attempt ended",
			})
		}
		x.RecallAt = 0
		if err := s.e.end(sub, one.exec, x, store.Status_STATUS_LOST, store.Reason_REASON_RESTORE); err != nil {
			return false, err
		}
	}
	s.out.Lost += len(some)
	if err := s.e.save(sub); err != nil {
		return false, err
	}
	return true, s.flush()
}

// pass moves a schedule to after now. A job whose schedule cannot be read here
// is paused: were it to become readable, the past would be due.
func (s *settler) pass(sub *subject) error {
	span, next, err := s.passed(sub.id, sub.job, sub.st)
	if err != nil {
		s.out.Held++
		return s.e.hold(sub, "chronos", fmt.Sprintf("when the job was restored from a backup its schedule could not be read: %.300v", err))
	}
	if err := s.e.clearNext(sub); err != nil {
		return err
	}
	sub.st.CatchingUp, sub.st.CaughtUp = false, 0
	if span != nil {
		s.out.Missed += span.Count
		if err := s.e.span(sub, span); err != nil {
			return err
		}
	}
	if sub.job.Definition.FixedDelay > 0 {
		return s.e.chain(sub, &store.Execution{Generation: sub.job.Generation})
	}
	sub.st.Exhausted = next == 0
	return s.e.setNext(sub, next)
}

// rows is what a reader and a transaction have in common.
type rows interface {
	ExecutionKeys(job, from string, fn func(exec string) bool) error
}

// foreseen tells if the ledger has an occurrence of the schedule beyond the newest one that
// it knows: what is fired after that is taken for new (fireRuns).
func foreseen(r rows, job string, st *store.Schedule) (err error) {
	beyond := ""
	walk := r.ExecutionKeys(job, store.KeyFloor(st.LastDue), func(exec string) bool {
		due, ok := store.KeyDue(exec)
		if ok && due > st.LastDue && store.KeyOccurrence(exec) == store.ScheduledKey(due, st.Generation) {
			beyond = exec
		}
		return beyond == ""
	})
	if walk == nil && beyond != "" {
		return fmt.Errorf("%w: it has an execution %s, and none should be due after %d", store.ErrCorrupt, beyond, st.LastDue)
	}
	return walk
}

// ticks tells if the due index has what the schedules say, and nothing else: whoever moves a
// job's next instant knows of no other (setNext).
func (s *settler) ticks(r *store.Reader) error {
	found := uint64(0)
	err := r.Due(math.MinInt64, func(d store.DueEntry) (bool, error) {
		st, err := r.Schedule(d.Job)
		if err == nil && (d.Kind != store.DueTick || d.Exec != "" || st.GetNextDue() != d.At) {
			err = fmt.Errorf("%w: job %s is due at %d, and its schedule does not say so", store.ErrCorrupt, d.Job, d.At)
		}
		found++
		return true, err
	})
	if err == nil && found != s.next {
		err = fmt.Errorf("%w: %d jobs have a next instant, and %d are due", store.ErrCorrupt, s.next, found)
	}
	return err
}
