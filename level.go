package chronos

import (
	"context"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
)

// levelPatience is how long a call waits for what all members of a cluster that
// has just begun, or was just upgraded, are about to agree on.
const levelPatience = 5 * time.Second

// level is the feature level that a job needs, and the field that asks for it.
func (j *Job) level() (level uint32, field string) {
	p := j.Placement
	switch {
	case len(p.Labels) > 0 || p.EveryNode || p.Sticky:
		return raftfsm.Level2, "Job.Placement"
	case j.Concurrency.Key != "":
		return raftfsm.Level2, "Job.Concurrency"
	case j.SucceedWithin != 0:
		return raftfsm.Level2, "Job.SucceedWithin"
	}
	return raftfsm.LevelFirst, ""
}

// awaitJob refuses a job that some member of the cluster would not understand.
func (s *Scheduler) awaitJob(ctx context.Context, j *Job) error {
	level, field := j.level()
	return s.awaitLevel(ctx, level, field)
}

// awaitLevel refuses what some member of the cluster would not understand.
func (s *Scheduler) awaitLevel(ctx context.Context, level uint32, field string) error {
	for deadline := time.Now().Add(levelPatience); s.node.Level() < level; {
		if time.Now().After(deadline) {
			return invalid(field, "needs feature level %d, and a member of the cluster runs an older Chronos (Status, Member.Level, says which); upgrade it, or remove it", level)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.closed() {
			return ErrClosed
		}
	}
	return nil
}
