package chronos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// commandID names a call, so that a retry of it gets the first one's answer.
func commandID() (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return id, fmt.Errorf("chronos: no randomness: %w", err)
	}
	return id, nil
}

// ask commits a command on behalf of a caller and judges the answer.
func (s *Scheduler) ask(ctx context.Context, c *raftfsm.Command) (*raftfsm.Result, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	actor, err := actorOf(ctx)
	if err != nil {
		return nil, err
	}
	id, err := commandID()
	if err != nil {
		return nil, err
	}
	c.Id, c.Actor = id[:], actor
	res, err := s.propose(ctx, c)
	if err != nil {
		return nil, err
	}
	if res.Code == raftfsm.Code_CODE_STALE {
		return res, nil // the caller looks again
	}
	return res, verdict(res)
}

// Delete removes the job. What of it is unfinished ends as canceled, running
// handlers get their context ended, and their results are refused. Its history
// and versions stay readable until retention takes them. A job put under the
// same ID later is a new generation that nothing old touches.
func (s *Scheduler) Delete(ctx context.Context, id string) error {
	return s.delete(ctx, id, 0)
}

// DeleteIf is Delete, if the job is still at the version that the caller last saw;
// ErrConflict if it has another one by now.
func (s *Scheduler) DeleteIf(ctx context.Context, id string, version uint64) error {
	if version == 0 || version == MustNotExist {
		return invalid("version", "is required: the Job.Version that a read gave")
	}
	return s.delete(ctx, id, version)
}

// delete removes a job that is at a version, 0 for any.
func (s *Scheduler) delete(ctx context.Context, id string, version uint64) error {
	if err := checkID("id", id); err != nil {
		return err
	}
	for begun := false; ; {
		cmd, err := s.deleteCommand(ctx, id)
		if err != nil {
			return err
		}
		if body := cmd.GetDelete(); begun {
			body.HasExpect = true // of no job: one that was put anew meanwhile stays
		} else if version != 0 {
			body.HasExpect, body.ExpectVersion = true, version
		}
		res, err := s.ask(ctx, cmd)
		if begun && (errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict)) {
			return nil // another call has seen to the rest, or the job was put anew
		}
		if err != nil {
			return err
		}
		if res.Code == raftfsm.Code_CODE_STALE {
			continue // nothing was done
		}
		if begun = true; res.Count == 0 {
			return nil
		}
	}
}

// deleteCommand accounts for what came due and was not fired while nobody ran:
// after the deletion nobody would.
func (s *Scheduler) deleteCommand(ctx context.Context, id string) (*raftfsm.Command, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	old, err := s.look(id)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	body := &raftfsm.Delete{
		Job: id, BaseVersion: old.rec.GetVersion(), BaseDue: old.due(), BaseWithdrawn: old.st.Withdrawn, Overdue: s.overdue(id, old, now, store.Reason_REASON_DELETED),
	}
	return &raftfsm.Command{Now: now.UnixNano(), Body: &raftfsm.Command_Delete{Delete: body}}, nil
}

// Pause stops the job's schedule; executions under way go on, and Trigger
// works. The note, of at most 1 KiB, says why. Pausing a paused job changes
// nothing; but one that has paused itself (Job.PauseOnFailure) and counts on for
// Job.SucceedWithin takes the note, and is not overdue any more.
func (s *Scheduler) Pause(ctx context.Context, id, note string) error {
	if err := checkID("id", id); err != nil {
		return err
	}
	if err := checkText("note", note, maxNote); err != nil {
		return err
	}
	_, err := s.ask(ctx, &raftfsm.Command{Note: note, Body: &raftfsm.Command_Pause{Pause: &raftfsm.Pause{Job: id}}})
	return err
}

// Resume lets the schedule go on from now. Instants that fell into the pause
// are recorded as skipped; Backfill makes up for them where that is wanted.
func (s *Scheduler) Resume(ctx context.Context, id string) error {
	if err := checkID("id", id); err != nil {
		return err
	}
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	return s.resume(ctx, id)
}

