package planner

import (
	"context"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// surveyEvery is how often the time-zone data of the machine is looked at.
const surveyEvery = time.Minute

// survey keeps the jobs' next instants in step with the time-zone data, which
// another program may update at any time: it looks at all jobs when it begins,
// and again whenever the data of a zone in use has changed. What is due then is
// moved on to the first instant by the new data that lies ahead: nothing is fired
// in retrospect.
func (p *Planner) survey(ctx context.Context) {
	for {
		if err := p.surveyAll(ctx); err != nil {
			if ctx.Err() == nil {
				p.complain(err)
			}
			if !pause(ctx, time.Second) {
				return
			}
			continue
		}
		for {
			if !pause(ctx, surveyEvery) {
				return
			}
			if p.cfg.Schedules.Refresh(time.Now()) {
				p.cfg.Logger.Info("chronos: time-zone data has changed, next instants are computed anew")
				break
			}
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
			job, err := decode()
			if err != nil || job.Deleted || job.Definition.FixedDelay > 0 || job.Definition.Schedule == "" {
				return true, err
			}
			st, err := r.Schedule(id)
			if err != nil || st == nil || st.Paused || st.NextDue <= now+int64(p.cfg.LookAhead) {
				return true, err // the tick looks at what is due at once
			}
			if fire := p.replaced(id, job, st, now); fire != nil {
				work = append(work, &raftfsm.Command{Now: now, Body: &raftfsm.Command_Fire{Fire: fire}})
			}
			return true, nil
		})
	})
	return work, next, err
}

// replaced is a Fire that runs nothing and only moves the schedule, nil if it
// stands where it should.
func (p *Planner) replaced(id string, job *store.Job, st *store.Schedule, now int64) *raftfsm.Fire {
	sched, err := p.cfg.Schedules.Get(job.Definition.Schedule, id)
	if err != nil {
		return nil // it is named in the status when it is due
	}
	next := ahead(sched, st, now)
	if st.NextDue <= next && sched.Due(time.Unix(0, st.NextDue)) {
		return nil
	}
	if next == maxInstant {
		next = 0
	}
	return &raftfsm.Fire{Job: id, Generation: job.Generation, Version: job.Version, ExpectDue: st.NextDue, NextDue: next}
}

// ahead is the first instant after one that has no row in the ledger yet,
// maxInstant if there is none.
func ahead(sched *schedule.Schedule, st *store.Schedule, after int64) int64 {
	t, ok := sched.Next(time.Unix(0, max(after, st.LastDue)))
	if !ok {
		return maxInstant
	}
	return t.UnixNano()
}
