package schedule

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// The oracle of these tests. A random expression is made together with a
// predicate on civil time, so that nothing is parsed here; the predicate is
// naive on purpose and shares no code with the package.

// civil is a wall-clock reading, kept as a time in UTC.
type civil = time.Time

type term struct {
	text   string
	match  func(c civil) bool
	beyond bool // gronx does not read it
}

func (t term) star() bool { return strings.HasPrefix(t.text, "*") || strings.HasPrefix(t.text, "?") }

type naive struct {
	sec, min, hour, dom, mon, dow, year term
	text                                string
	and, seconds                        bool

	roll             Roll
	holidays, except dayList
	not              []naive
	moved            map[int64]bool // what matchMoved found, by day
}

// beyond tells if gronx cannot read the expression.
func (n naive) beyond() bool {
	return n.sec.beyond || n.min.beyond || n.hour.beyond || n.dom.beyond || n.mon.beyond || n.dow.beyond
}

func (n naive) fixed() bool { return !n.min.star() && !n.hour.star() }

func (n naive) matchDay(c civil) bool {
	if !n.year.match(c) || !n.mon.match(c) {
		return false
	}
	if n.and || n.dom.star() || n.dow.star() {
		return n.dom.match(c) && n.dow.match(c)
	}
	return n.dom.match(c) || n.dow.match(c)
}

func (n naive) matchClock(c civil) bool { return n.sec.match(c) && n.min.match(c) && n.hour.match(c) }

// match tells if the civil second is due.
func (n naive) match(c civil) bool {
	return n.matchClock(c) && n.matchMoved(c) && !n.leftOut(c)
}

func (n naive) leftOut(c civil) bool {
	for _, not := range n.not {
		if (not.matchClock(c) || !not.seconds && not.min.match(c) && not.hour.match(c)) && not.matchDay(c) {
			return true
		}
	}
	return n.except.has(c)
}

// matchMoved tells if a day is one to which a matching day moves.
func (n naive) matchMoved(c civil) bool {
	if n.roll == RollNone {
		return n.matchDay(c)
	}
	day := c.Truncate(24 * time.Hour)
	found, ok := n.moved[day.Unix()]
	if !ok {
		for i := -40; i <= 40 && !found; i++ {
			from := day.AddDate(0, 0, i)
			found = n.matchDay(from) && n.move(from).Equal(day)
		}
		n.moved[day.Unix()] = found
	}
	return found
}

// move walks to the business day to which a day moves.
func (n naive) move(day civil) civil {
	open := func(step int) civil {
		at := day
		for n.closed(at) {
			at = at.AddDate(0, 0, step)
		}
		return at
	}
	after, before := open(1), open(-1)
	switch n.roll {
	case RollPreceding:
		return before
	case RollModifiedFollowing:
		if after.Month() != day.Month() {
			return before
		}
	case RollModifiedPreceding:
		if before.Month() == day.Month() {
			return before
		}
	case RollNearest:
		if day.Sub(before) < after.Sub(day) {
			return before
		}
	}
	return after
}

func (n naive) closed(day civil) bool {
	if !n.holidays.weekdays && (day.Weekday() == time.Saturday || day.Weekday() == time.Sunday) {
		return true
	}
	return n.holidays.has(day)
}

// spec is the Spec that means the same.
func (n naive) spec() Spec {
	var not []string
	for _, other := range n.not {
		not = append(not, Spec{Expr: other.text, AndDays: other.and}.AsNot())
	}
	return Spec{Expr: n.text, AndDays: n.and, Roll: n.roll, Holidays: n.holidays.text, Except: n.except.text, Not: strings.Join(not, "+")}
}

// dayList is a list of days. The zero value is empty.
type dayList struct {
	text     string
	weekdays bool // it names some
	match    []func(c civil) bool
}

func (l dayList) has(c civil) bool {
	for _, match := range l.match {
		if match(c) {
			return true
		}
	}
	return false
}

func randomDays(r *rand.Rand) (l dayList) {
	var items []string
	for range 1 + r.IntN(3) {
		item, match, weekdays := randomDayItem(r)
		items, l.match, l.weekdays = append(items, item), append(l.match, match), l.weekdays || weekdays
	}
	l.text = strings.Join(items, ",")
	return l
}

