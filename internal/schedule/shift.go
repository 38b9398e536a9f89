package schedule

import "time"

// shiftTimes is up to how many due times of one shift are counted.
const shiftTimes = 1_000

// Shift is a change of a zone's offset that a rule has due times in: civil times
// that do not exist, or that occur twice.
type Shift struct {
	At    time.Time     // when the clock is put forward or back, in the zone
	Zone  string        // "UTC" has none
	By    time.Duration // forward if positive
	First time.Time     // the first due time in it, as the clock's face has it, in UTC
	Times int           // how many there are, up to 1,000

	Fill       bool   // of a gap: the rule is due right after it
	Skip       bool   // of a gap: it would be, but for GapSkip
	Repeat     Repeat // of a repeat: RepeatFirst, RepeatBoth or RepeatLast
	Correction bool   // it is too long for daylight saving: both policies stand aside
}

// Shifts calls yield for each shift in [from, to] and each rule that has due times
// in it, rule by rule, until it returns false. Only cron rules have.
func (s *Schedule) Shifts(from, to time.Time, yield func(Shift) bool) {
	for i := range s.rules {
		if r := &s.rules[i]; r.spec.Kind == KindCron && r.zone != time.UTC && !r.shifts(from, to, yield) {
			return
		}
	}
}

func (r *rule) shifts(from, to time.Time, yield func(Shift) bool) bool {
	low, high := ceilSecond(unixNano(from)), floorDiv(unixNano(to), int64(time.Second))
	for p := periodAt(r.zone, low-1); p.end <= high; {
		q := periodAt(r.zone, p.end)
		if q.offset != p.offset {
			if s, ok := r.shift(p.end, p.offset, q.offset); ok && !yield(s) {
				return false
			}
		}
		p = q
	}
	return true
}

func ceilSecond(nano int64) int64 { return -floorDiv(-nano, int64(time.Second)) }

// shift looks at one change of the offset.
func (r *rule) shift(at, before, after int64) (Shift, bool) {
	by := after - before
	low, high := at+before, at+after // the civil times of a gap
	if by < 0 {
		low, high = high, low
	}
	length := (high - low) * int64(time.Second)
	if nano := at * int64(time.Second); nano+length < r.from || nano-length > r.until {
		return Shift{}, false
	}
	first := r.cron.wall.next(low)
	if first >= high {
		return Shift{}, false
	}
	s := Shift{
		At: time.Unix(at, 0).In(r.zone), Zone: r.zone.String(), By: time.Duration(by) * time.Second, First: time.Unix(first, 0).UTC(),
		Fill: r.cron.fill, Repeat: r.cron.repeat, Correction: high-low > maxShift,
	}
	s.Skip = r.spec.Gap == GapSkip && r.fixed
	for c := first; c < high && s.Times < shiftTimes; c = r.cron.wall.next(c + 1) {
		s.Times++
	}
	return s, true
}
