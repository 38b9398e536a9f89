package chronos

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos/internal/planner"
	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// countMax bounds how many instants an edit or a resume counts one by one; what
// it passes over beyond that is recorded as "at least so many".
const countMax = 1_000_000

// Put creates the job, or replaces its definition, and gives it back as stored.
// A definition that is unchanged makes no new version, so every node may
// declare its jobs whenever it starts. With Job.Version set it is a compare and
// swap. A changed job counts from now on: instants before the edit that had not
// fired are recorded as missed, and an execution that was to start a moment
// later does not start under the old definition once Put has returned.
func (s *Scheduler) Put(ctx context.Context, job Job) (Job, error) {
	if err := s.begin(ctx); err != nil {
		return Job{}, err
	}
	return s.put(ctx, job, 0)
}

// Check tells what Put would do with the job, and does nothing: it gives the job as
// it would be stored, with its defaults filled in and the version that it has now (0
// if it is new), and whether that would be a new version. Errors are those of Put,
// ErrConflict for Job.Version included. It goes by what this node knows; Sync brings
// a node of a cluster up to date first.
func (s *Scheduler) Check(ctx context.Context, job Job) (stored Job, changes bool, err error) {
	if err := s.begin(ctx); err != nil {
		return Job{}, false, err
	}
	if err := s.awaitJob(ctx, &job); err != nil {
		return Job{}, false, err
	}
	cmd, err := s.putCommand(ctx, job, 0)
	if err != nil {
		return Job{}, false, err
	}
	put := cmd.GetPut()
	if put.HasExpect && put.ExpectVersion != put.BaseVersion {
		return Job{}, false, fmt.Errorf("%w: job %q is at version %d (0: there is none), not at %d", ErrConflict, job.ID, put.BaseVersion, put.ExpectVersion)
	}
	now, err := s.look(job.ID)
	if err != nil {
		return Job{}, false, err
	}
	stored = s.jobFrom(job.ID, put.Definition)
	stored.Version, stored.Note = put.BaseVersion, job.Note
	if now.rec != nil {
		stored.State = stateFrom(now.rec, now.st, time.Now())
	}
	return stored, now.rec == nil || !proto.Equal(now.rec.Definition, put.Definition), nil
}

func (s *Scheduler) put(ctx context.Context, job Job, rollback uint64) (Job, error) {
	if err := s.awaitJob(ctx, &job); err != nil {
		return Job{}, err
	}
	stored, _, err := s.commitPut(ctx, job.ID, func() (*raftfsm.Command, error) { return s.putCommand(ctx, job, rollback) })
	return stored, err
}

// commitPut commits what a function makes of the job as it is now, and again if
// the job has changed meanwhile.
func (s *Scheduler) commitPut(ctx context.Context, job string, command func() (*raftfsm.Command, error)) (stored Job, changed bool, err error) {
	id, err := commandID()
	if err != nil {
		return Job{}, false, err
	}
	for {
		cmd, err := command()
		if err != nil {
			return Job{}, false, err
		}
		cmd.Id = id[:]
		res, err := s.propose(ctx, cmd)
		if err != nil {
			return Job{}, false, err
		}
		if res.Code == raftfsm.Code_CODE_STALE {
			if err := s.stale(ctx, job, res); err != nil {
				return Job{}, false, err
			}
			id[15]++ // the answer "look again" is remembered, too
			continue
		}
		if err := verdict(res); err != nil {
			return Job{}, false, err
		}
		return s.stored(cmd, res), res.Changed, nil
	}
}

// stored is the job as this Put left it. It was committed: whatever happens to
// the job or to the caller's context afterwards does not make it an error.
func (s *Scheduler) stored(cmd *raftfsm.Command, res *raftfsm.Result) Job {
	put := cmd.GetPut()
	if now, err := s.look(put.Job); err == nil && now.rec.GetVersion() == res.Version {
		return s.jobWithState(put.Job, now.rec, now.st)
	}
	job := s.jobFrom(put.Job, put.Definition)
	job.Version, job.Note = res.Version, cmd.Note
	return job
}

