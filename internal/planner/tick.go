package planner

import (
	"fmt"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

const (
	// misfireAfter is the lateness from which an instant counts as missed.
	misfireAfter = int64(time.Second)
	// stepMax bounds how many missed instants of a job one Fire accounts for.
	stepMax = 10_000
)

// tick makes the Fire for a job's next due instant, with the job's priority. It
// is nil if there is nothing to be done (the entry is outdated) or not yet (the
// entry is held).
func (p *Planner) tick(r *store.Reader, e store.DueEntry, now int64) (*raftfsm.Fire, int32, error) {
	job, err := r.Job(e.Job)
	if err != nil {
		return nil, 0, err
	}
	st, err := r.Schedule(e.Job)
	if err != nil {
		return nil, 0, err
	}
	if job == nil || job.Deleted || st == nil || st.Paused || st.NextDue == 0 {
		return nil, 0, nil
	}
	due := st.NextDue
	if due > now+int64(p.cfg.LookAhead) {
		return nil, 0, nil // a held job was edited: its new entry is in the index
	}
	def := job.Definition
	if due > now && st.Active > 0 && def.Overlap != store.Overlap_OVERLAP_ALLOW_ALL {
		p.agenda.hold(store.DueEntry{At: due, Kind: store.DueTick, Job: e.Job}, due)
		return nil, 0, nil
	}
	sched, err := p.cfg.Schedules.Get(def.Schedule, e.Job)
	if err != nil {
		return nil, 0, &scheduleError{def.Schedule, err}
	}
	if !sched.Is(schedule.KindAfter) && !sched.Due(time.Unix(0, due)) {
		return replaced(sched, e.Job, job, st, known(r, job, st), now), def.Priority, nil // the time-zone data has changed
	}
	fire := &raftfsm.Fire{Job: e.Job, Generation: job.Generation, Version: job.Version, ExpectDue: due, BaseWithdrawn: st.Withdrawn}
	switch {
	case sched.Is(schedule.KindAfter):
		fire.Runs = []*raftfsm.Run{{Due: due, StartAt: due}}
	case now-due <= misfireAfter && !st.CatchingUp, sched.Is(schedule.KindAt):
		onTime(fire, e.Job, sched, due)
	default:
		has, err := Ahead(r, e.Job, st, due)
		if err != nil {
			return nil, 0, err
		}
		catchUp(fire, sched, def, st, has, now)
	}
	return fire, def.Priority, nil
}

// onTime fires one instant, with its jitter.
func onTime(fire *raftfsm.Fire, job string, sched *schedule.Schedule, due int64) {
	at := time.Unix(0, due)
	next, ok := sched.Next(at)
	if ok {
		fire.NextDue = next.UnixNano()
	}
	start := due + int64(sched.Offset(job, at, next))
	fire.Runs = []*raftfsm.Run{{Due: due, StartAt: start}}
}

// missed collects what becomes of a run of missed instants: some run, the
// others are accounted for as spans.
type missed struct {
	fire *raftfsm.Fire
	open *raftfsm.Span
}

func (m *missed) run(due int64) {
	m.close()
	m.fire.Runs = append(m.fire.Runs, &raftfsm.Run{Due: due, StartAt: due})
}

func (m *missed) pass(due int64, why store.Reason) {
	if m.open != nil && m.open.Reason != why {
		m.close()
	}
	if m.open == nil {
		m.open = &raftfsm.Span{From: due, Status: store.Status_STATUS_MISSED, Reason: why}
	}
	m.open.To = due
	m.open.Count++
}

func (m *missed) close() {
	if m.open != nil {
		m.fire.Spans = append(m.fire.Spans, m.open)
		m.open = nil
	}
}

// catchUp applies the misfire policy to the instants from the next due one up
// to now, as many as one step may take.
func catchUp(fire *raftfsm.Fire, sched *schedule.Schedule, def *store.Definition, st *store.Schedule, has Instants, now int64) {
	m := &missed{fire: fire}
	made := int64(st.CaughtUp)
	due := st.NextDue
	var next, stands int64
	var more bool
	for n := 0; ; n++ {
		next, more = 0, false
		if t, ok := sched.Next(time.Unix(0, due)); ok {
			next = t.UnixNano()
			more = next <= now
		}
		verdict, run := misfire(def, due, now, made, !more)
		switch {
		case has[due]: // it is accounted for
			stands = due
		case run:
			m.run(due)
			made++
		default:
			m.pass(due, verdict)
		}
		if !more || n+1 == stepMax || len(fire.Runs) >= 500 {
			break
		}
		due = next
	}
	m.close()
	if stands != 0 && len(fire.Spans) == 0 {
		fire.Spans = []*raftfsm.Span{passedOver(stands)}
	}
	fire.NextDue = next
	fire.CatchingUp = more
}

// passedOver is an empty span. A Fire with spans leaves nothing under recall that has
// come due: the schedule moves on beyond a row that stands, so a node's late answer
// must not withdraw it, or its instant would be nowhere.
func passedOver(due int64) *raftfsm.Span {
	return &raftfsm.Span{From: due, To: due, Status: store.Status_STATUS_MISSED, Reason: store.Reason_REASON_CATCH_UP}
}

// misfire decides about one missed instant; made is how many of this catch-up
// run already, last tells that no later one has passed.
func misfire(def *store.Definition, due, now, made int64, last bool) (store.Reason, bool) {
	if def.CatchUpWindow > 0 && now-due > def.CatchUpWindow {
		return store.Reason_REASON_WINDOW, false
	}
	switch def.Misfire {
	case store.Misfire_MISFIRE_SKIP:
		return store.Reason_REASON_CATCH_UP, false
	case store.Misfire_MISFIRE_EARLIEST:
		return store.Reason_REASON_CATCH_UP, made == 0
	case store.Misfire_MISFIRE_ALL:
		return store.Reason_REASON_CATCH_UP_MAX, made < def.CatchUpMax
	default:
		return store.Reason_REASON_CATCH_UP, last
	}
}

// Instants of a job that have a row in the ledger although its schedule stands
// before them.
type Instants map[int64]bool

// aheadMax is how far behind a job's next due instant its rows may lie: an edit
// sets the schedule back to its own instant, and what had been fired ahead of
// that and had begun stays.
const aheadMax = int64(5 * time.Second)

// Ahead finds the instants from first on that have a row already. They are
// accounted for, and no range may count them again. There are none where the schedule
// has never been further: so a long outage of many jobs needs no look at their ledgers.
func Ahead(r *store.Reader, job string, st *store.Schedule, first int64) (Instants, error) {
	if st.LastDue < first {
		return nil, nil
	}
	var out Instants
	err := r.Executions(job, store.KeyFloor(first), func(key string, x *store.Execution) (bool, error) {
		if x.Due > first+aheadMax {
			return false, nil
		}
		if store.KeyOccurrence(key) == store.ScheduledKey(x.Due, st.Generation) {
			if out == nil {
				out = Instants{}
			}
			out[x.Due] = true
		}
		return true, nil
	})
	return out, err
}

// Count says how many instants a schedule has from first up to and including
// until, and which is the last; it stops counting at limit.
func Count(sched *schedule.Schedule, first, until int64, limit uint64) (count uint64, last int64, more bool) {
	for due := first; due <= until; {
		if count == limit {
			return count, last, true
		}
		count, last = count+1, due
		t, ok := sched.Next(time.Unix(0, due))
		if !ok {
			break
		}
		due = t.UnixNano()
	}
	return count, last, false
}

// scheduleError says that a job's schedule cannot be read: only a new Put helps.
type scheduleError struct {
	text string
	err  error
}

func (e *scheduleError) Error() string { return fmt.Sprintf("schedule %.200q: %v", e.text, e.err) }
func (e *scheduleError) Unwrap() error { return e.err }
