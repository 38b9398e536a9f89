package schedule

import (
	"sync"
	"time"
)

// Schedule is a compiled Spec. It never changes and is safe for concurrent use.
type Schedule struct {
	spec        Spec
	from, until int64 // inclusive bounds, Unix nanoseconds
	cron        cron  // KindCron
}

// Compiler compiles many Specs and loads each time zone once for all of them.
// The zero value is ready, and safe for concurrent use. It keeps the zones it
// has loaded: to see new time-zone data, use a new Compiler.
type Compiler struct {
	mu    sync.Mutex
	zones map[string]*time.Location
}

// Compile checks everything in s and returns the schedule, or an *Error. A
// schedule that is never due is an error too.
func Compile(s Spec) (*Schedule, error) {
	return new(Compiler).Compile(s)
}

// Compile is like the function of that name.
func (c *Compiler) Compile(s Spec) (*Schedule, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	zone, err := c.zone(s.Zone)
	if err != nil {
		return nil, err
	}
	sched := &Schedule{spec: s.normal(), until: lastNano}
	if !s.From.IsZero() {
		sched.from = s.From.UnixNano()
	}
	if !s.Until.IsZero() {
		sched.until = s.Until.UnixNano()
	}
	if s.Kind == KindCron {
		if sched.cron, err = compileCron(s, zone); err != nil {
			return nil, err
		}
	}
	if err := sched.mustFire(); err != nil {
		return nil, err
	}
	return sched, nil
}

func compileCron(s Spec, zone *time.Location) (cron, error) {
	x, err := parseExpression(s.Expr)
	if err != nil {
		return cron{}, err
	}
	p, err := compilePlan(x, s.AndDays)
	if err != nil {
		return cron{}, err
	}
	fixed := !x.star[minute] && !x.star[hour]
	c := cron{plan: p, zone: zone, fill: fixed && s.Gap == GapShift, repeat: s.Repeat}
	if c.repeat == RepeatAuto {
		c.repeat = RepeatBoth
		if fixed {
			c.repeat = RepeatFirst
		}
	}
	return c, nil
}

// mustFire refuses a schedule without a single instant.
func (s *Schedule) mustFire() error {
	if s.spec.Kind == KindAfter {
		return nil // it depends on when the executions end
	}
	if _, ok := s.Next(time.Time{}); ok {
		return nil
	}
	free := *s
	free.from, free.until = 0, lastNano
	if _, ok := free.Next(time.Time{}); ok {
		return &Error{"from, until", "no due instant lies between the bounds", "widen them", -1}
	}
	return &Error{"expression", "is never due before 2262-04-12", "check the day-of-month against the months and years", -1}
}

func (c *Compiler) zone(name string) (*time.Location, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if zone, ok := c.zones[name]; ok {
		return zone, nil
	}
	zone, err := loadZone(name)
	if err != nil {
		return nil, err
	}
	if c.zones == nil {
		c.zones = map[string]*time.Location{}
	}
	c.zones[name] = zone
	return zone, nil
}

// Spec returns the Spec in normal form: single blanks in the expression, times
// in UTC, the zone UTC written as "". Parse(s.Spec().String()) == s.Spec().
func (s *Schedule) Spec() Spec { return s.spec }

// Next returns the first due instant strictly after the given one, in UTC, or
// false if there is none any more. It does not allocate.
func (s *Schedule) Next(after time.Time) (time.Time, bool) {
	low := unixNano(after)
	var next int64
	switch s.spec.Kind {
	case KindCron:
		next = s.nextCron(max(low, s.from-1))
	case KindEvery:
		next = s.nextEvery(max(low, s.from-1))
	case KindAfter:
		next = s.nextAfter(max(low, 0))
	case KindAt:
		next = s.nextAt(max(low, s.from-1))
	}
	if next == never || next > s.until {
		return time.Time{}, false
	}
	return time.Unix(0, next).UTC(), true
}

// never is the answer of a schedule that has come to its end.
const never = int64(-1)

func (s *Schedule) nextCron(low int64) int64 {
	t := s.cron.next(floorDiv(low, int64(time.Second)) + 1)
	if t > lastSecond {
		return never
	}
	return t * int64(time.Second)
}

func (s *Schedule) nextEvery(low int64) int64 {
	period, anchor := int64(s.spec.Period), int64(0)
	if !s.spec.Anchor.IsZero() {
		anchor = s.spec.Anchor.UnixNano()
	}
	since := low - anchor
	step := period - (since - floorDiv(since, period)*period)
	if low > lastNano-step {
		return never
	}
	return low + step
}

func (s *Schedule) nextAfter(low int64) int64 {
	if int64(s.spec.Period) > lastNano-low {
		return never
	}
	return max(low+int64(s.spec.Period), s.from)
}

func (s *Schedule) nextAt(low int64) int64 {
	if at := s.spec.Anchor.UnixNano(); at > low {
		return at
	}
	return never
}

// unixNano returns t within the horizon, where -1 stands for every instant
// before 1970.
func unixNano(t time.Time) int64 {
	switch {
	case inHorizon(t):
		return t.UnixNano()
	case t.Unix() < 0:
		return -1
	}
	return lastNano
}
