//go:build !linux

package dispatch

import "time"

// stretches: timers are as good as the system's here.
const stretches = false

func sleepUntil(time.Time) bool { return false }