// stale prepares another try: the job changed between reading and committing,
// or its deletion is still under way and is helped along.
func (s *Scheduler) stale(ctx context.Context, job string, res *raftfsm.Result) error {
	if res.Count == 0 {
		return ctx.Err()
	}
	// Version 0: should somebody have put the job anew meanwhile, it stays.
	help := &raftfsm.Delete{Job: job, HasExpect: true}
	_, err := s.propose(ctx, &raftfsm.Command{Body: &raftfsm.Command_Delete{Delete: help}})
	return err
}

// seen is what a proposer read of a job before it decided.
type seen struct {
	rec   *store.Job // nil if there is no such job now
	st    *store.Schedule
	ahead planner.Instants // due, and in the ledger already
}

// due is where the schedule stands, or stood still when the job was paused.
func (old seen) due() int64 {
	switch {
	case old.rec == nil:
		return 0
	case old.st.Paused:
		return old.st.PausedDue
	}
	return old.st.NextDue
}

func (s *Scheduler) look(job string) (out seen, err error) {
	err = s.node.Store().View(func(r *store.Reader) (err error) {
		out, err = seenBy(r, job)
		return err
	})
	return out, translate(err)
}

func seenBy(r *store.Reader, job string) (out seen, err error) {
	out.st = &store.Schedule{}
	rec, err := r.Job(job)
	if err != nil || rec == nil || rec.Deleted {
		return out, err
	}
	out.rec = rec
	st, err := r.Schedule(job)
	if err != nil || st == nil {
		return out, err
	}
	out.st = st
	if due := out.due(); due == 0 || due > time.Now().UnixNano() {
		return out, nil
	}
	out.ahead, err = planner.Ahead(r, job, st, out.due())
	return out, err
}

func (s *Scheduler) putCommand(ctx context.Context, job Job, rollback uint64) (*raftfsm.Command, error) {
	if err := checkID("Job.ID", job.ID); err != nil {
		return nil, err
	}
	old, err := s.look(job.ID)
	if err != nil {
		return nil, err
	}
	if err := s.validate(&job, old.rec.GetDefinition()); err != nil {
		return nil, err
	}
	return s.makePut(ctx, job, job.definition(old.rec.GetDefinition()), old, rollback)
}

