package chronos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// A backup comes in through the log, part by part, like everything else: so all
// nodes have it, whoever leads meanwhile.
const (
	partBytes   = 256 << 10
	partRecords = 1_000
	loadTries   = 12 // of a part, each with the patience of any write
)

// loader sends the records of a settled state.
type loader struct {
	s    *Scheduler
	body *raftfsm.Load
	size int
}

// load commits all records, or none in the end.
func (s *Scheduler) load(ctx context.Context, scratch *store.Store, sequence uint64) error {
	id, err := commandID()
	if err != nil {
		return err
	}
	l := &loader{s: s, body: &raftfsm.Load{Restore: id[:], Node: s.options.Node, Incarnation: s.incarnation.Load()}}
	err = scratch.View(func(r *store.Reader) error {
		return r.Loadable(func(key, payload []byte) error { return l.add(ctx, key, payload) })
	})
	if err == nil {
		l.body.Last, l.body.Sequence = true, sequence
		err = l.send(ctx)
	}
	if err == nil {
		return nil
	}
	cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if cleaned := s.unload(cleaning, id[:]); cleaned != nil {
		s.log.Warn("chronos: what a failed restore has left could not be taken away yet", "error", cleaned)
	}
	return fmt.Errorf("restore: %w", err)
}

func (l *loader) add(ctx context.Context, key, payload []byte) error {
	if n := len(l.body.Records); n > 0 && (n == partRecords || l.size+len(key)+len(payload) > partBytes) {
		if err := l.send(ctx); err != nil {
			return err
		}
	}
	l.body.Records = append(l.body.Records, &raftfsm.Loaded{Key: bytes.Clone(key), Payload: bytes.Clone(payload)})
	l.size += len(key) + len(payload)
	return nil
}

// send commits what was collected. A part that came through although its answer
// was lost is known by its number.
func (l *loader) send(ctx context.Context) error {
	id, err := commandID()
	if err != nil {
		return err
	}
	cmd := &raftfsm.Command{Id: id[:], Body: &raftfsm.Command_Load{Load: l.body}}
	for try := 1; ; try++ {
		res, err := l.s.propose(ctx, cmd)
		if errors.Is(err, ErrNoLeader) && try < loadTries && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		if err := verdict(res); err != nil {
			return err
		}
		l.body.Part++
		l.body.Records, l.size = nil, 0
		return nil
	}
}

// loading is the restore under way, nil if there is none.
func (s *Scheduler) loading() (l *store.Loading, err error) {
	err = s.node.Store().View(func(r *store.Reader) error {
		l, err = r.Loading()
		return err
	})
	return l, translate(err)
}

func restoreUnderWay(l *store.Loading, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: node %q restores a backup", ErrConflict, l.Node)
}

// lives tells if the session of whoever restores goes on.
func (s *Scheduler) lives(l *store.Loading) (lives bool) {
	err := s.node.Store().View(func(r *store.Reader) error {
		sess, err := r.Session(l.Node)
		lives = sess != nil && sess.Incarnation == l.Incarnation && !sess.Expired
		return err
	})
	return lives || err != nil
}

// sweepRestore takes away what came in of a restore whose process is gone.
func (s *Scheduler) sweepRestore(ctx context.Context) error {
	l, err := s.loading()
	if err != nil || l == nil || s.lives(l) {
		return err
	}
	s.log.Warn("chronos: a restore was given up by its node; what it had brought is taken away", "node", l.Node)
	return s.unload(ctx, l.Id)
}

// unload gives a restore up, step by step.
func (s *Scheduler) unload(ctx context.Context, id []byte) error {
	for {
		res, err := s.propose(ctx, &raftfsm.Command{Body: &raftfsm.Command_Unload{Unload: &raftfsm.Unload{Restore: id}}})
		if err != nil || res.Count == 0 {
			return err
		}
	}
}
