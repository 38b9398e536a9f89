package chronos

import (
	"container/heap"
	"fmt"
	"slices"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
)

// simulator goes through the instants of all jobs in order, so that the bound cuts
// those off at the same instant that have had their share by then.
type simulator struct {
	out      Simulation
	from, to time.Time
	courses  []*course // one of each job, in the order of out.Jobs
	next     courses   // those that have a further instant: a heap
	starts   byStart   // that lie ahead of the instant that is looked at
	ends     byEnd     // of what is unfinished
	share    int       // of the bound, of each job
	short    int       // jobs that were cut off
	minute   SimulatedMinute
	minutes  int
	shifts   int // found, before the bound
}

func (s *simulator) add(j Job, known []time.Duration) error {
	if err := j.checkSimulated(); err != nil {
		return err
	}
	sched, err := j.Schedule.For(j.ID).compile()
	if err != nil {
		return err
	}
	c := &course{job: j, sched: sched, row: SimulatedJob{Job: j.ID, Until: s.out.To, Samples: len(known), Typical: percentile(known, 50), Slow: percentile(known, 95)}}
	c.typical.takes, c.slow.takes = c.row.Typical, c.row.Slow
	c.note()
	s.courses = append(s.courses, c)
	if sched == nil || j.State.Paused {
		return nil
	}
	if c.begin(s.from, s.to) {
		s.next = append(s.next, c)
	}
	return nil
}