func (s *Scheduler) makePut(ctx context.Context, job Job, def *store.Definition, old seen, rollback uint64) (*raftfsm.Command, error) {
	actor, err := actorOf(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	put := &raftfsm.Put{Job: job.ID, Definition: def, RollbackTo: rollback, BaseVersion: old.rec.GetVersion(), BaseDue: old.due(), BaseWithdrawn: old.st.Withdrawn}
	if job.Version != 0 {
		put.HasExpect = true
		if job.Version != MustNotExist {
			put.ExpectVersion = job.Version
		}
	}
	cmd := &raftfsm.Command{Now: now.UnixNano(), Actor: actor, Note: job.Note, Body: &raftfsm.Command_Put{Put: put}}
	if old.rec != nil && proto.Equal(old.rec.Definition, def) {
		return cmd, nil // unchanged: the state machine says so
	}
	if put.NextDue, err = s.firstDue(job.ID, def.Schedule, now); err != nil {
		return nil, err
	}
	put.Overdue = s.overdue(job.ID, old, now, store.Reason_REASON_EDIT)
	return cmd, nil
}

// firstDue is a schedule's first instant after now, 0 for the zero Schedule. It
// goes by the same time-zone data as the planner.
func (s *Scheduler) firstDue(job, text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	c, err := s.schedules.Get(text, job)
	if err != nil {
		return 0, scheduleError(err)
	}
	next, ok := c.Next(now)
	if !ok {
		return 0, invalid("Job.Schedule", "%s has no instant after now (%s)", text, now.UTC().Format(time.RFC3339))
	}
	return next.UnixNano(), nil
}

// overdue accounts for the instants of the schedule that passed by now without
// a fire, nil if there are none: as skipped if the job is paused, and else as
// missed for this reason.
func (s *Scheduler) overdue(job string, old seen, now time.Time, why store.Reason) *raftfsm.Span {
	return s.overdueUpTo(countMax, job, old, now, why)
}

// overdueUpTo is overdue with another bound to what is counted one by one.
func (s *Scheduler) overdueUpTo(most uint64, job string, old seen, now time.Time, why store.Reason) *raftfsm.Span {
	first := old.due()
	if first == 0 || first > now.UnixNano() {
		return nil
	}
	span := &raftfsm.Span{From: first, To: first, Count: 1, Status: store.Status_STATUS_MISSED, Reason: why}
	if old.st.Paused {
		span.Status, span.Reason = store.Status_STATUS_SKIPPED, store.Reason_REASON_PAUSED
	}
	def := old.rec.Definition
	if def.FixedDelay > 0 || def.Schedule == "" {
		return span
	}
	c, err := s.schedules.Get(def.Schedule, job)
	if err != nil {
		return span
	}
	if !c.Due(time.Unix(0, first)) { // by time-zone data that is no more
		next, ok := c.Next(time.Unix(0, first))
		if span.From = next.UnixNano(); !ok || next.After(now) {
			return nil
		}
	}
	span.Count, span.To, span.More = planner.Count(c, span.From, now.UnixNano(), most)
	return old.without(span, c)
}

// without leaves out of a span what has a row of its own.
func (old seen) without(span *raftfsm.Span, c *schedule.Schedule) *raftfsm.Span {
	if len(old.ahead) == 0 {
		return span
	}
	first, last := int64(0), int64(0)
	for at, more := time.Unix(0, span.From), true; more && at.UnixNano() <= span.To; at, more = c.Next(at) {
		due := at.UnixNano()
		if old.ahead[due] {
			span.Count--
			continue
		}
		if last = due; first == 0 {
			first = due
		}
	}
	if first == 0 {
		return nil
	}
	span.From, span.To = first, last
	return span
}

// checkSchedule says what is wrong with a job's schedule. One that many jobs have is
// compiled once.
func (s *Scheduler) checkSchedule(job *Job) error {
	if job.Schedule.err == nil && !job.Schedule.IsZero() && s.schedules.Knows(job.Schedule.String(), job.Schedule.specs) {
		return nil
	}
	return job.Schedule.For(job.ID).Err() // in the words of who made it
}

// checkDue refuses a schedule without a further instant, unless the job has it
// already.
func (s *Scheduler) checkDue(job *Job) error {
	_, bad := s.firstDue(job.ID, job.Schedule.String(), time.Now())
	if bad == nil {
		return nil
	}
	old, err := s.look(job.ID)
	if err != nil {
		return err
	}
	if old.rec != nil && proto.Equal(old.rec.Definition, job.definition(old.rec.Definition)) {
		return nil
	}
	return bad
}

// Rollback makes a new version of the job with the definition that an earlier
// version had, its secrets included.
func (s *Scheduler) Rollback(ctx context.Context, id string, version uint64) (Job, error) {
	if err := s.begin(ctx); err != nil {
		return Job{}, err
	}
	if err := checkID("id", id); err != nil {
		return Job{}, err
	}
	if err := s.catchUp(ctx); err != nil {
		return Job{}, err
	}
	job, _, err := s.commitPut(ctx, id, func() (*raftfsm.Command, error) { return s.rollbackCommand(ctx, id, version) })
	return job, err
}

func (s *Scheduler) rollbackCommand(ctx context.Context, id string, version uint64) (*raftfsm.Command, error) {
	old, err := s.look(id)
	if err != nil {
		return nil, err
	}
	if old.rec == nil {
		return nil, fmt.Errorf("%w: job %q does not exist; Put it, Versions still shows its definitions", ErrNotFound, id)
	}
	var v *store.Version
	err = s.node.Store().View(func(r *store.Reader) (err error) {
		v, err = r.Version(id, version)
		return err
	})
	if err != nil {
		return nil, translate(err)
	}
	if v == nil || v.Deleted {
		return nil, fmt.Errorf("%w: job %q has no version %d to go back to", ErrNotFound, id, version)
	}
	return s.makePut(ctx, s.jobFrom(id, v.Definition), v.Definition, old, version)
}