func randomDayItem(r *rand.Rand) (item string, match func(c civil) bool, weekdays bool) {
	names := strings.Fields("SUN MON TUE WED THU FRI SAT")
	single := r.IntN(3) == 0
	switch r.IntN(3) {
	case 0:
		from, to := r.IntN(7), r.IntN(7)
		if single {
			return names[from], func(c civil) bool { return int(c.Weekday()) == from }, true
		}
		return names[from] + ".." + names[to], func(c civil) bool {
			d := int(c.Weekday())
			return from <= to && from <= d && d <= to || from > to && (d >= from || d <= to)
		}, true
	case 1:
		from := time.Date(2000, 1, 1+r.IntN(366), 0, 0, 0, 0, time.UTC).Format("01-02")
		to := time.Date(2000, 1, 1+r.IntN(366), 0, 0, 0, 0, time.UTC).Format("01-02")
		if single {
			return from, func(c civil) bool { return c.Format("01-02") == from }, false
		}
		return from + ".." + to, func(c civil) bool {
			d := c.Format("01-02")
			return from <= to && from <= d && d <= to || from > to && (d >= from || d <= to)
		}, false
	}
	at := time.Date(1970, 1, 1+r.IntN(29000), 0, 0, 0, 0, time.UTC)
	from, to := at.Format(time.DateOnly), at.AddDate(0, 0, r.IntN([]int{3, 40, 9000}[r.IntN(3)])).Format(time.DateOnly)
	return from + ".." + to, func(c civil) bool {
		d := c.Format(time.DateOnly)
		return from <= d && d <= to
	}, false
}

// modified adds to some expressions what moves and leaves out due times.
func (n naive) modified(r *rand.Rand) naive {
	if r.IntN(4) == 0 {
		n.roll, n.moved = Roll(1+r.IntN(5)), map[int64]bool{}
		if r.IntN(2) == 0 {
			n.holidays = randomDays(r)
		}
	}
	if r.IntN(4) == 0 {
		n.except = randomDays(r)
	}
	if r.IntN(4) == 0 {
		for range 1 + r.IntN(3) {
			n.not = append(n.not, randomNaive(r, n.seconds && r.IntN(2) == 0, false))
		}
	}
	return n
}

// randomNaive makes an expression of 5, 6 or 7 fields. Sparse ones name a month
// and a day; the others are due often enough to be seen in a window of hours.
func randomNaive(r *rand.Rand, seconds, sparse bool) naive {
	n := naive{
		sec:  term{"0", func(c civil) bool { return c.Second() == 0 }, false},
		min:  randomTerm(r, 0, 59, nil, civil.Minute),
		hour: randomTerm(r, 0, 23, nil, civil.Hour),
		dom:  anyTerm(), mon: anyTerm(), dow: anyTerm(), year: anyTerm(),
		and: r.IntN(4) == 0,
	}
	if sparse || r.IntN(3) == 0 {
		n.dom = randomDay(r)
	}
	if sparse || r.IntN(3) == 0 {
		n.dow = randomWeekday(r)
	}
	if sparse || r.IntN(6) == 0 {
		n.mon = randomTerm(r, 1, 12, strings.Fields("JAN feb Mar APR may Jun JUL aug Sep OCT nov Dec"), func(c civil) int { return int(c.Month()) })
	}
	fields := []string{n.min.text, n.hour.text, n.dom.text, n.mon.text, n.dow.text}
	withYear := sparse && r.IntN(3) == 0
	if withYear {
		n.year = randomTerm(r, 1970, 2100, nil, civil.Year)
		fields = append(fields, n.year.text)
	}
	if n.seconds = seconds || withYear && (r.IntN(2) == 0 || !fourDigits(n.year.text)); n.seconds {
		n.sec = randomTerm(r, 0, 59, nil, civil.Second)
		fields = append([]string{n.sec.text}, fields...)
	}
	n.text = strings.Join(fields, " ")
	return n
}

func anyTerm() term { return term{"*", func(civil) bool { return true }, false} }

// randomTerm makes a list of one to three parts.
func randomTerm(r *rand.Rand, lo, hi int, names []string, get func(civil) int) term {
	if r.IntN(5) == 0 {
		return term{[]string{"*", "?"}[r.IntN(2)], func(civil) bool { return true }, false}
	}
	set := map[int]bool{}
	var texts []string
	wraps := false
	for range 1 + r.IntN(3)*r.IntN(2) {
		text, values, wrap := randomPart(r, lo, hi, names)
		texts = append(texts, text)
		wraps = wraps || wrap
		for _, v := range values {
			set[v] = true
		}
	}
	return term{strings.Join(texts, ","), func(c civil) bool { return set[get(c)] }, wraps}
}

