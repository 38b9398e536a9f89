package raftfsm

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos/store"
)

// entry is one log entry while it is applied.
type entry struct {
	f        *fsm
	tx       *store.Tx
	eff      *Effects
	index    uint64
	applied  *store.Applied
	answered []*store.Answer
	now      int64 // the proposer's clock
	cmd      *Command
	swept    int // rows that commands touched beside those they name
	weight   int // and their bytes
}

// afford takes a row into the entry's bounds; false when they are used up.
func (e *entry) afford(x *store.Execution) bool {
	size := proto.Size(x)
	if e.swept > 0 && (e.swept >= settleMax || e.weight+size > settleBytes) {
		return false
	}
	e.swept++
	e.weight += size
	return true
}

// command applies one command. A returned error stops the node: it means that
// the state cannot be trusted, never that the caller asked for something odd.
func (e *entry) command(c *Command) (*Result, error) {
	if first, err := e.answer(c); first != nil || err != nil {
		return first, err
	}
	// A wall clock may be set back. What has been decided stands in the rows,
	// not in a comparison of instants, so nothing happens twice by that; and
	// deadlines and delays go by the clock as it is now, not as it once was.
	e.now = c.Now
	e.applied.LogTime = max(e.applied.LogTime, c.Now)
	e.cmd = c
	res := e.whileLoading(c)
	if res == nil {
		var err error
		if res, err = e.apply(c); err != nil {
			return nil, err
		}
	}
	return res, e.note(c, res)
}

func (e *entry) apply(c *Command) (*Result, error) {
	switch b := c.Body.(type) {
	case *Command_Put:
		return e.put(b.Put)
	case *Command_Delete:
		return e.delete(b.Delete)
	case *Command_Pause:
		return e.pause(b.Pause)
	case *Command_Resume:
		return e.resume(b.Resume)
	case *Command_Fire:
		return e.fire(b.Fire)
	case *Command_Trigger:
		return e.trigger(b.Trigger)
	case *Command_Backfill:
		return e.backfill(b.Backfill)
	case *Command_Cancel:
		return e.cancel(b.Cancel)
	case *Command_Finish:
		return e.finish(b.Finish)
	case *Command_HandBack:
		return e.handBack(b.HandBack)
	case *Command_Open:
		return e.open(b.Open)
	case *Command_Resolve:
		return e.resolve(b.Resolve)
	case *Command_Ready:
		return e.ready(b.Ready)
	case *Command_Prune:
		return e.prune(b.Prune)
	case *Command_Redrive:
		return e.redrive(b.Redrive)
	case *Command_Expire:
		return e.expire(b.Expire)
	case *Command_Forget:
		return e.forgetNode(b.Forget)
	case *Command_Hold:
		return e.setHeld(b.Hold)
	case *Command_Acquire:
		return e.acquire(b.Acquire)
	case *Command_Release:
		return e.releaseHeld(b.Release)
	case *Command_Raise:
		return e.raise(b.Raise)
	case *Command_Load:
		return e.loadPart(b.Load)
	case *Command_Unload:
		return e.unload(b.Unload)
	case *Command_Barrier:
		return &Result{}, nil
	default:
		return nil, fmt.Errorf("unknown command %T", c.Body)
	}
}

// sequence is the source of fencing tokens and generations: it grows with
// every use and is never below the index of the entry that uses it.
func (e *entry) sequence() uint64 {
	e.applied.Sequence = max(e.applied.Sequence+1, e.index)
	return e.applied.Sequence
}

func (e *entry) change(kind ChangeKind, job, exec string, x *store.Execution) {
	e.eff.Changes = append(e.eff.Changes, Change{Kind: kind, At: e.now, Job: job, Exec: exec, Execution: x})
}

// changeRange reports that a row accounts for so many instants more that do not run.
func (e *entry) changeRange(job, exec string, x *store.Execution, count uint64) {
	e.change(ExecutionEnded, job, exec, x)
	e.eff.Changes[len(e.eff.Changes)-1].Instants = count
}

// errNoRow: an index names an execution that the ledger does not have.
var errNoRow = errors.New("has no row")

// subject is a job with its schedule state while a command works on it.
type subject struct {
	id  string
	rec *store.Job // nil when the ID was never used
	job *store.Job // nil when there is no such job now
	st  *store.Schedule

	aside map[string]bool // of the buffer, while it is gone through

	keep bool // a command is at work on the job: it may not retire meanwhile
}

func (e *entry) load(id string) (*subject, error) {
	rec, err := e.tx.Job(id)
	if err != nil {
		return nil, err
	}
	if rec == nil { // its schedule went with it (forget)
		return &subject{id: id, st: &store.Schedule{}}, e.tx.NoSchedule(id)
	}
	st, err := e.tx.Schedule(id)
	if err != nil {
		return nil, err
	}
	if st == nil {
		st = &store.Schedule{}
	}
	s := &subject{id: id, rec: rec, st: st}
	if !rec.Deleted {
		s.job = rec
	}
	return s, nil
}

// rewrite makes the job's record the command's own: others read the one in the store.
func (s *subject) rewrite() {
	s.rec = proto.CloneOf(s.rec)
	if s.job != nil {
		s.job = s.rec
	}
}

func (e *entry) save(s *subject) error {
	if s.rec == nil {
		return nil
	}
	return e.tx.PutSchedule(s.id, s.st)
}

// unfinished counts the job's executions that are not final.
func (s *subject) unfinished() uint64 { return s.st.Active + uint64(len(s.st.Buffer)) }

func (s *subject) version() uint64 {
	if s.job == nil {
		return 0
	}
	return s.job.Version
}

// setNext moves the job's place in the due index.
func (e *entry) setNext(s *subject, due int64) error {
	if err := e.clearNext(s); err != nil {
		return err
	}
	s.st.NextDue = due
	if due == 0 {
		return nil
	}
	e.eff.dueAt(due)
	tick := store.DueEntry{At: due, Kind: store.DueTick, Job: s.id}
	if err := e.tx.NoDue(tick); err != nil { // a job has one tick at the most
		return err
	}
	return e.tx.PutDue(tick)
}

func (e *entry) clearNext(s *subject) error {
	if s.st.NextDue == 0 {
		return nil
	}
	old := store.DueEntry{At: s.st.NextDue, Kind: store.DueTick, Job: s.id}
	s.st.NextDue = 0
	return e.tx.DeleteDue(old)
}

func notFound(what, id string) *Result {
	return &Result{Code: Code_CODE_NOT_FOUND, Text: fmt.Sprintf("%s %q does not exist", what, id)}
}
