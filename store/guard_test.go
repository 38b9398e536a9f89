package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// disk is a volume whose free space a test sets.
type disk struct{ free atomic.Int64 }

func newDisk(free int64) *disk {
	d := &disk{}
	d.free.Store(free)
	return d
}

func (d *disk) space(string) (free, total uint64, err error) {
	return uint64(d.free.Load()), 10 << 30, nil
}

func guardOn(t *testing.T, dir string, d *disk) *Guard {
	t.Helper()
	g, err := NewGuard(dir, GuardOptions{Free: d.space, Reserve: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGuard(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(1 << 30)
	g := guardOn(t, dir, d)
	reserve := func() int64 {
		info, err := os.Stat(filepath.Join(dir, nameReserve))
		if err != nil {
			return 0
		}
		return info.Size()
	}
	const floor, back = roomyFloor, roomyFloor + 1<<20
	steps := []struct {
		free    int64
		full    bool
		reserve int64
	}{
		{1 << 30, false, 1 << 20},
		{floor, false, 1 << 20},
		{floor - 1, true, 0},
		{floor, true, 0}, // the reserve's own bytes do not count as room
		{back - 1, true, 0},
		{back, false, 1 << 20},
		{0, true, 0},
		{1 << 30, false, 1 << 20},
	}
	for i, step := range steps {
		d.free.Store(step.free)
		err := g.Check()
		if errors.Is(err, ErrDiskFull) != step.full || (err != nil) != step.full || g.Full() != step.full || reserve() != step.reserve {
			t.Errorf("step %d: %v, reserve %d", i, err, reserve())
		}
		if step.full && (!strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "needs 385 MiB")) {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if again := guardOn(t, dir, d); !again.held {
		t.Error("the reserve of an earlier run is not recognised")
	}
}

func TestGuardScales(t *testing.T) {
	small := func(string) (uint64, uint64, error) { return 64 << 20, 128 << 20, nil }
	g, err := NewGuard(t.TempDir(), GuardOptions{Free: small})
	if err != nil || g.floor != 64<<20 || g.reserve != 4<<20 {
		t.Fatal(g.floor, g.reserve, err)
	}
	if g.roomy() {
		t.Error("large compactions on a small volume")
	}
	medium := func(string) (uint64, uint64, error) { return 4 << 30, roomyVolume - 1, nil }
	if g, err = NewGuard(t.TempDir(), GuardOptions{Free: medium}); err != nil || g.floor != defaultFloor || g.roomy() {
		t.Fatal(g.floor, err)
	}
	large := func(string) (uint64, uint64, error) { return 4 << 30, roomyVolume, nil }
	if g, err = NewGuard(t.TempDir(), GuardOptions{Free: large}); err != nil || g.floor != roomyFloor || !g.roomy() {
		t.Fatal(g.floor, err)
	}
	if g, err = NewGuard(t.TempDir(), GuardOptions{}); err != nil || g.floor > roomyFloor {
		t.Fatal(g.floor, err)
	}
}

// TestFill writes the reserve the slow way.
func TestFill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	if err := fill(path, 100_001); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 100_001 {
		t.Fatal(info, err)
	}
}

// commitSoon commits as the state machine does: again while it is refused.
func commitSoon(t *testing.T, tx *Tx) {
	t.Helper()
	for range 100 {
		err := tx.Commit()
		if err == nil {
			return
		}
		if !errors.Is(err, ErrDiskFull) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("refused with room on the disk")
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(1 << 30)
	o := Options{Dir: dir, Guard: guardOn(t, dir, d)}
	s := open(t, o)
	jobs(t, s, 0, 10)
	before := dump(t, s)
	stream := snapshotOf(t, s)

	d.free.Store(1 << 20)
	tx := s.Begin()
	if err := tx.PutJob("late", &Job{Version: 1}); err != nil {
		t.Fatal(err)
	}
	tx.Applied().Index = 9
	for range 3 {
		if err := tx.Commit(); !errors.Is(err, ErrDiskFull) {
			t.Fatal(err)
		}
		if dump(t, s) != before || s.Applied().Index != 1 {
			t.Fatal("a refused commit left a trace")
		}
	}
	if err := s.SetLogID("x"); !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	d.free.Store(1 << 30)
	commitSoon(t, tx)
	if s.Applied().Index != 9 || s.Applied().Records != 11 {
		t.Fatal(s.Applied())
	}
	before = dump(t, s)
	d.free.Store(1 << 20)
	if err := s.Restore(bytes.NewReader(stream)); !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	if dump(t, s) != before {
		t.Fatal("a refused restore left a trace")
	}
	d.free.Store(1000)
	if err := s.Close(); !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	if _, err := s.pin(); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	d.free.Store(8 << 20) // below the floor, but enough to end with
	closeStore(t, s)
	if _, err := Open(o); !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	d.free.Store(1 << 30)
	if s = open(t, o); dump(t, s) != before || s.Unclean() {
		t.Fatal("other state after the disk was full")
	}
}

// TestAllocation: what Badger maps has blocks under it, after a rotation too.
func TestAllocation(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir, NoSync: true})
	start := s.gen.files.rotated()
	for i := 0; s.gen.files.rotated() == start; i++ {
		if i > 300 {
			t.Fatal("no rotation")
		}
		jobs(t, s, i*1000, 1000)
	}
	mem := s.gen.files.mem(start)
	info, err := os.Stat(mem)
	if err != nil {
		t.Fatal(err)
	}
	if blocks, ok := blocksOf(info); ok && blocks < memAllocate {
		t.Errorf("%s has %d bytes of blocks, wants %d", mem, blocks, memAllocate)
	}
	if s.gen.files.missing != "" {
		t.Error("allocation is still owed")
	}
}

// TestFullDiskAtClose: there has to be room for what Badger writes out after the last
// flush, not only for the flush.
func TestFullDiskAtClose(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(1 << 30)
	o := Options{Dir: dir, Guard: guardOn(t, dir, d)}
	s := open(t, o)
	for n := range 3 {
		jobs(t, s, n*1_000, 1_000)
	}
	g := s.live()
	d.free.Store(g.files.unwritten() + int64(g.pending.size()))
	if err := s.Close(); !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	if n := g.pending.size(); n > 0 {
		t.Errorf("%d bytes were not flushed", n)
	}
	d.free.Store(1 << 30)
	closeStore(t, s)
	if s = open(t, o); s.Index() != 3 || s.Unclean() {
		t.Fatal(s.Index(), s.Unclean())
	}
}
