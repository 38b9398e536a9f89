package schedule

import (
	"fmt"
	"time"

	"github.com/adhocore/gronx"
)

// compilePlan turns an expression into tables. What a part means is asked of
// gronx, value by value, at reference times in UTC; how fields combine is ours.
func compilePlan(x *expression, andDays bool) (*plan, error) {
	p := &plan{}
	var err error
	mask := func(f field, lo, hi int, at func(v int) time.Time) (bits uint64) {
		if err == nil {
			bits, err = maskOf(x.lists[f], f, lo, hi, at)
		}
		return bits
	}
	p.seconds = mask(second, 0, 59, func(v int) time.Time { return time.Date(2001, 1, 1, 0, 0, v, 0, time.UTC) })
	p.minutes = mask(minute, 0, 59, func(v int) time.Time { return time.Date(2001, 1, 1, 0, v, 0, 0, time.UTC) })
	p.hours = uint32(mask(hour, 0, 23, func(v int) time.Time { return time.Date(2001, 1, 1, v, 0, 0, 0, time.UTC) }))
	p.months = uint16(mask(month, 1, 12, func(v int) time.Time { return time.Date(2001, time.Month(v), 1, 0, 0, 0, 0, time.UTC) }))
	for i := range p.years {
		from := tableYear + 64*i
		p.years[i] = mask(year, 0, 63, func(v int) time.Time { return time.Date(from+v, 1, 1, 0, 0, 0, 0, time.UTC) })
	}
	if err == nil {
		err = p.compileDays(x, andDays)
	}
	p.firstSecond, _ = p.nextClock(0)
	return p, err
}

// maskOf sets the bits of the values from lo to hi for which a part that does
// not depend on the shape of the month is due.
func maskOf(parts []part, f field, lo, hi int, at func(v int) time.Time) (uint64, error) {
	var mask uint64
	for _, p := range parts {
		if p.text == "" {
			continue
		}
		for v := lo; v <= hi; v++ {
			due, err := partDue(p, f, at(v))
			if err != nil {
				return 0, err
			}
			if due {
				mask |= 1 << v
			}
		}
	}
	return mask, nil
}

func partDue(p part, f field, at time.Time) (bool, error) {
	if p.text == "*" {
		return true, nil
	}
	c := gronx.SegmentChecker{}
	c.SetRef(at)
	due, err := c.CheckDue(p.text, int(f))
	if err != nil {
		return false, &Error{f.spec().name, fmt.Sprintf("%q cannot be read: %v", p.text, err), "", -1, ""}
	}
	return due, nil
}

// compileDays fills the table of days for every shape of month.
func (p *plan) compileDays(x *expression, andDays bool) error {
	// January 2001 has 31 days; 7 January 2001 was a Sunday.
	plainDays, err := maskOf(x.lists[monthday], monthday, 1, 31, func(v int) time.Time { return time.Date(2001, 1, v, 0, 0, 0, 0, time.UTC) })
	if err != nil {
		return err
	}
	plainWeekdays, err := maskOf(x.lists[weekday], weekday, 0, 6, func(v int) time.Time { return time.Date(2001, 1, 7+v, 0, 0, 0, 0, time.UTC) })
	if err != nil {
		return err
	}
	either := !andDays && !x.star[monthday] && !x.star[weekday]
	p.allDays = true
	for i := range p.days {
		length, first := 28+i/7, i%7
		all := uint32(1)<<(length+1) - 2
		days := uint32(plainDays) | shapedDays(x.lists[monthday], first, length)
		weekdays := spread(plainWeekdays, first) | shapedDays(x.lists[weekday], first, length)
		if either {
			p.days[i] = (days | weekdays) & all
		} else {
			p.days[i] = days & weekdays & all
		}
		p.allDays = p.allDays && p.days[i] == all
	}
	for _, y := range p.years {
		p.allDays = p.allDays && y == 1<<64-1
	}
	p.allDays = p.allDays && p.months == 1<<13-2
	return nil
}

// shapedDays returns the days of a month of the given shape that match one of
// the parts that depend on it.
func shapedDays(parts []part, first, length int) (days uint32) {
	for _, p := range parts {
		days |= p.shape.in(first, length)
	}
	return days
}

// spread sets the bits of the days 1 to 31 whose weekday is in mask, in a month
// that starts on the weekday first.
func spread(mask uint64, first int) uint32 {
	var days uint32
	for d := range 31 {
		days |= uint32(mask>>((first+d)%7)&1) << (d + 1)
	}
	return days
}
