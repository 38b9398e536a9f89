package main

import (
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
