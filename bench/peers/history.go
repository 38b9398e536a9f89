package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos"
)

// past fills a directory with executions that really ran.
func past(c *child) error {
	s, err := c.open(chronos.Options{Dir: c.Dir, Retention: unbounded})
	if err != nil {
		return err
	}
	jobs, f := onDemand(c.Settings.Sizes.HistJobs), &feed{}
	stop, err := s.run(f.handle, jobs)
	if err != nil {
		return err
	}
	under := func() int64 { return f.made.Load() - f.ran.Load() }
	// few at a time: each caller waits for room by itself
	for from := 0; from < len(jobs) && err == nil; from += 32 {
		some := jobs[from:min(from+32, len(jobs))]
		err = s.backfillWhile(c.ctx, f, some, c.Settings.Sizes.Ahead, c.rowsEach(), under)
	}
	if err == nil {
		err = s.settle(c.ctx, jobs)
	}
	return errors.Join(err, stop(), s.Close())
}

func (c *child) rowsEach() int { return c.Settings.Sizes.History / c.Settings.Sizes.HistJobs }

// withPast answers a copy of a directory with a long history.
func (c *child) withPast() (string, error) {
	z := c.Settings.Sizes
	from, err := c.prepared("past", fmt.Sprintf("past-%d-%d", z.History, z.HistJobs), nil)
	if err != nil {
		return "", err
	}
	to := c.path("copy")
	return to, os.CopyFS(to, os.DirFS(from))
}

// secondlyJobs are due every second, and have been made before under another
// schedule where there is a history.
func secondlyJobs(n int) []chronos.Job {
	jobs := onDemand(n)
	for i := range jobs {
		jobs[i].Schedule, jobs[i].Overlap = chronos.Every(time.Second), chronos.OverlapSkip
	}
	return jobs
}

func historyLong(c *child) error {
	dir, err := c.withPast()
	if err != nil {
		return err
	}
	return c.history(dir, true)
}

func historyEmpty(c *child) error { return c.history(c.path("data"), false) }

// history reads pages, fires jobs on time, and then as many as it can.
func (c *child) history(dir string, long bool) error {
	s, err := c.open(chronos.Options{Dir: dir, Retention: unbounded})
	if err != nil {
		return err
	}
	defer s.Close()
	if long {
		if err := c.pages(s); err != nil {
			return err
		}
	}
	z := c.Settings.Sizes
	if err := c.punctuality(z.HistJobs, int(z.Late.Seconds()), func(c *child, t *ticks) error {
		// Handle can not be taken back: what is fed later has a handler of its own
		stop, err := s.run(func(_ context.Context, x chronos.Execution) error {
			if x.Origin == chronos.OriginSchedule {
				t.startDue(jobNumber(x.Job), x.Due, time.Now())
			}
			return nil
		}, secondlyJobs(z.HistJobs))
		if err != nil {
			return err
		}
		return errors.Join(c.untilMeasured(), stop())
	}); err != nil {
		return err
	}
	return c.saturate(s)
}

// pages reads the first page of jobs at random.
func (c *child) pages(s *scheduler) error {
	var took []time.Duration
	rows := int64(0)
	for range 200 {
		job := jobName(rand.N(c.Settings.Sizes.HistJobs))
		began := time.Now()
		for _, err := range s.Executions(c.ctx, chronos.Query{Job: job, Limit: 50}) {
			if err != nil {
				return err
			}
			rows++
		}
		took = append(took, time.Since(began))
	}
	c.spread("page ", took, 0.5, 0.99, 1)
	c.control("rows on 200 pages", c.counted(rows), int64(200*min(50, c.rowsEach())))
	return nil
}

