package jobfile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

// over tells if a job that is not there, and that removes itself when nothing of it is
// left to do, has been and gone: to add it again would run it again, or fail, because
// its instant has passed. The text says what became of it.
//
// It has gone by itself if its schedule has no instant any more; whether anything is
// still known of it does not matter then, for the file may be older than what the
// scheduler keeps. With MaxRuns the schedule goes on, and the ledger has to tell.
func (r *reconciler) over(ctx context.Context, job chronos.Job) (bool, string, error) {
	if valid := job.Schedule.Err() == nil; !valid || !job.RemoveAfter || job.Schedule.IsZero() {
		return false, "", nil
	}
	before, err := r.former(ctx, job.ID)
	if err != nil {
		return false, "", err
	}
	switch _, ahead := job.Schedule.For(job.ID).Next(time.Now()); {
	case !ahead && !before.is(job, r.Owner):
		return true, unknown, nil
	case !ahead:
		_, text, err := r.ran(ctx, job, before)
		return true, text, err
	case job.MaxRuns > 0 && before.is(job, r.Owner):
		return r.ran(ctx, job, before)
	}
	return false, "", nil
}

const unknown = "its last instant has passed, and what became of it is not known"

const asItWas = "its last instant has passed, so that it is not changed any more"

// passed tells if the only thing wrong with a job that is there is that nothing of it is
// ahead. Put refuses that, and one such job would keep all the others from being what the
// file says: it may still run, or be about to run late, or a secret of it is another one.
func (r *reconciler) passed(before, job chronos.Job, err error) bool {
	var bad *chronos.FieldError
	if !errors.As(err, &bad) || bad.Field != "Job.Schedule" || before.Labels[OwnerLabel] != r.Owner {
		return false
	}
	_, ahead := job.Schedule.For(job.ID).Next(time.Now())
	return !ahead && before.Schedule.For(job.ID).String() == job.Schedule.For(job.ID).String()
}

// former is what is known of a job that is not there any more.
type former struct {
	job    chronos.Job // as it was last
	put    time.Time   // when it was put first, since it was deleted last
	buried time.Time   // when it was deleted
}

func (r *reconciler) former(ctx context.Context, id string) (f former, err error) {
	for v, err := range r.s.Versions(ctx, id) {
		switch {
		case errors.Is(err, chronos.ErrNotFound):
			return former{}, nil
		case err != nil:
			return former{}, err
		case v.Deleted:
			f.buried = v.At
		default:
			if f.put.IsZero() || !f.buried.IsZero() {
				f = former{put: v.At}
			}
			f.job = v.Job
		}
	}
	return f, nil
}

// is tells if it was this owner's, and due when the job would be. What else differs
// does not matter to a job that is over.
func (f former) is(job chronos.Job, owner string) bool {
	return !f.buried.IsZero() && f.job.RemoveAfter && f.job.Labels[OwnerLabel] == owner && f.job.MaxRuns == job.MaxRuns &&
		f.job.Schedule.For(job.ID).String() == job.Schedule.For(job.ID).String()
}

// ran looks into the ledger: has it had all its runs, and how did the newest one end?
// It is deleted in the moment in which the last one ends, so that one row is enough,
// however few are kept; unless it was paused then, and all rows have to be counted.
func (r *reconciler) ran(ctx context.Context, job chronos.Job, f former) (all bool, text string, err error) {
	text, runs := unknown, 0
	for x, err := range r.s.Executions(ctx, chronos.Query{Job: job.ID}) {
		if err != nil {
			return false, "", err
		}
		if x.CreatedAt.Before(f.put) {
			break
		}
		if x.Origin != chronos.OriginSchedule || x.Reason == chronos.ReasonDeleted {
			continue
		}
		if text == unknown {
			text = ended(x)
		}
		if x.Ran() {
			runs++
		}
		all = all || x.EndedAt.Equal(f.buried)
		if all || runs >= job.MaxRuns {
			return true, text, nil
		}
	}
	return false, text, nil
}

// ended says in words how an execution ended.
func ended(x chronos.Execution) string {
	what := "has run"
	if !x.Ran() {
		what = "did not run"
	}
	status := string(x.Status)
	if x.Reason != chronos.ReasonNone {
		status += fmt.Sprintf(" (%s)", x.Reason)
	}
	return fmt.Sprintf("%s: %s %s", what, status, x.Due.UTC().Format(time.RFC3339))
}
