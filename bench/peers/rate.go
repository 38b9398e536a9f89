package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos"
)

// feed makes executions of one job for as long as it lasts.
type feed struct {
	made, ran atomic.Int64
	lose      int64
}

func (f *feed) handle(context.Context, chronos.Execution) error {
	f.count()
	return nil
}

func (f *feed) count() {
	f.ran.Add(1)
}

// counted is what the measurement believes to have run.
func (f *feed) counted() int64 {
	n := f.ran.Load()
	if f.lose > 0 {
		n -= n / f.lose
	}
	return n
}

// onDemand are jobs that are due only in the distant future, and were every second of
// the past, so that they can be backfilled.
func onDemand(n int) []chronos.Job {
	jobs := make([]chronos.Job, n)
	schedule := chronos.Union(chronos.Every(time.Second).Until(time.Now().AddDate(0, -1, 0)), chronos.At(far()))
	for i := range jobs {
		jobs[i] = chronos.Job{ID: jobName(i), Handler: "noop", Overlap: chronos.OverlapAllowAll, Schedule: schedule}
	}
	return jobs
}

// unbounded keeps all rows: nothing else would be old enough to go within a
// measurement either, but the jobs that are fed are few.
var unbounded = chronos.Retention{Age: -1, Count: -1}

// sustained feeds an open scheduler, finishes (every end is committed then), and
// counts.
func (c *child) sustained(f *feed, work func(context.Context) error, finish func() error) error {
	began, used := time.Now(), processorTime()
	ctx, cancel := context.WithTimeout(c.ctx, c.Settings.Sizes.Rate)
	defer cancel()
	if err := work(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	fed := time.Since(began)
	if err := finish(); err != nil {
		return err
	}
	took := time.Since(began)
	used = processorTime() - used
	c.figure("rate", float64(f.ran.Load())/took.Seconds(), "/s")
	c.figure("cpu", float64(used.Microseconds())/float64(max(f.ran.Load(), 1)), "µs/exec")
	c.note("fed for %.1f s, the last end was committed %d ms later; %.2f cores", fed.Seconds(), (took - fed).Milliseconds(), used.Seconds()/took.Seconds())
	return nil
}

// worker feeds until its context ends.
type worker func(context.Context, *scheduler, *feed) error

func (c *child) rate(jobs []chronos.Job, work worker, settle bool) error {
	s, err := c.open(chronos.Options{Dir: c.path("data"), Retention: unbounded})
	if err != nil {
		return err
	}
	defer s.Close()
	f := &feed{lose: int64(c.Settings.Lose)}
	stop, err := s.run(f.handle, jobs)
	if err != nil {
		return err
	}
	finish := stop // what has not begun is given back
	if settle {
		finish = func() error { return s.settle(c.ctx, jobs) }
	}
	err = c.sustained(f, func(ctx context.Context) error { return work(ctx, s, f) }, finish)
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	ended, err := s.succeeded(c.ctx)
	c.control("rows that succeeded, for as many starts", f.counted(), ended)
	return err
}

// rateBackfill makes executions a thousand in one call, each of which is assigned
// and ended for itself.
func rateBackfill(c *child) error {
	jobs := onDemand(c.Settings.Sizes.Feeds)
	return c.rate(jobs, func(ctx context.Context, s *scheduler, f *feed) error {
		return s.backfill(ctx, f, jobs, c.Settings.Sizes.Ahead)
	}, true)
}

// backfill keeps as many executions under way as is said.
func (s *scheduler) backfill(ctx context.Context, f *feed, jobs []chronos.Job, ahead int) error {
	return s.backfillWhile(ctx, f, jobs, ahead, -1, func() int64 { return f.made.Load() - f.ran.Load() })
}

// perCall is what one call may backfill.
const perCall = 1000

// backfillWhile makes so many executions of each job, without end if that is
// negative, whenever not too many are under way.
func (s *scheduler) backfillWhile(ctx context.Context, f *feed, jobs []chronos.Job, ahead, each int, under func() int64) error {
	errs := make([]error, len(jobs))
	var working sync.WaitGroup
	var calling atomic.Int64
	base := time.Now().AddDate(-2, 0, 0).Truncate(time.Second)
	for i, j := range jobs {
		working.Go(func() {
			for from, left := base, each; ctx.Err() == nil && left != 0 && errs[i] == nil; {
				if under()+perCall*calling.Load() >= int64(ahead) {
					pause(ctx, time.Millisecond)
					continue
				}
				n := perCall
				if left > 0 {
					n = min(n, left)
					left -= n
				}
				calling.Add(1)
				errs[i] = s.backfillOnce(f, j.ID, from, n)
				calling.Add(-1)
				from = from.Add(time.Duration(n) * time.Second)
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
}

// backfillOnce takes no context: what was begun is to be accounted for.
func (s *scheduler) backfillOnce(f *feed, job string, from time.Time, n int) error {
	made, err := s.Backfill(context.Background(), job, chronos.BackfillRequest{
		From: from, To: from.Add(time.Duration(n-1) * time.Second), Overlap: chronos.OverlapAllowAll,
	})
	f.made.Add(int64(made))
	if err == nil && made != n {
		err = fmt.Errorf("%s: %d executions instead of %d", job, made, n)
	}
	return err
}

// rateTrigger makes executions one by one, from many callers.
func rateTrigger(c *child) error {
	jobs := onDemand(c.Settings.Sizes.Feeds)
	return c.rate(jobs, func(ctx context.Context, s *scheduler, f *feed) error {
		callers := 32 * c.Settings.Sizes.Callers
		errs := make([]error, callers)
		var working sync.WaitGroup
		for i := range callers {
			working.Go(func() {
				for ctx.Err() == nil && errs[i] == nil {
					_, errs[i] = s.Trigger(context.Background(), jobs[i%len(jobs)].ID, chronos.TriggerRequest{})
				}
			})
		}
		working.Wait()
		return errors.Join(errs...)
	}, true)
}

// rateDue has more jobs due every second than can be fired: what is beyond is
// missed, and accounted for.
func rateDue(c *child) error {
	jobs := make([]chronos.Job, 2500*c.Settings.Sizes.Feeds)
	if c.Settings.Short {
		jobs = jobs[:500]
	}
	for i := range jobs {
		jobs[i] = chronos.Job{ID: jobName(i), Handler: "noop", Schedule: chronos.Every(time.Second)}
	}
	return c.rate(jobs, func(ctx context.Context, _ *scheduler, _ *feed) error {
		<-ctx.Done()
		return nil
	}, false)
}
