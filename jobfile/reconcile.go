package jobfile

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/chronos-go/chronos"
)

// ErrRemovesTooMuch says that a file would remove more jobs than ReconcileOptions allow. Nothing
// was changed.
var ErrRemovesTooMuch = errors.New("chronos: job file: it would remove too much")

// ReconcileOptions say how far Reconcile may go. The zero value is fine.
type ReconcileOptions struct {
	// DryRun makes the plan, with everything checked as Put would, and does nothing.
	DryRun bool
	// AllowEmpty lets a file without any job remove all that the owner has. Without it
	// that is ErrRemovesTooMuch: a file that was not written, or not mounted, looks
	// just like it.
	AllowEmpty bool
	// MaxRemove, if it is not zero, is how many jobs may be removed at once; more are
	// ErrRemovesTooMuch.
	MaxRemove int
	// Adopt tells if a job of the file that exists already, and has another owner or
	// none, is to become this owner's. It gets the job as it is. Without it such jobs
	// are a *ConflictError.
	Adopt func(existing chronos.Job) bool
	// Note is kept with the versions of jobs that have none of their own: the revision
	// of the file, for example.
	Note string

	before func(Action) // set by tests: what others do before jobs are put (Add) and removed (Remove)
}

// sideBySide is how many jobs are changed at a time: they share commits.
const sideBySide = 64

// Reconcile makes the jobs that an owner has declared those that are given: it adds
// what is missing, changes what differs, and removes what this owner declared earlier
// and does not declare any more. It never touches a job of anybody else. Jobs that are
// as they should be get no new version.
//
// First it makes the plan: everything is checked, and where anything is wrong, or a
// job belongs to somebody else, nothing is changed at all. Then each job is put or
// deleted if it is still at the version that the plan was made for, so that two
// processes may do this at once. Where one of them finds that the other has done the
// same, that is fine; where it has done something else, that job's Err is
// chronos.ErrConflict, and the answer is to call Reconcile again.
//
// A job with RemoveAfter that has run its course and is gone stays gone, as long as its
// schedule and MaxRuns are what they were: it is Over, and not added again (where only
// MaxRuns has ended it, until its history is forgotten: see Retention). One whose last
// instant has passed is Over even when nothing is known of it any more; where it is
// still there, it stays as it is.
//
// Jobs are removed last, and only when all others went well. What was done, and what
// not, is in the Plan, also when there is an error.
func Reconcile(ctx context.Context, s *chronos.Scheduler, owner string, jobs []chronos.Job, o ReconcileOptions) (Plan, error) {
	if err := checkOwner(owner, jobs); err != nil {
		return Plan{Owner: owner}, err
	}
	if err := s.Sync(ctx); err != nil { // another node may have done this a moment ago
		return Plan{Owner: owner}, err
	}
	r := &reconciler{Plan: Plan{Owner: owner}, s: s, options: o, declared: map[string]bool{}}
	if err := r.plan(ctx, jobs); err != nil {
		return r.Plan, err
	}
	if err := r.guard(len(jobs)); err != nil || o.DryRun {
		return r.Plan, err
	}
	r.others(Add)
	r.each(func(a Action) bool { return a == Add || a == Update }, func(step *Step) { r.put(ctx, step) })
	if failed := r.Err(); failed != nil {
		r.each(func(a Action) bool { return a == Remove }, func(step *Step) {
			step.Err = errors.New("others could not be put, so nothing is removed; mend that and reconcile again")
		})
		return r.Plan, r.Err()
	}
	r.others(Remove)
	r.each(func(a Action) bool { return a == Remove }, func(step *Step) { r.remove(ctx, step) })
	return r.Plan, r.Err()
}

func checkOwner(owner string, jobs []chronos.Job) error {
	if owner == "" || len(owner) > 256 {
		return &chronos.FieldError{Field: "owner", Reason: "is required: a text of up to 256 bytes that names the file or the program, and stays the same"}
	}
	seen := map[string]bool{}
	for i, j := range jobs {
		switch has, ok := j.Labels[OwnerLabel]; {
		case ok && has != owner:
			return &chronos.FieldError{Field: fmt.Sprintf("jobs[%d].Labels[%s]", i, OwnerLabel), Reason: fmt.Sprintf("is %q, and the owner is %q; leave it out: Reconcile sets it", has, owner)}
		case seen[j.ID]:
			return &chronos.FieldError{Field: fmt.Sprintf("jobs[%d].ID", i), Reason: fmt.Sprintf("%q occurs twice", j.ID)}
		}
		seen[j.ID] = true
	}
	return nil
}

// reconciler is one call of Reconcile.
type reconciler struct {
	Plan
	s        *chronos.Scheduler
	options  ReconcileOptions
	declared map[string]bool
	foreign  []Conflict
}

func (r *reconciler) others(next Action) {
	if r.options.before != nil {
		r.options.before(next)
	}
}

