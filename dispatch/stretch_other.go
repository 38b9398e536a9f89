//go:build !linux

package dispatch

import (
	"errors"
	"time"
)

// kernelTimer: Go's timers are as good as the system's here.
type kernelTimer struct{}

func newKernelTimer() (*kernelTimer, error) { return nil, errors.ErrUnsupported }

func (*kernelTimer) wait(time.Time) bool { return false }

func (*kernelTimer) close() {}
