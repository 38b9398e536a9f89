package chronos_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// gauge counts how many handlers are at work at once, by key.
type gauge struct {
	mu   sync.Mutex
	live map[string]int
	most map[string]int
}

// through is a handler that takes d, and notes itself under a key.
func (g *gauge) through(key string, d time.Duration) chronos.Handler {
	return func(ctx context.Context, _ chronos.Execution) error {
		g.mu.Lock()
		if g.live == nil {
			g.live, g.most = map[string]int{}, map[string]int{}
		}
		g.live[key]++
		g.most[key] = max(g.most[key], g.live[key])
		g.mu.Unlock()
		defer func() {
			g.mu.Lock()
			g.live[key]--
			g.mu.Unlock()
		}()
		return busy(d)(ctx, chronos.Execution{})
	}
}

// Nine jobs of three tenants are due at once: two of each tenant run at a time.
func TestConcurrencyKey(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		var g gauge
		for _, tenant := range []string{"x", "y", "z"} {
			r.handleAs(tenant, g.through(tenant, 10*time.Second))
			for i := range 5 {
				r.put(chronos.Job{
					ID: fmt.Sprintf("%s-%d", tenant, i), Handler: tenant, Schedule: chronos.At(at("00:01:00")), Priority: i,
					Concurrency: chronos.Concurrency{Key: "tenant-" + tenant, Limit: 2},
				})
			}
		}
		r.start()
		r.until("00:01:05")
		waits := 0
		for x, err := range r.Executions(r.ctx, chronos.Query{Status: []chronos.Status{chronos.StatusPending}}) {
			r.must(err)
			if x.Waiting == chronos.WaitingKey {
				waits++
			}
		}
		if st := r.Status(); st.Attempts != 6 || waits != 9 {
			t.Errorf("%d run, %d wait for a place", st.Attempts, waits)
		}
		r.until("00:02:00")
		for _, tenant := range []string{"x", "y", "z"} {
			if g.most[tenant] != 2 {
				t.Errorf("tenant %s: %d at once", tenant, g.most[tenant])
			}
			for i := range 5 {
				same(t, "ledger", r.ledgerText(fmt.Sprintf("%s-%d", tenant, i)), []string{"00:01:00 succeeded"})
			}
		}
	})
}

// Higher priority goes first at the gate, and what is asked for meanwhile behind
// it; a start deadline holds there, too; a cancellation takes one out.
func TestConcurrencyKeyOrder(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(10 * time.Second))
		one := chronos.Concurrency{Key: "printer"}
		for id, prio := range map[string]int{"a": 0, "b": 9, "c": 5} {
			r.put(chronos.Job{ID: id, Schedule: chronos.At(at("00:01:01")), Priority: prio, Concurrency: one})
		}
		r.put(chronos.Job{ID: "first", Schedule: chronos.At(at("00:01:00")), Concurrency: one})
		r.put(chronos.Job{ID: "late", Schedule: chronos.At(at("00:01:02")), Concurrency: one, StartDeadline: 5 * time.Second})
		r.put(chronos.Job{ID: "gone", Schedule: chronos.At(at("00:01:02")), Concurrency: one})
		r.start()
		r.until("00:01:05")
		r.must(r.Cancel(r.ctx, r.rows("gone")[0].ID))
		r.until("00:02:00")
		r.wantStarts("00:01:00 00:01:10 00:01:20 00:01:30")
		order := ""
		for _, x := range r.called() {
			order += x.Job + " "
		}
		if order != "first b c a " {
			t.Errorf("order %s", order)
		}
		same(t, "ledger of late", r.ledgerText("late"), []string{"00:01:02 missed(deadline)"})
		same(t, "ledger of gone", r.ledgerText("gone"), []string{"00:01:02 canceled(request)"})
	})
}

