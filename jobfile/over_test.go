package jobfile_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
	"github.com/chronos-go/chronos/jobfile"
)

// course is a scheduler that runs, for jobs that end by themselves.
func course(t *testing.T, o chronos.Options, test func(r *rig, runs *atomic.Int64)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		k := chronostest.New(t, chronostest.Options{Adjust: func(_ string, c *chronos.Options) { c.Retention = o.Retention }, Declare: func(s *chronos.Scheduler) error {
			err := s.Handle("h", func(context.Context, chronos.Execution) error { runs.Add(1); return nil })
			return errors.Join(err, s.Handle("slow", func(context.Context, chronos.Execution) error { time.Sleep(time.Minute); return nil }))
		}})
		test(&rig{Scheduler: k.Scheduler(), t: t, ctx: context.Background()}, &runs)
	})
}

func once(id string, in time.Duration) chronos.Job {
	return chronos.Job{ID: id, Handler: "h", Schedule: chronos.At(time.Now().Add(in)), RemoveAfter: true}
}

func (r *rig) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

// What was declared once, has run and is gone stays gone: no error, and not again.
func TestReconcileOver(t *testing.T) {
	course(t, chronos.Options{}, func(r *rig, runs *atomic.Int64) {
		one, kept := once("once", time.Hour), job("kept")
		wantPlan(t, r.declare("file", jobfile.ReconcileOptions{}, one, kept), "+ once\n+ kept\n2 to add, 0 to change, 0 to remove, 0 unchanged")
		due := one.Schedule.String()
		r.pass(time.Hour + time.Second)
		for range 2 {
			plan := r.declare("file", jobfile.ReconcileOptions{}, one, kept)
			wantPlan(t, plan, ". once (has run: succeeded "+strings.TrimPrefix(due, "@at ")+")\n0 to add, 0 to change, 0 to remove, 1 unchanged, 1 over")
			if s := plan.Steps[0]; plan.Changes() || s.Action != jobfile.Over || !s.Done || s.Err != nil || !strings.HasPrefix(s.Note, "has run") {
				t.Errorf("%+v", s)
			}
		}
		if runs.Load() != 2 { // the hourly one, too
			t.Errorf("%d runs", runs.Load())
		}
		r.wantJobs("kept file v1")

		one.Timeout = time.Second // there is nothing left to do with that
		if plan := r.declare("file", jobfile.ReconcileOptions{}, one, kept); plan.Steps[0].Action != jobfile.Over {
			t.Errorf("%s", plan)
		}
		one = once("once", time.Hour) // another instant is another thing to do
		wantPlan(t, r.declare("file", jobfile.ReconcileOptions{}, one, kept), "+ once\n1 to add, 0 to change, 0 to remove, 1 unchanged")
		r.pass(time.Hour + time.Second)
		if runs.Load() != 4 {
			t.Errorf("%d runs", runs.Load())
		}

		r.declare("file", jobfile.ReconcileOptions{}, kept) // taken out of the file, it is not missed
		r.wantJobs("kept file v1")
	})
}

// The file outlives what is known of the job: that is no error, either, and said.
func TestReconcileOverAndForgotten(t *testing.T) {
	course(t, chronos.Options{Retention: chronos.Retention{Age: time.Hour}}, func(r *rig, _ *atomic.Int64) {
		one := once("once", time.Hour)
		r.declare("file", jobfile.ReconcileOptions{}, one)
		r.pass(72 * time.Hour)
		for _, err := range r.Versions(r.ctx, "once") {
			if err == nil {
				t.Fatal("it is not forgotten")
			}
		}
		wantPlan(t, r.declare("file", jobfile.ReconcileOptions{}, one), ". once (its last instant has passed, and what became of it is not known)\n0 to add, 0 to change, 0 to remove, 0 unchanged, 1 over")
	})
}

// One that did not run says why.
func TestReconcileOverUnrun(t *testing.T) {
	course(t, chronos.Options{}, func(r *rig, runs *atomic.Int64) {
		one := once("once", time.Hour)
		one.Overlap = chronos.OverlapSkip
		one.Handler = "nobody"
		one.StartDeadline = time.Minute
		r.declare("file", jobfile.ReconcileOptions{}, one)
		r.pass(2 * time.Hour)
		plan := r.declare("file", jobfile.ReconcileOptions{}, one)
		if s := plan.Steps[0]; s.Action != jobfile.Over || !strings.HasPrefix(s.Note, "did not run: missed (deadline) ") {
			t.Errorf("%s", plan)
		}
	})
}

// A bounded number of runs is over when they have been, though its schedule goes on.
func TestReconcileOverByRuns(t *testing.T) {
	for name, schedule := range map[string]chronos.Schedule{"every": chronos.Every(time.Hour), "hash": chronos.Cron("H * * * *"), "delay": chronos.After(time.Hour)} {
		t.Run(name, func(t *testing.T) {
			course(t, chronos.Options{Retention: chronos.Retention{Count: 1}}, func(r *rig, runs *atomic.Int64) {
				twice := chronos.Job{ID: "twice", Handler: "h", Schedule: schedule, MaxRuns: 2, RemoveAfter: true}
				r.declare("file", jobfile.ReconcileOptions{}, twice)
				r.pass(90 * time.Minute)
				wantPlan(t, r.declare("file", jobfile.ReconcileOptions{}, twice), "0 to add, 0 to change, 0 to remove, 1 unchanged")
				r.pass(5 * time.Hour)
				if plan := r.declare("file", jobfile.ReconcileOptions{}, twice); plan.Steps[0].Action != jobfile.Over || !strings.HasPrefix(plan.Steps[0].Note, "has run") {
					t.Errorf("%s", plan)
				}
				if runs.Load() != 2 {
					t.Errorf("%d runs", runs.Load())
				}
				twice.MaxRuns = 3 // more is wanted
				if plan := r.declare("file", jobfile.ReconcileOptions{}, twice); plan.Steps[0].Action != jobfile.Add {
					t.Errorf("%s", plan)
				}
			})
		})
	}
}

