package raftfsm

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// A transaction is committed before it outgrows what Badger takes at once.
// Where a batch is cut does not change the state: entries are applied whole,
// and nothing in memory outlives an entry unless the store holds it too.
const (
	commitCells = 8_000
	commitBytes = 512 << 10
)

// fsm applies the log to the store. It has no clock, no randomness and no
// cron: the same entries lead to the same bytes, however they are batched.
type fsm struct {
	st      *store.Store
	onApply func(*Effects)
	log     *slog.Logger
	level   uint32 // what this program knows

	applied progress
	trail   *trail // nil without companions

	// Derived from the store by reload, and kept in step by Apply, which holds mu
	// meanwhile: others ask how much waits.
	mu sync.Mutex
	derived

	stopOnce sync.Once
	stopCh   chan struct{}
	stopErr  atomic.Pointer[error]
	closing  atomic.Bool
}

// derived is what Apply would otherwise look up again and again.
type derived struct {
	sessions map[string]*session
	waiting  map[string]int  // executions that wait for room, by class
	queued   int             // sum of waiting
	gated    map[string]int  // executions that wait for a place, by concurrency key
	fronts   fronts          // of both
	ajar     map[string]bool // gates to be looked at
	answers  answers
	loading  *store.Loading // nil unless a restore is under way
}

type session struct {
	*store.Session
	handlers map[string]bool
	load     int64 // attempts this incarnation holds
}

func newFSM(st *store.Store, onApply func(*Effects), log *slog.Logger) *fsm {
	if onApply == nil {
		onApply = func(*Effects) {}
	}
	f := &fsm{st: st, onApply: onApply, log: log, level: Level, stopCh: make(chan struct{})}
	if err := f.reload(); err != nil {
		f.stop(err)
	}
	f.applied.advance(st.Index())
	return f
}

// stopped tells why the FSM applies nothing any more, nil while it does.
func (f *fsm) stopped() error {
	if p := f.stopErr.Load(); p != nil {
		return *p
	}
	return nil
}

// stop ends Apply for good without advancing the applied index: the host goes
// on, this node does not.
func (f *fsm) stop(err error) {
	f.stopOnce.Do(func() {
		f.stopErr.Store(&err)
		close(f.stopCh)
		if !f.closing.Load() {
			f.log.Error("chronos: state machine stopped", "error", err)
		}
	})
}

// close lets an Apply that waits for disk space give up.
func (f *fsm) close() {
	f.closing.Store(true)
	f.stop(ErrClosed)
}

// Apply implements raft.FSM.
func (f *fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	for i := 0; i < len(logs); {
		n, err := f.applySome(logs[i:], out[i:])
		if err != nil {
			f.stop(err)
			for j := i; j < len(logs); j++ {
				out[j] = &entryResult{err: f.stopped()}
			}
			break
		}
		i += n
	}
	return out
}

// applySome applies entries from the front of logs in one transaction, as
// many as fit, and says how many those were.
func (f *fsm) applySome(logs []*raft.Log, out []any) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("raftfsm: apply panicked: %v\n%s", r, debug.Stack())
		}
	}()
	if err := f.stopped(); err != nil {
		return 0, err
	}
	tx := f.st.Begin()
	defer tx.Discard()
	eff := &Effects{}
	if n, err = f.fill(tx, eff, logs, out); err != nil {
		return 0, err
	}
	eff.LogTime = tx.Applied().GetLogTime()
	if err := f.commit(tx); err != nil {
		return 0, err
	}
	if f.trail != nil {
		f.trail.add(f.st.Applied())
	}
	f.onApply(eff)
	f.applied.advance(logs[n-1].Index)
	return n, nil
}

// fill applies entries from the front of logs to a transaction, as many as it may
// hold.
func (f *fsm) fill(tx *store.Tx, eff *Effects, logs []*raft.Log, out []any) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n < len(logs) {
		l := logs[n]
		res, err := f.applyEntry(tx, eff, l)
		if err != nil {
			return 0, fmt.Errorf("raftfsm: entry %d: %w", l.Index, err)
		}
		out[n] = res
		n++
		if cells, bytes := tx.Size(); cells >= commitCells || bytes >= commitBytes || f.checkpoint(l.Index) {
			break
		}
	}
	return n, nil
}

// checkpoint tells if a commit has to end with an entry, on every node.
func (f *fsm) checkpoint(index uint64) bool { return f.trail != nil && index%checkpointEvery == 0 }

// commit waits for room on a full disk: the entry is in the log already, so it
// cannot be refused any more, and skipping it would be a hole.
func (f *fsm) commit(tx *store.Tx) error {
	for {
		err := tx.Commit()
		if !errors.Is(err, store.ErrDiskFull) {
			return err
		}
		select {
		case <-f.stopCh:
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (f *fsm) applyEntry(tx *store.Tx, eff *Effects, l *raft.Log) (*entryResult, error) {
	applied := tx.Applied()
	if l.Index <= applied.GetIndex() {
		return &entryResult{}, nil // the view held it before the restart
	}
	applied.Index, applied.Term = l.Index, l.Term
	if l.Type != raft.LogCommand {
		return &entryResult{}, nil
	}
	batch, err := decodeBatch(l.Data)
	if err != nil {
		return nil, err
	}
	if err := validateBatch(batch); err != nil {
		return nil, err
	}
	e := &entry{f: f, tx: tx, eff: eff, index: l.Index, applied: applied}
	res := &entryResult{results: make([]*Result, len(batch.Commands))}
	for i, c := range batch.Commands {
		if res.results[i], err = e.command(c); err != nil {
			return nil, err
		}
		res.results[i].Index = l.Index
	}
	if err := e.settle(); err != nil {
		return nil, err
	}
	return res, e.remember()
}

// reload derives the memory part from the store, after opening and after a
// restore.
func (f *fsm) reload() error {
	d := derived{
		sessions: map[string]*session{},
		waiting:  map[string]int{},
		gated:    map[string]int{},
		fronts:   fronts{},
		ajar:     map[string]bool{},
		answers:  newAnswers(),
	}
	err := f.st.View(func(r *store.Reader) (err error) {
		if d.loading, err = r.Loading(); err != nil {
			return err
		}
		err = r.Sessions(func(node string, s *store.Session) (bool, error) {
			d.sessions[node] = newSession(s)
			return true, nil
		})
		if err != nil {
			return err
		}
		err = r.Active("", "", "", func(_, _ string, a *store.Active) (bool, error) {
			if s := d.sessions[a.Node]; s != nil && s.Incarnation == a.Incarnation {
				s.load++
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		err = r.Waiting("", func(w store.WaitingEntry) (bool, error) {
			d.fronts.join(w)
			if key, ok := strings.CutPrefix(w.Class, gatePrefix); ok {
				d.gated[key]++
				d.ajar[key] = true
				return true, nil
			}
			d.waiting[w.Class]++
			d.queued++
			return true, nil
		})
		if err != nil {
			return err
		}
		return r.Results(func(index uint64, a *store.Answers) (bool, error) {
			d.answers.add(index, a)
			return true, nil
		})
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.derived = d
	return nil
}

func newSession(s *store.Session) *session {
	out := &session{Session: s, handlers: map[string]bool{}}
	for _, h := range s.Handlers {
		out.handlers[h] = true
	}
	return out
}
