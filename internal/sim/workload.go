package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// What callers do all the time.

func (w *world) work() {
	fixed := append(w.fixedPlans(), w.placedPlans()...)
	ready := make(chan struct{})
	w.hire(func(c *caller) { c.declare(fixed); close(ready); c.runAgain(fixed) }, "declare")
	for i := range 3 {
		w.hire(func(c *caller) { c.edit(i) }, "edit", i)
	}
	for i := range 2 {
		w.hire(func(c *caller) { c.registers(i) }, "register", i)
		w.hire(func(c *caller) { <-ready; c.requests(fixed) }, "request", i)
	}
	w.hire((*caller).shots, "shots")
	for i := range 3 {
		w.hire(func(c *caller) { c.locks() }, "lock", i)
	}
	w.hire((*caller).look, "look")
	w.hire((*caller).backups, "backup")
}

// declare puts the fixed jobs, as a host does when it starts.
func (c *caller) declare(fixed []*plan) {
	for left := fixed; len(left) > 0 && !c.w.over(); {
		k := c.put(left[0], 0)
		young := now()-c.w.born < int64(4*c.w.pro.Lease) // not all members may have said yet what they know
		if k != nil && (k.acked() || errors.Is(k.err, chronos.ErrInvalid) && !young) {
			if !k.acked() {
				c.w.log.fault("workload", k.job, now(), "a plan that cannot be: %v: %s", k.err, k.plan)
			}
			left = left[1:]
			continue
		}
		c.pause()
	}
}

// runAgain lets jobs go on that paused themselves.
func (c *caller) runAgain(fixed []*plan) {
	for c.w.sleep(c.w.pro.Unit * 30) {
		for _, p := range fixed {
			if p.PauseFail {
				c.resume(p.Job)
			}
		}
	}
}

// edit changes one job in every way there is, and takes another one when it is not
// sure of what a pause or a resume has done.
func (c *caller) edit(i int) {
	for n := 0; !c.w.over(); n++ {
		job := fmt.Sprintf("edit/%d/%d", i, n)
		for k := 0; k < 40 && c.pause(); k++ {
			if !c.editOnce(job) {
				break
			}
		}
		if c.r.IntN(2) == 0 {
			c.delete(job)
		}
	}
}

func (c *caller) editOnce(job string) bool {
	var k *call
	switch n := c.r.IntN(20); {
	case n < 8:
		c.put(c.randomPlan(job), 0)
	case n < 9:
		c.put(c.randomPlan(job), chronos.MustNotExist)
	case n < 11:
		c.delete(job)
	case n < 13:
		k = c.pauseJob(job)
	case n < 16:
		k = c.resume(job)
	case n < 17:
		c.rollback(job, 1+c.r.Uint64N(3))
	default:
		c.trigger(job, "", "")
	}
	return k == nil || !k.unsure
}

// registers let three callers work on one job at a time, which has no schedule:
// what they are answered has to be as if it had happened at one place.
func (c *caller) registers(i int) {
	for n := 0; !c.w.over(); n++ {
		job := fmt.Sprintf("register/%d/%d", i, n)
		var wg sync.WaitGroup
		for j := range 3 {
			one := c.w.caller("register", i, ".", n, ".", j)
			wg.Go(func() { one.register(job) })
		}
		wg.Wait()
	}
}

func (c *caller) register(job string) {
	seen := uint64(0)
	for range 14 {
		if !c.pause() {
			return
		}
		var k *call
		p := &plan{Job: job, Overlap: chronos.OverlapAllowAll}
		switch n := c.r.IntN(20); {
		case n < 5:
			k = c.put(p, 0)
		case n < 8 && seen > 0:
			k = c.put(p, seen)
		case n < 9:
			k = c.put(p, chronos.MustNotExist)
		case n < 11:
			c.delete(job)
		case n < 12:
			c.pauseJob(job)
		case n < 13:
			c.resume(job)
		default:
			k = c.get(job)
		}
		if k != nil && k.acked() {
			seen = k.version
			if k.read != nil && k.op == "get" {
				seen = k.read.version
			}
		}
	}
}

// requests triggers, backfills, cancels, terminates, redrives and waits.
func (c *caller) requests(fixed []*plan) {
	var execs []string
	for n := 0; c.pause(); n++ {
		p := fixed[c.r.IntN(len(fixed))]
		some := ""
		if len(execs) > 0 {
			some = execs[c.r.IntN(len(execs))]
		}
		switch kind := c.r.IntN(20); {
		case kind < 9 || some == "":
			execs = c.triggerOnce(p, n, execs)
		case kind < 11:
			c.backfill(p)
		case kind < 13:
			c.onExecution("cancel", some, func(ctx context.Context, s *chronos.Scheduler) error { return s.Cancel(ctx, some) })
		case kind < 14:
			c.w.log.terminating(some)
			c.onExecution("terminate", some, func(ctx context.Context, s *chronos.Scheduler) error { return s.Terminate(ctx, some) })
		case kind < 16:
			c.onExecution("redrive", some, func(ctx context.Context, s *chronos.Scheduler) error { _, err := s.Redrive(ctx, some); return err })
		default:
			c.wait(some)
		}
	}
}

