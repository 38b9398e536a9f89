package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// days is a set of civil days: weekdays, days of every year, and ranges of
// dates.
type days struct {
	weekdays uint8      // bit 0 = Sunday
	yearly   [13]uint32 // by month, bit d = day d
	ranges   []dayRange // in order, apart from each other
}

// dayRange is a range of days since 1970, both ends included.
type dayRange struct{ from, to int64 }

// MaxDays is the number of items that a list of days may have.
const MaxDays = 1000

// parseDays reads a list of days: items separated by commas, each one of
//
//	2026-12-24, 2026-12-24..2027-01-02   a date, a range of dates
//	12-25, 12-24..01-02                  the same in every year
//	SAT, FRI..SUN                        days of the week
func parseDays(field, text string) (*days, error) {
	set := &days{}
	items := strings.Split(text, ",")
	if len(items) > MaxDays {
		return nil, &Error{field, fmt.Sprintf("has %d items", len(items)), fmt.Sprintf("list at most %d, and write neighbours as ranges", MaxDays), -1, ""}
	}
	for _, item := range items {
		if wrong := set.add(plainDay(item)); wrong != "" {
			return nil, &Error{field, fmt.Sprintf("%.40q %s", item, wrong), "write 2026-12-24, 2026-12-24..2027-01-02, 12-25, 12-24..01-02, SAT or FRI..SUN", -1, ""}
		}
	}
	set.merge()
	return set, nil
}

// plainDay is an item in normal form.
func plainDay(item string) string { return strings.ToUpper(strings.Join(strings.Fields(item), "")) }

// add adds one item; it returns what is wrong with it.
func (s *days) add(item string) string {
	low, high, ranged := strings.Cut(item, "..")
	if !ranged {
		high = low
	}
	switch {
	case len(low) == len("2006-01-02") && len(high) == len(low):
		return s.addDates(low, high)
	case len(low) == len("01-02") && len(high) == len(low):
		return s.addYearly(low, high)
	case len(low) == len("MON") && len(high) == len(low) && !strings.ContainsAny(item, "0123456789"):
		return s.addWeekdays(low, high)
	}
	return "is no day"
}

func (s *days) addDates(low, high string) string {
	from, err := time.Parse(time.DateOnly, low)
	if err != nil {
		return "is no date"
	}
	to, err := time.Parse(time.DateOnly, high)
	if err != nil {
		return "is no date"
	}
	if from.Year() < firstYear || to.Year() > lastYear {
		return fmt.Sprintf("lies outside %d to %d", firstYear, lastYear)
	}
	if to.Before(from) {
		return "runs backwards"
	}
	s.ranges = append(s.ranges, dayRange{from.Unix() / daySeconds, to.Unix() / daySeconds})
	return ""
}

func (s *days) addYearly(low, high string) string {
	const leapYear = "2000-"
	from, err := time.Parse(time.DateOnly, leapYear+low)
	if err != nil {
		return "is no day of a year"
	}
	to, err := time.Parse(time.DateOnly, leapYear+high)
	if err != nil {
		return "is no day of a year"
	}
	for d := from; ; d = d.AddDate(0, 0, 1) {
		if d.Year() > from.Year() { // round the end of the year, the same one: it has a 29 February
			d = d.AddDate(-1, 0, 0)
		}
		s.yearly[d.Month()] |= 1 << d.Day()
		if d.Equal(to) {
			return ""
		}
	}
}

func (s *days) addWeekdays(low, high string) string {
	names := weekday.spec().names
	from, to := slices.Index(names, low), slices.Index(names, high)
	if from < 0 || to < 0 {
		return "is no day of the week"
	}
	for d := from; ; d = (d + 1) % 7 {
		s.weekdays |= 1 << d
		if d == to {
			return ""
		}
	}
}

// merge puts the ranges in order and joins those that touch.
func (s *days) merge() {
	slices.SortFunc(s.ranges, func(a, b dayRange) int { return int(a.from - b.from) })
	var merged []dayRange
	for _, r := range s.ranges {
		if n := len(merged) - 1; n >= 0 && r.from <= merged[n].to+1 {
			merged[n].to = max(merged[n].to, r.to)
		} else {
			merged = append(merged, r)
		}
	}
	s.ranges = merged
}

// has tells if day is in the set. The nil set is empty.
func (s *days) has(day int64) bool {
	if s == nil {
		return false
	}
	if s.weekdays>>weekdayOf(day)&1 != 0 {
		return true
	}
	if s.yearly != [13]uint32{} {
		if _, m, d := date(day); s.yearly[m]>>d&1 != 0 {
			return true
		}
	}
	return s.rangeEnd(day) >= day
}

// rangeEnd returns the last day of the range that day lies in, or one before
// day if there is none.
func (s *days) rangeEnd(day int64) int64 {
	i, found := slices.BinarySearchFunc(s.ranges, day, func(r dayRange, day int64) int { return int(r.from - day) })
	if !found {
		i--
	}
	if i >= 0 && day <= s.ranges[i].to {
		return s.ranges[i].to
	}
	return day - 1
}

// nextFree returns the first day at or after day that is not in the set, or one
// beyond the horizon.
func (s *days) nextFree(day int64) int64 {
	for s.has(day) && day <= lastDay {
		day = max(day, s.rangeEnd(day)) + 1
	}
	return day
}

// longest returns the longest run of days that are all in the set, and its first
// day. Runs longer than limit are not told apart. Without ranges the set comes
// round with the weeks, or with 28 years (a century without a leap day has no
// year, or pair of years, that is not among those); a range matters where it is.
func (s *days) longest(limit int64) (from, length int64) {
	look := func(day, to int64) {
		for ; day <= to && length <= limit; day++ {
			if end := s.run(day, limit); end-day > length {
				from, length = day, end-day
			}
			day = max(day, s.run(day, limit))
		}
	}
	cycle := int64(14)
	if s.yearly != [13]uint32{} {
		cycle = 28*366 + 366
	}
	look(0, cycle)
	for _, r := range s.ranges {
		look(max(0, r.from-limit-1), r.from)
	}
	return from, length
}

// run returns the end of the run of days in the set that begins at day, at most
// a little more than limit later; day itself if it is not in the set.
func (s *days) run(day, limit int64) int64 {
	for first := day; s.has(day) && day-first <= limit; {
		day = max(day, s.rangeEnd(day)) + 1
	}
	return day
}

// workweek is the set with Saturday and Sunday in it, unless it names days of
// the week itself.
func (s *days) workweek() {
	if s.weekdays == 0 {
		s.weekdays = 1<<0 | 1<<6
	}
}
