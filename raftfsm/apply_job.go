package raftfsm

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos/store"
)

// sweepMax bounds the steps in which much is deleted or resolved, so that other
// entries get their turn in between.
const sweepMax = 500

func (e *entry) put(c *Put) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	if res := e.refusePut(s, c); res != nil {
		return res, nil
	}
	if s.job == nil {
		err = e.create(s, c)
	} else {
		err = e.edit(s, c)
	}
	if err != nil {
		return nil, err
	}
	e.eff.Changes = append(e.eff.Changes, Change{Kind: JobPut, At: e.now, Job: s.id, Version: s.rec.Version, Limited: s.limited()})
	res := &Result{Version: s.rec.Version, Changed: true}
	s.keep = false
	if err := e.retire(s); err != nil {
		return nil, err
	}
	return res, e.save(s)
}

// refusePut is the answer to a Put that changes nothing, nil if it does.
func (e *entry) refusePut(s *subject, c *Put) *Result {
	cur := s.version()
	if c.HasExpect && c.ExpectVersion != cur {
		return &Result{
			Code:    Code_CODE_CONFLICT,
			Version: cur,
			Text:    versionText(c.Job, cur, c.ExpectVersion),
		}
	}
	if s.job != nil && proto.Equal(s.job.Definition, c.Definition) {
		return &Result{Version: cur}
	}
	if s.job == nil && s.unfinished() > 0 {
		return &Result{Code: Code_CODE_STALE, Count: s.unfinished()} // its deletion is still under way
	}
	if c.BaseVersion != cur || s.job != nil && (c.BaseDue != s.nextDue() || c.BaseWithdrawn != s.st.Withdrawn) {
		return &Result{Code: Code_CODE_STALE, Version: cur}
	}
	return nil
}

// nextDue is where the schedule stands, or where it stood still.
func (s *subject) nextDue() int64 {
	if s.st.Paused {
		return s.st.PausedDue
	}
	return s.st.NextDue
}

func versionText(job string, is, want uint64) string {
	switch {
	case want == 0:
		return fmt.Sprintf("job %q exists already, at version %d", job, is)
	case is == 0:
		return fmt.Sprintf("job %q does not exist; version %d was expected", job, want)
	}
	return fmt.Sprintf("job %q is at version %d, not %d", job, is, want)
}

func (e *entry) create(s *subject, c *Put) error {
	last := uint64(0)
	if s.rec != nil {
		last = s.rec.Version
	}
	s.rec = &store.Job{
		Generation: e.sequence(), Version: last + 1, CreatedAt: e.now, UpdatedAt: e.now,
		Actor: e.cmd.Actor, Note: e.cmd.Note, Definition: c.Definition,
	}
	s.job = s.rec
	s.st = &store.Schedule{Generation: s.rec.Generation, Rows: s.st.Rows}
	e.recount(s)
	if err := e.setNext(s, c.NextDue); err != nil {
		return err
	}
	s.st.Exhausted = c.NextDue == 0 && c.Definition.Schedule != ""
	return e.writeVersion(s, c.RollbackTo)
}

func (e *entry) edit(s *subject, c *Put) error {
	s.keep = true
	s.rewrite()
	s.rec.Version++
	s.rec.UpdatedAt, s.rec.Actor, s.rec.Note = e.now, e.cmd.Actor, e.cmd.Note
	old := s.rec.Definition
	s.rec.Definition = c.Definition
	e.recountEdit(s, old)
	if c.Overdue != nil {
		if err := e.span(s, c.Overdue); err != nil {
			return err
		}
	}
	if err := e.lapse(s); err != nil {
		return err
	}
	if err := e.recallAhead(s); err != nil {
		return err
	}
	if err := e.rehandle(s); err != nil {
		return err
	}
	next := c.NextDue
	waits := c.Definition.FixedDelay > 0 && s.st.Active > 0
	if used, err := e.usedUp(s); err != nil {
		return err
	} else if used || waits {
		next = 0
	}
	s.st.CatchingUp, s.st.CaughtUp = false, 0
	if s.st.Paused {
		s.st.PausedDue = next
	} else if err := e.setNext(s, next); err != nil {
		return err
	}
	s.st.Exhausted = next == 0 && !waits && c.Definition.Schedule != ""
	return e.writeVersion(s, c.RollbackTo)
}

// usedUp tells if the job has had all its runs. What is under recall may come
// back, and then it was none.
func (e *entry) usedUp(s *subject) (bool, error) {
	limit := uint64(s.job.Definition.MaxRuns)
	if limit == 0 || s.st.Runs < limit {
		return false, nil
	}
	back, err := e.unfinished(s, func(x *store.Execution) bool {
		return x.RecallAt != 0 && withdrawable(x, x.RecallAt)
	})
	return s.st.Runs-uint64(len(back)) >= limit, err
}