// saturate feeds as many executions as go, and says what one costs.
func (c *child) saturate(s *scheduler) error {
	jobs, f := onDemand(c.Settings.Sizes.HistJobs), &feed{lose: int64(c.Settings.Lose)}
	jobs = jobs[:min(len(jobs), c.Settings.Sizes.Feeds)]
	for i := range jobs {
		jobs[i].Handler = "fed"
	}
	if err := s.Handle("fed", f.handle); err != nil {
		return err
	}
	before, err := s.succeeded(c.ctx)
	if err != nil {
		return err
	}
	if _, err := s.PutAll(c.ctx, append(onDemand(c.Settings.Sizes.HistJobs)[len(jobs):], jobs...)); err != nil {
		return err
	}
	stop, err := s.again()
	if err != nil {
		return err
	}
	work := func(ctx context.Context) error { return s.backfill(ctx, f, jobs, c.Settings.Sizes.Ahead) }
	err = c.sustained(f, work, func() error { return s.settle(c.ctx, jobs) })
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	for i, x := range c.Figures { // a rate's is another one
		if x.Name == "cpu" && i == len(c.Figures)-1 {
			c.Figures[i].Name = "cost"
		}
	}
	after, err := s.succeeded(c.ctx)
	c.control("rows that succeeded, for as many starts", f.counted(), after-before)
	return err
}

// snapshotChronos fires jobs while the log grows, and looks at the seconds in
// which snapshots of a long history were written.
func snapshotChronos(c *child) error {
	dir, err := c.withPast()
	if err != nil {
		return err
	}
	s, err := c.open(chronos.Options{Dir: dir, Retention: unbounded})
	if err != nil {
		return err
	}
	defer s.Close()
	w := &snapshots{dir: filepath.Join(dir, "snapshots")}
	jobs := secondlyJobs(c.Settings.Sizes.HistJobs)
	jobs = append(jobs, chronos.Job{ID: "ballast", Handler: "noop", Overlap: chronos.OverlapAllowAll})
	stop, err := s.run(w.handle, jobs)
	if err != nil {
		return err
	}
	time.Sleep(c.Settings.Sizes.Warm)
	memory := watchMemory(20 * time.Millisecond)
	err = w.fillLog(c, s)
	samples := memory.end()
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	w.report(c, samples)
	ended, err := s.succeeded(c.ctx)
	c.control("rows that succeeded, for what ran before and as many starts", c.counted(w.ran.Load()), ended-int64(c.rowsEach()*c.Settings.Sizes.HistJobs))
	return err
}

// snapshots are the times when one was written, and how late jobs were.
type snapshots struct {
	dir  string
	ran  atomic.Int64
	mu   sync.Mutex
	late []lateStart
	when []span
}

type lateStart struct {
	due  time.Time
	late time.Duration
}

type span struct{ from, to time.Time }

func (w *snapshots) handle(_ context.Context, x chronos.Execution) error {
	w.ran.Add(1)
	if x.Origin == chronos.OriginSchedule {
		late := time.Since(x.Due)
		w.mu.Lock()
		w.late = append(w.late, lateStart{x.Due, late})
		w.mu.Unlock()
	}
	return nil
}

// fillLog makes entries until there were three snapshots, one by one: a snapshot is
// written every 8,192 of them. In a short run large ones do it sooner, and one
// snapshot is enough; what they weigh hides what a snapshot weighs.
func (w *snapshots) fillLog(c *child, s *scheduler) error {
	wanted, every, payload := 3, 2*time.Millisecond, []byte(nil)
	if c.Settings.Short {
		wanted, payload = 1, make([]byte, 256<<10)
	}
	last := s.Status().SnapshotIndex
	var writing time.Time
	calls, began := 0, time.Now()
	for len(w.when) < wanted {
		if time.Since(began) > 10*time.Minute {
			return fmt.Errorf("%d snapshots within ten minutes", len(w.when))
		}
		at := time.Now()
		if _, err := s.Trigger(c.ctx, "ballast", chronos.TriggerRequest{Payload: payload}); err != nil {
			return err
		}
		calls++
		if writing.IsZero() && w.writing() {
			writing = time.Now()
		}
		if now := s.Status().SnapshotIndex; now != last {
			if writing.IsZero() {
				writing = at
			}
			c.note("a snapshot took %d ms", time.Since(writing).Milliseconds())
			// three seconds more: the log is cut, files are merged
			w.when = append(w.when, span{writing, time.Now().Add(3 * time.Second)})
			last, writing = now, time.Time{}
		}
		pause(c.ctx, every-time.Since(at))
	}
	c.note("%d calls in %.1f s filled the log", calls, time.Since(began).Seconds())
	pause(c.ctx, 3*time.Second)
	return nil
}

// writing tells if a snapshot is half-written.
func (w *snapshots) writing() bool {
	list, _ := os.ReadDir(w.dir) // there may be none yet
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".tmp") {
			return true
		}
	}
	return false
}

