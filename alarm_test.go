package chronos_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// alarmBook is what a listener has heard of overdue jobs: the job, the instant at
// which it was overdue, and when the listener heard of it, if that was later.
type alarmBook struct {
	mu    sync.Mutex
	lines []string
}

func listenTo(s *chronos.Scheduler) *alarmBook {
	b := &alarmBook{}
	ch := s.Events(context.Background()) // until the scheduler is closed
	go func() {
		for ev := range ch {
			if ev.Kind != chronos.EventJobOverdue {
				continue
			}
			line := fmt.Sprintf("%s v%d %s", ev.Job, ev.Version, clockText(ev.At))
			if late := time.Since(ev.At).Round(time.Millisecond); late > 0 {
				line += fmt.Sprintf(" +%v", late)
			}
			b.mu.Lock()
			b.lines = append(b.lines, line)
			b.mu.Unlock()
		}
	}()
	return b
}

func (b *alarmBook) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	same(t, "alarms", b.lines, want)
}

// wantOverdue compares a job's state, and the status, with whether it is overdue.
func (r *rig) wantOverdue(job string, want bool) {
	r.t.Helper()
	synctest.Wait()
	st, n := r.get(job).State, r.Status()
	if st.Overdue != want || (n.Overdue == 1) != want || (len(n.OverdueJobs) == 1 && n.OverdueJobs[0] == job) != want {
		r.t.Errorf("%s: overdue %v, to succeed by %s; status says %d, %v; want %v",
			job, st.Overdue, clockText(st.SucceedBy), n.Overdue, n.OverdueJobs, want)
	}
}

// A breach is one event, and over with the next success.
func TestOverdue(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		var broken atomic.Bool
		r.handle(func(context.Context, chronos.Execution) error {
			if broken.Load() {
				return errBoom
			}
			return nil
		})
		book := listenTo(r.Scheduler)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute), SucceedWithin: 90 * time.Second})
		r.put(chronos.Job{ID: "other", Schedule: chronos.Every(time.Minute)})
		r.start()
		r.until("00:10:30")
		book.want(t)
		if by := r.get("job").State.SucceedBy; !by.Equal(at("00:11:30")) {
			t.Errorf("to succeed by %s", by)
		}
		broken.Store(true)
		r.until("00:11:30")
		book.want(t)
		r.wantOverdue("job", false) // the last instant at which it may
		r.until("01:00:00")
		book.want(t, "job v1 00:11:30")
		r.wantOverdue("job", true)
		broken.Store(false)
		r.until("01:01:00")
		r.wantOverdue("job", false)
		broken.Store(true)
		r.until("02:00:00")
		book.want(t, "job v1 00:11:30", "job v1 01:02:30")
	})
}

// Without a success it counts from the Put that made the job, or set the limit.
func TestOverdueNeverSucceeded(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		book := listenTo(r.Scheduler)
		hour := chronos.Every(time.Hour)
		r.put(chronos.Job{ID: "made", Schedule: hour, SucceedWithin: 10 * time.Minute})
		r.put(chronos.Job{ID: "set", Schedule: hour})
		r.put(chronos.Job{ID: "called", SucceedWithin: 15 * time.Minute}) // has no schedule at all
		r.start()
		r.until("00:05:00")
		r.put(chronos.Job{ID: "set", Schedule: hour, SucceedWithin: 10 * time.Minute})
		r.until("00:20:00")
		book.want(t, "made v1 00:10:00", "called v1 00:15:00", "set v2 00:15:00")
		r.must(r.Delete(r.ctx, "made"))
		r.put(chronos.Job{ID: "made", Schedule: hour, SucceedWithin: 10 * time.Minute})
		r.until("00:40:00")
		book.want(t, "made v1 00:10:00", "called v1 00:15:00", "set v2 00:15:00", "made v3 00:30:00")
		r.handle(succeed)
		r.trigger("called", chronos.TriggerRequest{})
		r.until("00:54:00")
		if st := r.get("called").State; st.Overdue || !st.LastSuccess.Equal(at("00:40:00")) {
			t.Errorf("after a success: %+v", st)
		}
	})
}