// It was paused when it had run, and is gone since it was resumed.
func TestReconcileOverByResume(t *testing.T) {
	course(t, chronos.Options{}, func(r *rig, _ *atomic.Int64) {
		single := chronos.Job{ID: "single", Handler: "slow", Schedule: chronos.Every(time.Hour), MaxRuns: 1, RemoveAfter: true}
		r.declare("file", jobfile.ReconcileOptions{}, single)
		r.pass(time.Hour + 30*time.Second)
		if err := r.Pause(r.ctx, "single", ""); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Minute)
		r.wantJobs("single file v1")
		if err := r.Resume(chronos.WithActor(r.ctx, "ann"), "single"); err != nil {
			t.Fatal(err)
		}
		r.wantJobs()
		if plan := r.declare("file", jobfile.ReconcileOptions{}, single); plan.Steps[0].Action != jobfile.Over {
			t.Errorf("%s", plan)
		}
	})
}

// What somebody has deleted before it was over is declared, and is added.
func TestReconcileDeletedIsNotOver(t *testing.T) {
	course(t, chronos.Options{}, func(r *rig, runs *atomic.Int64) {
		one := once("once", 3*time.Hour)
		twice := chronos.Job{ID: "twice", Handler: "h", Schedule: chronos.Every(time.Hour), MaxRuns: 2, RemoveAfter: true}
		r.declare("file", jobfile.ReconcileOptions{}, one, twice)
		r.pass(time.Hour + time.Minute) // twice has run once
		for _, id := range []string{"once", "twice"} {
			if err := r.Delete(r.ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		wantPlan(t, r.declare("file", jobfile.ReconcileOptions{}, one, twice), "+ once\n+ twice\n2 to add, 0 to change, 0 to remove, 0 unchanged")
		// Somebody else's that is over does not count for this owner.
		r.put(chronos.Job{ID: "theirs", Handler: "h", Schedule: chronos.Every(time.Hour), MaxRuns: 1, RemoveAfter: true})
		r.pass(2 * time.Hour)
		theirs := chronos.Job{ID: "theirs", Handler: "h", Schedule: chronos.Every(time.Hour), MaxRuns: 1, RemoveAfter: true}
		if plan := r.declare("file", jobfile.ReconcileOptions{}, one, twice, theirs); plan.Steps[2].Action != jobfile.Add {
			t.Errorf("%s", plan)
		}
	})
}

// One that is to stay when it has run is unchanged for ever; one that never was there,
// and can never run, is an error.
func TestReconcileOnceThatStays(t *testing.T) {
	course(t, chronos.Options{}, func(r *rig, _ *atomic.Int64) {
		one := once("once", time.Hour)
		one.RemoveAfter = false
		r.declare("file", jobfile.ReconcileOptions{}, one)
		r.pass(2 * time.Hour)
		wantPlan(t, r.declare("file", jobfile.ReconcileOptions{}, one), "0 to add, 0 to change, 0 to remove, 1 unchanged")
		late := one
		late.ID = "late"
		_, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", []chronos.Job{one, late}, jobfile.ReconcileOptions{})
		if err == nil || !strings.Contains(err.Error(), `job "late"`) {
			t.Error(err)
		}
	})
}

// What has its last instant behind it cannot be changed. That keeps nothing else from
// being what the file says: while it runs, when it is made up for, and when it stays.
func TestReconcileChangedTooLate(t *testing.T) {
	course(t, chronos.Options{}, func(r *rig, runs *atomic.Int64) {
		slow, stays := once("slow", time.Hour), once("stays", time.Hour)
		slow.Handler, stays.RemoveAfter = "slow", false
		r.declare("file", jobfile.ReconcileOptions{}, slow, stays)
		r.pass(time.Hour + time.Second)
		slow.Timeout, stays.Description = time.Hour, "another one"
		const note = "its last instant has passed, so that it is not changed any more"
		wantPlan(t, r.declare("file", jobfile.ReconcileOptions{}, slow, stays, job("new")),
			". slow ("+note+")\n. stays ("+note+")\n+ new\n1 to add, 0 to change, 0 to remove, 0 unchanged, 2 over")
		r.wantJobs("new file v1", "slow file v1", "stays file v1")

		stays.Handler = ""
		if _, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", []chronos.Job{stays}, jobfile.ReconcileOptions{}); !errors.Is(err, chronos.ErrInvalid) {
			t.Errorf("what is wrong otherwise is no error: %v", err)
		}
		stays.Handler, stays.Schedule = "h", chronos.At(time.Now().Add(-time.Minute))
		if _, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", []chronos.Job{stays}, jobfile.ReconcileOptions{}); !errors.Is(err, chronos.ErrInvalid) {
			t.Errorf("another instant that has passed is taken: %v", err)
		}
		r.pass(time.Minute)
	})
}
