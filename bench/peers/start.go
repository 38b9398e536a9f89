package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/go-co-op/gocron/v2"
	"github.com/robfig/cron/v3"
)

// startClosed starts a process on a directory with many jobs, one of which came due
// while nothing ran. The process before was closed.
func startClosed(c *child) error { return c.startAgain(false) }

// startKilled: the process before was killed.
func startKilled(c *child) error { return c.startAgain(true) }

func (c *child) startAgain(kill bool) error {
	n := strconv.Itoa(c.Settings.Sizes.Idle)
	dir, err := c.prepared("fill", "idle-"+n, map[string]string{"jobs": n})
	if err != nil {
		return err
	}
	if c.Settings.CPUProfile != "" {
		kill = false // a profile is written at an orderly end
	}
	p, err := c.start("leave", dir, nil)
	if err != nil {
		return err
	}
	m, err := p.await("left", time.Minute)
	if err != nil {
		return err
	}
	if kill {
		p.kill()
	} else if _, err := p.end(time.Minute); err != nil {
		return err
	}
	time.Sleep(time.Until(time.Unix(0, m.Values["due"]).Add(100 * time.Millisecond)))
	return c.startOnce(dir)
}

func (c *child) startOnce(dir string) error {
	p, err := c.start("first", dir, nil)
	if err != nil {
		return err
	}
	m, err := p.await("fired", 10*time.Minute)
	if err != nil {
		return err
	}
	c.figure("first", float64(m.Values["at"]-p.began.UnixNano())/1e6, "ms")
	c.figure("new", float64(m.Values["new"])/1e6, "ms")
	o, err := p.end(time.Minute)
	if err != nil {
		return err
	}
	for _, k := range o.Controls {
		c.control(k.What, c.counted(k.Got), int64(c.Settings.Sizes.Idle+1))
	}
	return nil
}

// leave puts a job that will be due when nothing runs.
func leave(c *child) error {
	s, err := c.open(chronos.Options{Dir: c.Dir})
	if err != nil {
		return err
	}
	due := time.Now().Add(time.Second)
	job := chronos.Job{ID: fmt.Sprintf("once-%d", os.Getpid()), Schedule: chronos.At(due), Handler: "noop", RemoveAfter: true}
	if _, err = s.Put(c.ctx, job); err == nil {
		err = c.say(message{Kind: "left", Values: map[string]int64{"due": due.UnixNano()}})
	}
	c.order() // it ends, or this process does
	return errors.Join(err, s.Close())
}

// first opens a directory and runs, and says when the first handler was called.
func first(c *child) error {
	began := time.Now()
	s, err := c.open(chronos.Options{Dir: c.Dir})
	if err != nil {
		return err
	}
	opened := time.Since(began)
	jobs := make(chan int64, 1)
	var once sync.Once
	stop, err := s.run(func(context.Context, chronos.Execution) (err error) {
		at := time.Now()
		once.Do(func() {
			err = c.say(message{Kind: "fired", Values: map[string]int64{"at": at.UnixNano(), "new": int64(opened)}})
			jobs <- s.count(c.ctx)
		})
		return err
	}, nil)
	if err != nil {
		return err
	}
	c.control("jobs, the one that fired among them", <-jobs, 1)
	c.order()
	return errors.Join(stop(), s.Close())
}

func (s *scheduler) count(ctx context.Context) (n int64) {
	for _, err := range s.Jobs(ctx, nil) {
		if err != nil {
			return -1
		}
		n++
	}
	return n
}

// atOnce is due now, and then never.
type atOnce struct{ done bool }

func (a *atOnce) Next(t time.Time) time.Time {
	if a.done {
		return t.AddDate(1, 0, 0)
	}
	a.done = true
	return t
}

// startRobfig registers all jobs anew, as a program has to.
func startRobfig(c *child) error {
	began, r := time.Now(), cron.New()
	fired := make(chan time.Time, 1)
	for range c.Settings.Sizes.Idle {
		if _, err := r.AddFunc("30 2 1 1 *", func() {}); err != nil {
			return err
		}
	}
	r.Schedule(&atOnce{}, cron.FuncJob(func() { fired <- time.Now() }))
	r.Start()
	defer r.Stop()
	return c.firstOf(began, fired, func() int { return len(r.Entries()) })
}

func startGocron(c *child) error {
	began := time.Now()
	s, err := gocron.NewScheduler()
	if err != nil {
		return err
	}
	fired := make(chan time.Time, 1)
	for range c.Settings.Sizes.Idle {
		if _, err := s.NewJob(gocron.CronJob("30 2 1 1 *", false), gocron.NewTask(func() {})); err != nil {
			return err
		}
	}
	once := gocron.OneTimeJob(gocron.OneTimeJobStartImmediately())
	if _, err := s.NewJob(once, gocron.NewTask(func() { fired <- time.Now() })); err != nil {
		return err
	}
	s.Start()
	err = c.firstOf(began, fired, func() int { return len(s.Jobs()) })
	return errors.Join(err, s.Shutdown())
}

func (c *child) firstOf(began time.Time, fired <-chan time.Time, count func() int) error {
	select {
	case at := <-fired:
		c.figure("first", float64(at.Sub(began))/1e6, "ms")
	case <-time.After(10 * time.Minute):
		return errors.New("nothing was fired")
	}
	time.Sleep(100 * time.Millisecond)
	c.control("jobs, the one that fired among them", c.counted(int64(count())), int64(c.Settings.Sizes.Idle+1))
	return nil
}

// openChronos opens empty directories, one after the other, and puts a job into each.
func openChronos(c *child) error {
	var took []time.Duration
	for i := range c.Settings.Sizes.Opens {
		began := time.Now()
		s, err := c.open(chronos.Options{Dir: c.path("data-" + strconv.Itoa(i))})
		if err != nil {
			return err
		}
		if s.Status().Ready {
			took = append(took, time.Since(began))
		}
		_, err = s.Put(c.ctx, waitingJob(i))
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
	}
	c.control("schedulers that were ready when New returned", c.counted(int64(len(took))), int64(c.Settings.Sizes.Opens))
	c.spread("", took, 0.5, 1)
	return nil
}