// An edit of the limit or of the schedule begins anew; another one does not, and
// ends no breach: jobs are put with every deployment.
func TestOverdueEdit(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		book := listenTo(r.Scheduler)
		job := chronos.Job{Schedule: chronos.Every(time.Minute), SucceedWithin: 10 * time.Minute}
		r.put(job)
		r.start()
		r.until("00:05:00")
		job.Payload = []byte("2")
		r.put(job)
		r.until("00:11:00")
		book.want(t, "job v2 00:10:00")
		job.Payload = []byte("3")
		r.put(job)
		r.until("00:12:00")
		r.wantOverdue("job", true)
		book.want(t, "job v2 00:10:00")
		job.SucceedWithin = 5 * time.Minute
		r.put(job)
		r.wantOverdue("job", false)
		r.until("00:18:00")
		book.want(t, "job v2 00:10:00", "job v4 00:17:00")
		job.Schedule = chronos.Every(time.Second)
		r.put(job)
		r.until("00:22:59")
		r.wantOverdue("job", false)
		r.until("00:24:00")
		book.want(t, "job v2 00:10:00", "job v4 00:17:00", "job v5 00:23:00")
		job.SucceedWithin = 0
		r.put(job)
		r.wantOverdue("job", false)
		r.until("02:00:00")
		if _, err := r.Rollback(r.ctx, "job", 4); err != nil {
			t.Fatal(err)
		}
		r.until("02:06:00")
		book.want(t, "job v2 00:10:00", "job v4 00:17:00", "job v5 00:23:00", "job v7 02:05:00")
	})
}

// A job that somebody has paused is not overdue, and counts anew when it is resumed. One
// that has paused itself is what the alarm is for.
func TestOverduePause(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		job := chronos.Job{Schedule: chronos.Every(time.Minute), SucceedWithin: 10 * time.Minute}
		r.put(job)
		r.start()
		before := listenTo(r.Scheduler)
		r.until("00:05:00")
		r.must(r.Pause(r.ctx, "job", ""))
		r.until("01:00:00")
		r.wantOverdue("job", false)
		job.SucceedWithin = 20 * time.Minute
		r.put(job) // is not what resumes it
		r.until("02:00:00")
		r.wantOverdue("job", false)
		r.away(time.Hour)
		before.want(t)
		r.handle(fail)
		book := listenTo(r.Scheduler)
		r.start()
		r.until("03:30:00")
		r.must(r.Resume(r.ctx, "job"))
		r.until("03:50:00")
		book.want(t)
		r.until("03:55:00")
		book.want(t, "job v2 03:50:00")
		r.must(r.Pause(r.ctx, "job", "we know"))
		r.wantOverdue("job", false)
		r.must(r.Resume(r.ctx, "job"))
		r.wantOverdue("job", false)

		job.PauseOnFailure = true
		r.put(job)
		r.until("04:14:00")
		if st := r.get("job").State; !st.Paused {
			t.Errorf("it has not paused itself: %+v", st)
		}
		r.until("04:16:00")
		book.want(t, "job v2 03:50:00", "job v3 04:15:00")
		r.wantOverdue("job", true)
	})
}

// Who pauses a job that has paused itself knows of it, and ends the breach.
func TestOverduePauseTwice(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		book := listenTo(r.Scheduler)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute), SucceedWithin: 10 * time.Minute, PauseOnFailure: true})
		r.start()
		r.until("00:11:00")
		book.want(t, "job v1 00:10:00")
		r.wantOverdue("job", true)
		r.must(r.Pause(r.ctx, "job", "we know"))
		r.wantOverdue("job", false)
		if st := r.get("job").State; !st.Paused || st.PauseNote != "we know" || !st.SucceedBy.IsZero() {
			t.Errorf("paused %v, %q, to succeed by %s", st.Paused, st.PauseNote, clockText(st.SucceedBy))
		}
		r.must(r.Pause(r.ctx, "job", "again")) // is paused by somebody
		if st := r.get("job").State; st.PauseNote != "we know" {
			t.Errorf("note %q", st.PauseNote)
		}
		r.until("01:00:00")
		r.must(r.Resume(r.ctx, "job"))
		r.until("01:11:00")
		book.want(t, "job v1 00:10:00", "job v1 01:10:00")
	})
}

// When the schedule has come to its end, a success after its last instant is enough.
func TestOverdueLastInstant(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.handleAs("fail", fail)
		r.handleAs("third", func(_ context.Context, x chronos.Execution) error {
			if x.Due.Equal(at("00:03:00")) {
				return errBoom
			}
			return nil
		})
		book := listenTo(r.Scheduler)
		once, within := chronos.At(at("00:01:00")), 10*time.Minute
		r.put(chronos.Job{ID: "good", Schedule: once, SucceedWithin: within})
		r.put(chronos.Job{ID: "removed", Schedule: once, SucceedWithin: within, RemoveAfter: true, Handler: "fail"})
		r.put(chronos.Job{ID: "bad", Schedule: once, SucceedWithin: within, Handler: "fail"})
		r.put(chronos.Job{ID: "runs", Schedule: chronos.Every(time.Minute), MaxRuns: 3, SucceedWithin: within})
		r.put(chronos.Job{ID: "third", Schedule: chronos.Every(time.Minute), MaxRuns: 3, SucceedWithin: within, Handler: "third"})
		r.start()
		r.until("00:30:00")
		r.trigger("good", chronos.TriggerRequest{}) // nobody expects it to
		r.until("01:00:00")
		book.want(t, "bad v1 00:10:00", "third v1 00:12:00")
	})
}

