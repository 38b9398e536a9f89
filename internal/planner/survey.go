package planner

import (
	"context"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// surveyEvery is how often the time-zone data of the machine is looked at.
const (
	surveyEvery       = time.Minute
	surveyEverySteady = 24 * time.Hour
)

// survey keeps the jobs' next instants in step with the time-zone data, which
// another program may update at any time: it looks at all jobs when it begins,
// and twice after the data of a zone in use has changed, because a fire that was
// made from the old data may be committed during the first look. A job that is
// due at another instant now is moved to the first one that lies ahead: nothing
// is fired in retrospect.
func (p *Planner) survey(ctx context.Context) {
	every := surveyEvery
	if p.cfg.Steady {
		every = surveyEverySteady
	}
	for looks := 1; ; {
		if p.cfg.Schedules.Refresh(time.Now()) {
			p.cfg.Logger.Info("chronos: time-zone data has changed, next instants are computed anew")
			looks = 2
		}
		if looks > 0 {
			looks--
			if err := p.surveyAll(ctx); err != nil && ctx.Err() == nil {
				p.complain(err)
				looks++
			}
		}
		if !pause(ctx, every) {
			return
		}
	}
}

func (p *Planner) surveyAll(ctx context.Context) error {
	from := ""
	for {
		work, next, err := p.misplaced(from, time.Now().UnixNano())
		if err != nil {
			return err
		}
		if len(work) > 0 {
			if _, err := p.cfg.Propose(ctx, work); err != nil {
				return err
			}
		}
		if from = next; from == "" {
			return nil
		}
		if !pause(ctx, time.Millisecond) { // fires come first
			return ctx.Err()
		}
	}
}

// misplaced looks at some jobs from one on, and makes a command for each whose
// next instant is not what its schedule says. next is where to go on.
func (p *Planner) misplaced(from string, now int64) (work []*raftfsm.Command, next string, err error) {
	n := 0
	err = p.cfg.View(func(r *store.Reader) error {
		return r.Jobs(from, func(id string, decode func() (*store.Job, error)) (bool, error) {
			if n == strollMax {
				next = id
				return false, nil
			}
			n++
			if fire := p.misplacedJob(r, id, decode, now); fire != nil {
				work = append(work, &raftfsm.Command{Now: now, Body: &raftfsm.Command_Fire{Fire: fire}})
			}
			return true, nil
		})
	})
	return work, next, err
}

// misplacedJob looks at one job. One that cannot be read is the tick's to
// complain of, and what is due at once is the tick's to look at.
func (p *Planner) misplacedJob(r *store.Reader, id string, decode func() (*store.Job, error), now int64) *raftfsm.Fire {
	job, err := decode()
	if err != nil || job.Deleted || job.Definition.FixedDelay > 0 || job.Definition.Schedule == "" {
		return nil
	}
	st, err := r.Schedule(id)
	if err != nil || st == nil || st.Paused || st.NextDue <= now+int64(p.cfg.LookAhead) {
		return nil
	}
	sched, err := p.cfg.Schedules.Get(job.Definition.Schedule, id)
	if err != nil {
		return nil
	}
	return replaced(sched, id, job, st, known(r, job, st), now)
}

// known is up to when a job's instants are accounted for: what is not due until
// then is not made up for. A clock that is behind what the log has seen, at a
// start for example, moves no job back.
func known(r *store.Reader, job *store.Job, st *store.Schedule) int64 {
	return max(st.LastDue, job.UpdatedAt, r.Applied().GetLogTime())
}

// replaced is a Fire that runs nothing and moves a job's schedule, nil if that
// stands where it should. Instants that have passed by now without having been
// due by the old data are accounted for as missed.
func replaced(sched *schedule.Schedule, id string, job *store.Job, st *store.Schedule, known, now int64) *raftfsm.Fire {
	next := nextAfter(sched, max(known, now))
	if sched.Due(time.Unix(0, st.NextDue)) && (next == 0 || st.NextDue <= next) {
		return nil
	}
	fire := &raftfsm.Fire{Job: id, Generation: job.Generation, Version: job.Version, ExpectDue: st.NextDue, NextDue: next, BaseWithdrawn: st.Withdrawn}
	first := nextAfter(sched, max(st.LastDue, job.UpdatedAt))
	if first == 0 || first > now {
		return fire
	}
	span := &raftfsm.Span{From: first, Status: store.Status_STATUS_MISSED, Reason: store.Reason_REASON_ZONE}
	span.Count, span.To, span.More = Count(sched, first, now, zoneMax)
	fire.Spans = []*raftfsm.Span{span}
	return fire
}

// zoneMax bounds how many instants that new time-zone data brought are counted.
const zoneMax = 10_000

// nextAfter is the first instant after one, 0 if there is none.
func nextAfter(sched *schedule.Schedule, after int64) int64 {
	t, ok := sched.Next(time.Unix(0, after))
	if !ok {
		return 0
	}
	return t.UnixNano()
}
