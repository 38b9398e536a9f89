package chronos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/chronos-go/chronos/internal/planner"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// Restore brings a backup into a scheduler that has nothing yet: no jobs, no
// ledger. In a cluster it may be called on any node that is up. It returns when
// everything is there, on a majority's disks.
//
// Nothing of the past fires. Instants between the backup and now are recorded as
// missed(restore). What was unfinished in the backup (running, waiting for a
// retry, buffered, committed ahead of its instant) ends as lost(restore),
// whatever the job's Delivery: it most probably went on after the backup was
// taken. From now on every job goes on as its schedule says; a fixed delay counts
// from now, and what was paused stays paused. A Trigger with a key from before
// the backup answers with its first execution.
//
// The backup is read and checked as a whole before anything is changed: one that
// is cut off, is damaged or contradicts itself is ErrCorrupt. ErrConflict: the
// scheduler is not a new one. After any other error, also when the process dies,
// what had come in is taken away again and Restore may be repeated, unless the
// error matches ErrUncertain: then look with Jobs first. While it comes in, calls
// that change jobs answer ErrConflict, nothing is due, and lists show a part.
func (s *Scheduler) Restore(ctx context.Context, r io.Reader) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if !s.restoring.TryLock() {
		return fmt.Errorf("%w: Restore runs already", ErrConflict)
	}
	defer s.restoring.Unlock()
	if err := s.awaitLevel(ctx, raftfsm.Level2, "Restore"); err != nil {
		return err
	}
	if err := s.checkBlank(ctx); err != nil {
		return err
	}
	scratch, err := s.openScratch()
	if err != nil {
		return err
	}
	err = s.restoreFrom(ctx, scratch, r)
	return errors.Join(err, s.dropScratch(scratch))
}

func (s *Scheduler) restoreFrom(ctx context.Context, scratch *store.Store, r io.Reader) error {
	in := bufio.NewReaderSize(contextReader{ctx, r}, backupBuffer)
	head, err := store.ReadBackup(in)
	if err == nil {
		err = scratch.Restore(in) // checks all there is to check
	}
	if err != nil {
		return translate(fmt.Errorf("restore: nothing was changed: %w", err))
	}
	if err := s.awaitBackupLevel(ctx, scratch.Applied().GetLevel()); err != nil {
		return err
	}
	sequence := scratch.Applied().GetSequence() + tokenGap
	now := time.Now()
	settled, err := raftfsm.Settle(ctx, scratch, now.UnixNano(), s.passed(scratch, now))
	if err != nil {
		return translate(fmt.Errorf("restore: nothing was changed: %w", err))
	}
	if err := s.load(ctx, scratch, sequence); err != nil {
		return err
	}
	s.log.Info("chronos: a backup was restored", "of", instant(head.At), "node", head.Node, "jobs", settled.Jobs,
		"lost", settled.Lost, "missed", settled.Missed, "paused", settled.Held)
	return nil
}

// tokenGap is how far fencing tokens jump, so that they are above all that the
// old scheduler gave out after the backup.
const tokenGap = 1 << 32

// awaitBackupLevel refuses a backup that holds what a member of this cluster, or
// this program, would not understand.
func (s *Scheduler) awaitBackupLevel(ctx context.Context, level uint32) error {
	if knows := s.node.Knows(); level > knows {
		return fmt.Errorf("%w: the backup is of feature level %d, this program knows %d: upgrade the module "+
			"github.com/chronos-go/chronos", ErrConflict, level, knows)
	}
	return s.awaitLevel(ctx, level, "Restore")
}

// checkBlank refuses a scheduler that is not a new one, and takes away what a
// restore that had failed has left.
func (s *Scheduler) checkBlank(ctx context.Context) error {
	if err := s.Sync(ctx); err != nil {
		return err
	}
	l, err := s.loading()
	if err != nil {
		return err
	}
	if l != nil && l.Node != s.options.Node && s.lives(l) {
		return restoreUnderWay(l, nil)
	}
	if l != nil {
		if err := s.unload(ctx, l.Id); err != nil {
			return err
		}
	}
	blank := false
	err = s.node.Store().View(func(r *store.Reader) (err error) {
		blank, err = r.Blank()
		return err
	})
	if err != nil {
		return translate(err)
	}
	if !blank {
		return fmt.Errorf("%w: this scheduler has jobs or a ledger already; restore into a new directory (in a cluster: "+
			"new directories on all nodes), before anybody puts jobs", ErrConflict)
	}
	return nil
}

// passed answers, for a job of a backup, what of its schedule has gone by.
func (s *Scheduler) passed(scratch *store.Store, now time.Time) raftfsm.Passed {
	return func(job string, rec *store.Job, st *store.Schedule) (*raftfsm.Span, int64, error) {
		old := seen{rec: rec, st: st}
		err := scratch.View(func(r *store.Reader) (err error) {
			old.ahead, err = planner.Ahead(r, job, st, old.due())
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		def := rec.Definition
		if def.FixedDelay > 0 || def.Schedule == "" {
			return s.overdue(job, old, now, store.Reason_REASON_RESTORE), 0, nil
		}
		c, err := s.schedules.Get(def.Schedule, job)
		if err != nil {
			return nil, 0, scheduleError(err)
		}
		span := s.overdueUpTo(math.MaxUint64, job, old, now, store.Reason_REASON_RESTORE)
		if next, ok := c.Next(now); ok {
			return span, next.UnixNano(), nil
		}
		return span, 0, nil
	}
}

// scratchDir holds a backup while it is read; nothing of it is needed afterwards.
func (s *Scheduler) scratchDir() string { return filepath.Join(s.options.Dir, "restore") }

func (s *Scheduler) openScratch() (*store.Store, error) {
	o := store.Options{InMemory: s.options.InMemory, Logger: s.log, NoSync: true}
	if !o.InMemory {
		o.Dir, o.Guard = s.scratchDir(), s.node.Store().Guard()
		if err := errors.Join(os.RemoveAll(o.Dir), os.MkdirAll(o.Dir, 0o700)); err != nil {
			return nil, translate(err)
		}
	}
	scratch, err := store.Open(o)
	if err != nil {
		return nil, errors.Join(translate(err), s.sweepScratch())
	}
	return scratch, nil
}

func (s *Scheduler) dropScratch(scratch *store.Store) error {
	return errors.Join(scratch.Close(), s.sweepScratch())
}

// sweepScratch removes what a restore, perhaps of a process that died, has left.
func (s *Scheduler) sweepScratch() error {
	if s.options.InMemory {
		return nil
	}
	return os.RemoveAll(s.scratchDir())
}
