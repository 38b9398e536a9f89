package store

import (
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"
)

// Flush writes to Badger what was committed before: it is there without the log
// when this returns. On ErrDiskFull nothing was touched.
func (s *Store) Flush() error {
	g, err := s.pin()
	if err != nil {
		return err
	}
	defer g.leave()
	if err := s.failure(); err != nil {
		return err
	}
	if err := s.checkRoom(g); err != nil {
		return err
	}
	return s.flush(g)
}

// flush writes all that is pending in a generation. Whoever waited while another one
// failed writes nothing: a part of what he would write upon may be missing.
func (s *Store) flush(g *generation) error {
	return g.write(func() error {
		for {
			if err := s.failure(); err != nil {
				return err
			}
			more, err := s.flushSome(g)
			if err != nil || !more {
				return err
			}
		}
	})
}

// flushSome writes as many layers as fit one transaction of Badger.
func (s *Store) flushSome(g *generation) (more bool, err error) {
	layers := g.pending.freeze()
	if len(layers) == 0 {
		return false, nil
	}
	all := flatten(layers)
	write := g.writeLayer
	if all.large() {
		write = g.writeLarge
	}
	if err := write(all, &Format{Version: formatOf(all.applied), LogId: s.LogID()}); err != nil {
		// Badger has put the writes in its memtable before it could not sync
		// them: what a restart will find is open.
		return false, s.fail(err)
	}
	if err := g.committed(all.applied.Index, all.bytes); err != nil {
		return false, s.fail(err)
	}
	b, err := openBase(g.db)
	if err != nil {
		return false, s.fail(err)
	}
	g.pending.written(b)
	return true, nil
}

func (g *generation) writeLayer(l *layer, format *Format) error {
	w := g.db.NewTransaction(true)
	defer w.Discard()
	for i := range l.changes {
		if err := stage(w, &l.changes[i]); err != nil {
			return err
		}
	}
	if err := stageMeta(w, format, l.applied); err != nil {
		return err
	}
	return w.Commit()
}

func stage(w *badger.Txn, c *delta) error {
	switch {
	case c.value != nil:
		return w.Set(c.key, c.value)
	case c.had:
		return w.Delete(c.key)
	}
	return nil
}

// stageMeta writes the engine's own records.
func stageMeta(w *badger.Txn, format *Format, applied *Applied) error {
	for _, m := range []struct {
		key []byte
		m   proto.Message
		on  bool
	}{{keyFormat, format, format != nil}, {keyApplied, applied, applied != nil}} {
		if !m.on {
			continue
		}
		value, err := seal(m.key, m.m)
		if err != nil {
			return err
		}
		if err := w.Set(m.key, value); err != nil {
			return err
		}
	}
	return nil
}

// flushDelay is how long a commit is pending at the most, on a disk with room. It bounds
// what a start after a crash applies again, and what is lost with a log that is lost.
const flushDelay = time.Second

// startFlusher writes what is pending: when a commit finds that it is enough, and some
// time after the first.
func (s *Store) startFlusher() {
	s.wg.Go(func() {
		t := time.NewTimer(flushDelay)
		defer t.Stop()
		armed := true
		for {
			select {
			case <-s.ctx.Done():
				return
			case <-s.dirty:
				if !armed {
					t.Reset(flushDelay)
					armed = true
				}
				continue
			case <-t.C:
				armed = false
			case <-s.enough:
			}
			err := s.Flush()
			switch {
			case err == nil, errors.Is(err, ErrClosed):
			case errors.Is(err, ErrDiskFull): // there may be room soon, and no commit
				t.Reset(flushDelay)
				armed = true
			default:
				s.log.Error("store: what was committed could not be written", "dir", s.layout.state, "error", err)
			}
		}
	})
}