// An orderly stop remembers what was reported. After a crash it is reported once more,
// and is seen to be the same; so is what passed while nobody was there.
func TestOverdueRestart(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		book := listenTo(r.Scheduler)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute), SucceedWithin: 10 * time.Minute})
		r.put(chronos.Job{ID: "later", Schedule: chronos.Every(time.Minute), SucceedWithin: time.Hour})
		r.put(chronos.Job{ID: "fine", SucceedWithin: 24 * time.Hour})
		r.start()
		r.until("00:15:00")
		book.want(t, "job v1 00:10:00")
		for range 2 {
			r.away(time.Minute)
			book = listenTo(r.Scheduler)
			r.handle(fail)
			r.start()
			time.Sleep(time.Minute)
			book.want(t)
			r.wantOverdue("job", true)
		}
		r.away(time.Hour)
		time.Sleep(time.Minute)
		r.handle(fail)
		r.start()
		r.until("01:21:00") // nobody listens yet
		if n := r.Status(); n.Overdue != 2 || strings.Join(n.OverdueJobs, " ") != "job later" {
			t.Errorf("status %d %v", n.Overdue, n.OverdueJobs)
		}
		book = listenTo(r.Scheduler)
		book.want(t, "later v1 01:00:00 +21m0s")
		again := listenTo(r.Scheduler) // a moment later
		again.want(t, "later v1 01:00:00 +21m0s")

		crashed := r.crash()
		book = listenTo(crashed.Scheduler)
		book.want(t, "later v1 01:00:00 +21m0s") // the note of the last orderly stop knows of the other one
		crashed.shut()
	})
}

// Each listener hears of each breach once: also of one that stands when it begins,
// whoever has heard of it before, and not of one that is over.
func TestOverdueListeners(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		r.handleAs("good", succeed)
		put := func(id string, within time.Duration) {
			r.put(chronos.Job{ID: id, Schedule: chronos.Every(time.Minute), SucceedWithin: within})
		}
		put("b", 10*time.Minute)
		put("a", 20*time.Minute)
		put("over", 10*time.Minute)
		r.start()
		r.until("00:15:00") // nobody listens
		one := listenTo(r.Scheduler)
		two := listenTo(r.Scheduler)
		both := func(want ...string) {
			t.Helper()
			one.want(t, want...)
			two.want(t, want...)
		}
		both("b v1 00:10:00 +5m0s", "over v1 00:10:00 +5m0s")
		r.put(chronos.Job{ID: "over", Schedule: chronos.Every(time.Minute), SucceedWithin: 10 * time.Minute, Handler: "good"})
		r.until("00:20:01")
		both("b v1 00:10:00 +5m0s", "over v1 00:10:00 +5m0s", "a v1 00:20:00")
		r.until("00:30:00")
		three := listenTo(r.Scheduler)
		three.want(t, "b v1 00:10:00 +20m0s", "a v1 00:20:00 +10m0s")
		r.until("00:31:00")
		put("b", 5*time.Minute)
		r.until("00:40:00")
		both("b v1 00:10:00 +5m0s", "over v1 00:10:00 +5m0s", "a v1 00:20:00", "b v2 00:36:00")
		three.want(t, "b v1 00:10:00 +20m0s", "a v1 00:20:00 +10m0s", "b v2 00:36:00")
	})
}

// A success while the node was away is no alarm, whether it knows of it or not; and
// the past of a backup is none.
func TestOverdueRestore(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute), SucceedWithin: 10 * time.Minute})
		r.put(chronos.Job{ID: "paused", Schedule: chronos.Every(time.Minute), SucceedWithin: 10 * time.Minute})
		r.start()
		r.until("00:01:30")
		r.must(r.Pause(r.ctx, "paused", ""))
		var file bytes.Buffer
		r.must(r.Backup(r.ctx, &file))
		r.shut()
		r.until("2 00:00:00")
		r.open()
		book := listenTo(r.Scheduler)
		r.must(r.Restore(r.ctx, &file))
		r.wantOverdue("job", false)
		r.until("2 00:09:00") // nothing runs
		book.want(t)
		r.until("2 00:20:00")
		book.want(t, "job v1 2000-01-02 00:10:00")
	})
}

