package chronos

import "time"

// clockGrace is how long no job is said to be overdue after the wall clock has been set
// forward: what has become due by that gets its chance to run first. The planner sees a
// step within a second.
const clockGrace = time.Minute

// wallClock notices that the wall clock has gone on without the elapsed one: it was set,
// or the machine has slept.
type wallClock struct {
	wall  int64 // both as of the last look
	at    time.Time
	until time.Time // the end of the grace
}

// settled takes a look, and tells if no step is so recent that what is due by it may not
// have run yet. A clock that steps all the time gets a grace half of the time at most:
// what it holds back has to be said some time.
func (c *wallClock) settled() bool {
	now := time.Now()
	step := time.Duration(now.UnixNano()-c.wall) - now.Sub(c.at)
	if !c.at.IsZero() && step >= clockTolerance && now.Sub(c.until) >= clockGrace {
		c.until = now.Add(clockGrace)
	}
	c.wall, c.at = now.UnixNano(), now
	return !now.Before(c.until)
}

// unsettled is how long it is not settled yet.
func (c *wallClock) unsettled() time.Duration { return time.Until(c.until) }
