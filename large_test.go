package chronos_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// What ordinary use piles up must never stop the state machine, however much
// one log entry then has to write.

// TestLargeRetirement: twenty one-shots with large payloads end and are removed
// in the same moment.
func TestLargeRetirement(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		due := time.Now().Add(2 * time.Second)
		for i := range 20 {
			r.put(chronos.Job{
				ID: fmt.Sprintf("once-%d", i), Schedule: chronos.At(due), Handler: "h",
				RemoveAfter: true, Payload: bytes.Repeat([]byte("x"), 250<<10),
			})
		}
		r.start()
		time.Sleep(4 * time.Second)
		r.must(r.Status().Err)
		n := 0
		for x, err := range r.Executions(r.ctx, chronos.Query{}) {
			r.must(err)
			if x.Status != chronos.StatusSucceeded {
				r.t.Errorf("%s is %s", x.ID, x.Status)
			}
			n++
		}
		if n != 20 {
			r.t.Errorf("%d of 20 ran", n)
		}
	})
}

// TestLargeBuffer: full buffers of many jobs are superseded in one moment.
func TestLargeBuffer(t *testing.T) {
	const jobs = 15
	bubble(t, chronos.Options{}, func(r *rig) {
		due := time.Now().Add(time.Minute)
		list := make([]chronos.Job, jobs)
		for i := range list {
			list[i] = chronos.Job{
				ID: fmt.Sprintf("job-%d", i), Schedule: chronos.Every(time.Minute).Anchor(due), Handler: "nobody",
				Overlap: chronos.OverlapBufferAll,
			}
		}
		_, err := r.PutAll(r.ctx, list)
		r.must(err)
		for i := range list {
			_, err := r.Backfill(r.ctx, list[i].ID, chronos.BackfillRequest{From: due.Add(-999 * time.Minute), To: due.Add(-time.Minute)})
			r.must(err)
			list[i].Overlap = chronos.OverlapTerminateOther
		}
		_, err = r.PutAll(r.ctx, list)
		r.must(err)
		r.start()
		time.Sleep(90 * time.Second)
		r.must(r.Status().Err)
		for _, j := range list {
			if st := r.get(j.ID).State; st.Buffered != 0 || st.Unfinished != 1 {
				r.t.Errorf("%s has %d buffered and %d unfinished", j.ID, st.Buffered, st.Unfinished)
			}
		}
	})
}

// TestLargeRehandle: an edit that corrects the handler's name moves all that
// waited for the wrong one.
func TestLargeRehandle(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		start := time.Now()
		time.Sleep(700 * time.Minute)
		job := chronos.Job{ID: "j", Handler: "typo", Schedule: chronos.Every(time.Minute), Overlap: chronos.OverlapAllowAll}
		r.put(job)
		n, err := r.Backfill(r.ctx, "j", chronos.BackfillRequest{From: start, To: time.Now(), Overlap: chronos.OverlapAllowAll})
		r.must(err)
		job.Handler = "h"
		r.put(job)
		r.start()
		time.Sleep(10 * time.Second)
		ran := 0
		for x, err := range r.Executions(r.ctx, chronos.Query{Job: "j", Status: []chronos.Status{chronos.StatusSucceeded}}) {
			r.must(err)
			if x.Origin == chronos.OriginBackfill {
				ran++
			}
		}
		if ran != n || n < 600 {
			r.t.Errorf("%d of %d ran", ran, n)
		}
	})
}

// TestLateReturn: a handler that was stuck when Run ended returns after all, and
// the job is not blocked by it in the next Run.
func TestLateReturn(t *testing.T) {
	bubble(t, chronos.Options{DrainTimeout: time.Second, StuckAfter: time.Second}, func(r *rig) {
		first := true
		r.handle(func(context.Context, chronos.Execution) error {
			if first {
				first = false
				time.Sleep(10 * time.Second)
				return errBoom
			}
			return nil
		})
		r.put(chronos.Job{ID: "j", Handler: "h"})
		ctx, cancel := context.WithCancel(r.ctx)
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		x := r.trigger("j", chronos.TriggerRequest{})
		time.Sleep(time.Second)
		cancel()
		if err := <-done; err == nil {
			r.t.Error("Run does not name the handler that did not return")
		}
		if got := r.execution(x.ID).Status; got != chronos.StatusRunning {
			r.t.Errorf("while the handler still runs its execution is %s", got)
		}
		time.Sleep(10 * time.Second)
		r.start()
		time.Sleep(time.Second)
		if got := r.execution(x.ID); got.Status != chronos.StatusSucceeded {
			r.t.Errorf("after the handler had returned, its execution is %s", got.Status)
		}
	})
}
