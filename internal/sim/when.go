package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

// when is a schedule as the simulation knows it: what it takes to count its
// instants by looking at every second.
type when struct {
	Every  time.Duration `json:",omitempty"`
	Anchor int64         `json:",omitempty"`

	// A cron schedule, if Every is 0.
	SecondStep int    `json:",omitempty"` // "*/n" seconds; 0: second 0
	MinuteStep int    `json:",omitempty"` // "*/n" minutes; 1 is "*"
	Minutes    []int  `json:",omitempty"`
	Hours      []int  `json:",omitempty"` // none: "*"
	Days       []int  `json:",omitempty"` // of the week; none: "*"
	Zone       string `json:",omitempty"`

	NotHours []int `json:",omitempty"` // Except(Cron("* 2,3 * * *"))
	NotDays  []int `json:",omitempty"` // ExceptDays("SAT")
}

func (w *when) cron() string {
	minute, hour, day := "*", "*", "*"
	if w.MinuteStep > 1 {
		minute = fmt.Sprintf("*/%d", w.MinuteStep)
	}
	if len(w.Minutes) > 0 {
		minute = list(w.Minutes)
	}
	if len(w.Hours) > 0 {
		hour = list(w.Hours)
	}
	if len(w.Days) > 0 {
		day = list(w.Days)
	}
	expr := strings.Join([]string{minute, hour, "*", "*", day}, " ")
	if w.SecondStep > 0 {
		return fmt.Sprintf("*/%d %s", w.SecondStep, expr)
	}
	return expr
}

func list(of []int) string {
	var out []string
	for _, n := range of {
		out = append(out, fmt.Sprint(n))
	}
	return strings.Join(out, ",")
}

func (w *when) location() *time.Location {
	if w.Zone == "" {
		return time.UTC
	}
	loc, err := time.LoadLocation(w.Zone)
	if err != nil {
		panic(err)
	}
	return loc
}

var dayNames = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// schedule is what is put.
func (w *when) schedule() chronos.Schedule {
	if w.Every > 0 {
		s := chronos.Every(w.Every)
		if w.Anchor != 0 {
			s = s.Anchor(time.Unix(0, w.Anchor))
		}
		return s
	}
	s := chronos.Cron(w.cron())
	if len(w.NotHours) > 0 {
		s = s.Except(chronos.Cron("* " + list(w.NotHours) + " * * *"))
	}
	for _, d := range w.NotDays {
		s = s.ExceptDays(dayNames[d])
	}
	if w.Zone != "" {
		s = s.In(w.location())
	}
	return s
}

// instants counts the due instants in (from, to].
func (w *when) instants(from, to int64) (out []int64) {
	if w.Every > 0 {
		step := int64(w.Every)
		first := w.Anchor + (from-w.Anchor)/step*step - step
		for t := first; t <= to; t += step {
			if t > from {
				out = append(out, t)
			}
		}
		return out
	}
	step := int64(time.Minute)
	if w.SecondStep > 0 {
		step = int64(time.Second)
	}
	loc := w.location()
	for t := from - from%step; t <= to; t += step {
		if t > from && w.due(time.Unix(0, t).In(loc), time.Duration(step)) {
			out = append(out, t)
		}
	}
	return out
}

// due tells if an instant is one, after Debian's cron(8).
func (w *when) due(t time.Time, step time.Duration) bool {
	fixed := len(w.Minutes) > 0 && len(w.Hours) > 0
	before := t.Add(-step)
	_, now := t.Zone()
	_, was := before.Zone()
	if fixed && now > was { // the clock was put forward to t: what was passed over is due here
		end := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
		for skipped := end.Add(-time.Duration(now-was) * time.Second); skipped.Before(end); skipped = skipped.Add(step) {
			if w.matches(skipped) {
				return true
			}
		}
	}
	if !w.matches(t) {
		return false
	}
	return !fixed || !second(t)
}

// second tells if the wall clock has shown this time before.
func second(t time.Time) bool {
	for d := 30 * time.Minute; d <= 3*time.Hour; d += 30 * time.Minute {
		if wall(t.Add(-d)) == wall(t) {
			return true
		}
	}
	return false
}

func wall(t time.Time) string { return t.Format("2006-01-02 15:04:05") }

func (w *when) matches(t time.Time) bool {
	switch {
	case w.SecondStep > 0 && t.Second()%w.SecondStep != 0, w.SecondStep == 0 && t.Second() != 0:
	case w.MinuteStep > 0 && t.Minute()%w.MinuteStep != 0:
	case len(w.Minutes) > 0 && !slices.Contains(w.Minutes, t.Minute()):
	case len(w.Hours) > 0 && !slices.Contains(w.Hours, t.Hour()):
	case len(w.Days) > 0 && !slices.Contains(w.Days, int(t.Weekday())):
	case slices.Contains(w.NotHours, t.Hour()), slices.Contains(w.NotDays, int(t.Weekday())):
	default:
		return true
	}
	return false
}