// A place is kept while an execution waits for its next attempt, and given back
// when the job is deleted.
func TestConcurrencyKeyHeldThroughRetries(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handleAs("bad", fail)
		r.handleAs("good", succeed)
		key := chronos.Concurrency{Key: "k"}
		r.put(chronos.Job{ID: "bad", Handler: "bad", Schedule: chronos.At(at("00:01:00")), Concurrency: key,
			Retry: chronos.Retry{MaxAttempts: 2, Initial: time.Minute, NoJitter: true}})
		r.put(chronos.Job{ID: "good", Handler: "good", Schedule: chronos.At(at("00:01:01")), Concurrency: key})
		r.put(chronos.Job{ID: "more", Handler: "nobody", Schedule: chronos.At(at("00:03:00")), Concurrency: key})
		r.put(chronos.Job{ID: "last", Handler: "good", Schedule: chronos.At(at("00:03:01")), Concurrency: key})
		r.start()
		r.until("00:01:30")
		if x := r.rows("good")[0]; x.Waiting != chronos.WaitingKey {
			t.Errorf("good %+v", x)
		}
		r.until("00:02:30")
		same(t, "ledger of good", r.ledgerText("good"), []string{"00:01:01 succeeded"})
		r.until("00:03:30")
		if x := r.rows("last")[0]; x.Waiting != chronos.WaitingKey {
			t.Errorf("last %+v", x)
		}
		for _, b := range r.Status().Waiting {
			if b.Key == "k" && (b.Count != 1 || !b.Since.Equal(at("00:03:01"))) {
				t.Errorf("waits for the key: %+v", b)
			}
		}
		r.must(r.Delete(r.ctx, "more"))
		r.until("00:03:40")
		same(t, "ledger of last", r.ledgerText("last"), []string{"00:03:01 succeeded"})
	})
}

// An edit takes effect on what waits: another limit, another key, or none.
func TestConcurrencyKeyEdited(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(time.Hour))
		job := func(id, key string, limit int) chronos.Job {
			return chronos.Job{ID: id, Concurrency: chronos.Concurrency{Key: key, Limit: limit}}
		}
		for _, id := range []string{"a", "b", "c", "d"} {
			r.put(job(id, "k", 1))
		}
		r.start()
		for _, id := range []string{"a", "b", "c", "d"} {
			r.trigger(id, chronos.TriggerRequest{})
		}
		r.until("00:01:10")
		r.wantStarts("00:00:00")
		waiting := func() (ids []string) {
			for x, err := range r.Executions(r.ctx, chronos.Query{Status: []chronos.Status{chronos.StatusPending}}) {
				r.must(err)
				if x.Waiting == chronos.WaitingKey {
					ids = append(ids, x.Job)
				}
			}
			return ids
		}
		rest := waiting()
		if len(rest) != 3 {
			t.Fatalf("%v wait", rest)
		}
		edit := func(j chronos.Job) {
			j.Description = "edited"
			r.put(j)
			r.until(clockText(time.Now().Add(time.Second)))
		}
		edit(job(rest[0], "k", 2))
		edit(job(rest[1], "other", 1))
		edit(job(rest[2], "", 0))
		if left := waiting(); len(left) != 0 || r.Status().Attempts != 4 {
			t.Errorf("%v still wait, %d run", left, r.Status().Attempts)
		}
	})
}

// The places are in the state: a restart neither loses nor doubles one.
func TestConcurrencyKeyOverRestart(t *testing.T) {
	onDisk(t, chronos.Options{DrainTimeout: time.Second}, func(r *rig) {
		var g gauge
		r.handle(g.through("k", 5*time.Second))
		for i := range 6 {
			r.put(chronos.Job{ID: fmt.Sprint("job-", i), Schedule: chronos.At(at("00:01:00")), Concurrency: chronos.Concurrency{Key: "k", Limit: 2}})
		}
		r.start()
		r.until("00:01:02")
		r.shut()
		r.open()
		r.handle(g.through("k", 5*time.Second))
		r.start()
		r.until("00:02:00")
		for i := range 6 {
			if x := r.rows(fmt.Sprint("job-", i))[0]; x.Status != chronos.StatusSucceeded {
				t.Errorf("%s: %s %s", x.Job, x.Status, x.Waiting)
			}
		}
		if g.most["k"] != 2 {
			t.Errorf("%d at once", g.most["k"])
		}
	})
}

func TestConcurrencyInvalid(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		for field, job := range map[string]chronos.Job{
			"Job.Concurrency.Key":     {Concurrency: chronos.Concurrency{Limit: 1}},
			"Job.Concurrency.Limit":   {Concurrency: chronos.Concurrency{Key: "k", Limit: -1}},
			"Job.Placement.EveryNode": {Placement: chronos.Placement{EveryNode: true}, MaxRuns: 3},
			"Job.Placement.Labels":    {Placement: chronos.Placement{Labels: map[string]string{"": "x"}}},
		} {
			job.ID, job.Handler = "j", "h"
			_, err := r.Put(r.ctx, job)
			wantField(t, err, field)
		}
		for _, job := range []chronos.Job{
			{Placement: chronos.Placement{EveryNode: true, Sticky: true}},
			{Placement: chronos.Placement{EveryNode: true}, Schedule: chronos.After(time.Minute)},
		} {
			job.ID, job.Handler = "j", "h"
			_, err := r.Put(r.ctx, job)
			wantField(t, err, "Job.Placement.EveryNode")
		}
	})
}
