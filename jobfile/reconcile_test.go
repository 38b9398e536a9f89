package jobfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
	"github.com/chronos-go/chronos/jobfile"
)

// rig is a scheduler in a bubble.
type rig struct {
	*chronos.Scheduler
	t   *testing.T
	ctx context.Context
}

func bubble(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: nothing})
		test(&rig{Scheduler: k.Scheduler(), t: t, ctx: context.Background()})
	})
}

func nothing(*chronos.Scheduler) error { return nil }

// declare reconciles and fails the test on an error.
func (r *rig) declare(owner string, o jobfile.ReconcileOptions, jobs ...chronos.Job) jobfile.Plan {
	r.t.Helper()
	plan, err := jobfile.Reconcile(r.ctx, r.Scheduler, owner, jobs, o)
	if err != nil {
		r.t.Fatal(err)
	}
	return plan
}

func (r *rig) put(j chronos.Job) chronos.Job {
	r.t.Helper()
	got, err := r.Put(r.ctx, j)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// wantJobs compares all jobs: ID, owner and version.
func (r *rig) wantJobs(want ...string) {
	r.t.Helper()
	var got []string
	for j, err := range r.Jobs(r.ctx, nil) {
		if err != nil {
			r.t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s v%d", j.ID, j.Labels[jobfile.OwnerLabel], j.Version))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("jobs are\n\t%s\nand not\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func wantPlan(t *testing.T, p jobfile.Plan, want string) {
	t.Helper()
	if got := p.String(); got != want {
		t.Errorf("the plan is\n%s\nand not\n%s", got, want)
	}
}

func job(id string) chronos.Job {
	return chronos.Job{ID: id, Handler: "h", Schedule: chronos.Every(time.Hour)}
}

// It adds, changes and removes what the owner has, and leaves the rest alone.
func TestReconcile(t *testing.T) {
	bubble(t, func(r *rig) {
		r.put(job("by-hand"))
		r.declare("other", jobfile.ReconcileOptions{}, job("theirs"))
		first := r.declare("file", jobfile.ReconcileOptions{}, job("b"), job("a"))
		wantPlan(t, first, "+ b\n+ a\n2 to add, 0 to change, 0 to remove, 0 unchanged")
		for _, s := range first.Steps {
			if !s.Done || s.Err != nil || s.Version != 1 {
				t.Errorf("%+v", s)
			}
		}
		again := r.declare("file", jobfile.ReconcileOptions{}, job("a"), job("b"))
		wantPlan(t, again, "0 to add, 0 to change, 0 to remove, 2 unchanged")
		if again.Changes() || !first.Changes() {
			t.Error("Changes is wrong")
		}
		r.wantJobs("a file v1", "b file v1", "by-hand  v1", "theirs other v1")

		b := job("b")
		b.Schedule, b.Timeout, b.Labels = chronos.Every(time.Minute), time.Second, map[string]string{"team": "x"}
		b.Overlap = chronos.OverlapSkip // the default
		plan := r.declare("file", jobfile.ReconcileOptions{}, b, job("c"))
		wantPlan(t, plan, "~ b (labels[team], schedule, timeout)\n+ c\n- a\n1 to add, 1 to change, 1 to remove, 0 unchanged")
		r.wantJobs("b file v2", "by-hand  v1", "c file v1", "theirs other v1")
		if len(b.Labels) != 1 {
			t.Error("the caller's labels were changed")
		}
	})
}

// A dry run gives the same plan, and does nothing.
func TestReconcileDryRun(t *testing.T) {
	bubble(t, func(r *rig) {
		r.declare("file", jobfile.ReconcileOptions{}, job("a"), job("b"))
		b := job("b")
		b.Retry.MaxAttempts = 3
		dry := r.declare("file", jobfile.ReconcileOptions{DryRun: true}, b, job("c"))
		wantPlan(t, dry, "~ b (retry.initial, retry.max, retry.max_attempts, retry.multiplier)\n+ c\n- a\n1 to add, 1 to change, 1 to remove, 0 unchanged")
		for _, s := range dry.Steps {
			if s.Done {
				t.Errorf("done: %+v", s)
			}
		}
		r.wantJobs("a file v1", "b file v1")
		if done := r.declare("file", jobfile.ReconcileOptions{}, b, job("c")); done.String() != dry.String() {
			t.Errorf("what was done is\n%s", done)
		}
	})
}

// One job of somebody else, and nothing is changed; unless it is to be taken over.
func TestReconcileConflict(t *testing.T) {
	bubble(t, func(r *rig) {
		r.put(job("by-hand"))
		r.declare("other", jobfile.ReconcileOptions{}, job("theirs"))
		r.declare("file", jobfile.ReconcileOptions{}, job("mine"))
		plan, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", []chronos.Job{job("new"), job("theirs"), job("by-hand")}, jobfile.ReconcileOptions{})
		var bad *jobfile.ConflictError
		if !errors.As(err, &bad) || !errors.Is(err, chronos.ErrConflict) || len(bad.Conflicts) != 2 || bad.Conflicts[0] != (jobfile.Conflict{Job: "theirs", Owner: "other"}) ||
			!strings.Contains(err.Error(), `job "by-hand" has no owner`) {
			t.Errorf("%v", err)
		}
		for _, s := range plan.Steps {
			if s.Done {
				t.Errorf("%+v", s)
			}
		}
		r.wantJobs("by-hand  v1", "mine file v1", "theirs other v1")

		adopt := jobfile.ReconcileOptions{Adopt: func(existing chronos.Job) bool { return existing.Labels[jobfile.OwnerLabel] == "" }}
		plan = r.declare("file", adopt, job("mine"), job("by-hand"))
		wantPlan(t, plan, "~ by-hand (labels[chronos.owner])\n0 to add, 1 to change, 0 to remove, 1 unchanged")
		r.wantJobs("by-hand file v2", "mine file v1", "theirs other v1")
	})
}

// A file without jobs removes nothing, unless that is meant.
func TestReconcileGuards(t *testing.T) {
	bubble(t, func(r *rig) {
		r.declare("file", jobfile.ReconcileOptions{}) // nothing to lose
		r.declare("file", jobfile.ReconcileOptions{}, job("a"), job("b"), job("c"))
		for _, tc := range []struct {
			jobs []chronos.Job
			o    jobfile.ReconcileOptions
		}{
			{nil, jobfile.ReconcileOptions{}},
			{nil, jobfile.ReconcileOptions{DryRun: true}},
			{[]chronos.Job{job("a")}, jobfile.ReconcileOptions{MaxRemove: 1}},
		} {
			plan, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", tc.jobs, tc.o)
			if !errors.Is(err, jobfile.ErrRemovesTooMuch) || plan.Count(jobfile.Remove) != 3-len(tc.jobs) {
				t.Errorf("%v, %s", err, plan)
			}
		}
		r.wantJobs("a file v1", "b file v1", "c file v1")
		r.declare("file", jobfile.ReconcileOptions{MaxRemove: 2}, job("a"))
		r.declare("file", jobfile.ReconcileOptions{AllowEmpty: true})
		r.wantJobs()
	})
}

// What is not valid is found before anything is changed, all of it.
func TestReconcileInvalid(t *testing.T) {
	bubble(t, func(r *rig) {
		bad, past := job("bad"), job("past")
		bad.Handler = ""
		past.Schedule = chronos.At(time.Now().Add(-time.Hour))
		_, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", []chronos.Job{job("good"), bad, past}, jobfile.ReconcileOptions{})
		if !errors.Is(err, chronos.ErrInvalid) || !strings.Contains(err.Error(), `job "bad": chronos: invalid Job.Handler`) || !strings.Contains(err.Error(), `job "past": chronos: invalid Job.Schedule`) {
			t.Error(err)
		}
		theirs := job("a")
		theirs.Labels = map[string]string{jobfile.OwnerLabel: "other"}
		for _, jobs := range [][]chronos.Job{{job("a"), job("a")}, {theirs}} {
			if _, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", jobs, jobfile.ReconcileOptions{}); !errors.Is(err, chronos.ErrInvalid) {
				t.Error(err)
			}
		}
		if _, err := jobfile.Reconcile(r.ctx, r.Scheduler, "", nil, jobfile.ReconcileOptions{}); !errors.Is(err, chronos.ErrInvalid) {
			t.Error(err)
		}
		r.wantJobs()
	})
}

// Another secret is a change, and the plan does not show it.
func TestReconcileSecret(t *testing.T) {
	bubble(t, func(r *rig) {
		hook := chronos.Job{ID: "hook", Webhook: &chronos.Webhook{URL: "https://example.com", Bearer: "s3cret"}}
		r.declare("file", jobfile.ReconcileOptions{}, hook)
		wantPlan(t, r.declare("file", jobfile.ReconcileOptions{}, hook), "0 to add, 0 to change, 0 to remove, 1 unchanged")
		hook.Webhook.Bearer = "s3cret-2"
		wantPlan(t, r.declare("file", jobfile.ReconcileOptions{Note: "rev 7"}, hook), "~ hook (a secret of webhook)\n0 to add, 1 to change, 0 to remove, 0 unchanged")
		got, err := r.Get(r.ctx, "hook")
		if err != nil || got.Note != "rev 7" {
			t.Errorf("%q, %v", got.Note, err)
		}
		var b bytes.Buffer // what is stored is written and read as the same
		if err := jobfile.Write(&b, []chronos.Job{got}, jobfile.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		jobs, err := jobfile.Parse(&b)
		if err != nil {
			t.Fatal(err)
		}
		wantPlan(t, r.declare("file", jobfile.ReconcileOptions{}, jobs...), "0 to add, 0 to change, 0 to remove, 1 unchanged")
	})
}

// meddling changes jobs between the plan and its execution: Adopt is called in between.
func (r *rig) meddling(meddle func()) jobfile.ReconcileOptions {
	r.put(job("wall"))
	return jobfile.ReconcileOptions{Adopt: func(existing chronos.Job) bool {
		if existing.Labels[jobfile.OwnerLabel] == "" {
			meddle()
		}
		return true
	}}
}

// What somebody changes after the plan was made is not overwritten and not removed,
// and that is said for each job.
func TestReconcilePartly(t *testing.T) {
	bubble(t, func(r *rig) {
		r.declare("file", jobfile.ReconcileOptions{}, job("a"), job("b"), job("old"))
		a, b := job("a"), job("b")
		a.Timeout, b.Timeout = time.Second, time.Second
		o := r.meddling(func() {
			theirs := job("a")
			theirs.Timeout, theirs.Labels = time.Minute, map[string]string{jobfile.OwnerLabel: "file"}
			r.put(theirs)
		})
		plan, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", []chronos.Job{a, b, job("wall")}, o)
		if !errors.Is(err, chronos.ErrConflict) || !strings.Contains(err.Error(), `job "a" was not changed: somebody has changed it meanwhile`) {
			t.Errorf("%v", err)
		}
		var done []string
		for _, s := range plan.Steps {
			done = append(done, fmt.Sprint(s.Job, " ", s.Done, " ", s.Err != nil))
		}
		want := []string{"a false true", "b true false", "wall true false", "old false true"}
		if !slices.Equal(done, want) {
			t.Errorf("done %q, want %q", done, want)
		}
		r.wantJobs("a file v2", "b file v2", "old file v1", "wall file v2")
		r.declare("file", jobfile.ReconcileOptions{}, a, b, job("wall"))
		r.wantJobs("a file v3", "b file v2", "wall file v2")
	})
}

// Where the other one has done the same, all is well.
func TestReconcileSame(t *testing.T) {
	bubble(t, func(r *rig) {
		r.declare("file", jobfile.ReconcileOptions{}, job("a"), job("old"))
		a := job("a")
		a.Timeout = time.Second
		o := r.meddling(func() { r.declare("file", jobfile.ReconcileOptions{}, a) })
		plan := r.declare("file", o, a, job("wall"))
		for _, s := range plan.Steps {
			if !s.Done {
				t.Errorf("%+v", s)
			}
		}
		r.wantJobs("a file v2", "wall file v2")
	})
}

// A job that is handed over after the plan was made is not removed; one that is gone
// already is no error.
func TestReconcileRemovesNothingElse(t *testing.T) {
	bubble(t, func(r *rig) {
		r.declare("file", jobfile.ReconcileOptions{}, job("a"), job("b"), job("c"), job("kept"))
		o := jobfile.Before(jobfile.ReconcileOptions{}, func(next jobfile.Action) {
			if next != jobfile.Remove {
				return
			}
			theirs := job("a")
			theirs.Labels = map[string]string{jobfile.OwnerLabel: "other"}
			r.put(theirs)
			if err := r.Delete(r.ctx, "b"); err != nil {
				t.Error(err)
			}
		})
		plan, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", []chronos.Job{job("kept")}, o)
		if !errors.Is(err, chronos.ErrConflict) || !strings.Contains(err.Error(), `job "a" was not removed: somebody has changed it meanwhile`) || strings.Contains(err.Error(), `"b"`) {
			t.Errorf("%v\n%s", err, plan)
		}
		r.wantJobs("a other v2", "kept file v1")
	})
}

// A job that somebody else puts after the plan was made stays as it is.
func TestReconcileAddsOverNobody(t *testing.T) {
	bubble(t, func(r *rig) {
		o := jobfile.Before(jobfile.ReconcileOptions{}, func(next jobfile.Action) {
			if next == jobfile.Add {
				r.put(job("a"))
			}
		})
		_, err := jobfile.Reconcile(r.ctx, r.Scheduler, "file", []chronos.Job{job("a"), job("b")}, o)
		if !errors.Is(err, chronos.ErrConflict) || !strings.Contains(err.Error(), `job "a" was not added`) {
			t.Error(err)
		}
		r.wantJobs("a  v1", "b file v1")
	})
}

// A context that ends leaves a plan that says what was done.
func TestReconcileCanceled(t *testing.T) {
	bubble(t, func(r *rig) {
		ctx, cancel := context.WithCancel(r.ctx)
		o := r.meddling(cancel)
		plan, err := jobfile.Reconcile(ctx, r.Scheduler, "file", []chronos.Job{job("a"), job("wall")}, o)
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for _, s := range plan.Steps {
			if s.Done {
				t.Errorf("%+v", s)
			}
		}
	})
}

// Three processes of a cluster do it at once, as they do when they start. Each job is
// put once.
func TestReconcileCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: nothing, Nodes: 3})
		k.Leader()
		var jobs []chronos.Job
		for i := range 40 {
			jobs = append(jobs, job(fmt.Sprintf("job-%02d", i)))
		}
		for _, part := range [][]chronos.Job{jobs, jobs[10:], jobs[20:]} {
			errs := make([]error, 3)
			var wg sync.WaitGroup
			for i, name := range k.Nodes() {
				s := k.Node(name)
				wg.Go(func() { _, errs[i] = jobfile.Reconcile(t.Context(), s, "file", part, jobfile.ReconcileOptions{}) })
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			n := 0
			for j, err := range k.Scheduler().Jobs(t.Context(), nil) {
				if err != nil || j.Version != 1 {
					t.Errorf("%s: version %d, %v", j.ID, j.Version, err)
				}
				n++
			}
			if n != len(part) {
				t.Errorf("%d jobs, want %d", n, len(part))
			}
		}
	})
}
