package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"google.golang.org/protobuf/proto"
)

// A restore to disk goes through a smaller memtable than normal work, because Badger
// keeps the buffers of the last eight that it wrote out; afterwards it is opened again
// with that of normal work. In memory there is only one opening, and what a flush
// writes at once has to fit. A transaction must have room for one record of the largest
// size on top of restoreBytes.
const (
	restoreTable = memTableSize / 2
	restoreCells = 4_000
	restoreBytes = 160 << 10
)

// Restore replaces the state by a snapshot's. The snapshot goes into a new
// generation, is checked on the way in and again on disk, made durable, and
// only then does CURRENT change, by one rename: an error or a kill at any
// moment leaves the state that was there. Views that are open stay on the old
// generation; it is removed when the last of them has ended. The store keeps
// its own log ID, if it has one. No transaction may be open.
func (s *Store) Restore(r io.Reader) error {
	s.exclusive.Lock()
	defer s.exclusive.Unlock()
	if !s.txOpen.CompareAndSwap(false, true) {
		return errTxOpen
	}
	defer s.txOpen.Store(false)
	old, err := s.pin()
	if err != nil {
		return err
	}
	defer old.leave()
	in, err := openSnapshot(r)
	if err != nil {
		return err
	}
	if id := s.LogID(); id != "" {
		in.format.LogId = id
	}
	g, err := s.build(in)
	if err != nil {
		return err
	}
	if err := s.publish(g); err != nil {
		return err
	}
	s.swap(old, g, in)
	return s.step("swap")
}

// step lets a test fail a restore where it likes.
func (s *Store) step(name string) error {
	if s.opts.failpoint == nil {
		return nil
	}
	return s.opts.failpoint(name)
}

// build makes the new generation, durable and checked. On an error nothing of
// it is left, as far as removing is possible; Open sweeps the rest.
func (s *Store) build(in *snapshotReader) (g *generation, err error) {
	name, dir := "memory", ""
	if !s.opts.InMemory {
		if name, err = s.layout.nextGeneration(); err != nil {
			return nil, err
		}
		dir = s.layout.gen(name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	}
	defer func() {
		switch {
		case err == nil:
		case g != nil:
			s.discard(g)
			g = nil
		case dir != "":
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	// While it is filled nothing of it needs to be durable.
	loose := s.opts
	loose.NoSync = true
	if dir != "" {
		loose.memTable = restoreTable
	}
	if g, err = s.startGeneration(name, dir, loose); err != nil {
		return g, err
	}
	if err = s.fill(g, in); err != nil {
		return g, err
	}
	if dir != "" {
		if g, err = s.harden(g); err != nil {
			return g, err
		}
	}
	return g, s.readBack(g)
}

// fill writes all records and then, behind them, the engine's own.
func (s *Store) fill(g *generation, in *snapshotReader) error {
	if err := s.step("fill"); err != nil {
		return err
	}
	for done := false; !done; {
		if s.ctx.Err() != nil {
			return ErrClosed
		}
		if err := s.checkRoom(g); err != nil {
			return err
		}
		var err error
		if done, err = fillSome(g, in); err != nil {
			return err
		}
	}
	if err := s.step("meta"); err != nil {
		return err
	}
	return g.write(func() error { return writeMeta(g.db, in.format, in.applied) })
}

func fillSome(g *generation, in *snapshotReader) (done bool, err error) {
	w := g.db.NewTransaction(true)
	defer w.Discard()
	size := 0
	for cells := 0; cells < restoreCells && size < restoreBytes; cells++ {
		key, value, err := in.next()
		if err != nil {
			return false, err
		}
		if done = key == nil; done {
			break
		}
		both := append(bytes.Clone(key), value...)
		if err := w.Set(both[:len(key):len(key)], both[len(key):]); err != nil {
			return false, err
		}
		size += len(both) + cellCost
	}
	if err := g.write(w.Commit); err != nil {
		return false, err
	}
	if g.files != nil {
		return done, g.files.settle(size)
	}
	return done, nil
}

// harden closes the new generation, which writes out what is in memory, syncs
// every file of it, and opens it as it will be used.
func (s *Store) harden(g *generation) (*generation, error) {
	if err := s.step("close"); err != nil {
		return g, err
	}
	if err := s.stopGeneration(g); err != nil {
		return nil, err
	}
	if err := s.step("sync"); err != nil {
		return nil, err
	}
	if err := syncTree(g.dir); err != nil {
		return nil, err
	}
	return s.startGeneration(g.name, g.dir, s.opts)
}

// readBack verifies what is on disk, not what went in.
func (s *Store) readBack(g *generation) error {
	if err := s.step("verify"); err != nil {
		return err
	}
	r, err := s.newReader(g)
	if err != nil {
		return err
	}
	defer r.view.release()
	return r.verify(s.ctx)
}

// publish makes the new generation the one that a start would open.
func (s *Store) publish(g *generation) error {
	err := s.step("current")
	if err == nil && g.dir != "" {
		if err = s.layout.setCurrent(g.name); err != nil {
			// Which generation a start would find is open now.
			err = s.fail(err)
		}
	}
	if err != nil && s.failure() == nil {
		s.discard(g)
	} else if err != nil {
		err = errors.Join(err, s.stopGeneration(g))
	}
	return err
}

// swap makes the new generation the live one and sees the old one off.
func (s *Store) swap(old, g *generation, in *snapshotReader) {
	if g.mark != nil {
		g.mark.set(in.applied.Index)
	}
	s.mu.Lock()
	s.gen = g
	s.mu.Unlock()
	s.applied.Store(proto.CloneOf(in.applied))
	s.logID.Store(&in.format.LogId)
	s.discard(old)
	s.log.Info("store: restored a snapshot", "index", in.applied.Index, "records", in.applied.Records,
		"generation", g.name)
}

// discard closes and deletes a generation when nobody reads it any more: at
// once if that is now, beside the work otherwise.
func (s *Store) discard(g *generation) {
	g.retire()
	select {
	case <-g.idle:
		if s.roomToClose(g) == nil {
			s.remove(g)
			return
		}
	default:
	}
	s.wg.Go(func() {
		<-g.idle
		// Badger writes out its memtable even now. When the store is closed
		// before there is room for that, the next Open sweeps what is left.
		for s.roomToClose(g) != nil {
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		s.remove(g)
	})
}

func (s *Store) roomToClose(g *generation) error {
	if s.guard == nil {
		return nil
	}
	return s.guard.checkLast(g.files.unwritten() + int64(g.pending.room()))
}

func (s *Store) remove(g *generation) {
	err := s.stopGeneration(g)
	if g.dir != "" {
		err = errors.Join(err, os.RemoveAll(g.dir))
	}
	if err != nil {
		s.log.Warn("store: removing a generation", "dir", g.dir, "error", err)
	}
}
