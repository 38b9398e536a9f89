package schedule

import (
	"fmt"
	"strings"
	"time"
)

func monthName(m int) string { return time.Month(m).String() }

func weekdayName(d int) string { return time.Weekday(d % 7).String() }

// daysText describes the two day fields together.
func (x *expression) daysText(andDays bool) string {
	days := x.dayTexts(monthday, x.monthDays())
	weekdays := x.dayTexts(weekday, x.weekdays())
	switch {
	case len(days) == 0 && len(weekdays) == 0:
		return ""
	case len(weekdays) == 0:
		return "on " + and(days)
	case len(days) == 0 && x.plainDays(weekday):
		return and(weekdays)
	case len(days) == 0:
		return "on " + and(weekdays)
	case !andDays && !x.star[monthday] && !x.star[weekday]:
		return "on " + joinText(append(days, weekdays...), " or on ")
	}
	return "on " + and(days) + " if that is " + joinText(weekdays, " or ")
}

// plainDays tells if no part of the field depends on the month.
func (x *expression) plainDays(f field) bool {
	for _, p := range x.lists[f] {
		if p.text == "" {
			return false
		}
	}
	return true
}

// dayTexts names the values and the parts that depend on the month; nothing if
// every day matches.
func (x *expression) dayTexts(f field, values []string) []string {
	texts := values
	for _, p := range x.lists[f] {
		if p.text == "*" {
			return nil
		}
		if p.text == "" {
			texts = append(texts, p.shape.describe())
		}
	}
	return texts
}

func (x *expression) monthDays() []string {
	mask, err := maskOf(x.lists[monthday], monthday, 1, 31, func(v int) time.Time { return time.Date(2001, 1, v, 0, 0, 0, 0, time.UTC) })
	if err != nil || mask == 0 {
		return nil
	}
	if list := runs(mask, 1, 31); len(list) <= 6 {
		return []string{"the " + listText(list, ordinal, " to ")}
	}
	u := unit(mask>>1, 31)
	for step := 2; step < 8; step++ {
		if mask>>1 == steps64(u.first, step, 31) {
			return []string{fmt.Sprintf("every %s day of the month from the %s on", ordinal(step), ordinal(u.first+1))}
		}
	}
	return []string{"the " + listText(runs(mask, 1, 31), ordinal, " to ")}
}

func (x *expression) weekdays() []string {
	mask, err := maskOf(x.lists[weekday], weekday, 0, 6, func(v int) time.Time { return time.Date(2001, 1, 7+v, 0, 0, 0, 0, time.UTC) })
	if err != nil || mask == 0 {
		return nil
	}
	week := mask>>1 | mask&1<<6 // from Monday on
	if u := unit(week, 7); u.run && u.count > 2 {
		return []string{weekdayName(u.first+1) + " to " + weekdayName(u.last+1)}
	}
	var names []string
	for _, r := range runs(week, 0, 6) {
		for d := r[0]; d <= r[1]; d++ {
			names = append(names, weekdayName(d+1))
		}
	}
	return names
}

func (m monthDay) describe() string {
	before := "the last day of the month"
	if m.n == 1 {
		before = "the day before " + before
	} else if m.n > 1 {
		before = "the " + ordinal(m.n) + " day before " + before
	}
	switch m.kind {
	case fromEnd:
		return before
	case nearestWorkday:
		return "the day from Monday to Friday nearest to the " + ordinal(m.n)
	case workdayFromEnd:
		if m.n == 0 {
			return "the last day from Monday to Friday of the month"
		}
		return "the day from Monday to Friday nearest to " + before
	case lastWeekday:
		return "the last " + weekdayName(m.n) + " of the month"
	}
	return fmt.Sprintf("the %s %s of the month", ordinal(m.week), weekdayName(m.n))
}

func rollText(r Roll) string {
	return map[Roll]string{
		RollFollowing: "or the next business day", RollPreceding: "or the business day before",
		RollModifiedFollowing: "or the next business day of the month, else the one before",
		RollModifiedPreceding: "or the business day before in the month, else the next one",
		RollNearest:           "or the nearest business day",
	}[r]
}

// closedText names the days without business: the weekend is among them, unless
// the list names days of the week itself.
func closedText(holidays string) string {
	if holidays == "" {
		return "Saturday and Sunday"
	}
	if set, err := parseDays("holidays", holidays); err != nil || set.weekdays != 0 {
		return daysText(holidays)
	}
	return daysText("SAT,SUN," + holidays)
}

// daysText describes a list of days: dates as they are, days of every year and
// of the week by name.
func daysText(list string) string {
	items := strings.Split(list, ",")
	for i, item := range items {
		low, high, ranged := strings.Cut(item, "..")
		items[i] = dayItemText(low)
		if ranged {
			items[i] += " to " + dayItemText(high)
		}
	}
	return and(items)
}

func dayItemText(item string) string {
	if t, err := time.Parse("2006-01-02", "2000-"+item); err == nil {
		return t.Format("2 January")
	}
	for d, name := range weekday.spec().names {
		if name == item {
			return weekdayName(d)
		}
	}
	return item
}