func randomPart(r *rand.Rand, lo, hi int, names []string) (text string, values []int, wraps bool) {
	name := func(v int) string {
		if v-lo < len(names) && r.IntN(2) == 0 {
			return names[v-lo]
		}
		return fmt.Sprint(v)
	}
	a := lo + r.IntN(hi-lo+1)
	b := a + r.IntN(hi-a+1)
	step := 1 + r.IntN(min(hi-lo, 30))
	if lo < 1970 && a < b && r.IntN(4) == 0 { // round the end of the field
		values = append(steps(b, hi, 1), steps(lo, a, 1)...)
		if r.IntN(2) == 0 {
			return name(b) + "-" + name(a), values, true
		}
		var some []int
		for i := 0; i < len(values); i += step {
			some = append(some, values[i])
		}
		return fmt.Sprintf("%s-%s/%d", name(b), name(a), step), some, true
	}
	switch r.IntN(6) {
	case 0:
		base := lo
		if lo == 1970 {
			base = 0 // */n in the year field means the multiples of n
		}
		return fmt.Sprintf("*/%d", step), steps(base, hi, step), false
	case 1:
		return name(a) + "-" + name(b), steps(a, b, 1), false
	case 2:
		return fmt.Sprintf("%s-%s/%d", name(a), name(b), step), steps(a, b, step), false
	case 3:
		return fmt.Sprintf("%s/%d", name(a), step), steps(a, hi, step), false
	}
	return name(a), []int{a}, false
}

func steps(from, to, step int) (values []int) {
	for v := from; v <= to; v += step {
		values = append(values, v)
	}
	return values
}

func lastDayOf(c civil) int { return time.Date(c.Year(), c.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }

func randomDay(r *rand.Rand) term {
	before := 1 + r.IntN(30)
	switch r.IntN(9) {
	case 3:
		return term{fmt.Sprintf("L-%d", before), func(c civil) bool { return c.Day() == lastDayOf(c)-before }, true}
	case 4:
		return term{"lW", func(c civil) bool { return c.Day() == naiveWorkday(c, lastDayOf(c)) }, true}
	case 5:
		return term{fmt.Sprintf("l-%dw", before), func(c civil) bool {
			day := lastDayOf(c) - before
			return day > 0 && c.Day() == naiveWorkday(c, day)
		}, true}
	case 0:
		return term{"L", func(c civil) bool { return c.Day() == lastDayOf(c) }, false}
	case 1:
		day := 1 + r.IntN(31)
		return term{fmt.Sprintf("%dW", day), func(c civil) bool { return c.Day() == naiveWorkday(c, day) }, false}
	case 2:
		day, other := 1+r.IntN(31), 1+r.IntN(28)
		return term{fmt.Sprintf("%d,L,%dw", other, day), func(c civil) bool {
			return c.Day() == other || c.Day() == lastDayOf(c) || c.Day() == naiveWorkday(c, day)
		}, false}
	}
	return randomTerm(r, 1, 31, nil, civil.Day)
}

// naiveWorkday returns the working day nearest to a day, within its month; 0
// if the month has no such day.
func naiveWorkday(c civil, day int) int {
	if day > lastDayOf(c) {
		return 0
	}
	switch time.Date(c.Year(), c.Month(), day, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == lastDayOf(c) {
			return day - 2
		}
		return day + 1
	}
	return day
}

func randomWeekday(r *rand.Rand) term {
	names := strings.Fields("SUN mon Tue WED thu Fri SAT")
	day, nth := r.IntN(8), 1+r.IntN(5)
	name := fmt.Sprint(day)
	if r.IntN(2) == 0 {
		name = names[day%7]
	}
	switch r.IntN(6) {
	case 0:
		return term{name + "L", func(c civil) bool { return int(c.Weekday()) == day%7 && c.Day()+7 > lastDayOf(c) }, false}
	case 1:
		return term{fmt.Sprintf("%s#%d", name, nth), func(c civil) bool {
			return int(c.Weekday()) == day%7 && (c.Day()+6)/7 == nth
		}, false}
	case 2:
		from := r.IntN(7)
		step := 1 + r.IntN(3)
		set := map[int]bool{}
		for _, v := range steps(from, 7, step) {
			set[v%7] = true
		}
		return term{fmt.Sprintf("%d-7/%d", from, step), func(c civil) bool { return set[int(c.Weekday())] }, false}
	}
	return randomTerm(r, 0, 6, names, func(c civil) int { return int(c.Weekday()) })
}

// policies draws the options that change what a transition does.
func policies(r *rand.Rand) (gap Gap, repeat Repeat) {
	return Gap(r.IntN(3) / 2), Repeat(max(0, r.IntN(7)-3))
}

// effective resolves RepeatAuto as the documentation says.
func (n naive) effective(repeat Repeat) Repeat {
	if repeat != RepeatAuto {
		return repeat
	}
	if n.fixed() {
		return RepeatFirst
	}
	return RepeatBoth
}
