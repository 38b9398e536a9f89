package faults

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// fixedPlans are jobs that are put once and then only triggered: one of every
// policy, on schedules that come due several times between two faults.
func fixedPlans() []*plan {
	every := func(d time.Duration) int64 { return int64(d) }
	return []*plan{
		{Job: "cron/skip", CronStep: 1, Work: work{Max: 300}},
		{Job: "cron/step", CronStep: 2, Work: work{Max: 10}, Misfire: chronos.MisfireAll, Overlap: chronos.OverlapBufferAll},
		{Job: "every/skip", Every: every(200 * time.Millisecond), Work: work{Max: 300}},
		{Job: "every/buffer-one", Every: every(250 * time.Millisecond), Overlap: chronos.OverlapBufferOne, Work: work{Max: 400}},
		{Job: "every/buffer-all", Every: every(300 * time.Millisecond), Overlap: chronos.OverlapBufferAll, Work: work{Max: 250}},
		{Job: "every/cancel", Every: every(500 * time.Millisecond), Overlap: chronos.OverlapCancelOther, Work: work{Hold: true}, Timeout: 2 * time.Second},
		{Job: "every/terminate", Every: every(400 * time.Millisecond), Overlap: chronos.OverlapTerminateOther, Work: work{Max: 900}},
		{Job: "every/all", Every: every(200 * time.Millisecond), Overlap: chronos.OverlapAllowAll, Work: work{Max: 500}},
		{Job: "once/all", Every: every(250 * time.Millisecond), AtMostOnce: true, Overlap: chronos.OverlapAllowAll, Work: work{Max: 300}},
		{Job: "once/skip", Every: every(150 * time.Millisecond), AtMostOnce: true, Work: work{Max: 200}},
		{Job: "once/cron", CronStep: 1, AtMostOnce: true, Overlap: chronos.OverlapBufferAll, Work: work{Max: 100}},
		{Job: "retry/skip", Every: every(700 * time.Millisecond), Attempts: 4, Work: work{Max: 40, Fail: 60}},
		{Job: "retry/all", Every: every(500 * time.Millisecond), Attempts: 3, Overlap: chronos.OverlapAllowAll, Work: work{Max: 40, Fail: 60}},
		{Job: "misfire/all", Every: every(300 * time.Millisecond), Misfire: chronos.MisfireAll, CatchUpMax: 3, Overlap: chronos.OverlapBufferAll, Work: work{Max: 20}},
		{Job: "misfire/earliest", Every: every(300 * time.Millisecond), Misfire: chronos.MisfireEarliest, Work: work{Max: 20}},
		{Job: "misfire/skip", Every: every(300 * time.Millisecond), Misfire: chronos.MisfireSkip, Work: work{Max: 20}},
		{Job: "jitter", Every: every(500 * time.Millisecond), Jitter: 300 * time.Millisecond, Work: work{Max: 50}},
		{Job: "deadline", Every: every(200 * time.Millisecond), Deadline: 300 * time.Millisecond, Overlap: chronos.OverlapBufferAll, Work: work{Max: 500}},
		{Job: "manual", Overlap: chronos.OverlapAllowAll, Work: work{Max: 30}},
	}
}

// edited are the jobs that are put anew, paused, resumed and deleted all the
// time. Each has one worker, so the order of its calls is known.
const edited = 4

// startWorkers puts the fixed jobs and lets the workers go until ctx ends.
func (c *child) startWorkers(ctx context.Context, wg *sync.WaitGroup) {
	for i := range edited {
		wg.Go(func() { c.edit(ctx, fmt.Sprintf("edit/%d", i)) })
	}
	wg.Go(func() { c.oneShots(ctx) })
	wg.Go(func() {
		c.putFixed(ctx)
		c.triggers(ctx)
	})
}

