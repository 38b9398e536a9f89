package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// footprints is names, sizes and times of a generation's files.
func footprints(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // removed since: the next look shows another list
		}
		fmt.Fprintln(&b, e.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

func (g *generation) hushed() bool {
	g.writing.Lock()
	defer g.writing.Unlock()
	return g.quiet != nil
}

// rotated counts the .mem files that Badger has had.
func (m *mapped) rotated() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.next
}

// TestQuiet: on a full disk Badger touches no file, whatever it still had to
// do; reads go on; with room everything goes on. This is what shows that the
// Badger of go.mod still stops the way hush relies on.
func TestQuiet(t *testing.T) {
	dir := fastDir(t)
	d := newDisk(1 << 40)
	o := Options{Dir: dir, Guard: guardOn(t, dir, d), NoSync: true}
	s := open(t, o)
	n := 0
	for ; s.gen.files.rotated() < 6; n++ { // leave work for the background
		jobs(t, s, n*2000, 2000)
	}
	d.free.Store(1)
	for s.watch(); !s.gen.hushed(); s.watch() {
	}
	before := footprints(t, s.gen.dir)
	for range 8 {
		tx := s.Begin()
		if err := tx.Commit(); !errors.Is(err, ErrDiskFull) {
			t.Fatal(err)
		}
		tx.Discard()
		time.Sleep(50 * time.Millisecond)
		if after := footprints(t, s.gen.dir); after != before {
			t.Fatalf("Badger has gone on:\n%s\n%s", before, after)
		}
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.free.Store(1 << 40)
	commitSoon(t, s.Begin())
	jobs(t, s, 0, 10)
	for range 8 {
		jobs(t, s, n*2000, 2000)
		n++
	}
	d.free.Store(1)
	s.watch()
	d.free.Store(1 << 40) // closes from quiet
	closeStore(t, s)
	if s = open(t, o); s.Unclean() {
		t.Fatal("unclean")
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if files, err := filepath.Glob(filepath.Join(s.gen.dir, "*.sst")); err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
}

// idleFor has it seem that nothing was written for long.
func (g *generation) idleFor(d time.Duration) {
	g.writing.Lock()
	defer g.writing.Unlock()
	g.wrote = time.Now().Add(-d)
}

// size is what was written to the newest .mem file.
func (m *mapped) size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.written
}

// TestDozeOnlyLive: a generation that is not the one that is read, because it is being built
// or was given up, does not doze.
func TestDozeOnlyLive(t *testing.T) {
	dir := fastDir(t)
	s := open(t, Options{Dir: dir, Guard: guardOn(t, dir, newDisk(1<<40)), NoSync: true})
	other := open(t, Options{Dir: fastDir(t), NoSync: true, NoCompaction: true}).gen // no watch of its own has it doze
	other.idleFor(dozeAfter)
	if err := s.calm(other, false); err != nil || other.hushed() {
		t.Errorf("dozes: %v, %v", other.hushed(), err)
	}
}

// TestDoze: Badger does nothing while there is nothing to write, once its compactors have
// come to an end; reads go on, and the next write wakes it.
func TestDoze(t *testing.T) {
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(1 << 40)
		s := open(t, Options{Dir: dir, Guard: guardOn(t, dir, d), NoSync: true})
		time.Sleep(time.Second / 2) // its own watch looks at full seconds
		for n := 0; s.gen.files.rotated() < 4; n++ {
			jobs(t, s, n*2000, 2000)
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		rotated, written := s.gen.files.rotated(), s.gen.files.size()
		for !s.gen.hushed() { // its own watch has it doze, after the compactors
			time.Sleep(time.Second)
		}
		if since := time.Since(begun); since < dozeAfter {
			t.Errorf("dozes %v after a write", since)
		}
		if s.gen.files.rotated() == rotated && s.gen.files.size() <= written {
			t.Error("what it has written is not counted")
		}
		if toCompact(s.gen.db.Levels()) {
			t.Error("dozes while there is something to compact")
		}
		before := footprints(t, s.gen.dir)
		for range 4 {
			time.Sleep(5 * time.Second) // there is room: that wakes nothing
			if after := footprints(t, s.gen.dir); after != before || !s.gen.hushed() {
				t.Fatalf("Badger has gone on:\n%s\n%s", before, after)
			}
		}
		if err := s.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		jobs(t, s, 0, 10)
		if err := s.Flush(); err != nil || s.gen.hushed() {
			t.Fatal("a write does not wake it:", err)
		}
		for !s.gen.hushed() {
			time.Sleep(time.Second)
		}
		d.free.Store(1) // the disk fills while it dozes, and has room again
		s.watch()
		if !s.gen.hushed() || !s.gen.noRoom.Load() {
			t.Fatal("not quiet on a full disk")
		}
		d.free.Store(1 << 40)
		if s.watch(); s.gen.hushed() {
			t.Fatal("still quiet, and there is room")
		}
		for !s.gen.hushed() {
			time.Sleep(time.Second)
		}
		closeStore(t, s) // while it dozes
		if s = open(t, Options{Dir: dir, NoSync: true}); s.Unclean() {
			t.Fatal("unclean")
		}
		if err := s.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// drowsy is a store with some tables that dozes as soon as calm is asked, and by nobody else.
// It is for a bubble of synctest.
func drowsy(t *testing.T, dir string, tables int) *Store {
	t.Helper()
	s := open(t, Options{Dir: dir, Guard: guardOn(t, dir, newDisk(1<<40)), NoSync: true, NoCompaction: true})
	for n := 0; len(s.gen.db.Tables()) < tables; n++ {
		jobs(t, s, n*2000, 2000)
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // for Badger's own flush
	}
	time.Sleep(2 * dozeAfter) // longer than until the last flush of the store's own
	return s
}

// TestDozeToCompact: a generation does not doze while its compactors have something to begin with.
func TestDozeToCompact(t *testing.T) {
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		s := drowsy(t, dir, 5)
		if !toCompact(s.gen.db.Levels()) {
			t.Fatal("nothing to compact")
		}
		if err := s.calm(s.gen, false); err != nil || s.gen.hushed() {
			t.Errorf("dozes: %v, %v", s.gen.hushed(), err)
		}
	})
}

func TestToCompact(t *testing.T) {
	for _, c := range []struct {
		level           int
		score, adjusted float64
		want            bool
	}{
		{0, 0, 0, false}, {0, 1, 0.5, true}, {0, 1, 100, true}, {3, 1.2, 0.9, false}, {3, 1.2, 1, true},
	} {
		levels := []badger.LevelInfo{{Level: 5}, {Level: c.level, Score: c.score, Adjusted: c.adjusted}}
		if got := toCompact(levels); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
