package schedule

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Limits of a Spec.
const (
	MaxExpr   = 512              // bytes of a cron expression
	MaxText   = 16 << 10         // bytes of the text form
	MaxRules  = 64               // Specs in a union
	MaxSeed   = 128              // bytes of a seed
	MinPeriod = time.Millisecond // of KindEvery and KindAfter
	MaxJitter = 24 * time.Hour
)

const (
	lastNano   = math.MaxInt64
	lastSecond = lastNano / int64(time.Second)
	instants   = "1970-01-01T00:00:00Z to 2262-04-11T23:47:16Z"
)

// Kind is the sort of schedule a Spec describes.
type Kind uint8

// The kinds of schedule.
const (
	KindCron  Kind = iota // a cron expression
	KindEvery             // Anchor + n*Period
	KindAfter             // Period after the end of the last execution
	KindAt                // once, at Anchor
)

func (k Kind) String() string {
	switch k {
	case KindCron:
		return "cron"
	case KindEvery:
		return "every"
	case KindAfter:
		return "after"
	case KindAt:
		return "at"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Gap is what a fixed-time job does with civil times that do not exist.
type Gap uint8

// What to do in a gap.
const (
	GapShift Gap = iota // run once, at the first instant after the gap
	GapSkip             // do not run
)

// Repeat is in which passes a job runs when civil times occur twice.
type Repeat uint8

// What to do in a repeat.
const (
	RepeatAuto  Repeat = iota // fixed-time jobs as RepeatFirst, others as RepeatBoth
	RepeatFirst               // first pass only
	RepeatBoth                // both passes
	RepeatLast                // second pass only
)

// Spec describes a schedule, or one rule of a union. It is a comparable value:
// two Specs in normal form (see [Schedule.Specs]) describe the same schedule in
// the same words if and only if they are equal.
type Spec struct {
	Kind   Kind
	Expr   string        // KindCron: the expression, without a time zone
	Period time.Duration // KindEvery, KindAfter: at least MinPeriod
	Anchor time.Time     // KindEvery: one of the instants, zero = 1970; KindAt: the instant
	Zone   string        // IANA name, "" = UTC; KindCron and Except depend on it

	From, Until time.Time     // inclusive bounds on due instants, zero = none
	Jitter      time.Duration // at most MaxJitter, 0 = none

	Gap     Gap    // KindCron
	Repeat  Repeat // KindCron
	AndDays bool   // KindCron: a day must match day-of-month and day-of-week
	Seed    string // KindCron: H is taken from its hash; see [For]

	Roll     Roll   // KindCron: days move to business days
	Holidays string // with Roll: a list of days, see [MaxDays]; "" = Saturdays and Sundays
	Except   string // KindCron, KindEvery: a list of days that are left out
	Not      string // KindCron: expressions, separated by +, whose times are left out; see [Spec.AsNot]
}

// normal returns s with single blanks in the expression, times in UTC without a
// monotonic reading, and the zone UTC written as "".
func (s Spec) normal() Spec {
	s.Expr = plainExpr(s.Expr)
	s.Anchor, s.From, s.Until = plainTime(s.Anchor), plainTime(s.From), plainTime(s.Until)
	s.Holidays = normalList(s.Holidays, ",", ",", plainDay)
	s.Except = normalList(s.Except, ",", ",", plainDay)
	s.Not = normalList(s.Not, "+", " + ", plainExpr)
	if s.Zone == "UTC" {
		s.Zone = ""
	}
	return s
}

// normalList writes the items of a list in their normal form.
func normalList(list, sep, join string, normal func(string) string) string {
	if list == "" {
		return ""
	}
	items := strings.Split(list, sep)
	for i, item := range items {
		items[i] = normal(strings.Trim(item, " \t"))
	}
	return strings.Join(items, join)
}

// plainExpr returns the expression with single blanks.
func plainExpr(expr string) string {
	var b strings.Builder
	for i, word := range words(expr) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word.text)
	}
	return b.String()
}

func plainTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.Unix(t.Unix(), int64(t.Nanosecond())).UTC()
}

