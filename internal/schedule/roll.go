package schedule

import "slices"

// Roll is what happens to a due time on a day that is no business day: to which
// day it moves, at the same time of day. Following, preceding and modified
// following are business day conventions of ISDA, the others of QuantLib.
type Roll uint8

// The conventions.
const (
	RollNone              Roll = iota // it stays
	RollFollowing                     // the next business day
	RollPreceding                     // the one before
	RollModifiedFollowing             // the next one in the same month, else the one before
	RollModifiedPreceding             // the one before in the same month, else the next one
	RollNearest                       // the nearer one, the next one if both are as near
)

// RollNamed finds a convention by its name in the text form; RollNone has none.
func RollNamed(name string) (Roll, bool) {
	i := slices.Index(rollNames(), name)
	return Roll(max(i, 0)), i > 0
}

// maxClosed is how many days in a row may be no business days.
const maxClosed = 31

// calendar moves days to business days.
type calendar struct {
	roll   Roll
	closed *days // all days but the business days
}

// newCalendar reads a list of days that are no business days.
func newCalendar(roll Roll, holidays string) (*calendar, error) {
	closed := &days{}
	if holidays != "" {
		var err error
		if closed, err = parseDays("holidays", holidays); err != nil {
			return nil, err
		}
	}
	closed.workweek()
	if from, length := closed.longest(maxClosed + 1); length > maxClosed {
		return nil, &Error{"holidays", "leave no business day for more than a month, from " + dayText(from), "name the days that are closed; the others are business days", -1, ""}
	}
	return &calendar{roll, closed}, nil
}

func (c *calendar) following(day int64) int64 { return c.closed.nextFree(day) }

func (c *calendar) preceding(day int64) int64 {
	for c.closed.has(day) {
		day--
	}
	return day
}

// move returns the business day to which a day moves.
func (c *calendar) move(day int64) int64 {
	if !c.closed.has(day) {
		return day
	}
	after, before := c.following(day), c.preceding(day)
	switch c.roll {
	case RollFollowing:
		return after
	case RollPreceding:
		return before
	case RollModifiedFollowing:
		if monthOf(after) == monthOf(day) {
			return after
		}
		return before
	case RollModifiedPreceding:
		if monthOf(before) == monthOf(day) {
			return before
		}
		return after
	}
	if day-before < after-day {
		return before
	}
	return after
}

// first returns the first day that may move to day or to a later one: no earlier
// one does.
func (c *calendar) first(day int64) int64 { return c.preceding(day-1) + 1 }

func monthOf(day int64) int {
	y, m, _ := date(day)
	return 12*y + m
}