// plan looks at all jobs before anything is changed.
func (r *reconciler) plan(ctx context.Context, jobs []chronos.Job) error {
	var wrong []error
	for _, job := range jobs {
		r.declared[job.ID] = true
		if job.Note == "" {
			job.Note = r.options.Note
		}
		if err := r.step(ctx, owned(job, r.Owner)); err != nil {
			wrong = append(wrong, fmt.Errorf("job %q: %w", job.ID, err))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("chronos: job file: nothing was changed: %w", err)
	}
	for existing, err := range r.s.Jobs(ctx, chronos.Selector{OwnerLabel: r.Owner}) {
		if err != nil {
			return err
		}
		if !r.declared[existing.ID] {
			r.Steps = append(r.Steps, Step{Job: existing.ID, Action: Remove, Version: existing.Version})
		}
	}
	if len(r.foreign) > 0 {
		return &ConflictError{Owner: r.Owner, Conflicts: r.foreign}
	}
	return nil
}

// tries is how often a job is looked at that changes all the time.
const tries = 5

// step plans one job.
func (r *reconciler) step(ctx context.Context, job chronos.Job) (err error) {
	for range tries {
		var before, after chronos.Job
		var changes bool
		before, err = r.s.Get(ctx, job.ID)
		exists := err == nil
		if err != nil && !errors.Is(err, chronos.ErrNotFound) {
			return err
		}
		if whose := before.Labels[OwnerLabel]; exists && whose != r.Owner && (r.options.Adopt == nil || !r.options.Adopt(before)) {
			r.foreign = append(r.foreign, Conflict{Job: job.ID, Owner: whose})
			return nil
		}
		if job.Version = before.Version; !exists {
			job.Version = chronos.MustNotExist
			over, note, err := r.over(ctx, job)
			if err != nil {
				return err
			}
			if over {
				r.Steps = append(r.Steps, Step{Job: job.ID, Action: Over, Note: note, Done: true})
				return nil
			}
		}
		after, changes, err = r.s.Check(ctx, job)
		if errors.Is(err, chronos.ErrConflict) {
			continue // it has changed in between
		}
		if exists && r.passed(before, job, err) {
			r.Steps = append(r.Steps, Step{Job: job.ID, Action: Over, Note: asItWas, Version: before.Version, Done: true})
			return nil
		}
		if err != nil {
			return err
		}
		step := Step{Job: job.ID, Action: Unchanged, Version: before.Version, job: job}
		switch {
		case !exists:
			step.Action = Add
		case changes:
			step.Action, step.Fields = Update, differences(before, after)
		}
		step.Done = step.Action == Unchanged
		r.Steps = append(r.Steps, step)
		return nil
	}
	return err
}

// guard refuses a plan that removes too much.
func (r *reconciler) guard(declared int) error {
	removes := r.Count(Remove)
	switch most := r.options.MaxRemove; {
	case declared == 0 && removes > 0 && !r.options.AllowEmpty:
		return fmt.Errorf("%w: it declares no job, so that all %d of owner %q would go; set ReconcileOptions.AllowEmpty if that is meant", ErrRemovesTooMuch, removes, r.Owner)
	case most > 0 && removes > most:
		return fmt.Errorf("%w: %d jobs of owner %q would go, and ReconcileOptions.MaxRemove is %d", ErrRemovesTooMuch, removes, r.Owner, most)
	}
	return nil
}

// each does the steps that a function picks, several at a time.
func (r *reconciler) each(picks func(Action) bool, do func(*Step)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, sideBySide)
	for i := range r.Steps {
		step := &r.Steps[i]
		if !picks(step.Action) {
			continue
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			do(step)
		})
	}
	wg.Wait()
}

func (r *reconciler) put(ctx context.Context, step *Step) {
	stored, err := r.s.Put(ctx, step.job)
	if errors.Is(err, chronos.ErrConflict) {
		stored, err = r.settled(ctx, step.job, err)
	}
	if err != nil {
		step.Err = err
		return
	}
	step.Done, step.Version = true, stored.Version
}

// settled looks at a job that somebody changed after the plan was made: if it is now
// as it should be, that is fine.
func (r *reconciler) settled(ctx context.Context, job chronos.Job, conflict error) (chronos.Job, error) {
	now, err := r.s.Get(ctx, job.ID)
	if err == nil && now.Labels[OwnerLabel] == r.Owner {
		job.Version = now.Version
		after, changes, err := r.s.Check(ctx, job)
		if err == nil && !changes {
			return after, nil
		}
	}
	return chronos.Job{}, fmt.Errorf("somebody has changed it meanwhile, reconcile again: %w", conflict)
}

func (r *reconciler) remove(ctx context.Context, step *Step) {
	err := r.s.DeleteIf(ctx, step.Job, step.Version)
	switch {
	case err == nil || errors.Is(err, chronos.ErrNotFound): // another one has removed it
		step.Done = true
	case errors.Is(err, chronos.ErrConflict):
		step.Err = fmt.Errorf("somebody has changed it meanwhile, reconcile again: %w", err)
	default:
		step.Err = err
	}
}