func (s *Scheduler) resume(ctx context.Context, id string) error {
	for {
		if err := s.begin(ctx); err != nil {
			return err
		}
		cmd, err := s.resumeCommand(id)
		if err != nil {
			return err
		}
		res, err := s.ask(ctx, cmd)
		if err != nil || res.Code == raftfsm.Code_CODE_OK {
			return err
		}
	}
}

func (s *Scheduler) resumeCommand(id string) (*raftfsm.Command, error) {
	old, err := s.look(id)
	if err != nil {
		return nil, err
	}
	if old.rec == nil {
		return nil, fmt.Errorf("%w: job %q does not exist", ErrNotFound, id)
	}
	now := time.Now()
	body := &raftfsm.Resume{Job: id, BaseVersion: old.rec.Version, BaseDue: old.st.PausedDue, BaseWithdrawn: old.st.Withdrawn}
	def := old.rec.Definition
	if old.st.Paused {
		body.Paused = s.overdue(id, old, now, store.Reason_REASON_PAUSED)
	}
	if def.Schedule != "" && old.st.PausedDue != 0 {
		c, err := s.schedules.Get(def.Schedule, id)
		if err != nil {
			return nil, scheduleError(err)
		}
		if next, ok := c.Next(now); ok {
			body.NextDue = next.UnixNano()
		}
	}
	return &raftfsm.Command{Now: now.UnixNano(), Body: &raftfsm.Command_Resume{Resume: body}}, nil
}

// PauseAll pauses every job the selector picks, and says how many it paused.
func (s *Scheduler) PauseAll(ctx context.Context, sel Selector, note string) (int, error) {
	if err := checkText("note", note, maxNote); err != nil {
		return 0, err
	}
	return s.each(ctx, sel, func(j Job) (bool, error) { return !j.State.Paused, s.Pause(ctx, j.ID, note) })
}

// ResumeAll resumes every paused job the selector picks, and says how many.
func (s *Scheduler) ResumeAll(ctx context.Context, sel Selector) (int, error) {
	if err := s.catchUp(ctx); err != nil {
		return 0, err
	}
	return s.each(ctx, sel, func(j Job) (bool, error) { return j.State.Paused, s.resume(ctx, j.ID) })
}

// eachMax is how many jobs are changed side by side: they share commits.
const eachMax = 64

// each calls fn for the jobs that a selector picks, several at a time, until one
// fails. It tells for how many fn was true.
func (s *Scheduler) each(ctx context.Context, sel Selector, fn func(Job) (bool, error)) (n int, err error) {
	var mu sync.Mutex
	var first error
	var wg sync.WaitGroup
	failed := func() error {
		mu.Lock()
		defer mu.Unlock()
		return first
	}
	places := make(chan struct{}, eachMax)
	for job, err := range s.Jobs(ctx, sel) {
		if err != nil {
			wg.Wait()
			return n, err
		}
		if failed() != nil {
			break
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			counts, err := fn(job)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, ErrNotFound): // deleted meanwhile
			case err != nil && first == nil:
				first = fmt.Errorf("job %s: %w", job.ID, err)
			case err == nil && counts:
				n++
			}
		})
	}
	wg.Wait()
	return n, first
}

// TriggerRequest says more about a Trigger. The zero value is fine.
type TriggerRequest struct {
	// Key makes the call idempotent: the same key for the same job gives the
	// same execution, as long as its row is kept. At most 256 bytes.
	Key string
	// Payload replaces the job's, if it is not nil. At most 256 KiB.
	Payload []byte
	// Overlap replaces the job's policy for this execution.
	Overlap Overlap
	// Note is kept with the execution, and the handler sees it. At most 1 KiB.
	Note string
}

