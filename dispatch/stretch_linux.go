package dispatch

import (
	"syscall"
	"time"
)

// stretches: Go's timers wait in epoll here.
const stretches = true

// sleepUntil sleeps until an instant, or a bit less if signals interrupt it again and
// again. It answers false if the clock did not go on meanwhile.
func sleepUntil(at time.Time) bool {
	for range 8 {
		left := time.Until(at)
		if left <= 0 {
			return true
		}
		t := syscall.NsecToTimespec(int64(left))
		if syscall.Nanosleep(&t, nil) == nil {
			return time.Until(at) < left
		}
	}
	return true
}
