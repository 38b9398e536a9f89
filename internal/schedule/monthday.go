package schedule

// monthDay is a day, or some days, of a month that depend on how long the month
// is and on which weekday it starts. The zero value is none.
type monthDay struct {
	kind monthDayKind
	n    int // see the kinds
	week int // nthWeekday: 1 to 5
}

type monthDayKind uint8

const (
	noMonthDay     monthDayKind = iota
	fromEnd                     // L-n: n days before the last day
	nearestWorkday              // nW: the working day nearest to day n, in the same month
	workdayFromEnd              // L-nW, LW: the working day nearest to L-n, in the same month
	lastWeekday                 // nL: the last weekday n
	nthWeekday                  // n#week: the week-th weekday n
)

// in returns the matching days of a month that starts on the weekday first, bit
// d for day d.
func (m monthDay) in(first, length int) uint32 {
	day := 0
	switch m.kind {
	case fromEnd:
		day = length - m.n
	case nearestWorkday:
		day = workdayNear(m.n, first, length)
	case workdayFromEnd:
		day = workdayNear(length-m.n, first, length)
	case lastWeekday:
		day = weekdayInMonth(m.n, 5, first)
		if day > length {
			day -= 7
		}
	case nthWeekday:
		day = weekdayInMonth(m.n, m.week, first)
	}
	if day < 1 || day > length {
		return 0
	}
	return 1 << day
}

// weekdayInMonth returns the day of the week-th given weekday of a month, which
// may be one that the month does not have.
func weekdayInMonth(weekday, week, first int) int {
	return 1 + (weekday-first+7)%7 + 7*(week-1)
}

// workdayNear returns the day from Monday to Friday nearest to a day, 0 if the
// month has no such day.
func workdayNear(day, first, length int) int {
	if day < 1 || day > length {
		return 0
	}
	switch (first + day - 1) % 7 {
	case 6: // Saturday
		if day == 1 {
			return 3
		}
		return day - 1
	case 0: // Sunday
		if day == length {
			return day - 2
		}
		return day + 1
	}
	return day
}
