package raftfsm

import (
	"sync"
	"time"
)

// stopwatch tells how long the oldest of the operations under way has taken.
type stopwatch struct {
	mu      sync.Mutex
	next    int
	running map[int]time.Time
}

// begin starts an operation; what it returns ends it.
func (w *stopwatch) begin() (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == nil {
		w.running = map[int]time.Time{}
	}
	id := w.next
	w.next++
	w.running[id] = time.Now()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.running, id)
	}
}

func (w *stopwatch) longest() (d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, began := range w.running {
		d = max(d, time.Since(began))
	}
	return d
}
