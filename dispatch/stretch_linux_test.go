package dispatch

import (
	"testing"
	"time"
)

// TestKernelTimerFails: what cannot wait says so.
func TestKernelTimerFails(t *testing.T) {
	if (&kernelTimer{fd: -1}).wait(time.Now().Add(time.Minute)) {
		t.Error("a timer that is none has fired")
	}
}
