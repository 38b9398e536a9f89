package dispatch

import (
	"sync"
	"time"
)

// endings are attempts that are over and not reported yet. While handlers whose instant
// has come still wait for their turn, those that have returned are kept here: ten thousand
// at one instant begin before the first of them is reported. How an attempt ended, and
// when, is decided before.
type endings struct {
	mu   sync.Mutex
	list []ended
}

type ended struct {
	a   *Attempt
	at  time.Time
	res *Result // nil: it succeeded, and Result is made when it is reported
}

func (e ended) result() *Result {
	if e.res != nil {
		return e.res
	}
	return conclude(e.a, returned{}, e.at)
}

// endingsMax and endingsWait bound how many wait, and how long, where there is always a
// handler to begin.
const (
	endingsMax  = 16_384
	endingsWait = 100 * time.Millisecond
)

// later takes an ending if it has to wait; else it is the caller's to report.
func (d *Dispatcher) later(one ended) bool {
	if len(d.cfg.Around) > 0 { // theirs is the attempt's goroutine, and they take their time
		return false
	}
	e := &d.endings
	e.mu.Lock()
	defer e.mu.Unlock()
	n := d.beginning.Load()
	if n == 0 {
		return false
	}
	if e.list == nil { // growing it would hold up the others
		e.list = make([]ended, 0, min(n+n/8+16, endingsMax))
	}
	e.list = append(e.list, one)
	if len(e.list) >= endingsMax || one.at.Sub(e.list[0].at) >= endingsWait {
		go d.finishAll(e.list)
		e.list = nil
	}
	return true
}

// begun notes that the handler of an attempt is being called, or never will be. With the
// last one, those that have ended are reported.
func (d *Dispatcher) begun() {
	if d.beginning.Add(-1) > 0 {
		return
	}
	d.endings.mu.Lock()
	list := d.endings.list
	d.endings.list = nil
	d.endings.mu.Unlock()
	if len(list) > 0 {
		go d.finishAll(list)
	}
}

// finishAll reports attempts one after another, and goes on if Report ends its goroutine.
func (d *Dispatcher) finishAll(list []ended) {
	n := 0
	defer func() {
		if n < len(list) {
			go d.finishAll(list[n:])
		}
	}()
	for n < len(list) {
		n++
		d.finish(list[n-1].a, list[n-1].result())
	}
}
