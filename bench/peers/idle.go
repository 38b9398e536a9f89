package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/go-co-op/gocron/v2"
	"github.com/robfig/cron/v3"
)

// idleChronos compares processes that open directories with no, some and many jobs
// that wait, all of them running.
func idleChronos(c *child) error {
	n := c.Settings.Sizes.Idle
	var before, tenth float64
	for _, jobs := range []int{0, n / 10, n} {
		dir, err := c.prepared("fill", "idle-"+strconv.Itoa(jobs), map[string]string{"jobs": strconv.Itoa(jobs)})
		if err != nil {
			return err
		}
		o, err := c.step("rest", dir, nil)
		if err != nil {
			return err
		}
		kib, _ := o.value("resident")
		anonymous, _ := o.value("anonymous")
		c.note("%d jobs: %.1f MiB resident, %.1f of them not backed by files", jobs, kib/1024, anonymous/1024)
		switch jobs {
		case 0:
			before = kib
			continue
		case n:
			c.figure("per job", (kib-before)*1024/float64(n), "B")
			c.figure("a tenth", tenth*1024/float64(n/10), "B")
			if tenth > 0 {
				c.figure("growth", (kib-before)/tenth/10, "")
			}
		default:
			tenth = kib - before
		}
		for _, seen := range o.Controls {
			c.control("jobs found", c.counted(seen.Got), int64(jobs))
		}
	}
	return nil
}

// fill puts jobs that wait into a directory.
func fill(c *child) error {
	n, err := strconv.Atoi(c.Args["jobs"])
	if err != nil {
		return err
	}
	s, err := c.open(chronos.Options{Dir: c.Dir})
	if err != nil {
		return err
	}
	for from := 0; from < n && err == nil; from += 50_000 {
		_, err = s.PutAll(c.ctx, waiting(from, min(50_000, n-from)))
	}
	return errors.Join(err, s.Close())
}

// atRest is how long a scheduler runs before its memory is looked at: longer than until a million
// jobs are verified and the store dozes.
const atRest = 15 * time.Second

// rest opens a directory, runs, and says how much memory that takes.
func rest(c *child) error {
	s, err := c.open(chronos.Options{Dir: c.Dir})
	if err != nil {
		return err
	}
	defer s.Close()
	stop, err := s.run(func(context.Context, chronos.Execution) error { return nil }, nil)
	if err != nil {
		return err
	}
	time.Sleep(atRest)
	all, anonymous := settled()
	c.figure("resident", float64(all), "KiB")
	c.figure("anonymous", float64(anonymous), "KiB")
	var n int64
	for _, err := range s.Jobs(c.ctx, nil) {
		if err != nil {
			return err
		}
		n++
	}
	c.control("jobs", n, n)
	return stop()
}

func idleRobfig(c *child) error {
	r := cron.New()
	return c.idlePeer(func() error {
		_, err := r.AddFunc("30 2 1 1 *", func() {})
		return err
	}, func() { r.Start() }, func() int { return len(r.Entries()) })
}

func idleGocron(c *child) error {
	s, err := gocron.NewScheduler()
	if err != nil {
		return err
	}
	err = c.idlePeer(func() error {
		_, err := s.NewJob(gocron.CronJob("30 2 1 1 *", false), gocron.NewTask(func() {}))
		return err
	}, s.Start, func() int { return len(s.Jobs()) })
	return errors.Join(err, s.Shutdown())
}

// idlePeer registers jobs in memory and starts.
func (c *child) idlePeer(add func() error, start func(), count func() int) error {
	before, _ := settled()
	n := c.Settings.Sizes.Idle
	for i := range n {
		if err := add(); err != nil {
			return err
		}
		if i+1 == n/10 {
			now, _ := settled()
			c.figure("a tenth", float64(now-before)*1024/float64(n/10), "B")
		}
	}
	start()
	time.Sleep(time.Second)
	now, _ := settled()
	c.figure("per job", float64(now-before)*1024/float64(n), "B")
	c.control("jobs", c.counted(int64(count())), int64(n))
	return nil
}

func emptyChronos(c *child) error {
	s, err := c.open(chronos.Options{Dir: c.path("data")})
	if err != nil {
		return err
	}
	stop, err := s.run(func(context.Context, chronos.Execution) error { return nil }, nil)
	if err != nil {
		return err
	}
	if err := c.watchIdleness(); err != nil {
		return err
	}
	running := int64(0)
	if st := s.Status(); st.Running && st.Ready {
		running = 1
	}
	c.control("schedulers that are ready and run", c.counted(running), 1)
	return errors.Join(stop(), s.Close())
}

func emptyRobfig(c *child) error {
	r := cron.New()
	r.Start()
	c.control("schedulers", c.counted(1), 1)
	return c.watchIdleness()
}

func emptyGocron(c *child) error {
	s, err := gocron.NewScheduler()
	if err != nil {
		return err
	}
	s.Start()
	c.control("schedulers", c.counted(1), 1)
	return errors.Join(c.watchIdleness(), s.Shutdown())
}

// emptyNothing is this program without any scheduler, but with all of them linked in.
func emptyNothing(c *child) error {
	c.control("programs", c.counted(1), 1)
	return c.watchIdleness()
}

// watchIdleness says what a process takes that does nothing.
func (c *child) watchIdleness() error {
	time.Sleep(c.Settings.Sizes.Empty / 10)
	began, used := time.Now(), processorTime()
	if !pause(c.ctx, c.Settings.Sizes.Empty) {
		return c.ctx.Err()
	}
	used = processorTime() - used
	c.figure("cpu", 100*used.Seconds()/time.Since(began).Seconds(), "% of a core")
	all, anonymous := resident()
	c.figure("resident", float64(all)/1024, "MiB")
	c.figure("anonymous", float64(anonymous)/1024, "MiB")
	return nil
}
