package chronos

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
)

// Schedule is a set of instants at which a job is due. It is a value: its
// methods return changed copies. Constructors do not fail; what is wrong with
// a schedule is said by Err, and by Put. The zero Schedule has no instants: a
// job with it only runs when it is triggered.
//
// The sets combine: [Union] joins them, Except and ExceptDays leave instants
// out, From and Until bound them, OnBusinessDays moves them. A method of a union
// applies to each of its schedules. docs/schedules.md has the rules and the
// grammar of expressions.
type Schedule struct {
	specs []schedule.Spec // the union of these; none is the zero Schedule
	err   error           // what a constructor or a method could not do
	owner string          // the stored job that it was read from: what H is the hash of
	memo  *compiled       // of specs
}

// compiled holds what a Schedule compiles to, once it has been asked for. All
// copies of a value share it.
type compiled struct {
	once  sync.Once
	sched *schedule.Schedule
	err   error

	written sync.Once
	text    string
}

func newSchedule(err error, specs ...schedule.Spec) Schedule {
	return Schedule{specs: specs, err: err, memo: new(compiled)}
}

// Cron is due when a cron expression matches, in UTC unless In says otherwise.
// It takes 5 fields (minute hour day-of-month month day-of-week), 6 (a second
// in front) or 7 (a year behind), names, ranges, steps, lists, the day words L,
// L-3, LW, 15W, FRIL and FRI#2 (Quartz), H for a value by the hash of the job's
// ID (Jenkins), and the macros @yearly @annually @monthly @weekly @daily
// @midnight @hourly. Days of the week are 0 to 7, 0 and 7 being Sunday (Quartz
// counts from 1). As in Vixie cron, a day matches if day-of-month or
// day-of-week does when both are restricted. In a daylight-saving gap a job with
// a fixed time runs once, right after it; in a repeat it runs in the first pass
// only (Debian's cron(8)). It takes the whole text form as well, so that a
// schedule of a configuration file needs no other function: "@every 90s",
// "CRON_TZ=Europe/Berlin 0 9 * * MON-FRI; except=12-25".
func Cron(expr string) Schedule {
	specs, err := schedule.Parse(expr)
	if err != nil {
		specs = []schedule.Spec{{Expr: expr}}
	}
	return newSchedule(err, specs...)
}

// Every is due every d, at least a millisecond, counted in elapsed time from
// an anchor (1970-01-01T00:00:00Z, or Anchor): the same instants on every node
// and after every restart. It knows no daylight saving.
func Every(d time.Duration) Schedule {
	return newSchedule(nil, schedule.Spec{Kind: schedule.KindEvery, Period: d})
}

// After is due d after the committed end of the job's last execution, and first
// d after it was put.
func After(d time.Duration) Schedule {
	return newSchedule(nil, schedule.Spec{Kind: schedule.KindAfter, Period: d})
}

// At is due once. An instant that has passed when the job is put is refused.
func At(t time.Time) Schedule {
	return newSchedule(nil, schedule.Spec{Kind: schedule.KindAt, Anchor: t})
}

// Union is due whenever one of the schedules is, once if several are at the same
// instant: at most 64, and none of them After. Jitter is that of the first one
// which is due and has some.
func Union(schedules ...Schedule) Schedule {
	var specs []schedule.Spec
	var err error
	for _, s := range schedules {
		specs = append(specs, s.specs...)
		if err == nil {
			err = s.err
		}
	}
	if err == nil && len(specs) == 0 {
		err = &schedule.Error{Field: "union", Reason: "has no schedules", Hint: "join 1 to 64", Pos: -1}
	}
	return newSchedule(err, specs...)
}

// ParseSchedule reads the text form that String writes.
func ParseSchedule(text string) (Schedule, error) {
	s, err := parseSchedule(text)
	if err != nil {
		return Schedule{}, err
	}
	return s, s.Err()
}

