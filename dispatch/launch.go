package dispatch

import (
	"runtime"
	"sync/atomic"
)

// launch is a batch of attempts that begin now, each in a goroutine of its own, which
// makes the next one before it calls its handler. So the scheduler has one of them to
// run for each processor, whatever the handlers do, and not ten thousand with as many
// stacks: a handler that returns at once leaves its goroutine to the next.
type launch struct {
	d     *Dispatcher
	batch []*Attempt
	next  atomic.Int64 // of batch
}

// launchMin is from how many attempts on that is worth it.
const launchMin = 128

func (d *Dispatcher) launch(batch []*Attempt) {
	if len(batch) < launchMin {
		for _, a := range batch {
			go d.run(a)
		}
		return
	}
	l := &launch{d: d, batch: batch}
	for range runtime.GOMAXPROCS(0) {
		go l.run()
	}
}

// launchTurn is after how many starts of a batch who else waits for the processor that
// makes the next one has a turn.
const launchTurn = 8_192

func (l *launch) run() {
	i := int(l.next.Add(1)) - 1
	if i >= len(l.batch) {
		return
	}
	if i%launchTurn == launchTurn-1 {
		runtime.Gosched()
	}
	if i+1 < len(l.batch) {
		go l.run()
	}
	a := l.batch[i]
	l.batch[i] = nil // a handler that takes an hour holds on to no other attempt
	l.d.run(a)
}
