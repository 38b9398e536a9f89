package schedule

import "math/bits"

// A wall is the set of civil seconds at which a rule is due: those that its
// expression matches, on days moved to business days, without what is left out.
// Zones come afterwards.
type wall struct {
	plan   *plan
	roll   *calendar // nil: days stay
	except *days     // nil: none
	not    []*plan
	free   []int // by set of active plans in not: first second of a day that is left, -1 if none is
	simple bool  // only the plan
	meter  meter
}

func newWall(p *plan, roll *calendar, except *days, not []*plan) *wall {
	w := &wall{plan: p, roll: roll, except: except, not: not, simple: roll == nil && except == nil && len(not) == 0}
	if len(not) > 0 {
		w.free = make([]int, 1<<len(not))
	}
	for active := range w.free {
		w.free[active] = -1
		if s, ok := w.nextLeft(0, active); ok {
			w.free[active] = s
		}
	}
	return w
}

// next returns the first civil second at or after c that is due, or forever.
func (w *wall) next(c int64) int64 {
	if w.simple {
		return w.plan.next(c)
	}
	day := floorDiv(c, daySeconds)
	clock := int(c - day*daySeconds)
	for {
		w.meter.step()
		found, ok := w.nextDay(day)
		if !ok {
			return forever
		}
		if found > day {
			clock = 0
		}
		if s, ok := w.nextClock(found, clock); ok {
			return found*daySeconds + int64(s)
		}
		day, clock = found+1, 0
	}
}

// nextDay returns the first day at or after day on which something may be due.
func (w *wall) nextDay(day int64) (int64, bool) {
	for day <= lastDay {
		w.meter.step()
		found, ok := w.nextMoved(day)
		if !ok {
			return 0, false
		}
		if day = w.except.nextFree(found); day == found {
			return day, true
		}
	}
	return 0, false
}

// nextMoved returns the first day at or after day that matches, once moved.
func (w *wall) nextMoved(day int64) (int64, bool) {
	if w.roll == nil {
		return w.plan.nextDay(day)
	}
	for from := w.roll.first(day); ; {
		w.meter.step()
		found, ok := w.plan.nextDay(from)
		if !ok {
			return 0, false
		}
		if moved := w.roll.move(found); moved >= day {
			return moved, true
		}
		from = found + 1
	}
}

// nextClock returns the first second of the day at or after s that is due.
func (w *wall) nextClock(day int64, s int) (int, bool) {
	active := 0
	for i, p := range w.not {
		if p.hasDay(day) {
			active |= 1 << i
		}
	}
	if active == 0 {
		return w.plan.nextClock(s)
	}
	if first := w.free[active]; first < 0 || s <= first {
		return first, first >= 0
	}
	return w.nextLeft(s, active)
}

// nextLeft returns the first second of a day at or after s that the plan
// matches, and none of the active ones. It looks at hours and minutes, not at
// each second.
func (w *wall) nextLeft(s, active int) (int, bool) {
	for {
		at, ok := w.plan.nextClock(s)
		if !ok {
			return 0, false
		}
		minute := at / 60
		if left := w.secondsLeft(minute, active) >> (at % 60); left != 0 {
			return at + bits.TrailingZeros64(left), true
		}
		if s = (minute + 1) * 60; s >= daySeconds {
			return 0, false
		}
	}
}

// secondsLeft returns the seconds of a minute of the day that the plan matches
// and none of the active ones, if the plan matches the minute.
func (w *wall) secondsLeft(minute, active int) uint64 {
	left := w.plan.seconds
	for i, p := range w.not {
		if active>>i&1 != 0 && p.hours>>(minute/60)&1 != 0 && p.minutes>>(minute%60)&1 != 0 {
			left &^= p.seconds
		}
	}
	return left
}
