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
	text  string
	match func(c civil) bool
}

func (t term) star() bool { return strings.HasPrefix(t.text, "*") || strings.HasPrefix(t.text, "?") }

type naive struct {
	sec, min, hour, dom, mon, dow, year term
	text                                string
	and                                 bool
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

func (n naive) match(c civil) bool {
	return n.sec.match(c) && n.min.match(c) && n.hour.match(c) && n.matchDay(c)
}

// randomNaive makes an expression of 5, 6 or 7 fields. Sparse ones name a month
// and a day; the others are due often enough to be seen in a window of hours.
func randomNaive(r *rand.Rand, seconds, sparse bool) naive {
	n := naive{
		sec:  term{"0", func(c civil) bool { return c.Second() == 0 }},
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
	if seconds || withYear && (r.IntN(2) == 0 || !fourDigits(n.year.text)) {
		n.sec = randomTerm(r, 0, 59, nil, civil.Second)
		fields = append([]string{n.sec.text}, fields...)
	}
	n.text = strings.Join(fields, " ")
	return n
}

func anyTerm() term { return term{"*", func(civil) bool { return true }} }

// randomTerm makes a list of one to three parts.
func randomTerm(r *rand.Rand, lo, hi int, names []string, get func(civil) int) term {
	if r.IntN(5) == 0 {
		return term{[]string{"*", "?"}[r.IntN(2)], func(civil) bool { return true }}
	}
	set := map[int]bool{}
	var texts []string
	for range 1 + r.IntN(3)*r.IntN(2) {
		text, values := randomPart(r, lo, hi, names)
		texts = append(texts, text)
		for _, v := range values {
			set[v] = true
		}
	}
	return term{strings.Join(texts, ","), func(c civil) bool { return set[get(c)] }}
}

func randomPart(r *rand.Rand, lo, hi int, names []string) (string, []int) {
	name := func(v int) string {
		if v-lo < len(names) && r.IntN(2) == 0 {
			return names[v-lo]
		}
		return fmt.Sprint(v)
	}
	a := lo + r.IntN(hi-lo+1)
	b := a + r.IntN(hi-a+1)
	step := 1 + r.IntN(min(hi-lo, 30))
	switch r.IntN(6) {
	case 0:
		base := lo
		if lo == 1970 {
			base = 0 // */n in the year field means the multiples of n
		}
		return fmt.Sprintf("*/%d", step), steps(base, hi, step)
	case 1:
		return name(a) + "-" + name(b), steps(a, b, 1)
	case 2:
		return fmt.Sprintf("%s-%s/%d", name(a), name(b), step), steps(a, b, step)
	case 3:
		return fmt.Sprintf("%s/%d", name(a), step), steps(a, hi, step)
	}
	return name(a), []int{a}
}

func steps(from, to, step int) (values []int) {
	for v := from; v <= to; v += step {
		values = append(values, v)
	}
	return values
}

func lastDay(c civil) int { return time.Date(c.Year(), c.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }

func randomDay(r *rand.Rand) term {
	switch r.IntN(6) {
	case 0:
		return term{"L", func(c civil) bool { return c.Day() == lastDay(c) }}
	case 1:
		day := 1 + r.IntN(31)
		return term{fmt.Sprintf("%dW", day), func(c civil) bool { return c.Day() == nearestWorkday(c, day) }}
	case 2:
		day, other := 1+r.IntN(31), 1+r.IntN(28)
		return term{fmt.Sprintf("%d,L,%dw", other, day), func(c civil) bool {
			return c.Day() == other || c.Day() == lastDay(c) || c.Day() == nearestWorkday(c, day)
		}}
	}
	return randomTerm(r, 1, 31, nil, civil.Day)
}

// nearestWorkday returns the working day nearest to a day, within its month; 0
// if the month has no such day.
func nearestWorkday(c civil, day int) int {
	if day > lastDay(c) {
		return 0
	}
	switch time.Date(c.Year(), c.Month(), day, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == lastDay(c) {
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
		return term{name + "L", func(c civil) bool { return int(c.Weekday()) == day%7 && c.Day()+7 > lastDay(c) }}
	case 1:
		return term{fmt.Sprintf("%s#%d", name, nth), func(c civil) bool {
			return int(c.Weekday()) == day%7 && (c.Day()+6)/7 == nth
		}}
	case 2:
		from := r.IntN(7)
		step := 1 + r.IntN(3)
		set := map[int]bool{}
		for _, v := range steps(from, 7, step) {
			set[v%7] = true
		}
		return term{fmt.Sprintf("%d-7/%d", from, step), func(c civil) bool { return set[int(c.Weekday())] }}
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
