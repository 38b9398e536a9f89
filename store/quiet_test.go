package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
