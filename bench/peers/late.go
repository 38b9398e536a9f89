package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/go-co-op/gocron/v2"
	"github.com/hibiken/asynq"
	"github.com/riverqueue/river"
	"github.com/robfig/cron/v3"
)

const everySecond = "* * * * * *"

func jobName(i int) string { return fmt.Sprintf("job-%05d", i) }

// jobNumber is what jobName made a name of.
func jobNumber(name string) int {
	_, digits, _ := strings.Cut(name, "-")
	n, _ := strconv.Atoi(digits)
	return n
}

func lateChronos(c *child, t *ticks) error {
	s, err := c.open(chronos.Options{Dir: c.path("data")})
	if err != nil {
		return err
	}
	defer s.Close()
	handle := func(_ context.Context, x chronos.Execution) error {
		t.startDue(jobNumber(x.Job), x.Due, time.Now())
		return nil
	}
	jobs := make([]chronos.Job, t.jobs)
	for i := range jobs {
		jobs[i] = chronos.Job{ID: jobName(i), Schedule: chronos.Cron(everySecond), Handler: "noop"}
	}
	stop, err := s.run(handle, jobs)
	if err != nil {
		return err
	}
	if err := c.untilMeasured(); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	ended, err := s.succeeded(c.ctx)
	c.control("rows that succeeded, for as many starts", ended, t.all.Load())
	return err
}

func lateRobfig(c *child, t *ticks) error {
	r := cron.New(cron.WithSeconds(), cron.WithLocation(time.UTC))
	for i := range t.jobs {
		if _, err := r.AddFunc(everySecond, func() { t.start(i, time.Now()) }); err != nil {
			return err
		}
	}
	r.Start()
	defer r.Stop()
	return c.untilMeasured()
}

func lateGocron(c *child, t *ticks) error {
	s, err := gocron.NewScheduler(gocron.WithLocation(time.UTC))
	if err != nil {
		return err
	}
	for i := range t.jobs {
		if _, err := s.NewJob(gocron.CronJob(everySecond, true), gocron.NewTask(func() { t.start(i, time.Now()) })); err != nil {
			return err
		}
	}
	s.Start()
	if err := c.untilMeasured(); err != nil {
		return err
	}
	return s.Shutdown()
}

// lateTimer is what Go's timers alone do: each job sets its next one.
func lateTimer(c *child, t *ticks) error {
	first := time.Now().Truncate(time.Second).Add(2 * time.Second)
	for i := range t.jobs {
		due := first
		var fire func()
		fire = func() {
			now, was := time.Now(), due
			due = due.Add(time.Second)
			time.AfterFunc(due.Sub(now), fire)
			t.startDue(i, was, now)
		}
		time.AfterFunc(time.Until(due), fire)
	}
	return c.untilMeasured()
}

type secondly struct{}

func (secondly) Next(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second) }

// lateRiver has a periodic job for each, which River's leader inserts when it is due.
func lateRiver(c *child, t *ticks) error {
	var periodic []*river.PeriodicJob
	for i := range t.jobs {
		periodic = append(periodic, river.NewPeriodicJob(secondly{},
			func() (river.JobArgs, *river.InsertOpts) { return noopArgs{Job: i}, nil }, &river.PeriodicJobOpts{}))
	}
	r, err := c.openRiver(func(a noopArgs, due time.Time) { t.startDue(a.Job, due, time.Now()) }, periodic)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.client.Start(c.ctx); err != nil {
		return err
	}
	if err := c.untilMeasured(); err != nil {
		return err
	}
	if err := r.stop(); err != nil {
		return err
	}
	ended, err := r.completed(c.ctx)
	c.control("rows that completed, for as many starts", ended, t.all.Load())
	return err
}

// lateAsynq has tasks that were all enqueued before, and are forwarded when due.
func lateAsynq(c *child, t *ticks) error {
	q, err := c.openAsynq()
	if err != nil {
		return err
	}
	defer q.close()
	z := c.Settings.Sizes
	// as long as the measurement, and as enqueueing may take
	rounds := t.rounds - spareRounds + 2
	t.rebase(time.Now().Add(z.Warm + time.Duration(rounds*t.jobs)*200*time.Microsecond))
	for i := range rounds {
		if err := q.many(t.jobs, time.Unix(t.epoch+int64(i), 0)); err != nil {
			return err
		}
	}
	if time.Now().Unix() >= t.epoch {
		return errors.New("enqueueing took so long that the first tasks were due before the last were there")
	}
	if err := q.start(func(_ context.Context, task *asynq.Task) error {
		at := time.Now()
		var a noopArgs
		err := json.Unmarshal(task.Payload(), &a)
		t.startDue(a.Job, time.Unix(a.Due, 0), at)
		return err
	}); err != nil {
		return err
	}
	return c.untilMeasured()
}
