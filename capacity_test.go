package chronos_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// Twenty are due at once where two can run: all run, two at a time.
func TestConcurrencyBelowTheLoad(t *testing.T) {
	bubble(t, chronos.Options{Concurrency: 2}, func(r *rig) {
		var running, most atomic.Int32
		r.handle(func(context.Context, chronos.Execution) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(10 * time.Second)
			running.Add(-1)
			return nil
		})
		for i := range 20 {
			r.put(chronos.Job{ID: fmt.Sprintf("job-%02d", i), Schedule: chronos.At(at("00:01:00"))})
		}
		r.start()
		r.until("00:01:05")
		if st := r.Status(); st.Attempts != 2 {
			t.Errorf("status %+v", st)
		}
		waiting := 0
		for x, err := range r.Executions(r.ctx, chronos.Query{Status: []chronos.Status{chronos.StatusPending}}) {
			r.must(err)
			if x.Waiting == chronos.WaitingRoom {
				waiting++
			}
		}
		if waiting != 18 {
			t.Errorf("%d wait for room", waiting)
		}
		r.until("00:02:40")
		for i := range 20 {
			same(t, "ledger", r.ledgerText(fmt.Sprintf("job-%02d", i)), []string{"00:01:00 succeeded"})
		}
		if most.Load() != 2 || !strings.HasSuffix(r.starts(), "00:02:30 00:02:30") {
			t.Errorf("at most %d at once; starts %s", most.Load(), r.starts())
		}
	})
}

// Higher goes first, whatever the order of the IDs.
func TestPriorityOrder(t *testing.T) {
	bubble(t, chronos.Options{Concurrency: 1}, func(r *rig) {
		r.handle(busy(time.Second))
		for i, prio := range []int{0, 5, -3, 7, 2, 100, -100} {
			r.put(chronos.Job{ID: fmt.Sprintf("%c", 'a'+i), Schedule: chronos.At(at("00:01:00")), Priority: prio})
		}
		r.start()
		r.until("00:01:30")
		order := ""
		for _, x := range r.called() {
			order += x.Job
		}
		if order != "fdbeacg" {
			t.Errorf("order %s, want fdbeacg", order)
		}
	})
}

// A minute of waiting outweighs a step of priority: nothing starves.
func TestPriorityAgeing(t *testing.T) {
	bubble(t, chronos.Options{Concurrency: 1}, func(r *rig) {
		r.handle(busy(20 * time.Second))
		r.put(chronos.Job{ID: "high", Schedule: chronos.Every(10 * time.Second), Priority: 3, Overlap: chronos.OverlapAllowAll})
		r.put(chronos.Job{ID: "low", Schedule: chronos.At(at("00:01:00"))})
		r.start()
		r.until("00:20:00")
		low := r.rows("low")
		if len(low) != 1 || low[0].Status != chronos.StatusSucceeded {
			t.Fatalf("low: %v", r.ledgerText("low"))
		}
		// Those due before 00:04:00 have the better rank: 23 of them, of 20 s each.
		if began := low[0].Attempts[0].Started; began.Before(at("00:07:00")) || began.After(at("00:08:30")) {
			t.Errorf("low began at %s", clockText(began))
		}
		r.must(r.Delete(r.ctx, "high"))
	})
}

// A handler that nobody has holds up only its own jobs, is visible, and starts
// when it is there.
func TestRegressionDbScheduler233HandlerMissing(t *testing.T) {
	onDisk(t, chronos.Options{Concurrency: 1}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{ID: "new", Handler: "new", Schedule: chronos.Every(time.Minute), Overlap: chronos.OverlapBufferOne})
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute)})
		r.start()
		r.until("00:02:30")
		r.wantLedger("00:01:00 succeeded", "00:02:00 succeeded")
		same(t, "new", r.ledgerText("new"), []string{"00:01:00 pending[room]", "00:02:00 pending[overlap]"})
		r.away(time.Minute)
		r.handle(succeed)
		r.start()
		r.handleAs("new", succeed)
		r.until("00:04:30")
		same(t, "new", r.ledgerText("new"), []string{"00:01:00 succeeded", "00:02:00 succeeded", "00:03:00 skipped(overlap)", "00:04:00 succeeded"})
		if got := r.Status().Handlers; len(got) != 2 {
			t.Errorf("handlers %v", got)
		}
	})
}

// An edit gives what waits for a missing handler another one.
func TestHandlerMissingThenEdited(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Handler: "typo", Schedule: chronos.At(at("00:01:00"))})
		r.start()
		r.until("00:02:00")
		r.wantLedger("00:01:00 pending[room]")
		r.put(chronos.Job{Handler: "h", Schedule: chronos.At(at("01:00:00"))})
		r.until("00:03:00")
		r.wantLedger("00:01:00 succeeded")
	})
}
