package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chronos-go/chronos"
)

// caller is somebody who makes calls, one after the other, on whatever process is
// up.
type caller struct {
	w    *world
	name string
	r    *rand.Rand
}

func (w *world) caller(parts ...any) *caller {
	name := fmt.Sprint(parts...)
	return &caller{w: w, name: name, r: random(w.seed, "caller", name)}
}

// tell makes a name for a call.
func (w *world) tell(who string) string {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.log.counts["named "+who]++
	return fmt.Sprintf("%s-%d", who, w.log.counts["named "+who])
}

// do makes a call and notes it before and after. What fn returns beside the error
// fills in the answer. A call on a process that dies has no answer.
func (w *world) do(p *proc, c *call, limit time.Duration, fn func(context.Context, *chronos.Scheduler) (func(), error)) {
	c.node = p.String()
	if c.plan != nil {
		c.plan.Work.Seq = c.seq
		w.planned(c.seq, c.plan)
	}
	w.log.beginCall(c)
	ctx, cancel := context.WithTimeout(chronos.WithActor(context.Background(), c.seq), limit)
	type answer struct {
		fill func()
		err  error
	}
	done := make(chan answer, 1)
	w.running.Go(func() {
		defer cancel()
		fill, err := fn(ctx, p.s)
		done <- answer{fill, err}
	})
	a := answer{err: errDead}
	select {
	case a = <-done:
		if p.killed() {
			a = answer{err: errDead}
		}
	case <-p.dead:
	}
	w.log.endCall(c, func() {
		c.err = a.err
		c.unsure = c.err != nil && (errors.Is(c.err, errDead) || errors.Is(c.err, chronos.ErrUncertain))
		if a.fill != nil && c.err == nil {
			a.fill()
		}
	})
}

// limit is how long a caller waits for an answer.
func (c *caller) limit() time.Duration {
	pro := c.w.pro
	return []time.Duration{pro.Heartbeat, 2 * pro.Lease, pro.Lease, 4 * pro.Lease}[c.r.IntN(4)]
}

// pause lets time go by; false when the simulation is over.
func (c *caller) pause() bool {
	p := c.w.pro.Pause
	if c.r.IntN(3) == 0 {
		return c.w.sleep(between(c.r, 0, p/10))
	}
	return c.w.sleep(between(c.r, p/2, p*2))
}

// on draws a process; nil if none is up for now or the simulation is over.
func (c *caller) on() *proc {
	for !c.w.over() {
		if p := c.w.pick(c.r); p != nil {
			return p
		}
		c.w.sleep(c.w.pro.Heartbeat)
	}
	return nil
}

// call makes a call of a kind on a job somewhere.
func (c *caller) call(op, job, arg string, fn func(ctx context.Context, s *chronos.Scheduler, k *call) (func(), error)) *call {
	p := c.on()
	if p == nil {
		return nil
	}
	return c.callOn(p, op, job, arg, fn)
}

func (c *caller) callOn(p *proc, op, job, arg string, fn func(ctx context.Context, s *chronos.Scheduler, k *call) (func(), error)) *call {
	k := &call{seq: c.w.tell(c.name), op: op, job: job, arg: arg}
	c.w.do(p, k, c.limit(), func(ctx context.Context, s *chronos.Scheduler) (func(), error) { return fn(ctx, s, k) })
	return k
}

// put puts a plan, with the version that is expected, 0 for any.
func (c *caller) put(p *plan, expect uint64) *call {
	on := c.on()
	if on == nil {
		return nil
	}
	return c.putOn(on, p, expect)
}

func (c *caller) putOn(on *proc, p *plan, expect uint64) *call {
	mine := *p // another call may put the same plan once more
	p = &mine
	k := &call{seq: c.w.tell(c.name), op: "put", job: p.Job, plan: p, expect: expect}
	if expect != 0 {
		k.arg = fmt.Sprintf("expecting %d", expect)
	}
	c.w.do(on, k, c.limit(), func(ctx context.Context, s *chronos.Scheduler) (func(), error) {
		job := p.job()
		job.Version = expect
		got, err := s.Put(ctx, job)
		return func() { k.version = got.Version }, err
	})
	if k.acked() && c.r.IntN(4) == 0 && expect == 0 {
		c.ownWrite(on, k)
	}
	return k
}

// ownWrite: a call that wrote is to be seen by a read on the same node.
func (c *caller) ownWrite(on *proc, k *call) {
	if on.killed() {
		return
	}
	got, err := on.s.Get(context.Background(), k.job)
	switch {
	case errors.Is(err, chronos.ErrNotFound): // deleted meanwhile, which is in the version history
		c.w.sawGone(k)
	case err == nil && got.Version < k.version:
		c.w.log.fault("stale read", k.job, now(), "%s wrote version %d and read version %d on the same node", k.seq, k.version, got.Version)
	}
	c.w.log.count("own writes read", 1)
}

// sawGone remembers that a job was not there right after a put of it: somebody has
// to have deleted it.
func (w *world) sawGone(k *call) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	k.read = &reading{}
}

func (c *caller) delete(job string) *call {
	return c.call("delete", job, "", func(ctx context.Context, s *chronos.Scheduler, _ *call) (func(), error) {
		return nil, s.Delete(ctx, job)
	})
}

func (c *caller) pauseJob(job string) *call {
	return c.call("pause", job, "", func(ctx context.Context, s *chronos.Scheduler, _ *call) (func(), error) {
		return nil, s.Pause(ctx, job, "simulated")
	})
}

func (c *caller) resume(job string) *call {
	return c.call("resume", job, "", func(ctx context.Context, s *chronos.Scheduler, _ *call) (func(), error) {
		return nil, s.Resume(ctx, job)
	})
}

// get reads a job, linearizably.
func (c *caller) get(job string) *call {
	return c.call("get", job, "", func(ctx context.Context, s *chronos.Scheduler, k *call) (func(), error) {
		if err := s.Sync(ctx); err != nil {
			return nil, err
		}
		got, err := s.Get(ctx, job)
		switch {
		case errors.Is(err, chronos.ErrNotFound):
			return func() { k.read = &reading{} }, nil
		case err != nil:
			return nil, err
		}
		return func() {
			k.read = &reading{exists: true, version: got.Version, seq: seqOf(got.Payload), paused: got.State.Paused}
		}, nil
	})
}

func (c *caller) rollback(job string, version uint64) *call {
	k := c.call("rollback", job, fmt.Sprint(version), func(ctx context.Context, s *chronos.Scheduler, k *call) (func(), error) {
		k.expect = version
		got, err := s.Rollback(ctx, job, version)
		return func() { k.version = got.Version }, err
	})
	return k
}

func (c *caller) trigger(job, key string, overlap chronos.Overlap) *call {
	return c.call("trigger", job, key, func(ctx context.Context, s *chronos.Scheduler, k *call) (func(), error) {
		x, err := s.Trigger(ctx, job, chronos.TriggerRequest{Key: key, Overlap: overlap})
		return func() { k.exec = x.ID }, err
	})
}

func (c *caller) onExecution(op, exec string, fn func(context.Context, *chronos.Scheduler) error) *call {
	return c.call(op, jobOf(exec), exec, func(ctx context.Context, s *chronos.Scheduler, _ *call) (func(), error) { return nil, fn(ctx, s) })
}

// hire lets a caller work until the simulation is over.
func (w *world) hire(work func(*caller), parts ...any) {
	c := w.caller(parts...)
	w.working.Go(func() { work(c) })
}
