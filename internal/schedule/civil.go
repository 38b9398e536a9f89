package schedule

import (
	"fmt"
	"math/bits"
)

// Civil time is counted in seconds and days since 1970-01-01 on the calendar of
// a zone, without regard to the zone's offset. A plan answers which civil second
// matches next; it knows nothing of zones.

const daySeconds = 24 * 60 * 60

// lastDay is the day on which the horizon lies, east of it.
const lastDay = lastSecond/daySeconds + 1

// The year table starts a little before the first year, because civil time may
// lie west of it.
const (
	tableYear  = 1968
	tableYears = 320
)

// plan is a compiled cron expression.
type plan struct {
	seconds, minutes uint64
	hours            uint32
	firstSecond      int // of a matching day
	months           uint16
	allDays          bool           // every day of every month and year matches
	days             [shapes]uint32 // bit d: day d of a month of that shape matches
	years            [tableYears / 64]uint64
}

// shapes is the number of kinds of month: 28 to 31 days, starting on one of
// seven weekdays.
const shapes = 4 * 7

// next returns the first civil second at or after c that matches, or forever.
func (p *plan) next(c int64) int64 {
	day := floorDiv(c, daySeconds)
	found, ok := p.nextDay(day)
	if !ok {
		return forever
	}
	if found == day {
		if s, ok := p.nextClock(int(c - day*daySeconds)); ok {
			return day*daySeconds + int64(s)
		}
		if found, ok = p.nextDay(day + 1); !ok {
			return forever
		}
	}
	return found*daySeconds + int64(p.firstSecond)
}

// nextClock returns the first matching second of the day at or after s.
func (p *plan) nextClock(s int) (int, bool) {
	h, m := s/3600, s/60%60
	if p.hours>>h&1 != 0 {
		if p.minutes>>m&1 != 0 {
			if left := p.seconds >> (s % 60); left != 0 {
				return s + bits.TrailingZeros64(left), true
			}
		}
		if left := p.minutes >> (m + 1); left != 0 {
			m += 1 + bits.TrailingZeros64(left)
			return h*3600 + m*60 + bits.TrailingZeros64(p.seconds), true
		}
	}
	left := p.hours >> (h + 1)
	if left == 0 {
		return 0, false
	}
	h += 1 + bits.TrailingZeros32(left)
	return h*3600 + bits.TrailingZeros64(p.minutes)*60 + bits.TrailingZeros64(p.seconds), true
}

// nextDay returns the first matching day at or after day.
func (p *plan) nextDay(day int64) (int64, bool) {
	if p.allDays {
		return day, true
	}
	y, m, d := date(day)
	for ; y <= lastYear; y, m, d = y+1, 1, 1 {
		if !p.hasYear(y) {
			continue
		}
		for left := p.months >> m; left != 0; left = p.months >> m {
			if skip := bits.TrailingZeros16(left); skip > 0 {
				m, d = m+skip, 1
			}
			first := dayOf(y, m, 1)
			if days := p.days[shape(first, monthLength(y, m))] >> d; days != 0 {
				return first + int64(d+bits.TrailingZeros32(days)) - 1, true
			}
			m, d = m+1, 1
		}
	}
	return 0, false
}

// everyDay tells if the day fields match every day of a month.
func (p *plan) everyDay() bool {
	for i, days := range p.days {
		if days != 1<<(28+i/7+1)-2 {
			return false
		}
	}
	return true
}

// hasDay tells if day matches.
func (p *plan) hasDay(day int64) bool {
	y, m, d := date(day)
	return p.hasYear(y) && p.months>>m&1 != 0 && p.days[shape(dayOf(y, m, 1), monthLength(y, m))]>>d&1 != 0
}

func (p *plan) hasYear(y int) bool {
	i := y - tableYear
	return i >= 0 && i < tableYears && p.years[i/64]>>(i%64)&1 != 0
}

// shape returns the index of a month's shape, given its first day and length.
func shape(first int64, length int) int {
	return (length-28)*7 + weekdayOf(first)
}

// weekdayOf returns 0 for Sunday to 6 for Saturday.
func weekdayOf(day int64) int {
	const firstSunday = 3 // 1970-01-04
	return int(day - firstSunday - 7*floorDiv(day-firstSunday, 7))
}

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func monthLength(y, m int) int {
	if m == 2 {
		if leap(y) {
			return 29
		}
		return 28
	}
	return 30 + (m+m>>3)&1
}

// date returns the Gregorian date of a day. It counts in years that start in
// March, so that the leap day is the last one, and in eras of 400 years
// (H. Hinnant, "chrono-compatible low-level date algorithms").
func date(day int64) (y, m, d int) {
	const toMarch0000, eraDays = 719468, 146097
	day += toMarch0000
	era := floorDiv(day, eraDays)
	inEra := int(day - era*eraDays)
	yearOfEra := (inEra - inEra/1460 + inEra/36524 - inEra/146096) / 365
	inYear := inEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	fromMarch := (5*inYear + 2) / 153
	d = inYear - (153*fromMarch+2)/5 + 1
	y = yearOfEra + int(era)*400
	if fromMarch < 10 {
		return y, fromMarch + 3, d
	}
	return y + 1, fromMarch - 9, d
}

// dayOf is the inverse of date, for years from 1 on.
func dayOf(y, m, d int) int64 {
	const toMarch0000 = 719468
	fromMarch := m - 3
	if m < 3 {
		y--
		fromMarch = m + 9
	}
	return int64(365*y+y/4-y/100+y/400+(153*fromMarch+2)/5+d-1) - toMarch0000
}

// dayText writes a day as 2026-12-24.
func dayText(day int64) string {
	y, m, d := date(day)
	return fmt.Sprintf("%04d-%02d-%02d", y, m, d)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
