package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// resident is what this process has in memory, in KiB: all of it, and how much of
// that is not backed by files.
func resident() (all, anonymous int64) {
	const status = "/proc/self/status"
	return procField(status, "VmRSS"), procField(status, "RssAnon")
}

// settled is resident after the garbage has gone.
func settled() (all, anonymous int64) {
	for range 3 {
		runtime.GC()
		time.Sleep(100 * time.Millisecond)
	}
	debug.FreeOSMemory()
	return resident()
}

// watchOthers answers how many cores all other processes used in between, as far as
// Linux tells.
func watchOthers() (cores func() float64) {
	began, all, own := time.Now(), busyTime(), familyTime()
	return func() float64 {
		others := busyTime() - all - (familyTime() - own)
		return max(others.Seconds(), 0) / time.Since(began).Seconds()
	}
}

// busyTime is what all processors have worked since the machine was started.
func busyTime() time.Duration {
	text, _ := os.ReadFile("/proc/stat")
	var name string
	var user, nice, system, idle, wait, irq, softirq, steal int64
	_, _ = fmt.Sscan(string(text), &name, &user, &nice, &system, &idle, &wait, &irq, &softirq, &steal)
	return time.Duration(user+nice+system+irq+softirq+steal) * 10 * time.Millisecond
}

// watch samples how much memory the process has.
type watch struct {
	mu      sync.Mutex
	samples []sample
	stop    chan struct{}
	done    sync.WaitGroup
}

type sample struct {
	at                  time.Time
	resident, anonymous int64 // KiB
}

func watchMemory(every time.Duration) *watch {
	w := &watch{stop: make(chan struct{})}
	w.done.Go(func() {
		for {
			all, own := resident()
			w.mu.Lock()
			w.samples = append(w.samples, sample{time.Now(), all, own})
			w.mu.Unlock()
			select {
			case <-w.stop:
				return
			case <-time.After(every):
			}
		}
	})
	return w
}

func (w *watch) end() []sample {
	close(w.stop)
	w.done.Wait()
	return w.samples
}