// Trigger runs the job now, outside its schedule and also while it is paused.
// The overlap policy applies: look at the Status of the answer to see if the
// execution was skipped.
func (s *Scheduler) Trigger(ctx context.Context, id string, req TriggerRequest) (Execution, error) {
	if err := checkID("id", id); err != nil {
		return Execution{}, err
	}
	if err := req.check(); err != nil {
		return Execution{}, err
	}
	unique, err := commandID()
	if err != nil {
		return Execution{}, err
	}
	now := time.Now().UnixNano()
	overlap, _ := code(overlapNames, req.Overlap)
	body := &raftfsm.Trigger{
		Job: id, Key: req.Key, Execution: store.ExecutionKey(now, store.Origin_ORIGIN_TRIGGER, compact(unique)),
		HasPayload: req.Payload != nil, Payload: req.Payload, HasOverlap: req.Overlap != "", Overlap: overlap,
	}
	res, err := s.ask(ctx, &raftfsm.Command{Now: now, Note: req.Note, Body: &raftfsm.Command_Trigger{Trigger: body}})
	if err != nil {
		return Execution{}, err
	}
	return s.Execution(ctx, store.JoinID(id, res.Execution))
}

func (req TriggerRequest) check() error {
	if len(req.Payload) > maxPayload {
		return invalid("TriggerRequest.Payload", "has %d bytes; at most %d are allowed", len(req.Payload), maxPayload)
	}
	if _, ok := code(overlapNames, req.Overlap); !ok {
		return invalid("TriggerRequest.Overlap", "%q is no overlap policy", req.Overlap)
	}
	if err := checkText("TriggerRequest.Key", req.Key, maxKey); err != nil {
		return err
	}
	return checkText("TriggerRequest.Note", req.Note, maxNote)
}

// BackfillRequest names the range of a Backfill.
type BackfillRequest struct {
	From, To time.Time // both inclusive
	// Overlap is the policy for these executions. Default OverlapBufferAll: one
	// after the other.
	Overlap Overlap
	// Key makes the call idempotent: with the same key for the same job, an
	// instant is backfilled once. At most 256 bytes.
	Key  string
	Note string
}

// id tells the executions of one backfill from those of others.
func (req BackfillRequest) id(unique uuid.UUID) string {
	if req.Key == "" {
		return compact(unique)
	}
	return compact(uuid.NewSHA1(uuid.Nil, []byte(req.Key)))
}

// backfillMax bounds one Backfill; it is the size of the overlap buffer.
const backfillMax = bufferMax

// Backfill makes executions for the instants that the job's schedule, as it is
// now, has in a range of the past, at most 1,000 of them. They keep their due
// instants, say that they are backfills, and are executions of their own,
// whatever the ledger has for the same instants. It answers with their number.
func (s *Scheduler) Backfill(ctx context.Context, id string, req BackfillRequest) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	if err := checkID("id", id); err != nil {
		return 0, err
	}
	if err := s.catchUp(ctx); err != nil {
		return 0, err
	}
	dues, err := s.backfillDues(id, req)
	if err != nil {
		return 0, err
	}
	unique, err := commandID()
	if err != nil {
		return 0, err
	}
	overlap, _ := code(overlapNames, orDefault(req.Overlap, OverlapBufferAll))
	n := 0
	for len(dues) > 0 {
		k := min(len(dues), 250)
		body := &raftfsm.Backfill{Job: id, Id: req.id(unique), Due: dues[:k], HasOverlap: true, Overlap: overlap}
		res, err := s.ask(ctx, &raftfsm.Command{Note: req.Note, Body: &raftfsm.Command_Backfill{Backfill: body}})
		if err != nil {
			return n, err
		}
		n += int(res.Count)
		dues = dues[k:]
	}
	return n, nil
}

