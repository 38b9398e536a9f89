package dispatch

import "time"

// stretch is the last stretch before an instant. Where the processors have nothing to do
// Go waits for its timers in epoll, by whole milliseconds, so that they are up to one
// late. So the timer of what comes due is set for a bit earlier, and the rest is waited for
// with a timer of the kernel, in a goroutine of its own. Go's timer stays set for the
// instant itself, too: it may be late, and what it waits for comes at any rate.
type stretch struct {
	timer *kernelTimer // made when it is first needed
	woke  chan bool    // a wait has ended; false: it did not do what it should

	waiting bool
	until   time.Time // the end of the newest wait
	off     bool      // there is no such timer, or the clock is not the machine's (testing/synctest)
}

const (
	// stretchLead is from when on before an instant the kernel waits for the rest: as late
	// as Go's timer may be, and a bit.
	stretchLead = 1_200 * time.Microsecond

	// stretchRest is how far the ends of two waits are apart: where much comes due the
	// processors are busy, and Go's timers on time.
	stretchRest = 5 * time.Millisecond
)

func newStretch() stretch { return stretch{woke: make(chan bool, 1)} }

// approach returns how long to wait for an instant, or for when the kernel is to wait for
// the rest, and has it begin if it is time.
func (s *stretch) approach(at time.Time) time.Duration {
	left := time.Until(at)
	switch {
	case s.off || s.waiting || at.Sub(s.until) < stretchRest || left <= 0:
	case left > stretchLead:
		return left - stretchLead
	default:
		s.begin(at)
	}
	return left
}

func (s *stretch) begin(at time.Time) {
	if s.timer == nil {
		var err error
		if s.timer, err = newKernelTimer(); err != nil {
			s.off = true
			return
		}
	}
	s.until, s.waiting = at, true
	timer := s.timer
	go func() { s.woke <- timer.wait(at) }()
}

// awoke takes in that a wait has ended.
func (s *stretch) awoke(ok bool) {
	s.waiting = false
	s.off = !ok
}

// close returns when no wait is under way.
func (s *stretch) close() {
	if s.waiting {
		s.awoke(<-s.woke)
	}
	if s.timer != nil {
		s.timer.close()
	}
}
