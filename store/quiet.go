package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// On a full disk it is not enough to write nothing more: Badger still writes
// out memtables and compacts, through memory maps, in goroutines of its own,
// and a neighbour that takes the last block under one of those ends the
// process. So a generation can be made quiet, until there is room again. And
// one that has nothing to write dozes in the same way: Badger's compactors look
// for work twenty times a second each, which is most of what an idle host spends.

// write runs fn, which commits to Badger, while nothing makes it quiet. It
// does not wait for what makes it quiet, which on a disk that is really full
// can take until there is room.
func (g *generation) write(fn func() error) error {
	if g.hushing.Load() {
		return fmt.Errorf("%w: Badger is being stopped", ErrDiskFull)
	}
	g.lock()
	defer g.writing.Unlock()
	if g.shut {
		return ErrClosed
	}
	g.wakeLocked()
	defer func() { g.wrote = time.Now() }()
	return fn()
}

// lock takes writing, and says so to a flush that would give way to others.
func (g *generation) lock() {
	g.wanted.Add(1)
	defer g.wanted.Add(-1)
	g.writing.Lock()
}

// hush waits for what Badger is writing in the background and lets it begin
// nothing new. Reads go on. Badger offers this as the preparation of a stream
// writer, which stops writes, flushes and compactions and then complains that
// there is data; it must find some in the memtable, or it would compact first.
func (g *generation) hush(format func() *Format) error {
	g.hushing.Store(true)
	defer g.hushing.Store(false)
	g.lock()
	defer g.writing.Unlock()
	err := g.quietLocked(format)
	g.noRoom.Store(g.quiet != nil)
	return err
}

func (g *generation) quietLocked(format func() *Format) error {
	if g.quiet != nil || g.shut || g.files == nil {
		return nil
	}
	if err := writeMeta(g.db, format(), nil); err != nil {
		return err
	}
	w := g.db.NewStreamWriter()
	if err := w.PrepareIncremental(); errors.Is(err, badger.ErrBlockedWrites) {
		return err // somebody else stops writes, and nothing else has stopped
	}
	g.quiet = w
	return nil
}

// dozeAfter is for how long nothing is written before a generation dozes: longer than
// flushDelay, so that it does not between two flushes.
const dozeAfter = 5 * time.Second

// formatSize bounds what the record of a format takes in Badger.
const formatSize = 256

// doze makes a generation quiet until the next write, if there was none for a while and
// the compactors have nothing to begin with.
func (g *generation) doze(format func() *Format) error {
	if !g.writing.TryLock() {
		return nil
	}
	defer g.writing.Unlock()
	if g.quiet != nil || g.shut || time.Since(g.wrote) < dozeAfter || toCompact(g.db.Levels()) {
		return nil
	}
	if g.files == nil || g.files.ready() != nil {
		return nil
	}
	if err := g.quietLocked(format); err != nil {
		return err
	}
	return g.settle(formatSize)
}

// toCompact tells if Badger's compactors have something to do: the first of them takes on
// level 0 whatever its adjusted score.
func toCompact(levels []badger.LevelInfo) bool {
	return slices.ContainsFunc(levels, func(l badger.LevelInfo) bool {
		return l.Adjusted >= 1 || l.Level == 0 && l.Score >= 1
	})
}

// wake lets Badger work again where there is room again.
func (g *generation) wake() {
	if !g.noRoom.Load() && !g.hushing.Load() {
		return
	}
	g.lock()
	defer g.writing.Unlock()
	g.wakeLocked()
}

func (g *generation) wakeLocked() {
	if g.quiet != nil {
		g.quiet.Cancel()
		g.quiet, g.wrote = nil, time.Now()
		g.noRoom.Store(false)
	}
}

// startWatch looks at the disk more often the less room there is: a neighbour
// may fill it while this store has nothing to commit. It also sees when that is
// so for long.
func (s *Store) startWatch() {
	if s.guard == nil || s.opts.NoCompaction {
		return
	}
	s.wg.Go(func() {
		t := time.NewTimer(0)
		defer t.Stop()
		for {
			select {
			case <-s.ctx.Done():
				return
			case <-t.C:
			case <-s.refused:
			}
			t.Reset(s.watch())
		}
	})
}

// refuse tells the watch, without waiting, that a write found no room.
func (s *Store) refuse(err error) error {
	select {
	case s.refused <- struct{}{}:
	default:
	}
	return err
}

// watch looks once and answers when to look again.
func (s *Store) watch() time.Duration {
	full := s.guard.Check() != nil
	for _, g := range s.running() {
		if err := s.calm(g, full); err != nil {
			_ = s.fail(err)
		}
	}
	return s.guard.patience()
}

// calm has Badger do in a generation what there is room and need for.
func (s *Store) calm(g *generation, full bool) error {
	if full {
		return g.hush(s.format)
	}
	g.wake()
	if !s.lives(g) {
		return nil
	}
	err := g.doze(s.format)
	g.letGo()
	return err
}
