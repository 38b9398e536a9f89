package chronos

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// quiet is a scheduler in memory that Run does not run.
func quiet(t *testing.T) *Scheduler {
	s, err := New(Options{InMemory: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Where nobody listens, as with a host that looks at Status, nothing is left of jobs
// that were overdue and are gone.
func TestOverdueForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quiet(t)
		for i := range 20 {
			var jobs []Job
			for k := range 100 {
				jobs = append(jobs, Job{ID: fmt.Sprintf("job-%d-%d", i, k), Handler: "h", SucceedWithin: time.Minute})
			}
			if _, err := s.PutAll(t.Context(), jobs); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			if n := s.Status().Overdue; n != 100 {
				t.Fatalf("%d overdue", n)
			}
			for _, j := range jobs {
				if err := s.Delete(t.Context(), j.ID); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		s.alarms.mu.Lock()
		defer s.alarms.mu.Unlock()
		if n := len(s.alarms.untold); n > 500 {
			t.Errorf("%d are still to be told, of %d jobs", n, len(s.alarms.watches))
		}
	})
}

// When the clock that has made a job overdue is put back, it is not overdue: Status and
// the job's state agree.
func TestOverdueClockBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quiet(t)
		if _, err := s.Put(t.Context(), Job{ID: "job", Handler: "h", SucceedWithin: time.Minute}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.alarms.mu.Lock()
		s.alarms.watches["job"].by += int64(time.Hour) // no clock in a bubble goes back
		s.alarms.mu.Unlock()
		if st := s.Status(); st.Overdue != 0 || len(st.OverdueJobs) != 0 {
			t.Errorf("%d overdue: %v", st.Overdue, st.OverdueJobs)
		}
		time.Sleep(time.Hour)
		if st := s.Status(); st.Overdue != 1 || len(st.OverdueJobs) != 1 {
			t.Errorf("%d overdue: %v", st.Overdue, st.OverdueJobs)
		}
	})
}

// A node that may not know of the newest successes waits for a lease, each time anew.
func TestOverdueDoubt(t *testing.T) {
	const lease = 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		var d doubt
		heard := time.Now()
		sure := func(alive, behind, want bool) {
			t.Helper()
			if alive {
				heard = time.Now()
			}
			if got := d.over(alive, behind, heard, lease); got != want {
				t.Errorf("at %s, alive %v, behind %v: %v", time.Now().Format(time.TimeOnly), alive, behind, got)
			}
		}
		sure(true, false, true)
		time.Sleep(time.Hour)
		sure(false, false, false) // cut off
		for range 9 {
			time.Sleep(lease / 10)
			sure(false, false, false)
		}
		time.Sleep(lease / 10)
		sure(false, false, true)
		time.Sleep(10 * time.Minute)
		sure(false, false, true) // the same outage

		// It was back for an hour, in which there was nothing to ask.
		time.Sleep(time.Hour)
		heard = time.Now()
		time.Sleep(lease)
		sure(true, true, false) // it is in touch again, and has not caught up
		for range 9 {
			time.Sleep(lease / 10)
			sure(true, true, false) // as one that is asked because of that
		}
		time.Sleep(lease / 10)
		sure(true, true, true)
		sure(true, false, true)
		sure(true, true, false)
	})
}

// After a step of the clock nothing is told before what has become due by it could run.
// No clock in a bubble steps: what a node remembers of it does.
func TestOverdueClockStep(t *testing.T) {
	for _, step := range []time.Duration{0, 500 * time.Millisecond, 2 * time.Hour} {
		for _, runs := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, runs %v", step, runs), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { stepped(t, step, runs) })
			})
		}
	}
}

func stepped(t *testing.T, step time.Duration, runs bool) {
	s := quiet(t)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()
	if err := s.Handle("h", func(context.Context, Execution) error { return nil }); err != nil {
		t.Fatal(err)
	}
	put, err := s.Put(ctx, Job{ID: "job", Handler: "h", SucceedWithin: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	events := s.Events(ctx)
	var told []time.Duration // after the deadline
	hear := func(d time.Duration) {
		time.Sleep(d)
		synctest.Wait()
		for len(events) > 0 {
			if ev := <-events; ev.Kind == EventJobOverdue {
				told = append(told, time.Since(put.State.SucceedBy).Round(time.Second))
			}
		}
	}
	time.Sleep(time.Until(put.State.SucceedBy) - time.Millisecond)
	s.alarms.mu.Lock()
	s.alarms.clock.wall -= int64(step)
	s.alarms.mu.Unlock()
	hear(100 * time.Millisecond)
	held := step > time.Second
	if n := s.Status().Overdue; (n == 0) != held || (len(told) == 0) != held {
		t.Errorf("right after it: %d overdue, told %v", n, told)
	}
	if runs {
		if _, err := s.Trigger(ctx, "job", TriggerRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	hear(58 * time.Second)
	if held && len(told) != 0 {
		t.Errorf("told %v later", told)
	}
	hear(2 * time.Second)
	hear(5 * time.Minute)
	switch {
	case held && runs:
		if len(told) != 0 {
			t.Errorf("it has run, and is told %v later", told)
		}
	case held:
		if len(told) != 1 || told[0] != clockGrace || s.Status().Overdue != 1 {
			t.Errorf("told %v later", told)
		}
	default:
		if len(told) != 1 || told[0] != 0 {
			t.Errorf("told %v later", told)
		}
	}
}

// A clock that steps all the time does not hold back for ever what is to be said.
func TestOverdueClockStepsOnAndOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c wallClock
		c.settled()
		said := 0
		for range 60 { // ten minutes
			time.Sleep(10 * time.Second)
			c.wall -= int64(2 * time.Second)
			if c.settled() {
				said++
			}
		}
		if said < 20 || said > 40 {
			t.Errorf("settled %d times of 60", said)
		}
	})
}
