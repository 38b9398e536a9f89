package chronos

import (
	"errors"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
)

// Schedule is a set of instants at which a job is due. It is a value: its
// methods return changed copies. Constructors do not fail; what is wrong with
// a schedule is said by Err, and by Put. The zero Schedule has no instants: a
// job with it only runs when it is triggered.
type Schedule struct {
	spec schedule.Spec
	set  bool
	err  error
}

// Cron is due when a cron expression matches, in UTC unless In says otherwise.
// It takes 5 fields (minute hour day-of-month month day-of-week), 6 (a second
// in front) or 7 (a year behind), names, ranges, steps, lists, and the macros
// @yearly @annually @monthly @weekly @daily @midnight @hourly. As in Vixie
// cron, a day matches if day-of-month or day-of-week does when both are
// restricted. In a daylight-saving gap a job with a fixed time runs once, right
// after it; in a repeat it runs in the first pass only (Debian's cron(8)).
func Cron(expr string) Schedule {
	s, err := schedule.Parse(expr)
	if err == nil && s.Kind != schedule.KindCron {
		return Schedule{spec: s, set: true}
	}
	return Schedule{spec: s, set: true, err: err}
}

// Every is due every d, at least a millisecond, counted in elapsed time from
// an anchor (1970-01-01T00:00:00Z, or Anchor): the same instants on every node
// and after every restart. It knows no daylight saving.
func Every(d time.Duration) Schedule {
	return Schedule{spec: schedule.Spec{Kind: schedule.KindEvery, Period: d}, set: true}
}

// After is due d after the committed end of the job's last execution, and first
// d after it was put.
func After(d time.Duration) Schedule {
	return Schedule{spec: schedule.Spec{Kind: schedule.KindAfter, Period: d}, set: true}
}

// At is due once. An instant that has passed when the job is put is refused.
func At(t time.Time) Schedule {
	return Schedule{spec: schedule.Spec{Kind: schedule.KindAt, Anchor: t}, set: true}
}

// ParseSchedule reads the text form that String writes.
func ParseSchedule(text string) (Schedule, error) {
	if text == "" {
		return Schedule{}, nil
	}
	spec, err := schedule.Parse(text)
	if err != nil {
		return Schedule{}, scheduleError(err)
	}
	s := Schedule{spec: spec, set: true}
	return s, s.Err()
}

// In sets the time zone of a cron schedule: an IANA name such as
// "Europe/Berlin". time.Local is refused, because it differs between machines.
func (s Schedule) In(loc *time.Location) Schedule {
	if loc == nil {
		loc = time.UTC
	}
	s.spec.Zone = loc.String()
	return s
}

// From keeps only due instants that are not before t.
func (s Schedule) From(t time.Time) Schedule {
	s.spec.From = t
	return s
}

// Until keeps only due instants that are not after t.
func (s Schedule) Until(t time.Time) Schedule {
	s.spec.Until = t
	return s
}

// Anchor sets the instant from which Every counts.
func (s Schedule) Anchor(t time.Time) Schedule {
	s.spec.Anchor = t
	return s
}

// Jitter delays each start by a stable share of d, different for each job and
// due instant, and never up to the next due instant. The due instant in the
// ledger stays the nominal one.
func (s Schedule) Jitter(d time.Duration) Schedule {
	s.spec.Jitter = d
	return s
}

// SkipGap leaves out fixed times that a daylight-saving gap swallows, instead
// of running once after the gap.
func (s Schedule) SkipGap() Schedule {
	s.spec.Gap = schedule.GapSkip
	return s
}

// RepeatBoth runs in both passes of a repeated hour. The default is the first
// pass for fixed times, and both for an expression whose minute or hour field
// starts with "*".
func (s Schedule) RepeatBoth() Schedule {
	s.spec.Repeat = schedule.RepeatBoth
	return s
}

// RepeatLast runs in the second pass of a repeated hour only.
func (s Schedule) RepeatLast() Schedule {
	s.spec.Repeat = schedule.RepeatLast
	return s
}

// MatchBothDays makes a cron day match only if day-of-month and day-of-week
// both do.
func (s Schedule) MatchBothDays() Schedule {
	s.spec.AndDays = true
	return s
}

// IsZero tells if the schedule has no instants because it was never set.
func (s Schedule) IsZero() bool { return !s.set }

// Err says what is wrong with the schedule, nil if nothing is. A schedule that
// can never be due is an error.
func (s Schedule) Err() error {
	_, err := s.compile()
	return err
}

// Next is the first due instant after t, in UTC; false if there is none, or if
// the schedule is not valid. For After it is t plus the delay.
func (s Schedule) Next(t time.Time) (time.Time, bool) {
	c, err := s.compile()
	if err != nil || c == nil {
		return time.Time{}, false
	}
	return c.Next(t)
}

// String is the text form, which ParseSchedule reads back: for example
// "CRON_TZ=Europe/Berlin 0 9 * * MON-FRI" or "@every 1m30s; jitter=10s".
func (s Schedule) String() string {
	if !s.set {
		return ""
	}
	return s.spec.String()
}

// MarshalText implements encoding.TextMarshaler.
func (s Schedule) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

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
	if !s.set {
		return nil, nil
	}
	if s.err != nil {
		return nil, scheduleError(s.err)
	}
	c, err := schedule.Compile(s.spec)
	if err != nil {
		return nil, scheduleError(err)
	}
	return c, nil
}

func scheduleError(err error) error {
	var bad *schedule.Error
	if errors.As(err, &bad) {
		reason := bad.Field + ": " + bad.Reason
		if bad.Hint != "" {
			reason += "; " + bad.Hint
		}
		return &FieldError{Field: "Job.Schedule", Reason: reason}
	}
	return &FieldError{Field: "Job.Schedule", Reason: err.Error()}
}
