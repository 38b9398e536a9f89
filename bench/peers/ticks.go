package main

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// ticks are the starts of jobs that are due together at every full second.
type ticks struct {
	jobs, rounds int
	lose         int64
	all          atomic.Int64   // starts, before any are lost
	counts       []atomic.Int32 // of each job, if nobody says what a start is for
	epoch        int64          // the second of round 0, if somebody does
	starts       []atomic.Int64 // rounds of each job, in nanoseconds
	extra        atomic.Int64   // starts that there is no room for, or for one instant twice
	first        chan struct{}  // closed at the first start
}

func newTicks(jobs, rounds, lose int) *ticks {
	return &ticks{
		jobs: jobs, rounds: rounds, lose: int64(lose), counts: make([]atomic.Int32, jobs),
		epoch: time.Now().Unix(), starts: make([]atomic.Int64, jobs*rounds), first: make(chan struct{}),
	}
}

// rebase moves the first second.
func (t *ticks) rebase(to time.Time) { t.epoch = to.Unix() }

// spareRounds are seconds beyond those that are wanted, before and after.
const spareRounds = 60

// lost counts a start, and tells if it is one that is to be forgotten.
func (t *ticks) lost() bool {
	n := t.all.Add(1)
	if n == 1 {
		close(t.first)
	}
	return t.lose > 0 && n%t.lose == 0
}

// startDue notes that the handler of a job was called for an instant.
func (t *ticks) startDue(job int, due, at time.Time) {
	if t.lost() {
		return
	}
	i := int(due.Unix() - t.epoch)
	if i < 0 || i >= t.rounds || !t.starts[job*t.rounds+i].CompareAndSwap(0, at.UnixNano()) {
		t.extra.Add(1)
	}
}

// start notes that the handler of a job was called, by an engine that does not say
// for which instant.
func (t *ticks) start(job int, at time.Time) {
	if t.lost() {
		return
	}
	i := int(t.counts[job].Add(1)) - 1
	if i >= t.rounds {
		t.extra.Add(1)
		return
	}
	t.starts[job*t.rounds+i].Store(at.UnixNano())
}

// lateness answers how late each start was within some seconds, and how many
// instants have none.
func (t *ticks) lateness(from, to time.Time) (late []time.Duration, missing int) {
	for job := range t.jobs {
		base, gaps := t.epoch, 0
		if n := min(int(t.counts[job].Load()), t.rounds); n > 0 {
			base, gaps = t.base(job, n)
		}
		missing += gaps
		for s := from.Unix(); s < to.Unix(); s++ {
			at := int64(0)
			if i := s - base; i >= 0 && i < int64(t.rounds) {
				at = t.starts[job*t.rounds+int(i)].Load()
			}
			if at == 0 {
				missing++
				continue
			}
			late = append(late, time.Duration(at-s*int64(time.Second)))
		}
	}
	return late, missing
}

// base is the second that the first start of a job was for. They come in the order
// of their instants, and not before them: so the n-th belongs to the n-th second
// from some first one. If an engine leaves one out, all that follow seem to be later
// by a second for good: those are gaps.
func (t *ticks) base(job, n int) (base int64, gaps int) {
	const second = int64(time.Second)
	at := func(i int) int64 { return t.starts[job*t.rounds+i].Load() }
	base = at(0) / second
	for i := range n {
		if at(i) < (base+int64(i))*second {
			base--
		}
	}
	least := func(from, to int) int64 {
		v := int64(math.MaxInt64)
		for i := max(from, 0); i < min(to, n); i++ {
			v = min(v, at(i)-(base+int64(i))*second)
		}
		return v
	}
	return base, int(max(least(n-3, n)-least(0, 3)+second/2, 0) / second)
}

// punctuality measures how late an engine's handlers are called.
func (c *child) punctuality(jobs, seconds int, run func(*child, *ticks) error) error {
	warm := int(c.Settings.Sizes.Warm.Seconds())
	t := newTicks(jobs, warm+seconds+spareRounds, c.Settings.Lose)
	var used time.Duration
	var n int64
	var from, to time.Time
	measured := make(chan error, 1)
	go func() {
		defer close(measured)
		select {
		case <-t.first:
		case <-time.After(3 * time.Minute):
			measured <- errors.New("nothing was started within three minutes")
			return
		}
		from = time.Now().Truncate(time.Second).Add(time.Duration(warm+1) * time.Second)
		to = from.Add(time.Duration(seconds) * time.Second)
		time.Sleep(time.Until(from.Add(-time.Millisecond)))
		used, n = processorTime(), t.all.Load()
		time.Sleep(time.Until(to.Add(-time.Millisecond)))
		used, n = processorTime()-used, t.all.Load()-n
	}()
	c.measured = measured
	if err := run(c, t); err != nil {
		return err
	}
	late, missing := t.lateness(from, to)
	c.spread("", late, 0.5, 0.99, 1)
	c.figure("cpu", float64(used.Microseconds())/float64(max(n, 1)), "µs/start")
	c.control("starts within the measured seconds", int64(len(late)), int64(jobs*seconds))
	if missing > 0 || t.extra.Load() > 0 {
		return fmt.Errorf("%d instants have no start, %d starts are too many", missing, t.extra.Load())
	}
	return nil
}

// untilMeasured waits for the end of the measured seconds, and for the last handlers.
func (c *child) untilMeasured() error {
	select {
	case err := <-c.measured:
		if err != nil {
			return err
		}
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	time.Sleep(1500 * time.Millisecond)
	return nil
}