// parseSchedule is ParseSchedule without the look at what the text means.
func parseSchedule(text string) (Schedule, error) {
	if text == "" {
		return Schedule{}, nil
	}
	specs, err := schedule.Parse(text)
	if err != nil {
		return Schedule{}, scheduleError(err)
	}
	return newSchedule(nil, specs...), nil
}

// with returns a copy in which every rule is changed.
func (s Schedule) with(change func(*schedule.Spec)) Schedule {
	if s.IsZero() {
		return s
	}
	specs := slices.Clone(s.specs)
	for i := range specs {
		change(&specs[i])
	}
	out := newSchedule(s.err, specs...)
	out.owner = s.owner
	return out
}

// failed returns a copy with an error of a method, unless it has one already.
func (s Schedule) failed(field, reason, hint string) Schedule {
	if s.err != nil || s.IsZero() {
		return s
	}
	return newSchedule(&schedule.Error{Field: field, Reason: reason, Hint: hint, Pos: -1}, s.specs...)
}

// In sets the time zone of a cron schedule, and of the days that ExceptDays
// leaves out: one that time.LoadLocation gave for an IANA name such as
// "Europe/Berlin". time.Local is refused, because it differs between machines,
// and so are nil and locations that time.FixedZone made: for a fixed offset there
// are names such as "Etc/GMT-2", which is UTC+2.
func (s Schedule) In(loc *time.Location) Schedule {
	if loc == nil {
		return s.failed("zone", "is nil", "look at the error of time.LoadLocation")
	}
	if schedule.Fixed(loc) {
		s = s.failed("zone", fmt.Sprintf("%q has a fixed offset and is not known by that name", loc), `load an IANA zone: "Etc/GMT-2" is UTC+2`)
	}
	return s.with(func(spec *schedule.Spec) { spec.Zone = loc.String() })
}

// From keeps only due instants that are not before t.
func (s Schedule) From(t time.Time) Schedule {
	return s.with(func(spec *schedule.Spec) { spec.From = t })
}

// Until keeps only due instants that are not after t.
func (s Schedule) Until(t time.Time) Schedule {
	return s.with(func(spec *schedule.Spec) { spec.Until = t })
}

// Anchor sets the instant from which Every counts.
func (s Schedule) Anchor(t time.Time) Schedule {
	if slices.ContainsFunc(s.specs, func(spec schedule.Spec) bool { return spec.Kind == schedule.KindAt }) {
		s = s.failed("anchor", "At has none", "set it on Every, before Union")
		return s
	}
	return s.with(func(spec *schedule.Spec) { spec.Anchor = t })
}

// Jitter delays each start by a stable share of d, at most 24 hours, different
// for each job and due instant, and never up to the next due instant. The due
// instant in the ledger stays the nominal one.
func (s Schedule) Jitter(d time.Duration) Schedule {
	return s.with(func(spec *schedule.Spec) { spec.Jitter = d })
}

// SkipGap leaves out fixed times that a daylight-saving gap swallows, instead
// of running once after the gap.
func (s Schedule) SkipGap() Schedule {
	return s.with(func(spec *schedule.Spec) { spec.Gap = schedule.GapSkip })
}

// RepeatFirst runs in the first pass of a repeated hour only. It is the default
// for fixed times.
func (s Schedule) RepeatFirst() Schedule {
	return s.with(func(spec *schedule.Spec) { spec.Repeat = schedule.RepeatFirst })
}

// RepeatBoth runs in both passes of a repeated hour. It is the default for an
// expression whose minute or hour field starts with "*", "?" or "H/".
func (s Schedule) RepeatBoth() Schedule {
	return s.with(func(spec *schedule.Spec) { spec.Repeat = schedule.RepeatBoth })
}

// RepeatLast runs in the second pass of a repeated hour only.
func (s Schedule) RepeatLast() Schedule {
	return s.with(func(spec *schedule.Spec) { spec.Repeat = schedule.RepeatLast })
}

