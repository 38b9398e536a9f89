package schedule

import (
	"cmp"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Describe says in English when the schedule is due. It speaks of what was
// compiled, so that it cannot differ from what runs: an H is the value that it
// came to.
func (s *Schedule) Describe() string {
	text := s.rules[0].describe()
	for i := range s.rules[1:] {
		text += "; and " + lowerFirst(s.rules[i+1].describe())
	}
	return text
}

func (r *rule) describe() string {
	s := r.spec
	var clauses []string
	add := func(format string, args ...any) { clauses = append(clauses, fmt.Sprintf(format, args...)) }
	switch s.Kind {
	case KindCron:
		clauses = r.describeCron()
	case KindEvery:
		add("Every %s", everyText(s.Period))
		if !s.Anchor.IsZero() {
			add("counted from %s", instantText(s.Anchor))
		}
	case KindAfter:
		add("%s after the end of the last execution", durationText(s.Period))
	case KindAt:
		add("Once, at %s", instantText(s.Anchor))
	}
	if s.Except != "" {
		add("except on %s", daysText(s.Except))
	}
	if s.Kind == KindCron || s.Except != "" {
		add("%s", cmp.Or(s.Zone, "UTC"))
	}
	if !s.From.IsZero() {
		add("from %s", instantText(s.From))
	}
	if !s.Until.IsZero() {
		add("until %s", instantText(s.Until))
	}
	if s.Jitter != 0 {
		add("each start put off by up to %s", durationText(s.Jitter))
	}
	return strings.Join(clauses, ", ")
}

// describeCron returns the clauses of a cron expression and of what moves or
// leaves out its times.
func (r *rule) describeCron() []string {
	s := r.spec
	clauses := describeExpr(s.Expr, s.Seed, s.AndDays)
	if s.Roll != RollNone {
		clauses = append(clauses, rollText(s.Roll), "with no business on "+closedText(s.Holidays))
	}
	if s.Not != "" {
		clauses = append(clauses, notTexts(s)...)
	}
	if s.hashed() {
		clauses = append(clauses, "with H still to be taken from a job's ID")
	}
	if s.Gap == GapSkip {
		clauses = append(clauses, "not at times that a clock put forward leaves out")
	}
	if s.Repeat != RepeatAuto {
		clauses = append(clauses, "at "+map[Repeat]string{RepeatFirst: "the first", RepeatBoth: "both", RepeatLast: "the second"}[s.Repeat]+" of times that come twice")
	}
	return clauses
}

func notTexts(s Spec) (clauses []string) {
	word := "but not "
	for item := range strings.SplitSeq(s.Not, "+") {
		expr, and := cutAnd(item)
		text := strings.Join(describeExpr(expr, s.Seed, and), ", ")
		clauses = append(clauses, word+lowerFirst(text))
		word = "nor "
	}
	return clauses
}

// describeExpr describes an expression that has been compiled before.
func describeExpr(expr, seed string, andDays bool) []string {
	x, err := parseExpression(expr, seed)
	if err != nil {
		return []string{expr}
	}
	p, err := compilePlan(&x, andDays)
	if err != nil {
		return []string{expr}
	}
	clauses := []string{p.clockText()}
	if text := x.daysText(andDays); text != "" && !p.everyDay() {
		clauses = append(clauses, text)
	}
	if p.months != 1<<13-2 {
		clauses = append(clauses, "in "+listText(runs(uint64(p.months), 1, 12), monthName, " to "))
	}
	if years := p.yearList(); len(years) > 0 {
		clauses = append(clauses, "in "+listText(years, func(y int) string { return fmt.Sprint(y) }, " to "))
	}
	return clauses
}

// clockText describes the times of the day.
func (p *plan) clockText() string {
	seconds, minutes, hours := unit(p.seconds, 60), unit(p.minutes, 60), unit(uint64(p.hours), 24)
	if seconds.count*minutes.count*hours.count <= 6 {
		return "At " + p.clockList()
	}
	plain := p.seconds == 1
	window := ""
	if !hours.every {
		window = fmt.Sprintf(" from %02d:00 to %02d:59", hours.first, hours.last)
	}
	switch {
	case !hours.every && !hours.run: // neither all hours nor neighbours
	case !plain && seconds.step > 0 && minutes.every:
		return "Every " + counted(seconds.step, "second") + seconds.start("second") + window
	case plain && minutes.step > 0:
		return "Every " + counted(minutes.step, "minute") + minutes.start("minute") + window
	case plain && p.minutes == 1 && hours.every:
		return "Every hour"
	case plain && p.minutes == 1:
		return fmt.Sprintf("Every hour from %02d:00 to %02d:00", hours.first, hours.last)
	}
	if plain && p.minutes == 1 && hours.step > 0 && hours.first == 0 {
		return "Every " + counted(hours.step, "hour")
	}
	text := minutes.text("minute") + " of " + hours.text("hour")
	if !plain {
		text = seconds.text("second") + " of " + text
	}
	return "At " + text
}

// clockList lists all times of the day.
func (p *plan) clockList() string {
	var times []string
	for s, ok := p.nextClock(0); ok; s, ok = p.nextClock(s + 1) {
		text := fmt.Sprintf("%02d:%02d", s/3600, s/60%60)
		if p.seconds != 1 {
			text += fmt.Sprintf(":%02d", s%60)
		}
		times = append(times, text)
		if s+1 == daySeconds {
			break
		}
	}
	return and(times)
}

// clockUnit is what can be said of the values of a clock field.
type clockUnit struct {
	mask        uint64
	size, count int
	every       bool
	run         bool // neighbours, perhaps round the end; from first to last
	first, last int
	step        int // they come every step all the time, 0 if not
}

func unit(mask uint64, size int) clockUnit {
	u := clockUnit{mask: mask, size: size, count: bits.OnesCount64(mask)}
	u.every = u.count == size
	u.first, u.last = bits.TrailingZeros64(mask), 63-bits.LeadingZeros64(mask)
	u.run = u.last-u.first+1 == u.count
	if !u.run && mask&1 != 0 && mask>>(size-1)&1 != 0 { // does it go round the end?
		gaps := ^mask & (1<<size - 1)
		from, to := bits.TrailingZeros64(gaps), 63-bits.LeadingZeros64(gaps)
		if to-from+1 == size-u.count {
			u.run, u.first, u.last = true, to+1, from-1
		}
	}
	if step := size / u.count; u.count > 1 && size%u.count == 0 && u.first < step && mask == steps64(u.first, step, size) {
		u.step = step
	}
	return u
}

func steps64(from, step, size int) (mask uint64) {
	for v := from; v < size; v += step {
		mask |= 1 << v
	}
	return mask
}

// start says where the steps begin, if not at zero.
func (u clockUnit) start(name string) string {
	if u.first == 0 || u.every {
		return ""
	}
	return fmt.Sprintf(" from %s %d on", name, u.first)
}

// text names the values: "minutes 5 and 10", "every 7th minute", "every hour".
func (u clockUnit) text(name string) string {
	if u.every {
		return "every " + name
	}
	if u.count > 3 && !u.run {
		second := bits.TrailingZeros64(u.mask &^ (1 << u.first))
		if step := second - u.first; u.mask == steps64(u.first, step, u.size) {
			text := fmt.Sprintf("every %s %s", ordinal(step), name)
			if u.first > 0 {
				text += fmt.Sprintf(" from %d on", u.first)
			}
			return text
		}
	}
	if u.count > 1 {
		name += "s"
	}
	return name + " " + listText(runs(u.mask, 0, u.size-1), func(v int) string { return fmt.Sprint(v) }, " to ")
}

// yearList returns the runs of years, nothing if all years match.
func (p *plan) yearList() (list [][2]int) {
	for y := firstYear; y <= lastYear; y++ {
		if n := len(list) - 1; !p.hasYear(y) {
			continue
		} else if n >= 0 && list[n][1] == y-1 {
			list[n][1] = y
		} else {
			list = append(list, [2]int{y, y})
		}
	}
	if len(list) == 1 && list[0] == [2]int{firstYear, lastYear} {
		return nil
	}
	return list
}

// runs returns the runs of neighbours in a mask.
func runs(mask uint64, lo, hi int) (list [][2]int) {
	for v := lo; v <= hi; v++ {
		if mask>>v&1 == 0 {
			continue
		}
		if n := len(list) - 1; n >= 0 && list[n][1] == v-1 {
			list[n][1] = v
		} else {
			list = append(list, [2]int{v, v})
		}
	}
	return list
}

// listText names runs: "1, 2 and 5 to 9".
func listText(list [][2]int, name func(int) string, to string) string {
	var texts []string
	for _, r := range list {
		switch r[1] - r[0] {
		case 0:
			texts = append(texts, name(r[0]))
		case 1:
			texts = append(texts, name(r[0]), name(r[1]))
		default:
			texts = append(texts, name(r[0])+to+name(r[1]))
		}
	}
	return and(texts)
}

func and(texts []string) string { return joinText(texts, " and ") }

func joinText(texts []string, last string) string {
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	n := len(texts) - 1
	return strings.Join(texts[:n], ", ") + last + texts[n]
}

func plural(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

// counted writes "5 minutes", and "minute" for one of them.
func counted(n int, name string) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n) + suffix
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

// everyText is the duration as it follows "every": "hour" for one of them.
func everyText(d time.Duration) string {
	text := durationText(d)
	if one, ok := strings.CutPrefix(text, "1 "); ok && !strings.Contains(one, " ") {
		return one
	}
	return text
}

// durationText writes a duration in units: "90 seconds" as "1 minute 30 seconds".
func durationText(d time.Duration) string {
	if d%time.Second != 0 || d < time.Second {
		return d.String()
	}
	var texts []string
	seconds := int(d / time.Second)
	for _, u := range []struct {
		name string
		n    int
	}{{"hour", seconds / 3600}, {"minute", seconds / 60 % 60}, {"second", seconds % 60}} {
		if u.n > 0 {
			texts = append(texts, plural(u.n, u.name))
		}
	}
	return strings.Join(texts, " ")
}

func instantText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999999 UTC") }
