package dispatch

import "time"

// stretch is the last stretch before an instant. Where the processors have nothing to do
// Go waits for its timers in epoll, by whole milliseconds, so that they are up to one
// late. So the timer of what comes due is set for a bit earlier, and the rest is slept
// through in a system call, in a goroutine of its own. The timer stays set for the instant
// itself, too: it may be late, and what it waits for comes at any rate.
type stretch struct {
	woke   chan bool // a sleep has ended; false: the clock stood still meanwhile
	asleep bool
	until  time.Time // the end of the newest sleep
	off    bool      // where the clock is not the machine's, as in testing/synctest
}

const (
	// stretchLead is from when on before an instant the rest is slept through: as late
	// as a timer may be, and a bit.
	stretchLead = 1_200 * time.Microsecond

	// stretchRest is how far the ends of two sleeps are apart: where much comes due the
	// processors are busy, and timers on time.
	stretchRest = 5 * time.Millisecond
)

func newStretch() stretch { return stretch{woke: make(chan bool, 1), off: !stretches} }

// approach returns how long to wait for an instant, or for when the rest until it is to be
// slept through, and begins with that if it is time.
func (s *stretch) approach(at time.Time) time.Duration {
	left := time.Until(at)
	if s.off || s.asleep || at.Sub(s.until) < stretchRest {
		return left
	}
	if left > stretchLead {
		return left - stretchLead
	}
	if left > 0 {
		s.until, s.asleep = at, true
		go func() { s.woke <- sleepUntil(at) }()
	}
	return left
}

// awoke takes in that a sleep has ended.
func (s *stretch) awoke(ok bool) {
	s.asleep = false
	s.off = !ok
}

// wait returns when no sleep is under way.
func (s *stretch) wait() {
	if s.asleep {
		s.awoke(<-s.woke)
	}
}