func (e *entry) writeVersion(s *subject, rolledBackTo uint64) error {
	if err := e.tx.PutJob(s.id, s.rec); err != nil {
		return err
	}
	if err := e.tx.NoVersion(s.id, s.rec.Version); err != nil { // versions of a job only grow, and forget removes them before the record
		return err
	}
	return e.tx.PutVersion(s.id, s.rec.Version, &store.Version{
		Generation: s.rec.Generation, At: e.now, Actor: e.cmd.Actor, Note: e.cmd.Note,
		Deleted: s.rec.Deleted, RolledBackTo: rolledBackTo, Definition: s.rec.Definition,
	})
}

// recallAhead takes back what was assigned before its instant and has not
// started: an edit must not let it start under the old definition. Whoever
// holds such an attempt knows if it started, so it is asked; its answer is a
// HandBack.
func (e *entry) recallAhead(s *subject) error {
	ahead, err := e.unfinished(s, func(x *store.Execution) bool {
		return x.ReadyAt > e.now && x.RecallAt == 0 &&
			(x.Wait == store.Wait_WAIT_ASSIGNED || x.Wait != store.Wait_WAIT_OVERLAP && withdrawable(x, e.now))
	})
	if err != nil {
		return err
	}
	for _, one := range ahead {
		if one.x.Wait != store.Wait_WAIT_ASSIGNED {
			err = e.withdraw(s, one.exec, one.x, e.now)
		} else {
			one.x.RecallAt = e.now
			e.eff.Recalled = append(e.eff.Recalled, holding(s.id, one.exec, one.x, store.Reason_REASON_EDIT))
			err = e.tx.PutExecution(s.id, one.exec, one.x)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rehandle moves what waits for room, or for a place of a concurrency key, to the
// queue that the job as it is now calls for: nobody may have the old handler.
func (e *entry) rehandle(s *subject) error {
	def := s.job.Definition
	e.stir(def.ConcurrencyKey) // its limit may be higher now
	moved, err := e.unfinished(s, func(x *store.Execution) bool {
		switch x.Wait {
		case store.Wait_WAIT_ROOM:
			return x.Class != classOf(def, x) || x.Slot != def.ConcurrencyKey
		case store.Wait_WAIT_KEY:
			return x.Class != gateOf(def.ConcurrencyKey)
		}
		return false
	})
	if err != nil {
		return err
	}
	for _, one := range moved {
		if err := e.requeue(s, one.exec, one.x); err != nil {
			return err
		}
	}
	return nil
}

// lapse ends recalls that are not answered by the time of what they recall. Who
// accounts for the instants up to now leaves those out that have a row; such a
// row must not be withdrawn afterwards.
func (e *entry) lapse(s *subject) error {
	passed, err := e.unfinished(s, func(x *store.Execution) bool { return x.RecallAt != 0 && x.Due <= e.now })
	if err != nil {
		return err
	}
	for _, one := range passed {
		one.x.RecallAt = 0
		if err := e.tx.PutExecution(s.id, one.exec, one.x); err != nil {
			return err
		}
	}
	return nil
}

// withdrawable tells if an edit at that instant leaves the occurrence to the
// new definition: it was fired ahead of its due instant and never started.
func withdrawable(x *store.Execution, edit int64) bool {
	return x.Origin == store.Origin_ORIGIN_SCHEDULE && x.Attempts <= 1 && x.Failures+x.Losses == 0 && x.Due > edit
}

type row struct {
	exec string
	x    *store.Execution
}

// unfinished lists executions of a job that are not final. What a policy or an
// edit demands holds for all of them, however many there are.
func (e *entry) unfinished(s *subject, want func(*store.Execution) bool) ([]row, error) {
	return e.someUnfinished(s, want, func(*store.Execution) bool { return true })
}

// someUnfinished lists them as long as more answers true.
func (e *entry) someUnfinished(s *subject, want, more func(*store.Execution) bool) ([]row, error) {
	if s.unfinished() == 0 {
		return nil, nil
	}
	var keys []string
	err := e.tx.Active(s.id, "", "", func(_, exec string, _ *store.Active) (bool, error) {
		keys = append(keys, exec)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	var out []row
	for _, exec := range keys {
		x, err := e.tx.Execution(s.id, exec)
		if err != nil {
			return nil, err
		}
		if x == nil {
			return nil, fmt.Errorf("active execution %s:%s %w", s.id, exec, errNoRow)
		}
		if !want(x) {
			continue
		}
		if !more(x) {
			break
		}
		out = append(out, row{exec, x})
	}
	return out, nil
}

// delete removes the job and ends what it has unfinished, sweepMax at a time:
// Count is how many are left, and the same command again takes the next ones.
func (e *entry) delete(c *Delete) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	if s.job == nil && s.unfinished() == 0 {
		return notFound("job", c.Job), nil
	}
	if c.HasExpect && c.ExpectVersion != s.version() {
		return &Result{
			Code:    Code_CODE_CONFLICT,
			Version: s.version(),
			Text:    versionText(c.Job, s.version(), c.ExpectVersion),
		}, nil
	}
	if s.job != nil && c.BaseVersion != 0 && (c.BaseVersion != s.version() || c.BaseDue != s.nextDue() || c.BaseWithdrawn != s.st.Withdrawn) {
		return &Result{Code: Code_CODE_STALE, Version: s.version()}, nil
	}
	if s.job != nil {
		if c.Overdue != nil {
			if err := e.span(s, c.Overdue); err != nil {
				return nil, err
			}
		}
		if err := e.bury(s); err != nil {
			return nil, err
		}
	}
	any := func(*store.Execution) bool { return true }
	rest, err := e.someUnfinished(s, any, e.afford)
	if err != nil {
		return nil, err
	}
	for _, one := range rest {
		e.revoke(s.id, one.exec, one.x, store.Reason_REASON_DELETED)
		if err := e.final(s, one.exec, one.x, store.Status_STATUS_CANCELED, store.Reason_REASON_DELETED); err != nil {
			return nil, err
		}
	}
	return &Result{Version: s.rec.Version, Changed: true, Count: s.unfinished()}, e.save(s)
}

// bury turns the job's record into a tombstone. History and versions stay
// until retention takes them.
func (e *entry) bury(s *subject) error {
	if err := e.clearNext(s); err != nil {
		return err
	}
	e.stir(s.rec.Definition.ConcurrencyKey) // who waits there for this job may wait no more
	s.rewrite()
	s.rec.Deleted = true
	s.rec.Version++
	// What it was stands in the version before; retention goes on.
	s.rec.Definition = &store.Definition{KeepAge: s.rec.Definition.KeepAge, KeepCount: s.rec.Definition.KeepCount}
	s.rec.UpdatedAt, s.rec.Actor, s.rec.Note = e.now, e.cmd.Actor, e.cmd.Note
	s.job = nil
	s.st.Paused, s.st.PausedDue, s.st.Exhausted = false, 0, true
	e.eff.Changes = append(e.eff.Changes, Change{Kind: JobDeleted, At: e.now, Job: s.id, Version: s.rec.Version})
	return e.writeVersion(s, 0)
}

func (e *entry) pause(c *Pause) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	if s.job == nil {
		return notFound("job", c.Job), nil
	}
	switch {
	case s.st.Paused && s.st.SucceedFrom == 0:
		return &Result{Version: s.version()}, nil
	case s.st.Paused: // it has paused itself, and counts on: now somebody knows
		s.st.PauseActor, s.st.PauseNote = e.cmd.Actor, e.cmd.Note
		e.eff.Changes = append(e.eff.Changes, Change{Kind: JobPaused, At: e.now, Job: s.id, Version: s.version()})
	default:
		if err := e.hold(s, e.cmd.Actor, e.cmd.Note); err != nil {
			return nil, err
		}
	}
	s.st.SucceedFrom = 0
	return &Result{Version: s.version(), Changed: true}, e.save(s)
}

// hold pauses the job: nothing comes due until it is resumed.
func (e *entry) hold(s *subject, actor, note string) error {
	if s.st.Paused {
		return nil
	}
	due := s.st.NextDue
	if err := e.clearNext(s); err != nil {
		return err
	}
	s.st.Paused, s.st.PausedDue, s.st.PausedAt = true, due, e.now
	s.st.PauseActor, s.st.PauseNote = actor, note
	e.eff.Changes = append(e.eff.Changes, Change{Kind: JobPaused, At: e.now, Job: s.id, Version: s.version()})
	return e.recallAhead(s)
}

func (e *entry) resume(c *Resume) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	if s.job == nil {
		return notFound("job", c.Job), nil
	}
	if !s.st.Paused {
		return &Result{Version: s.version()}, nil
	}
	if c.BaseVersion != s.version() || c.BaseDue != s.st.PausedDue || c.BaseWithdrawn != s.st.Withdrawn {
		return &Result{Code: Code_CODE_STALE, Version: s.version()}, nil
	}
	if c.Paused != nil {
		if err := e.span(s, c.Paused); err != nil {
			return nil, err
		}
	}
	if err := e.lapse(s); err != nil {
		return nil, err
	}
	s.st.Paused, s.st.PausedDue, s.st.PausedAt, s.st.PauseActor, s.st.PauseNote = false, 0, 0, "", ""
	next := c.NextDue
	def := s.job.Definition
	waits := def.FixedDelay > 0 && s.st.Active > 0
	if used, err := e.usedUp(s); err != nil {
		return nil, err
	} else if used || waits {
		next = 0
	}
	s.st.CatchingUp, s.st.CaughtUp = false, 0
	if err := e.setNext(s, next); err != nil {
		return nil, err
	}
	s.st.Exhausted = next == 0 && !waits && def.Schedule != ""
	e.recount(s)
	e.eff.Changes = append(e.eff.Changes, Change{Kind: JobResumed, At: e.now, Job: s.id, Version: s.version(), Limited: s.limited()})
	res := &Result{Version: s.version(), Changed: true}
	if err := e.retire(s); err != nil {
		return nil, err
	}
	return res, e.save(s)
}
