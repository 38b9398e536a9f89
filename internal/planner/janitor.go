package planner

import (
	"context"
	"sync"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// Retention says how much of a job's ledger is kept; 0 sets no limit.
type Retention struct {
	Age   time.Duration
	Count uint64
}

const (
	sweepEvery       = time.Minute
	sweepEverySteady = time.Hour
	// slackShare lets a ledger grow a little beyond its bound, so that rows
	// go in batches and not one by one: a tenth, and no less than slackMin.
	slackShare = 10
	slackMin   = 16
	// strollMax is how many jobs a sweep looks at besides those in which
	// something ended: rows age in idle and deleted jobs, too.
	strollMax = 2_000
)

// janitor proposes what retention demands. Which rows go is decided in the
// state machine; the janitor only finds the jobs and reads the clock.
type janitor struct {
	cfg  Config
	mu   sync.Mutex
	seen map[string]bool // jobs in which something ended since the last sweep
	from string          // where the stroll over all jobs goes on
	runs bool            // who does not sweep collects nothing
}

func newJanitor(cfg Config) *janitor { return &janitor{cfg: cfg, seen: map[string]bool{}} }

func (j *janitor) observe(eff *raftfsm.Effects) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range eff.Changes {
		if j.runs && c.Kind == raftfsm.ExecutionEnded {
			j.seen[c.Job] = true
		}
	}
}

// run sweeps once a minute (an hour, of a steady clock) until ctx ends. It works beside the planner, so
// that a ledger to be pruned holds up no fire.
func (j *janitor) run(ctx context.Context) {
	j.collect(true)
	defer j.collect(false)
	every := sweepEvery
	if j.cfg.Steady {
		every = sweepEverySteady
	}
	for pause(ctx, every) {
		if err := j.sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			j.cfg.Logger.Warn("chronos: retention is held up and will be tried again", "error", err)
		}
	}
}

func (j *janitor) collect(on bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.runs, j.seen = on, map[string]bool{}
}

func (j *janitor) sweep(ctx context.Context, now time.Time) error {
	j.mu.Lock()
	seen := j.seen
	j.seen = map[string]bool{}
	j.mu.Unlock()

	work, err := j.find(seen, now.UnixNano())
	if err != nil {
		return err
	}
	for len(work) > 0 {
		n := min(len(work), 100)
		if work, err = j.propose(ctx, work, n); err != nil {
			return err
		}
	}
	return nil
}

// propose sends the first n commands; those that found their bound of rows
// come again.
func (j *janitor) propose(ctx context.Context, work []*raftfsm.Command, n int) ([]*raftfsm.Command, error) {
	results, err := j.cfg.Propose(ctx, work[:n])
	if err != nil {
		return nil, err
	}
	rest := work[n:]
	for i, res := range results {
		if res.Count >= uint64(work[i].GetPrune().Limit) {
			rest = append(rest, work[i])
		}
	}
	return rest, nil
}

func (j *janitor) find(seen map[string]bool, now int64) ([]*raftfsm.Command, error) {
	var work []*raftfsm.Command
	look := func(r *store.Reader, id string, job *store.Job) error {
		c, err := j.command(r, id, job, now)
		if c != nil {
			work = append(work, c)
		}
		return err
	}
	err := j.cfg.View(func(r *store.Reader) error {
		for id := range seen {
			job, err := r.Job(id)
			if err != nil {
				return err
			}
			if err := look(r, id, job); err != nil {
				return err
			}
		}
		n, last := 0, ""
		err := r.Jobs(j.from, func(id string, decode func() (*store.Job, error)) (bool, error) {
			if n == strollMax {
				last = id
				return false, nil
			}
			n++
			job, err := decode()
			if err != nil {
				return false, err
			}
			return true, look(r, id, job)
		})
		j.from = last
		return err
	})
	return work, err
}

// command is the Prune a job needs, nil if none.
func (j *janitor) command(r *store.Reader, id string, job *store.Job, now int64) (*raftfsm.Command, error) {
	if job == nil {
		return nil, nil
	}
	st, err := r.Schedule(id)
	if err != nil || st == nil {
		return nil, err
	}
	age, count := int64(j.cfg.Retention.Age), j.cfg.Retention.Count
	if keep := job.Definition.KeepAge; keep != 0 { // negative: no limit
		age = max(keep, 0)
	}
	if keep := job.Definition.KeepCount; keep != 0 {
		count = uint64(max(keep, 0))
	}
	before := int64(0)
	if age > 0 {
		before = now - age
	}
	ended := st.Rows - min(st.Rows, st.Active+uint64(len(st.Buffer)))
	over := count > 0 && ended > count+max(count/slackShare, slackMin)
	aged, err := j.aged(r, id, before)
	if err != nil {
		return nil, err
	}
	bare := job.Deleted && st.Rows == 0 && before > job.UpdatedAt
	if !over && !aged && !bare {
		return nil, nil
	}
	prune := &raftfsm.Prune{Job: id, Before: before, Keep: count, Limit: 500}
	return &raftfsm.Command{Now: now, Body: &raftfsm.Command_Prune{Prune: prune}}, nil
}

// aged tells if the oldest ended row of a job is beyond its age.
func (j *janitor) aged(r *store.Reader, id string, before int64) (bool, error) {
	found := false
	if before == 0 {
		return false, nil
	}
	err := r.Executions(id, "", func(_ string, x *store.Execution) (bool, error) {
		if x.Status == store.Status_STATUS_PENDING {
			return true, nil
		}
		found = x.EndedAt < before
		return false, nil
	})
	return found, err
}