// call makes one call and records it before and after.
func (c *child) call(op, job string, p *plan, fn func(ctx context.Context, seq string, ack *event) error) {
	seq := c.seq()
	if p != nil {
		p.Work.Seq = seq
	}
	ctx, cancel := context.WithTimeout(chronos.WithActor(context.Background(), seq), 30*time.Second)
	defer cancel()
	c.rec.write(event{Kind: "begin", Seq: seq, Op: op, Job: job, Plan: p})
	ack := event{Kind: "ack", Seq: seq, Op: op, Job: job}
	if c.cfg.AckEarly {
		c.rec.write(ack)
		time.Sleep(20 * time.Millisecond)
	}
	if err := fn(ctx, seq, &ack); err != nil {
		ack.Kind, ack.Text = "err", err.Error()
	}
	if !c.cfg.AckEarly {
		c.rec.write(ack)
	}
}

func (c *child) put(p *plan) {
	c.call("put", p.Job, p, func(ctx context.Context, seq string, ack *event) error {
		job, err := c.s.Put(ctx, p.job())
		ack.Version = job.Version
		return err
	})
}

// putFixed puts the fixed jobs where they are not there yet, and resumes those
// that were paused for an end that did not come.
func (c *child) putFixed(ctx context.Context) {
	for _, p := range fixedPlans() {
		if ctx.Err() != nil {
			return
		}
		j, err := c.s.Get(ctx, p.Job)
		switch {
		case err != nil:
			c.put(p)
		case j.State.Paused:
			c.call("resume", p.Job, nil, func(ctx context.Context, _ string, _ *event) error { return c.s.Resume(ctx, p.Job) })
		}
	}
}

func (c *child) triggers(ctx context.Context) {
	plans := fixedPlans()
	for sleep(ctx, time.Duration(c.random(60))*time.Millisecond) {
		job := plans[c.random(len(plans))].Job
		if c.random(12) == 0 {
			c.backfill(job)
			continue
		}
		c.trigger(job)
	}
}

func (c *child) trigger(job string) {
	c.call("trigger", job, nil, func(ctx context.Context, seq string, ack *event) error {
		x, err := c.s.Trigger(ctx, job, chronos.TriggerRequest{Key: seq})
		ack.Exec = x.ID
		return err
	})
}

func (c *child) backfill(job string) {
	if job == "manual" {
		return
	}
	c.call("backfill", job, nil, func(ctx context.Context, seq string, ack *event) error {
		to := time.Now().Add(-time.Minute)
		n, err := c.s.Backfill(ctx, job, chronos.BackfillRequest{From: to.Add(-2 * time.Second), To: to})
		ack.Count = n
		return err
	})
}

// oneShots puts jobs that run once, most of which then delete themselves.
func (c *child) oneShots(ctx context.Context) {
	for sleep(ctx, time.Duration(100+c.random(300))*time.Millisecond) {
		at := time.Now().Add(time.Duration(50+c.random(1500)) * time.Millisecond)
		c.put(&plan{
			Job: "shot/" + c.seq(), At: at.UnixNano(), Remove: c.random(4) > 0,
			AtMostOnce: c.random(2) == 0, Work: work{Max: 50},
		})
	}
}

// edit changes one job in every way there is.
func (c *child) edit(ctx context.Context, job string) {
	for ctx.Err() == nil {
		switch n := c.random(20); {
		case n < 11:
			c.put(c.randomPlan(job))
		case n < 13:
			c.call("delete", job, nil, func(ctx context.Context, _ string, _ *event) error { return c.s.Delete(ctx, job) })
		case n < 15:
			c.call("pause", job, nil, func(ctx context.Context, _ string, _ *event) error { return c.s.Pause(ctx, job, "") })
		case n < 18:
			c.call("resume", job, nil, func(ctx context.Context, _ string, _ *event) error { return c.s.Resume(ctx, job) })
		default:
			c.trigger(job)
		}
		// Mostly at once, sometimes long enough for the job to come due.
		pause := c.random(30)
		if c.random(4) == 0 {
			pause = c.random(900)
		}
		sleep(ctx, time.Duration(pause)*time.Millisecond)
	}
}

func (c *child) randomPlan(job string) *plan {
	p := &plan{Job: job, Work: work{Max: c.random(300)}, Bulk: c.cfg.Fill}
	if c.random(2) == 0 {
		p.CronStep = 1 + c.random(3)
	} else {
		p.Every = int64(time.Duration(100+50*c.random(10)) * time.Millisecond)
	}
	return p
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