func (c *caller) triggerOnce(p *plan, n int, execs []string) []string {
	key := ""
	if c.r.IntN(2) == 0 {
		key = fmt.Sprintf("%s/%d", c.name, n)
	}
	overlap := chronos.Overlap("")
	if !p.exclusive() && c.r.IntN(4) == 0 {
		overlap = chronos.OverlapAllowAll
	}
	var twin *call
	var wg sync.WaitGroup
	if key != "" && c.r.IntN(2) == 0 { // the same key from two sides
		other := c.w.caller(c.name, "twin", n)
		wg.Go(func() { twin = other.trigger(p.Job, key, overlap) })
	}
	k := c.trigger(p.Job, key, overlap)
	wg.Wait()
	if k != nil && twin != nil && k.acked() && twin.acked() && k.exec != twin.exec {
		c.w.log.fault("twice", p.Job, now(), "key %s made %s and %s", key, k.exec, twin.exec)
	}
	if k != nil && k.acked() {
		execs = append(execs, k.exec)
		execs = execs[max(0, len(execs)-12):]
	}
	return execs
}

func (c *caller) backfill(p *plan) {
	if len(p.When) == 0 || p.EveryNode {
		return
	}
	to := time.Now().Add(-c.w.pro.Unit * time.Duration(1+c.r.IntN(20)))
	from := to.Add(-c.w.pro.Unit * time.Duration(1+c.r.IntN(4)))
	key := c.w.tell("key " + c.name)
	want := len(p.instants(from.UnixNano()-1, to.UnixNano()))
	k := c.call("backfill", p.Job, fmt.Sprintf("%s to %s", clock(from.UnixNano()), clock(to.UnixNano())), func(ctx context.Context, s *chronos.Scheduler, k *call) (func(), error) {
		n, err := s.Backfill(ctx, p.Job, chronos.BackfillRequest{From: from, To: to, Key: key})
		return func() { k.count = n }, err
	})
	if k != nil && k.acked() && k.count != want {
		c.w.log.fault("backfill", p.Job, now(), "%s was answered with %d executions, there are %d instants", k.seq, k.count, want)
	}
}

// wait waits for the end of an execution, which stays over.
func (c *caller) wait(exec string) {
	c.call("wait", jobOf(exec), exec, func(ctx context.Context, s *chronos.Scheduler, k *call) (func(), error) {
		x, err := s.Wait(ctx, exec)
		if err == nil && !x.Final() {
			c.w.log.fault("wait", x.Job, now(), "Wait of %s returned with status %s", exec, x.Status)
		}
		return func() { k.exec = string(x.Status) }, err
	})
}

// shots puts jobs that run once, or a few times, and then delete themselves.
func (c *caller) shots() {
	u := c.w.pro.Unit
	for n := 0; c.pause(); n++ {
		p := &plan{Job: fmt.Sprintf("shot/%d", n), Work: work{Max: u / 4, Fail: c.r.IntN(2) * 40}, Remove: c.r.IntN(3) > 0, Attempts: c.r.IntN(3)}
		if c.r.IntN(3) > 0 {
			p.At = time.Now().Add(between(c.r, u/10, 6*u)).UnixNano()
		} else {
			p.When, p.MaxRuns = []when{{Every: u * time.Duration(1+c.r.IntN(3))}}, 1+c.r.IntN(3)
		}
		if c.r.IntN(2) == 0 {
			p.Delivery = chronos.AtMostOnce
		}
		c.put(p, 0)
	}
}

// look reads whatever there is to read, as people do.
func (c *caller) look() {
	for c.pause() {
		p := c.on()
		if p == nil {
			return
		}
		ctx, n := context.Background(), 0
		switch c.r.IntN(4) {
		case 0:
			for _, err := range p.s.Jobs(ctx, chronos.Selector{"sim": "yes"}) {
				n += c.read(p, "Jobs", err)
			}
		case 1:
			for x, err := range p.s.Executions(ctx, chronos.Query{Limit: 50}) {
				if n += c.read(p, "Executions", err); err == nil && n < 3 {
					_, err := p.s.Execution(ctx, x.ID)
					if !errors.Is(err, chronos.ErrNotFound) { // withdrawn meanwhile
						c.read(p, "Execution", err)
					}
				}
			}
		case 2:
			for _, err := range p.s.Versions(ctx, "edit/0/0") {
				n += c.read(p, "Versions", err)
			}
		default:
			p.s.Status()
		}
	}
}

func (c *caller) read(p *proc, what string, err error) int {
	if err != nil && !p.killed() && !errors.Is(err, chronos.ErrClosed) && !errors.Is(err, chronos.ErrNotFound) {
		c.w.log.fault("read", "", now(), "%s on %s: %v", what, p, err)
	}
	return 1
}

func jobOf(exec string) string {
	job, _, _ := strings.Cut(exec, ":")
	return job
}

// targetOf is the node that an execution is for, "" if it is for any.
func targetOf(exec string) string {
	_, target, _ := strings.Cut(exec, "@")
	return target
}

// once tells if a job is put as one plan only.
func once(job string) bool { return strings.HasPrefix(job, "fixed/") }

func seqOf(payload []byte) string {
	var w work
	_ = json.Unmarshal(payload, &w)
	return w.Seq
}