func (w *snapshots) during(t time.Time) bool {
	for _, x := range w.when {
		if !t.Before(x.from) && !t.After(x.to) {
			return true
		}
	}
	return false
}

func (w *snapshots) report(c *child, samples []sample) {
	var quiet, during []time.Duration
	from := samples[0].at
	for _, l := range w.late {
		if l.due.Before(from) {
			continue
		}
		if w.during(l.due) {
			during = append(during, l.late)
		} else {
			quiet = append(quiet, l.late)
		}
	}
	c.spread("quiet ", quiet, 0.5, 0.99)
	c.spread("during ", during, 0.5, 0.99, 1)
	q, _ := c.value("quiet p99")
	d, _ := c.value("during p99")
	if q > 0 {
		c.figure("slower", d/q, "×")
	}
	var most, peak, mostOwn, peakOwn int64 // own: not backed by files
	for _, x := range samples {
		if w.during(x.at) {
			peak, peakOwn = max(peak, x.resident), max(peakOwn, x.anonymous)
		} else {
			most, mostOwn = max(most, x.resident), max(mostOwn, x.anonymous)
		}
	}
	c.figure("extra memory", float64(max(peak-most, 0))/1024, "MiB")
	c.figure("extra anonymous", float64(max(peakOwn-mostOwn, 0))/1024, "MiB")
	c.note("%.1f MiB resident at the most without a snapshot, %.1f during one; not backed by files %.1f and %.1f",
		float64(most)/1024, float64(peak)/1024, float64(mostOwn)/1024, float64(peakOwn)/1024)
}

// retentionChronos opens a long history with a bound of half of it, while rows go
// on coming.
func retentionChronos(c *child) error {
	dir, err := c.withPast()
	if err != nil {
		return err
	}
	keep := max(c.rowsEach()/2, 1)
	s, err := c.open(chronos.Options{Dir: dir, Retention: chronos.Retention{Age: -1, Count: keep}})
	if err != nil {
		return err
	}
	defer s.Close()
	w := &snapshots{}
	began := time.Now()
	before := s.Status().Records
	stop, err := s.run(w.handle, secondlyJobs(c.Settings.Sizes.HistJobs))
	if err != nil {
		return err
	}
	pruned := c.watchPruning(s, w, began.Add(c.Settings.Sizes.Retention))
	if err := stop(); err != nil {
		return err
	}
	w.reportPruning(c)
	most, all, err := c.longest(s)
	c.figure("kept", float64(most)/float64(keep), "× bound")
	c.figure("pruned", pruned, "/s")
	c.note("%d records before; %d rows in the end; the bound is %d of each job, a tenth more is let stand", before, all, keep)
	within := int64(0)
	if all < int64(c.Settings.Sizes.History) {
		within = 1
	}
	c.control("ledgers that became smaller", c.counted(within), 1)
	return err
}

// watchPruning notes when rows go, and answers how many a second.
func (c *child) watchPruning(s *scheduler, w *snapshots, end time.Time) float64 {
	const every = 50 * time.Millisecond
	var gone uint64
	var took time.Duration
	last, at := s.Status().Records, time.Now()
	for time.Now().Before(end) && pause(c.ctx, every) {
		now, seen := time.Now(), s.Status().Records
		if seen+500 < last {
			gone, took = gone+last-seen, took+now.Sub(at)
			w.when = append(w.when, span{at, now.Add(time.Second)})
		}
		last, at = seen, now
	}
	if took == 0 {
		return 0
	}
	return float64(gone) / took.Seconds()
}

func (w *snapshots) reportPruning(c *child) {
	var quiet, during []time.Duration
	for _, l := range w.late {
		if w.during(l.due) {
			during = append(during, l.late)
		} else {
			quiet = append(quiet, l.late)
		}
	}
	c.spread("quiet ", quiet, 0.99)
	c.spread("during ", during, 0.99, 1)
}

// longest is how many rows the job with the most of them has, and all have.
func (c *child) longest(s *scheduler) (most, all int64, err error) {
	for i := range c.Settings.Sizes.HistJobs {
		n := int64(0)
		for _, err := range s.Executions(c.ctx, chronos.Query{Job: jobName(i)}) {
			if err != nil {
				return 0, 0, err
			}
			n++
		}
		most, all = max(most, n), all+n
	}
	return most, all, nil
}