func (s *Scheduler) backfillDues(id string, req BackfillRequest) ([]int64, error) {
	if _, ok := code(overlapNames, req.Overlap); !ok {
		return nil, invalid("BackfillRequest.Overlap", "%q is no overlap policy", req.Overlap)
	}
	if err := checkText("BackfillRequest.Note", req.Note, maxNote); err != nil {
		return nil, err
	}
	switch {
	case checkText("BackfillRequest.Key", req.Key, maxKey) != nil:
		return nil, checkText("BackfillRequest.Key", req.Key, maxKey)
	case req.From.IsZero():
		return nil, invalid("BackfillRequest.From", "is required")
	case req.To.Before(req.From):
		return nil, invalid("BackfillRequest.To", "is before From")
	case req.To.After(time.Now()):
		return nil, invalid("BackfillRequest.To", "is in the future")
	}
	old, err := s.look(id)
	if err != nil {
		return nil, err
	}
	if old.rec == nil {
		return nil, fmt.Errorf("%w: job %q does not exist", ErrNotFound, id)
	}
	def := old.rec.Definition
	if def.Schedule == "" || def.FixedDelay > 0 {
		return nil, invalid("id", "job %q has no schedule with fixed instants", id)
	}
	sched, err := s.schedules.Get(def.Schedule, id)
	if err != nil {
		return nil, scheduleError(err)
	}
	var dues []int64
	for t, ok := sched.Next(req.From.Add(-1)); ok && !t.After(req.To); t, ok = sched.Next(t) {
		if len(dues) == backfillMax {
			return nil, invalid("BackfillRequest.To", "the range has more than %d instants; take smaller ranges", backfillMax)
		}
		dues = append(dues, t.UnixNano())
	}
	return dues, nil
}

// compact is a UUID as a part of an execution's ID.
func compact(id uuid.UUID) string { return fmt.Sprintf("%x", id[:]) }

// Cancel asks an execution to end: one that waits ends at once, one that runs
// gets its context ended and is canceled when its handler returns with an
// error. One that is over stays as it is.
func (s *Scheduler) Cancel(ctx context.Context, id string) error {
	return s.cancel(ctx, id, false)
}

// Terminate ends an execution in the ledger at once, whether or not its handler
// heeds its context. What the handler reports later is refused.
func (s *Scheduler) Terminate(ctx context.Context, id string) error {
	return s.cancel(ctx, id, true)
}

func (s *Scheduler) cancel(ctx context.Context, id string, terminate bool) error {
	job, exec, err := splitExecution(id)
	if err != nil {
		return err
	}
	body := &raftfsm.Cancel{Job: job, Execution: exec, Terminate: terminate}
	_, err = s.ask(ctx, &raftfsm.Command{Body: &raftfsm.Command_Cancel{Cancel: body}})
	return err
}

// Redrive gives an execution that ended without success a new round of
// attempts, under the same ID. One that had a payload of its own (Trigger) is
// refused, because such a payload is not kept after the end.
func (s *Scheduler) Redrive(ctx context.Context, id string) (Execution, error) {
	job, exec, err := splitExecution(id)
	if err != nil {
		return Execution{}, err
	}
	body := &raftfsm.Redrive{Job: job, Execution: exec}
	if _, err := s.ask(ctx, &raftfsm.Command{Body: &raftfsm.Command_Redrive{Redrive: body}}); err != nil {
		return Execution{}, err
	}
	return s.Execution(ctx, id)
}

// Wait blocks until the execution is over, and gives its final state.
func (s *Scheduler) Wait(ctx context.Context, id string) (Execution, error) {
	for {
		ended := s.hub.wait(id)
		x, err := s.Execution(ctx, id)
		if err != nil || x.Final() {
			s.hub.leave(id, ended)
			return x, err
		}
		select {
		case <-ended:
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.node.Stopped():
			err = translate(s.node.Err())
		}
		s.hub.leave(id, ended)
		return x, err
	}
}

// Sync returns when this node has applied everything that was acknowledged
// anywhere before the call: reads after it are linearizable.
func (s *Scheduler) Sync(ctx context.Context) error {
	_, err := s.ask(ctx, &raftfsm.Command{Body: &raftfsm.Command_Barrier{Barrier: &raftfsm.Barrier{}}})
	return err
}

// catchUp is Sync, for calls that decide by what this node knows of a job: it may
// have been put on another node a moment ago.
func (s *Scheduler) catchUp(ctx context.Context) error {
	if s.member == nil || s.closed() {
		return s.begin(ctx)
	}
	return s.Sync(ctx)
}

func splitExecution(id string) (job, exec string, err error) {
	job, exec, ok := store.SplitID(id)
	if !ok || checkID("id", job) != nil {
		return "", "", invalid("id", "%q is no execution ID", id)
	}
	return job, exec, nil
}
