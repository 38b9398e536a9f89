package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/go-co-op/gocron/v2"
	"github.com/robfig/cron/v3"
)

// counted is what the measurement believes to have happened: -lose has it forget.
func (c *child) counted(n int64) int64 {
	if c.Settings.Lose > 0 {
		n -= n / int64(c.Settings.Lose)
	}
	return n
}

// waiting are jobs that are due in the distant future.
func waiting(from, n int) []chronos.Job {
	jobs := make([]chronos.Job, n)
	for i := range jobs {
		jobs[i] = waitingJob(from + i)
	}
	return jobs
}

func waitingJob(i int) chronos.Job {
	return chronos.Job{ID: jobName(i), Schedule: chronos.Cron("30 2 1 1 *"), Handler: "noop"}
}

// stored counts the jobs after the directory has been opened anew.
func (c *child) stored(dir string) (n int64, err error) {
	s, err := c.open(chronos.Options{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	for _, err := range s.Jobs(c.ctx, nil) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func bulkChronos(c *child) error {
	dir, jobs := c.path("data"), waiting(0, c.Settings.Sizes.Bulk)
	s, err := c.open(chronos.Options{Dir: dir})
	if err != nil {
		return err
	}
	began := time.Now()
	_, err = s.PutAll(c.ctx, jobs)
	took := time.Since(began)
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	c.figure("rate", float64(len(jobs))/took.Seconds(), "/s")
	n, err := c.stored(dir)
	c.control("jobs after the next start", c.counted(n), int64(len(jobs)))
	return err
}

func bulkRobfig(c *child) error {
	r, n := cron.New(), c.Settings.Sizes.Bulk
	began := time.Now()
	for range n {
		if _, err := r.AddFunc("30 2 1 1 *", func() {}); err != nil {
			return err
		}
	}
	c.figure("rate", float64(n)/time.Since(began).Seconds(), "/s")
	c.control("entries", c.counted(int64(len(r.Entries()))), int64(n))
	return nil
}

func bulkGocron(c *child) error {
	s, err := gocron.NewScheduler()
	if err != nil {
		return err
	}
	n := c.Settings.Sizes.Bulk
	began := time.Now()
	for range n {
		if _, err := s.NewJob(gocron.CronJob("30 2 1 1 *", false), gocron.NewTask(func() {})); err != nil {
			return err
		}
	}
	c.figure("rate", float64(n)/time.Since(began).Seconds(), "/s")
	c.control("jobs", c.counted(int64(len(s.Jobs()))), int64(n))
	return s.Shutdown()
}

// calls makes one call after the other from each caller, for the time that single
// writes are measured, and answers how many succeeded.
func (c *child) calls(callers int, call func(ctx context.Context, i int) error) (int64, error) {
	var next atomic.Int64
	errs, took := make([]error, callers), make([][]time.Duration, callers)
	var working sync.WaitGroup
	began := time.Now()
	end := began.Add(c.Settings.Sizes.Put)
	for k := range callers {
		working.Go(func() {
			for time.Now().Before(end) {
				start := time.Now()
				if err := call(c.ctx, int(next.Add(1))); err != nil {
					errs[k] = err
					return
				}
				took[k] = append(took[k], time.Since(start))
			}
		})
	}
	working.Wait()
	all, elapsed := []time.Duration{}, time.Since(began)
	for _, t := range took {
		all = append(all, t...)
	}
	c.figure("rate", float64(len(all))/elapsed.Seconds(), "/s")
	c.spread("", all, 0.5, 0.99)
	return c.counted(int64(len(all))), errors.Join(errs...)
}

func putChronos(c *child, callers int) error {
	dir := c.path("data")
	s, err := c.open(chronos.Options{Dir: dir})
	if err != nil {
		return err
	}
	n, err := c.calls(callers, func(ctx context.Context, i int) error {
		_, err := s.Put(ctx, waitingJob(i))
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	found, err := c.stored(dir)
	c.control("jobs after the next start", found, n)
	return err
}
