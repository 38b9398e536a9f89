package chronostest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// starts counts how often handlers were called, by due instant.
type starts struct {
	mu  sync.Mutex
	due map[string]int // by job and due instant
	on  map[string]int
}

// six are jobs that are due together, so that every node gets some of them.
func six() (jobs []chronos.Job) {
	for _, id := range []string{"job", "job-2", "job-3", "job-4", "job-5", "job-6"} {
		jobs = append(jobs, chronos.Job{ID: id, Schedule: chronos.Every(10 * time.Second)})
	}
	return jobs
}

func (s *starts) handler(next chronos.Handler) chronos.Handler {
	return func(ctx context.Context, x chronos.Execution) error {
		s.mu.Lock()
		if s.due == nil {
			s.due, s.on = map[string]int{}, map[string]int{}
		}
		s.due[x.Job+" at "+x.Due.String()]++
		s.on[x.Node]++
		s.mu.Unlock()
		return next(ctx, x)
	}
}

// count is how many starts there were on nodes.
func (s *starts) count(nodes ...string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range nodes {
		n += s.on[name]
	}
	return n
}

// The leader of three is killed: each instant still runs once, and it comes back.
func TestKilledLeader(t *testing.T) {
	var seen starts
	o := chronostest.Options{Start: start, Nodes: 3, Declare: declare(seen.handler(busy(time.Second)), six()...)}
	observed(t, o, func(t *testing.T, f *fake, k *chronostest.Kit) {
		due := k.AdvanceToDue()
		old := k.Leader()
		k.Advance(29500 * time.Millisecond) // half a second before the fourth, which is committed
		k.Kill(old)
		f.fails(t, func() { k.Node(old) }, "is down")
		k.Advance(time.Minute)
		f.passes(t, func() {
			if now := k.Leader(); now == old {
				t.Errorf("%s leads still", now)
			}
			for i := range 9 {
				for _, j := range six() {
					k.AssertRan(j.ID, due.Add(time.Duration(i)*10*time.Second))
				}
			}
			k.Restart(old)
			if n := len(k.Node(old).Status().Members); n != 3 {
				t.Errorf("%d members", n)
			}
		})
		before := seen.count(old)
		k.Advance(time.Minute)
		seen.mu.Lock()
		for at, n := range seen.due {
			if n != 1 {
				t.Errorf("%s: %d starts", at, n)
			}
		}
		seen.mu.Unlock()
		if seen.count(old) == before {
			t.Errorf("%s takes no part again", old)
		}
	})
}

// A handler that runs on a node which is killed is repeated elsewhere, or not, by
// the job's delivery.
func TestKilledWhileRunning(t *testing.T) {
	for delivery, want := range map[chronos.Delivery]string{
		chronos.AtLeastOnce: "2026-03-02T09:00:00Z succeeded after 2 attempts",
		chronos.AtMostOnce:  "2026-03-02T09:00:00Z lost",
	} {
		job := chronos.Job{Schedule: chronos.Cron("0 9 * * *"), Delivery: delivery}
		bubble(t, chronostest.Options{Start: nine.Add(-5 * time.Second), Nodes: 3, Declare: declare(busy(time.Minute), job)}, func(t *testing.T, k *chronostest.Kit) {
			k.AdvanceToDue()
			k.Advance(time.Second)
			k.Kill(k.Executions("job")[0].Node)
			k.AdvanceToEnd("job")
			k.AssertLedger("job", want)
		})
	}
}

// Whoever is cut off runs nothing, and takes part again afterwards.
func TestCutOff(t *testing.T) {
	var seen starts
	bubble(t, chronostest.Options{Start: start, Nodes: 5, Declare: declare(seen.handler(busy(time.Second)), six()...)}, func(t *testing.T, k *chronostest.Kit) {
		due := k.AdvanceToDue()
		cut := []string{k.Leader()}
		k.CutOff(cut[0])
		cut = append(cut, k.Leader())
		k.CutOff(cut[1])
		k.Advance(35 * time.Second)
		for i := range 4 {
			k.AssertRan("job", due.Add(time.Duration(i)*10*time.Second))
		}
		before := seen.count(cut...)
		for _, name := range cut {
			k.Reconnect(name)
		}
		k.Advance(30 * time.Second)
		if seen.count(cut...) == before {
			t.Errorf("%v take no part again", cut)
		}
	})
}

// Without a majority nothing runs, and the kit says why.
func TestLostMajority(t *testing.T) {
	job := chronos.Job{Schedule: chronos.Every(10 * time.Second)}
	observed(t, chronostest.Options{Start: start, Nodes: 3, Declare: declare(succeed, job)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		due := k.AdvanceToDue()
		k.Kill("node-1")
		k.Stop("node-3")
		k.Advance(time.Minute)
		f.fails(t, func() { k.AssertRan("job", due.Add(40*time.Second)) }, "nobody has fired it: 1 of 3 are in touch, node-1 is down, node-2 is up, node-3 is down")
		f.fails(t, func() { k.Leader() }, "nobody leads: 1 of 3")
		k.RestartAll()
		k.Advance(time.Minute)
		f.passes(t, func() { k.AssertStatus("job", due.Add(20*time.Second), chronos.StatusMissed, chronos.ReasonCatchUp) })
	})
}

// A deployment of all nodes, one after the other.
func TestRollingRestart(t *testing.T) {
	var seen starts
	job := chronos.Job{Schedule: chronos.Every(10 * time.Second)}
	bubble(t, chronostest.Options{Start: start, Nodes: 3, Declare: declare(seen.handler(busy(time.Second)), job)}, func(t *testing.T, k *chronostest.Kit) {
		due := k.AdvanceToDue()
		for _, name := range k.Nodes() {
			k.Stop(name)
			k.Advance(15 * time.Second)
			k.Restart(name)
			k.Advance(15 * time.Second)
		}
		k.AdvanceTo(due.Add(95 * time.Second))
		for i := range 9 {
			k.AssertRan("job", due.Add(time.Duration(i)*10*time.Second))
		}
	})
}

// A job for every node has a row for each of them.
func TestEveryNode(t *testing.T) {
	job := chronos.Job{Schedule: chronos.Cron("0 9 * * *"), Placement: chronos.Placement{EveryNode: true}}
	bubble(t, chronostest.Options{Start: nine.Add(-5 * time.Second), Nodes: 3, Declare: declare(succeed, job)}, func(t *testing.T, k *chronostest.Kit) {
		k.AssertRan("job", k.AdvanceToDue())
		k.AssertLedger("job", "2026-03-02T09:00:00Z succeeded on node-1", "2026-03-02T09:00:00Z succeeded on node-2", "2026-03-02T09:00:00Z succeeded on node-3")
	})
}
