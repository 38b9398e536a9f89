package schedule

import "time"

// rule is a compiled Spec.
type rule struct {
	spec        Spec
	from, until int64 // inclusive bounds, Unix nanoseconds
	zone        *time.Location
	cron        cron  // KindCron
	fixed       bool  // KindCron: a fixed-time job
	except      *days // KindEvery; a cron has them in its wall
	meter       meter
}

// never is the answer of a rule that has come to its end.
const never = int64(-1)

func compileRule(s Spec, zone *time.Location, m meter) (rule, error) {
	r := rule{spec: s.normal(), until: lastNano, zone: zone, meter: m}
	if !s.From.IsZero() {
		r.from = s.From.UnixNano()
	}
	if !s.Until.IsZero() {
		r.until = s.Until.UnixNano()
	}
	var err error
	if s.Kind == KindCron {
		r.cron, r.fixed, err = compileCron(s, zone)
	} else if s.Except != "" {
		r.except, err = parseDays("except", s.Except)
	}
	if err != nil {
		return r, err
	}
	if r.cron.wall != nil {
		r.cron.wall.meter = m
	}
	return r, r.mustFire()
}

func compileCron(s Spec, zone *time.Location) (c cron, fixed bool, err error) {
	x, err := parseExpression(s.Expr, s.Seed)
	if err != nil {
		return cron{}, false, in(err, "", s.Expr)
	}
	w, err := compileWall(s, &x)
	if err != nil {
		return cron{}, false, err
	}
	fixed = x.fixed()
	c = cron{wall: w, zone: zone, fill: fixed && s.Gap == GapShift, repeat: s.Repeat}
	if c.repeat == RepeatAuto {
		c.repeat = RepeatBoth
		if fixed {
			c.repeat = RepeatFirst
		}
	}
	return c, fixed, nil
}

func compileWall(s Spec, x *expression) (*wall, error) {
	p, err := compilePlan(x, s.AndDays)
	if err != nil {
		return nil, err
	}
	var roll *calendar
	if s.Roll != RollNone {
		if roll, err = newCalendar(s.Roll, s.Holidays); err != nil {
			return nil, err
		}
	}
	var except *days
	if s.Except != "" {
		if except, err = parseDays("except", s.Except); err != nil {
			return nil, err
		}
	}
	not, err := compileNot(s)
	if err != nil {
		return nil, err
	}
	return newWall(p, roll, except, not), nil
}

// mustFire refuses a rule without a single instant.
func (r *rule) mustFire() error {
	if r.spec.Kind == KindAfter {
		return nil // it depends on when the executions end
	}
	if r.next(-1) != never {
		return nil
	}
	free := *r
	free.from, free.until = 0, lastNano
	switch {
	case free.next(-1) != never:
		return &Error{"from, until", "no due instant lies between the bounds", "widen them", -1, ""}
	case r.spec.Except != "" || r.spec.Not != "":
		return &Error{"except, not", "leave no due instant before 2262-04-12", "leave out less", -1, ""}
	}
	return &Error{"expression", "is never due before 2262-04-12", "check the day-of-month against the months and years", -1, ""}
}

// next returns the first due instant after low, or never.
func (r *rule) next(low int64) int64 {
	next := never
	switch r.spec.Kind {
	case KindCron:
		next = r.nextCron(max(low, r.from-1))
	case KindEvery:
		next = r.nextEvery(max(low, r.from-1))
	case KindAfter:
		next = r.nextAfter(max(low, 0))
	case KindAt:
		next = r.nextAt(max(low, r.from-1))
	}
	if next > r.until {
		return never
	}
	return next
}

func (r *rule) nextCron(low int64) int64 {
	t := r.cron.next(floorDiv(low, int64(time.Second)) + 1)
	if t > lastSecond {
		return never
	}
	return t * int64(time.Second)
}

// nextEvery steps along the lattice, over the days that are left out.
func (r *rule) nextEvery(low int64) int64 {
	for {
		r.meter.step()
		at := r.lattice(low)
		if at == never || r.except == nil {
			return at
		}
		free := r.afterDays(at)
		if free == at || free == never {
			return free
		}
		low = free - 1
	}
}

// lattice returns the first Anchor + n*Period after low.
func (r *rule) lattice(low int64) int64 {
	period, anchor := int64(r.spec.Period), int64(0)
	if !r.spec.Anchor.IsZero() {
		anchor = r.spec.Anchor.UnixNano()
	}
	since := low - anchor
	step := period - (since - floorDiv(since, period)*period)
	if low > lastNano-step {
		return never
	}
	return low + step
}

// afterDays returns the first instant from at on whose day, in the zone, is not
// left out.
func (r *rule) afterDays(at int64) int64 {
	for t := floorDiv(at, int64(time.Second)); t <= lastSecond; {
		r.meter.step()
		p := periodAt(r.zone, t)
		day := floorDiv(t+p.offset, daySeconds)
		free := r.except.nextFree(day)
		if free == day {
			return max(at, t*int64(time.Second))
		}
		if free > lastDay && p.end-t > margin {
			return never // a clock that is put back comes to no earlier day
		}
		t = min(free*daySeconds-p.offset, p.end)
	}
	return never
}

func (r *rule) nextAfter(low int64) int64 {
	if int64(r.spec.Period) > lastNano-low {
		return never
	}
	return max(low+int64(r.spec.Period), r.from)
}

func (r *rule) nextAt(low int64) int64 {
	if at := r.spec.Anchor.UnixNano(); at > low {
		return at
	}
	return never
}
