package dispatch

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// kernelTimer is a timerfd(2): epoll tells that it has fired when it fires.
type kernelTimer struct {
	fd   int
	file *os.File
}

func newKernelTimer() (*kernelTimer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &kernelTimer{fd, os.NewFile(uintptr(fd), "timerfd")}, nil
}

// wait returns at an instant. It answers false if it cannot, or if the clock did not go on
// meanwhile.
func (k *kernelTimer) wait(at time.Time) bool {
	left := time.Until(at)
	if left <= 0 {
		return true
	}
	if err := unix.TimerfdSettime(k.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}, nil); err != nil {
		return false
	}
	var fired [8]byte
	if _, err := k.file.Read(fired[:]); err != nil {
		return false
	}
	return time.Until(at) < left
}

func (k *kernelTimer) close() { _ = k.file.Close() }