// Status names so many and counts all; who listens hears of each.
func TestOverdueMany(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		var jobs []chronos.Job
		for i := range 300 {
			jobs = append(jobs, chronos.Job{
				ID: fmt.Sprintf("job-%03d", i), Handler: "h", SucceedWithin: time.Hour - time.Duration(i)*time.Second,
			})
		}
		if _, err := r.PutAll(r.ctx, jobs); err != nil {
			t.Fatal(err)
		}
		book := listenTo(r.Scheduler)
		r.until("02:00:00")
		n := r.Status()
		if n.Overdue != 300 || len(n.OverdueJobs) != 100 || n.OverdueJobs[0] != "job-299" || n.OverdueJobs[99] != "job-200" {
			t.Errorf("%d, %v", n.Overdue, n.OverdueJobs)
		}
		synctest.Wait()
		book.mu.Lock()
		defer book.mu.Unlock()
		if len(book.lines) != 300 || book.lines[0] != "job-299 v1 00:55:01" || book.lines[299] != "job-000 v1 01:00:00" {
			t.Errorf("%d alarms, first %v", len(book.lines), book.lines[:1])
		}
	})
}

func TestOverdueField(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		for _, d := range []time.Duration{-1, 200 * 365 * 24 * time.Hour} {
			_, err := r.Put(r.ctx, chronos.Job{ID: "job", Handler: "h", SucceedWithin: d})
			wantField(t, err, "Job.SucceedWithin")
		}
		if got := r.put(chronos.Job{SucceedWithin: time.Hour}); got.SucceedWithin != time.Hour {
			t.Errorf("stored as %v", got.SucceedWithin)
		}
	})
}

// listenAll listens on every node.
func (c *team) listenAll() map[string]*alarmBook {
	out := map[string]*alarmBook{}
	for name, s := range c.nodes {
		out[name] = listenTo(s)
	}
	return out
}

// Each node reports it once, at the same instant, whoever leads and also when nobody can.
func TestClusterOverdue(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		books := c.listenAll()
		c.put(chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second), SucceedWithin: time.Minute},
			chronos.Job{ID: "stops", Handler: "nobody", Schedule: chronos.Every(time.Second), SucceedWithin: 30 * time.Second})
		time.Sleep(40 * time.Second)
		want := "stops v1 " + clockText(c.get("stops").State.CreatedAt.Add(30*time.Second))
		for _, b := range books {
			b.want(t, want)
		}
		// Without a majority nothing is committed any more, and both jobs are overdue.
		stay := "a"
		for _, name := range c.names {
			if name != stay {
				c.kill(name)
			}
		}
		time.Sleep(2 * time.Minute)
		st := c.nodes[stay].Status()
		if st.Leader != "" || st.Overdue != 2 {
			t.Errorf("led by %q, %d overdue", st.Leader, st.Overdue)
		}
		job, err := c.nodes[stay].Get(t.Context(), "job")
		if err != nil {
			t.Fatal(err)
		}
		books[stay].want(t, want, "job v1 "+clockText(job.State.LastSuccess.Add(time.Minute))+" +5s") // a lease later
	})
}

// A node that was cut off, or was not there, and has not applied the successes of
// meanwhile says nothing before it has.
func TestClusterOverdueBehind(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		c.put(chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second), SucceedWithin: 20 * time.Second})
		time.Sleep(5 * time.Second)
		gone := c.follower()
		c.kill(gone)
		time.Sleep(10 * time.Minute)
		c.open(gone)
		c.run(gone, "h")
		books := c.listenAll()
		time.Sleep(time.Minute)
		for name, b := range books {
			b.want(t)
			if n := c.nodes[name].Status().Overdue; n != 0 {
				t.Errorf("%s: %d overdue", name, n)
			}
		}
		// One that is back within a lease has nothing to say, although the time that it
		// knew of had passed.
		for range 3 {
			c.net.Isolate("addr-" + gone)
			time.Sleep(22 * time.Second)
			c.net.Join("addr-" + gone)
			time.Sleep(20 * time.Second)
			books[gone].want(t)
		}
		// One that is cut off goes by what it knows, after a lease; and no longer than
		// until it is back.
		c.net.Isolate("addr-" + gone)
		time.Sleep(time.Minute)
		if n := c.nodes[gone].Status().Overdue; n != 1 {
			t.Errorf("cut off: %d overdue", n)
		}
		c.net.Join("addr-" + gone)
		time.Sleep(20 * time.Second)
		if n := c.nodes[gone].Status().Overdue; n != 0 {
			t.Errorf("back: %d overdue", n)
		}
	})
}

func (c *team) get(job string) chronos.Job {
	c.t.Helper()
	j, err := c.any().Get(c.t.Context(), job)
	if err != nil {
		c.t.Fatal(err)
	}
	return j
}

// A node that is no member any more hears of no success, and has nothing to say of jobs.
func TestClusterOverdueRemoved(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		c.put(chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second), SucceedWithin: 20 * time.Second})
		time.Sleep(5 * time.Second)
		gone := c.follower()
		book := listenTo(c.nodes[gone])
		if err := c.nodes[c.leader()].RemoveMember(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		st := c.nodes[gone].Status()
		book.want(t)
		if st.Overdue != 0 {
			t.Errorf("%d overdue", st.Overdue)
		}
	})
}
