package chronos

import (
	"context"
	"errors"
	"fmt"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// PutAll puts many jobs. All are validated before anything is written; then
// they are committed in log entries of up to some hundred jobs, each of which
// is applied as a whole. It answers with the number of jobs that were new or
// changed. After an error a part may have been applied; calling it again is safe.
func (s *Scheduler) PutAll(ctx context.Context, jobs []Job) (changed int, err error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	if err := s.validateAll(jobs); err != nil {
		return 0, err
	}
	for i := range jobs {
		if err := s.awaitJob(ctx, &jobs[i]); err != nil {
			return 0, fmt.Errorf("job %s: %w", jobs[i].ID, err)
		}
	}
	var under []*putting
	for len(jobs) > 0 && err == nil {
		if len(under) == putAhead { // before the next is made: it goes by what is in the state
			changed, err = under[0].await(changed)
			under = under[1:]
		}
		n := min(len(jobs), putChunk)
		var next *putting
		if err == nil {
			next, err = s.putChunk(ctx, jobs[:n])
		}
		if err == nil {
			under, jobs = append(under, next.begin()), jobs[n:]
		}
	}
	for _, p := range under {
		var failed error
		changed, failed = p.await(changed)
		if err == nil || errors.Is(failed, ErrUncertain) && !errors.Is(err, ErrUncertain) {
			err = errors.Join(err, failed)
		}
	}
	return changed, err
}

// putChunk is how many jobs of a PutAll are proposed in one call.
const putChunk = 1_000

// putAhead is how many of those calls are under way at once.
const putAhead = 2

func (s *Scheduler) validateAll(jobs []Job) error {
	ids := make(map[string]bool, len(jobs))
	for i := range jobs {
		if err := checkID("Job.ID", jobs[i].ID); err != nil {
			return fmt.Errorf("job %d: %w", i, err)
		}
		if ids[jobs[i].ID] {
			return fmt.Errorf("job %d: %w", i, invalid("Job.ID", "%q occurs twice", jobs[i].ID))
		}
		ids[jobs[i].ID] = true
		var old seen
		if jobs[i].Webhook != nil { // only these may refer to stored secrets
			var err error
			if old, err = s.look(jobs[i].ID); err != nil {
				return err
			}
		}
		err := s.validate(&jobs[i], old.rec.GetDefinition())
		if err == nil {
			err = s.checkDue(&jobs[i])
		}
		if err != nil {
			return fmt.Errorf("job %d (%s): %w", i, jobs[i].ID, err)
		}
	}
	return nil
}

// putting is a part of a PutAll. While it is committed the next ones are made.
type putting struct {
	s       *Scheduler
	ctx     context.Context
	jobs    []Job
	cmds    []*raftfsm.Command
	done    chan struct{}
	results []*raftfsm.Result
	err     error // with an error, results are what was applied before it
}

// putChunk makes the commands for some jobs.
func (s *Scheduler) putChunk(ctx context.Context, jobs []Job) (p *putting, err error) {
	p = &putting{s: s, ctx: ctx, jobs: jobs, cmds: make([]*raftfsm.Command, len(jobs)), done: make(chan struct{})}
	old := make([]seen, len(jobs))
	err = s.node.Store().View(func(r *store.Reader) (err error) {
		for i := range jobs {
			if old[i], err = seenBy(r, jobs[i].ID); err != nil {
				return fmt.Errorf("job %s: %w", jobs[i].ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, translate(err)
	}
	for i := range jobs {
		if p.cmds[i], err = s.chunkCommand(ctx, jobs[i], old[i]); err != nil {
			return nil, fmt.Errorf("job %s: %w", jobs[i].ID, err)
		}
	}
	return p, nil
}

// begin proposes them; await has to follow.
func (p *putting) begin() *putting {
	go func() {
		defer close(p.done)
		p.results, p.err = p.s.node.Propose(p.ctx, p.cmds)
	}()
	return p
}

// await adds to a number of jobs how many of these were new or changed.
func (p *putting) await(changed int) (int, error) {
	<-p.done
	for i, res := range p.results {
		switch {
		case res == nil, res.Code == raftfsm.Code_CODE_STALE && p.err != nil: // the error says more
		case res.Code == raftfsm.Code_CODE_STALE:
			job := p.jobs[i]
			_, anew, err := p.s.commitPut(p.ctx, job.ID, func() (*raftfsm.Command, error) { return p.s.putCommand(p.ctx, job, 0) })
			if err != nil {
				return changed, fmt.Errorf("job %s: %w", job.ID, err)
			}
			if anew {
				changed++
			}
		case res.Code != raftfsm.Code_CODE_OK:
			return changed, fmt.Errorf("job %s: %w", p.jobs[i].ID, verdict(res))
		case res.Changed:
			changed++
		}
	}
	return changed, translate(p.err)
}

// chunkCommand is the command for one job of a PutAll. Only a compare and swap
// needs an ID: any other Put may be repeated.
func (s *Scheduler) chunkCommand(ctx context.Context, job Job, old seen) (*raftfsm.Command, error) {
	if err := job.checkWebhook(old.rec.GetDefinition()); err != nil {
		return nil, err // the secrets it keeps may be gone by now
	}
	cmd, err := s.makePut(ctx, job, job.definition(old.rec.GetDefinition()), old, 0)
	if err != nil || job.Version == 0 {
		return cmd, err
	}
	id, err := commandID()
	cmd.Id = id[:]
	return cmd, err
}