// MatchBothDays makes a cron day match only if day-of-month and day-of-week
// both do.
func (s Schedule) MatchBothDays() Schedule {
	return s.with(func(spec *schedule.Spec) { spec.AndDays = true })
}

// ExceptDays leaves out the due times of a cron schedule, or of Every, that lie
// on one of the days, in the schedule's zone. A day is written as a date
// ("2026-12-24"), as the same date of every year ("12-25"), as a day of the week
// ("SAT"), or as a range of one of these ("2026-12-24..2027-01-02",
// "12-24..01-02", "FRI..SUN"). Months come before days, as in a date. It adds to
// the days that are left out already.
func (s Schedule) ExceptDays(days ...string) Schedule {
	if len(days) == 0 {
		return s
	}
	if slices.Contains(days, "") {
		s = s.failed("except", "a day is empty", "name it, or leave it out")
	}
	return s.with(func(spec *schedule.Spec) { spec.Except = joined(spec.Except, strings.Join(days, ","), ",") })
}

// Except leaves out the times of a cron schedule that another one matches on the
// wall clock: "every ten minutes, but not from 2 to 4" is
//
//	Cron("*/10 * * * *").Except(Cron("* 2-3 * * *"))
//
// The other one is a cron expression, or a union of some, in the same zone and
// without options beside MatchBothDays; there may be six in all. Without a
// seconds field it leaves out whole minutes. Daylight saving comes afterwards: a
// time that is left out is due in neither pass of a repeated hour. Of a union,
// every member has to be a cron schedule, and to keep some due time.
func (s Schedule) Except(other Schedule) Schedule {
	if s.err == nil && other.err != nil && !s.IsZero() {
		s = newSchedule(other.err, s.specs...)
	}
	for _, out := range other.specs {
		plain := schedule.Spec{Expr: out.Expr, Zone: out.Zone, AndDays: out.AndDays}
		if out != plain || strings.ContainsAny(out.Expr, "+&") {
			s = s.failed("except", out.String()+" is no plain cron expression", "leave out a cron expression without options, or days with ExceptDays")
		}
		for _, spec := range s.specs {
			if out.Zone != "" && out.Zone != cmp.Or(spec.Zone, "UTC") {
				s = s.failed("except", out.String()+" is in another zone", "set the zone of both, or only of the whole, after Except")
			}
		}
		s = s.with(func(spec *schedule.Spec) { spec.Not = joined(spec.Not, out.AsNot(), "+") })
	}
	return s
}

// Roll is what OnBusinessDays does with a due time on a day that is no business
// day. Following, preceding and modified following are business day conventions of
// ISDA, modified preceding and nearest are QuantLib's.
type Roll string

// The conventions. The time of day stays.
const (
	RollFollowing         Roll = "following"          // to the next business day
	RollPreceding         Roll = "preceding"          // to the one before
	RollModifiedFollowing Roll = "modified-following" // to the next one in the same month, else to the one before
	RollModifiedPreceding Roll = "modified-preceding" // to the one before in the same month, else to the next one
	RollNearest           Roll = "nearest"            // to the nearer one, to the next one if both are as near
)

// OnBusinessDays moves the due times of a cron schedule that lie on a holiday or
// on a weekend to a business day; those that meet there are one. Holidays are
// written like the days of ExceptDays. The weekend is Saturday and Sunday, unless
// days of the week are among the holidays ("FRI..SAT"): then only what is listed
// is without business. A second call takes the place of the first. Days that
// ExceptDays leaves out are left out after the move.
func (s Schedule) OnBusinessDays(roll Roll, holidays ...string) Schedule {
	code, ok := schedule.RollNamed(string(roll))
	if !ok {
		s = s.failed("roll", fmt.Sprintf("%.40q is no business day convention", string(roll)), "use following, preceding, modified-following, modified-preceding or nearest: the constants of type Roll")
	}
	return s.with(func(spec *schedule.Spec) { spec.Roll, spec.Holidays = code, strings.Join(holidays, ",") })
}