// validate checks everything but the expression and the zone.
func (s Spec) validate() error {
	if s.Kind > KindAt {
		return &Error{"kind", fmt.Sprintf("%d is no kind of schedule", s.Kind), "use KindCron, KindEvery, KindAfter or KindAt", -1, ""}
	}
	if err := s.validateTimes(); err != nil {
		return err
	}
	if s.Jitter < 0 || s.Jitter > MaxJitter {
		return &Error{"jitter", s.Jitter.String() + " is not between 0 and 24h", "spread due instants by at most a day", -1, ""}
	}
	if s.Gap > GapSkip {
		return &Error{"gap", fmt.Sprintf("%d is no gap policy", s.Gap), "use GapShift or GapSkip", -1, ""}
	}
	if s.Repeat > RepeatLast {
		return &Error{"repeat", fmt.Sprintf("%d is no repeat policy", s.Repeat), "use RepeatAuto, RepeatFirst, RepeatBoth or RepeatLast", -1, ""}
	}
	if s.Roll > RollNearest {
		return &Error{"roll", fmt.Sprintf("%d is no business day convention", s.Roll), "use " + strings.Join(rollNames()[1:], ", "), -1, ""}
	}
	if s.Kind == KindCron {
		return s.validateCron()
	}
	return s.validateElapsed()
}

func (s Spec) validateTimes() error {
	for _, v := range []struct {
		field string
		at    time.Time
	}{{"anchor", s.Anchor}, {"from", s.From}, {"until", s.Until}} {
		if !v.at.IsZero() && !inHorizon(v.at) {
			return &Error{v.field, v.at.UTC().Format(time.RFC3339) + " is out of range", "choose an instant from " + instants, -1, ""}
		}
	}
	if !s.From.IsZero() && !s.Until.IsZero() && s.Until.Before(s.From) {
		return &Error{"until", "is before from", "swap them, or leave one out", -1, ""}
	}
	return nil
}

func (s Spec) validateCron() error {
	if s.Period != 0 {
		return &Error{"period", "a cron schedule has none", "use KindEvery for a period, or leave it out", -1, ""}
	}
	if !s.Anchor.IsZero() {
		return &Error{"anchor", "a cron schedule has none", "use From for the first instant, or leave it out", -1, ""}
	}
	if s.Holidays != "" && s.Roll == RollNone {
		return &Error{"holidays", "change nothing without roll", "say where due times on these days move, or leave the days out with except", -1, ""}
	}
	if !seedText(s.Seed) {
		return &Error{"seed", fmt.Sprintf("%.40q is not allowed", s.Seed), fmt.Sprintf("use up to %d letters, digits and ._-/", MaxSeed), -1, ""}
	}
	return nil
}

func seedText(seed string) bool {
	for i := range len(seed) {
		if c := seed[i]; !digit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte("._-/", c) < 0 {
			return false
		}
	}
	return len(seed) <= MaxSeed
}

// validateElapsed checks the kinds that have nothing to do with civil time.
func (s Spec) validateElapsed() error {
	if s.Expr != "" {
		return &Error{"expression", "only a cron schedule has one", "leave it out, or use KindCron", -1, ""}
	}
	if s.Gap != GapShift || s.Repeat != RepeatAuto || s.AndDays {
		return &Error{"gap, repeat, days", "only a cron schedule has these", "leave them out: " + s.Kind.String() + " does not depend on civil time", -1, ""}
	}
	for _, o := range []struct {
		field string
		set   bool
	}{{"roll", s.Roll != RollNone}, {"holidays", s.Holidays != ""}, {"not", s.Not != ""}, {"seed", s.Seed != ""}} {
		if o.set {
			return &Error{o.field, "only a cron schedule has it, and this is @" + s.Kind.String(), "leave it out, or write a cron expression", -1, ""}
		}
	}
	if s.Except != "" && s.Kind != KindEvery {
		return &Error{"except", "only a cron schedule and a period have days to leave out, and this is @" + s.Kind.String(), "leave it out", -1, ""}
	}
	if s.Kind == KindAt {
		if s.Anchor.IsZero() {
			return &Error{"anchor", "is missing", "set it to the instant at which the job is due", -1, ""}
		}
		if s.Period != 0 {
			return &Error{"period", "a one-shot has none", "use KindEvery for a period, or leave it out", -1, ""}
		}
		return nil
	}
	if s.Period < MinPeriod {
		return &Error{"period", s.Period.String() + " is too short", "use at least " + MinPeriod.String(), -1, ""}
	}
	if s.Kind == KindAfter && !s.Anchor.IsZero() {
		return &Error{"anchor", "a delay after completion has none", "use From for the first instant, or leave it out", -1, ""}
	}
	return nil
}

func inHorizon(t time.Time) bool {
	s := t.Unix()
	return s >= 0 && (s < lastSecond || s == lastSecond && int64(t.Nanosecond()) <= lastNano%int64(time.Second))
}
