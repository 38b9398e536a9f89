package jobfile

import (
	"fmt"
	"maps"
	"strings"

	"github.com/chronos-go/chronos"
)

// OwnerLabel is the label by which Reconcile knows what an owner has declared. Only
// Reconcile sets it; a job without it belongs to nobody that reconciles.
const OwnerLabel = "chronos.owner"

// Conflict is a job of a file that somebody else has.
type Conflict struct {
	Job   string
	Owner string // "" if nobody that reconciles has declared it
}

// ConflictError says which jobs belong to others. It matches chronos.ErrConflict, and
// means that nothing was changed.
type ConflictError struct {
	Owner     string // who asked
	Conflicts []Conflict
}

func (e *ConflictError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "chronos: job file: %d jobs are not those of owner %q, so nothing was changed:", len(e.Conflicts), e.Owner)
	for _, c := range e.Conflicts {
		whose := "has no owner (it was put by a program, perhaps)"
		if c.Owner != "" {
			whose = fmt.Sprintf("is that of owner %q", c.Owner)
		}
		fmt.Fprintf(&b, "\n\tjob %q %s", c.Job, whose)
	}
	return b.String() + "\n\tgive them other IDs, or take them over with ReconcileOptions.Adopt"
}

// Is makes errors.Is(err, chronos.ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == chronos.ErrConflict }

// owned is a copy of a job with its owner's label.
func owned(job chronos.Job, owner string) chronos.Job {
	labels := maps.Clone(job.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[OwnerLabel] = owner
	job.Labels = labels
	return job
}