// For sets what H in a cron expression is the hash of (seed= in the text form).
// Put takes the ID of the job unless For has named another one, and a schedule
// that was read from the scheduler knows its job. Any other preview of a schedule
// with H needs For: without it, H is the hash of an empty ID.
func (s Schedule) For(id string) Schedule {
	if !schedule.Hashed(s.specs) {
		return s
	}
	return newSchedule(s.err, schedule.For(id, s.specs)...)
}

func joined(list, more, sep string) string {
	if list == "" {
		return more
	}
	return list + sep + more
}

// IsZero tells if the schedule has no instants because it was never set.
func (s Schedule) IsZero() bool { return s.memo == nil }

// Err says what is wrong with the schedule, nil if nothing is. A schedule that
// can never be due is an error.
func (s Schedule) Err() error {
	_, err := s.compile()
	return err
}

// Next is the first due instant after t, in UTC; false if there is none, or if
// the schedule is not valid. For After it is t plus the delay. The first call
// compiles the schedule, later ones do not allocate.
func (s Schedule) Next(t time.Time) (time.Time, bool) {
	c, err := s.compile()
	if err != nil || c == nil {
		return time.Time{}, false
	}
	return c.Next(t)
}

// NextN are the first n due instants after t, or as many as there are.
func (s Schedule) NextN(t time.Time, n int) []time.Time {
	var out []time.Time
	for next, ok := s.Next(t); ok && len(out) < n; next, ok = s.Next(next) {
		out = append(out, next)
	}
	return out
}

// Between are the due instants from one instant up to another, both included. If
// to is the zero Time they go on as long as the loop does.
func (s Schedule) Between(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for t, ok := s.Next(from.Add(-1)); ok && (to.IsZero() || !t.After(to)); t, ok = s.Next(t) {
			if !yield(t) {
				return
			}
		}
	}
}

// Describe says in plain words when the schedule is due: "At 09:00, Monday to
// Friday, Europe/Berlin". It is "" for a schedule that is not valid.
func (s Schedule) Describe() string {
	c, err := s.compile()
	if err != nil || c == nil {
		return ""
	}
	return c.Describe()
}

// String is the text form, which ParseSchedule reads back: for example
// "CRON_TZ=Europe/Berlin 0 9 * * MON-FRI" or "@every 1m30s; jitter=10s".
func (s Schedule) String() string {
	if s.memo == nil {
		return schedule.Format(s.specs)
	}
	s.memo.written.Do(func() { s.memo.text = schedule.Format(s.specs) })
	return s.memo.text
}

// MarshalText implements encoding.TextMarshaler. It fails where the text would
// not say what was asked of the constructor or a method.
func (s Schedule) MarshalText() ([]byte, error) {
	if s.err != nil {
		return nil, scheduleError(s.err)
	}
	return []byte(s.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Schedule) UnmarshalText(text []byte) error {
	got, err := ParseSchedule(string(text))
	if err != nil {
		return err
	}
	*s = got
	return nil
}

// compile is nil without an error for the zero Schedule.
func (s Schedule) compile() (*schedule.Schedule, error) {
	if s.memo == nil {
		return nil, nil
	}
	s.memo.once.Do(func() {
		if s.memo.err = scheduleError(s.err); s.err != nil {
			return
		}
		specs := s.specs
		if s.owner != "" {
			specs = schedule.For(s.owner, specs)
		}
		c, err := schedule.Compile(specs...)
		s.memo.sched, s.memo.err = c, scheduleError(err)
	})
	return s.memo.sched, s.memo.err
}

func scheduleError(err error) error {
	if err == nil {
		return nil
	}
	var bad *schedule.Error
	if errors.As(err, &bad) {
		return &FieldError{Field: "Job.Schedule", Reason: bad.Message()}
	}
	return &FieldError{Field: "Job.Schedule", Reason: err.Error()}
}
