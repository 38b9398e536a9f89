package store

import (
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Flush writes to Badger what was committed before: it is there without the log
// when this returns. On ErrDiskFull nothing was touched.
func (s *Store) Flush() error { return s.flushNow(awaited) }

// urgency is who waits for a flush.
type urgency uint8

const (
	awaited urgency = iota // somebody does
	patient                // nobody: it gives way to what is more urgent
	last                   // Close, which has looked whether there is room
)

func (s *Store) flushNow(u urgency) error {
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
	if u == patient && s.opts.Busy != nil {
		g.yield(s, flushAhead, time.Now().Add(flushPatience))
	}
	return s.flush(g, u)
}

// How long a flush gives way to what is more urgent, and how far that lies ahead: what
// Badger does in the background when a flush has ended takes longer than a part of it.
const (
	flushPatience = time.Second
	flushAhead    = 400 * time.Millisecond
	partAhead     = 50 * time.Millisecond
	yieldPause    = 5 * time.Millisecond
)

// yield waits while there is something more urgent, unless somebody waits for the flush or
// for what it holds.
func (g *generation) yield(s *Store, ahead time.Duration, until time.Time) {
	for s.opts.Busy(ahead) && time.Now().Before(until) && !g.pending.crowded() && g.wanted.Load() == 0 {
		select {
		case <-time.After(yieldPause):
		case <-s.ctx.Done():
			return
		}
	}
}

// flush writes what is pending in a generation when it begins. Whoever waited while
// another one failed writes nothing: a part of what he would write upon may be missing.
func (s *Store) flush(g *generation, u urgency) error {
	return g.write(func() error {
		g.urgency, g.patience = u, time.Now().Add(flushPatience)
		for {
			if err := s.failure(); err != nil {
				return err
			}
			layers, all := g.pending.freeze()
			if len(layers) == 0 {
				return nil
			}
			if err := s.flushLayers(g, flatten(layers)); err != nil || all {
				return err
			}
		}
	})
}

func (s *Store) flushLayers(g *generation, l *layer) error {
	if err := s.writeLayer(g, l); err != nil {
		if errors.Is(err, ErrDiskFull) {
			return s.refuse(err)
		}
		// Badger has put the writes in its memtable before it could not sync
		// them: what a restart will find is open.
		return s.fail(err)
	}
	if g.mark != nil {
		g.mark.set(l.applied.Index)
	}
	b, err := openBase(g.db)
	if err != nil {
		return s.fail(err)
	}
	g.pending.written(b)
	return nil
}

func (s *Store) writeLayer(g *generation, l *layer) error {
	format := &Format{Version: formatOf(l.applied), LogId: s.LogID()}
	if g.torn != nil || l.large() {
		return s.writeLarge(g, l, format)
	}
	if err := g.writeLayer(l, format); err != nil {
		return err
	}
	return g.settle(l.bytes)
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
		m   Message
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
const flushDelay = 3 * time.Second

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
			err := s.flushNow(patient)
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