// checkSimulated is what Put checks of what matters here: a stored job does not show
// its secrets, and one that is only planned may not have its target yet.
func (j *Job) checkSimulated() error {
	for _, check := range []func() error{
		func() error { return checkID("Job.ID", j.ID) },
		func() error { return j.Schedule.For(j.ID).Err() },
		j.checkPlacement, j.checkConcurrency, j.checkPolicies, j.checkNumbers, j.Retry.check,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *simulator) run() {
	heap.Init(&s.next)
	s.share = simulatedInstants / max(1, len(s.next))
	var last time.Time
	for len(s.next) > 0 {
		c := s.next[0]
		// a whole instant, or nothing of it
		if s.out.Instants >= simulatedInstants && c.row.Instants >= s.share && c.due.After(last) {
			s.cutOff(c)
			heap.Pop(&s.next)
			continue
		}
		last = c.due
		s.flush(c.due)
		s.fire(c)
		if c.step(s.to) {
			heap.Fix(&s.next, 0)
		} else {
			heap.Pop(&s.next)
		}
	}
	s.flush(time.Time{})
	s.endMinute()
	s.finish()
}

// cutOff ends a job that has had its share before the instant that is looked at.
func (s *simulator) cutOff(c *course) {
	c.row.Until = c.due.Add(-1).UTC()
	if s.short++; s.short == 1 {
		s.out.Until = c.row.Until
	}
	if s.short <= simulatedNamed {
		s.cut("instants of job %q from %s on are not counted, because there are more than %d of all jobs", c.job.ID, c.due.UTC().Format(time.RFC3339Nano), simulatedInstants)
	}
}

func (s *simulator) fire(c *course) {
	f, end := c.fire()
	s.out.Instants++
	s.enter(c.due)
	s.minute.Due++
	if len(s.out.Fires) < simulatedFires {
		s.out.Fires = append(s.out.Fires, f)
	}
	if !f.Start.IsZero() {
		heap.Push(&s.starts, stay{f.Start, end})
	}
}

// enter goes on to the minute of an instant.
func (s *simulator) enter(at time.Time) {
	if m := at.UTC().Truncate(time.Minute); !m.Equal(s.minute.At) {
		s.endMinute()
		s.minute = SimulatedMinute{At: m}
	}
}

// flush takes in the starts before an instant; all, if it is the zero Time.
func (s *simulator) flush(before time.Time) {
	for len(s.starts) > 0 && (before.IsZero() || s.starts[0].at.Before(before)) {
		x := heap.Pop(&s.starts).(stay)
		s.enter(x.at)
		for len(s.ends) > 0 && s.ended(s.ends[0], x.at) {
			heap.Pop(&s.ends)
		}
		heap.Push(&s.ends, x)
		s.minute.Starts++
		s.minute.Unfinished = max(s.minute.Unfinished, len(s.ends))
	}
}

// ended tells if an execution is over when another one starts. One that takes no time
// counts at its own instant.
func (s *simulator) ended(x stay, at time.Time) bool {
	return !x.end.After(at) && x.at.Before(at)
}

func (s *simulator) endMinute() {
	m := s.minute
	if m.Due == 0 && m.Starts == 0 {
		return
	}
	s.minute = SimulatedMinute{}
	s.minutes++
	if len(s.out.Load) < simulatedMinutes {
		s.out.Load = append(s.out.Load, m)
	}
	if m.Starts > s.out.Peak.Starts {
		s.out.Peak = m
	}
}

func (s *simulator) shifted(job string, x schedule.Shift) {
	s.shifts++
	s.out.Clock = append(s.out.Clock, ClockShift{
		Job: job, At: x.At, Zone: x.Zone, By: x.By, First: x.First.Format(time.TimeOnly), Times: x.Times, What: shiftText(x),
	})
	if len(s.out.Clock) >= 2*simulatedShifts {
		s.trimClock()
	}
}

func (s *simulator) trimClock() {
	slices.SortStableFunc(s.out.Clock, func(a, b ClockShift) int { return a.At.Compare(b.At) })
	s.out.Clock = s.out.Clock[:min(len(s.out.Clock), simulatedShifts)]
}

func (s *simulator) finish() {
	for _, c := range s.courses {
		s.out.Jobs = append(s.out.Jobs, c.row)
		if c.sched != nil && !c.job.State.Paused {
			c.sched.Shifts(s.from, c.row.Until, func(x schedule.Shift) bool {
				s.shifted(c.job.ID, x)
				return true
			})
		}
	}
	s.trimClock()
	if more := s.short - simulatedNamed; more > 0 {
		s.cut("nor are those of %d more jobs: SimulatedJob.Until says up to where each was counted", more)
	}
	for _, b := range []struct {
		what     string
		got, has int
	}{
		{"instants are in Fires", len(s.out.Fires), s.out.Instants},
		{"minutes are in Load", len(s.out.Load), s.minutes},
		{"shifts of the clock are in Clock", len(s.out.Clock), s.shifts},
	} {
		if b.got < b.has {
			s.cut("the first %d of %d %s", b.got, b.has, b.what)
		}
	}
}

func (s *simulator) cut(format string, args ...any) {
	s.out.Cut = append(s.out.Cut, fmt.Sprintf(format, args...))
}

// shiftText says what a schedule does at a shift.
func shiftText(x schedule.Shift) string {
	times := x.First.Format(time.TimeOnly)
	if x.Times > 1 {
		times = fmt.Sprintf("%d times from %s on", x.Times, times)
	}
	at := x.At.Format(time.RFC3339)
	if x.By > 0 {
		missing := times + " is missing: "
		if x.Times > 1 {
			missing = times + " are missing: "
		}
		switch {
		case x.Correction:
			return missing + "nothing takes the place of what a correction of the clock leaves out"
		case x.Fill:
			return missing + "it is due once, right after the gap, at " + at
		case x.Skip:
			return missing + "left out (SkipGap)"
		}
		return missing + "nothing takes the place, because it is due by the clock's face"
	}
	twice := times + " comes twice: "
	if x.Times > 1 {
		twice = times + " come twice: "
	}
	switch {
	case x.Correction:
		return twice + "it is due in both passes, because this is a correction of the clock"
	case x.Repeat == schedule.RepeatFirst:
		return twice + "it is due in the first pass only"
	case x.Repeat == schedule.RepeatLast:
		return twice + "it is due in the second pass only, from " + at + " on"
	}
	return twice + "it is due in both passes"
}
