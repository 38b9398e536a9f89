package schedule

import "time"

const (
	// maxShift is the longest shift of a clock that counts as daylight saving.
	maxShift = 3 * 60 * 60
	// margin is more than any two offsets differ by.
	margin = 48 * 60 * 60
)

// cron is a wall in a zone.
type cron struct {
	wall   *wall
	zone   *time.Location
	fill   bool   // a due time in a gap is due right after it
	repeat Repeat // RepeatFirst, RepeatBoth or RepeatLast
}

// next returns the first due second at or after t, or one beyond lastSecond.
// Within a period of the zone civil time and time run in step, so it looks for
// the next civil match and, if that lies beyond the period, goes on in the next
// one.
func (c *cron) next(t int64) int64 {
	for t <= lastSecond {
		c.wall.meter.step()
		p := periodAt(c.zone, t)
		from, gap := c.enter(p, t)
		if gap {
			return t
		}
		match := c.wall.next(from)
		if match < c.passEnd(p, match) {
			return match - p.offset
		}
		if p.end-t > margin {
			// Nothing before match is due: no later repeat reaches back to
			// where this search began.
			t = max(p.end, match-margin)
		} else {
			t = p.end
		}
	}
	return forever
}

// enter returns the civil second at which the search in p begins for t. If the
// clock was put forward at t, over a due time, it reports that t is due.
func (c *cron) enter(p period, t int64) (from int64, gap bool) {
	from = t + p.offset
	start, before := changeBefore(c.zone, p, t)
	switch shift := p.offset - before; {
	case 0 < shift && shift <= maxShift && c.fill && t == start:
		return from, c.wall.next(start+before) < from
	case -maxShift <= shift && shift < 0 && c.repeat == RepeatFirst:
		return max(from, start+before), false
	}
	return from, false
}

// passEnd returns the civil second at which p ends for a job that is due at
// match: earlier than the period's own end if what follows repeats its last
// hours and only the last pass counts.
func (c *cron) passEnd(p period, match int64) int64 {
	own := p.end + p.offset
	if c.repeat != RepeatLast || match >= own {
		return own
	}
	end, after := changeAfter(c.zone, p, match-p.offset)
	if shift := p.offset - after; 0 < shift && shift <= maxShift {
		return min(own, end+after)
	}
	return own
}
