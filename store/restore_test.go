package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

func snapshotOf(t testing.TB, s *Store) []byte {
	t.Helper()
	sn := s.Snapshot()
	defer sn.Release()
	var b bytes.Buffer
	n, err := sn.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatal(n, b.Len(), err)
	}
	return b.Bytes()
}

// origin is a store in memory with several frames' worth of records.
func origin(t testing.TB) *Store {
	t.Helper()
	s := open(t, Options{InMemory: true})
	for i := range 5 {
		jobs(t, s, i*1000, 1000)
	}
	change(t, s, func(tx *Tx) error {
		return tx.PutJob("large", &Job{Note: strings.Repeat("0123456789", 60_000)})
	})
	change(t, s, func(tx *Tx) error { // a full transaction of a restore, and the largest record behind it
		for i := range 11 {
			if err := tx.PutJob(fmt.Sprintf("m-%02d", i), &Job{Note: strings.Repeat("x", 14_500)}); err != nil {
				return err
			}
		}
		return tx.PutJob("m-max", &Job{Note: strings.Repeat("x", MaxRecord-16)})
	})
	return s
}

func TestRestore(t *testing.T) {
	from := origin(t)
	stream := snapshotOf(t, from)
	want := dump(t, from)
	for name, o := range map[string]Options{"disk": {Dir: t.TempDir()}, "memory": {InMemory: true}} {
		t.Run(name, func(t *testing.T) {
			s := open(t, o)
			jobs(t, s, 100_000, 10)
			if err := s.SetLogID("mine"); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := s.Restore(bytes.NewReader(stream)); err != nil {
					t.Fatal(err)
				}
				if dump(t, s) != want || s.LogID() != "mine" || s.Applied().Index != 7 {
					t.Fatal("restored state differs", s.LogID(), s.Applied())
				}
			}
			jobs(t, s, 0, 1)
			if o.InMemory {
				return
			}
			closeStore(t, s)
			gens, err := s.layout.generations()
			if err != nil || len(gens) != 1 {
				t.Fatal(gens, err)
			}
			s = open(t, o)
			if err := s.Verify(t.Context()); err != nil || s.Unclean() || s.Applied().Index != 8 {
				t.Fatal(err)
			}
			if string(snapshotOf(t, s)) == string(stream) {
				t.Fatal("the last batch is missing")
			}
		})
	}
}

// TestSnapshotIsStable: what commits after Snapshot is not in it, and the same
// state gives the same stream.
func TestSnapshotIsStable(t *testing.T) {
	s := origin(t)
	want := snapshotOf(t, s)
	sn := s.Snapshot()
	jobs(t, s, 0, 500)
	var b bytes.Buffer
	if _, err := sn.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if sn.Applied().Index != 7 || !bytes.Equal(b.Bytes(), want) {
		t.Fatal("the snapshot has moved on")
	}
	sn.Release()
	sn.Release()
	if _, err := sn.WriteTo(&b); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// TestRestoreKilled takes an image at every step of a restore, as a kill at
// that moment leaves it. A start from it finds the old state or the new one.
func TestRestoreKilled(t *testing.T) {
	from := origin(t)
	stream, after := snapshotOf(t, from), dump(t, from)
	dir := t.TempDir()
	images := map[string]image{}
	o := Options{Dir: dir, Guard: noReserve(t, dir), NoCompaction: true} // nothing moves under the image
	o.failpoint = func(step string) error {
		images[step] = takeImage(t, dir)
		return nil
	}
	s := open(t, o)
	jobs(t, s, 0, 100)
	flush(t, s)
	before := dump(t, s)
	if err := s.Restore(bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	if len(images) != 7 {
		t.Fatal("steps have changed")
	}
	for step, im := range images {
		dir := fastDir(t)
		im.write(t, dir)
		s := open(t, Options{Dir: dir, Guard: noReserve(t, dir)})
		want := before
		if step == "swap" {
			want = after
		}
		if dump(t, s) != want || !s.Unclean() {
			t.Errorf("killed at %q: other state", step)
		}
		if gens, err := s.layout.generations(); err != nil || len(gens) != 1 {
			t.Errorf("killed at %q: leftovers %v %v", step, gens, err)
		}
		closeStore(t, s)
	}
}

// TestRestoreFails lets every step fail: the store goes on with what it had.
func TestRestoreFails(t *testing.T) {
	stream := snapshotOf(t, origin(t))
	boom := errors.New("boom")
	for _, memory := range []bool{false, true} {
		for _, fail := range []string{"fill", "meta", "close", "sync", "verify", "current"} {
			dir := fastDir(t)
			o := Options{Dir: dir, Guard: noReserve(t, dir), InMemory: memory}
			o.failpoint = func(step string) error {
				if step == fail {
					return boom
				}
				return nil
			}
			s := open(t, o)
			jobs(t, s, 0, 100)
			before := dump(t, s)
			if err := s.Restore(bytes.NewReader(stream)); !errors.Is(err, boom) && !(memory && err == nil) {
				t.Fatalf("%s: %v", fail, err)
			} else if err == nil {
				continue // in memory there is no such step
			}
			if dump(t, s) != before {
				t.Fatalf("%s: other state", fail)
			}
			jobs(t, s, 100, 1)
			if memory {
				continue
			}
			if gens, err := s.layout.generations(); err != nil || len(gens) != 1 {
				t.Errorf("%s: leftovers %v %v", fail, gens, err)
			}
			closeStore(t, s)
			s = open(t, Options{Dir: dir, Guard: noReserve(t, dir)})
			if s.Applied().Records != 101 {
				t.Fatalf("%s: %d records", fail, s.Applied().Records)
			}
			closeStore(t, s)
		}
	}
}

// TestRestoreBesideViews: views stay on the generation they began on.
func TestRestoreBesideViews(t *testing.T) {
	s := open(t, Options{})
	jobs(t, s, 0, 10)
	stream := snapshotOf(t, origin(t))
	sn := s.Snapshot()
	old := s.gen.dir
	err := s.View(func(r *Reader) error {
		if err := s.Restore(bytes.NewReader(stream)); err != nil {
			return err
		}
		if r.Applied().Index != 1 {
			t.Error("the view has moved")
		}
		return r.verify(t.Context())
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err != nil {
		t.Fatal("the old generation went under a snapshot")
	}
	if _, err := sn.WriteTo(io.Discard); err != nil {
		t.Fatal(err)
	}
	sn.Release()
	closeStore(t, s)
	if _, err := os.Stat(old); err == nil {
		t.Fatal("the old generation is still there")
	}
}

// reframe rewrites a stream frame by frame.
func reframe(t *testing.T, stream []byte, edit func(i int, kind byte, content []byte) (byte, []byte)) []byte {
	t.Helper()
	in := &frameReader{r: bytes.NewReader(stream)}
	var b bytes.Buffer
	out := &frameWriter{w: &b}
	if err := errors.Join(in.magic(), out.magic()); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		kind, content, err := in.next()
		if err != nil {
			t.Fatal(err)
		}
		newKind, newContent := edit(i, kind, bytes.Clone(content))
		if newKind != 0 {
			if err := out.frame(newKind, newContent); err != nil {
				t.Fatal(err)
			}
		}
		if kind == frameEnd {
			return b.Bytes()
		}
	}
}

func TestBadSnapshots(t *testing.T) {
	stream := snapshotOf(t, origin(t))
	keep := func(_ int, k byte, c []byte) (byte, []byte) { return k, c }
	if !bytes.Equal(reframe(t, stream, keep), stream) {
		t.Fatal("reframing changes the stream")
	}
	head := len(snapshotMagic) + 4
	with := func(at int, b ...byte) []byte {
		out := bytes.Clone(stream)
		copy(out[at:], b)
		return out
	}
	cases := map[string][]byte{
		"empty":            nil,
		"other magic":      with(0, 'x'),
		"garbage behind":   append(bytes.Clone(stream), 0),
		"doubled":          append(bytes.Clone(stream), stream...),
		"huge frame":       with(head+1, 0xff, 0xff, 0xff, 0xff),
		"huge stored":      with(head+5, 0xff, 0xff, 0xff, 0xff),
		"bad checksum":     with(head+9, 0, 0, 0, 0),
		"without end":      stream[:len(stream)-frameHeader-16],
		"no header":        reframe(t, stream, func(i int, k byte, c []byte) (byte, []byte) { return k * byte(min(i, 1)), c }),
		"a frame missing":  reframe(t, stream, func(i int, k byte, c []byte) (byte, []byte) { return k * byte(min(1, max(i-2, 2-i))), c }),
		"end says less":    reframe(t, stream, editEnd(func(e []byte) { e[7]-- })),
		"end says other":   reframe(t, stream, editEnd(func(e []byte) { e[15]++ })),
		"long end":         reframe(t, stream, func(_ int, k byte, c []byte) (byte, []byte) { return k, longer(k == frameEnd, c) }),
		"long header":      reframe(t, stream, func(_ int, k byte, c []byte) (byte, []byte) { return k, longer(k == frameHead, c) }),
		"unknown kind":     reframe(t, stream, func(i int, k byte, c []byte) (byte, []byte) { return k + byte(i&1), c }),
		"engine's own key": reframe(t, stream, withRecord(t, keyApplied, &Applied{})),
		"no segment":       reframe(t, stream, withRecord(t, []byte("zz"), &Applied{})),
		"out of order":     reframe(t, stream, withRecord(t, []byte("a/a"), &Applied{})),
		"bad length": reframe(t, stream, func(i int, k byte, c []byte) (byte, []byte) {
			if i == 1 {
				binary.PutUvarint(c, 1<<62)
			}
			return k, c
		}),
	}
	s := open(t, Options{InMemory: true})
	jobs(t, s, 0, 3)
	before := dump(t, s)
	for name, bad := range cases {
		if err := s.Restore(bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if dump(t, s) != before {
			t.Fatalf("%s: the state has changed", name)
		}
	}
	newer := with(len(snapshotMagic), 0, 0, 0, 2)
	if err := s.Restore(bytes.NewReader(newer)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "upgrade") {
		t.Error(err)
	}
	broken := errors.New("network")
	if err := s.Restore(io.MultiReader(bytes.NewReader(stream[:1000]), failing{broken})); !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func editEnd(fn func([]byte)) func(int, byte, []byte) (byte, []byte) {
	return func(_ int, k byte, c []byte) (byte, []byte) {
		if k == frameEnd {
			fn(c)
		}
		return k, c
	}
}

func longer(yes bool, c []byte) []byte {
	if yes {
		return append(c, 0)
	}
	return c
}

// withRecord appends a record to the last data frame.
func withRecord(t *testing.T, key []byte, m *Applied) func(int, byte, []byte) (byte, []byte) {
	value, err := seal(key, m)
	if err != nil {
		t.Fatal(err)
	}
	return func(i int, k byte, c []byte) (byte, []byte) {
		if k == frameData && i == 2 {
			c = appendBytes(appendBytes(c, key), value)
		}
		return k, c
	}
}

// TestSnapshotFlips flips bits in a small stream: each must be refused.
func TestSnapshotFlips(t *testing.T) {
	from := open(t, Options{InMemory: true})
	jobs(t, from, 0, 2)
	stream := snapshotOf(t, from)
	for i := range stream {
		bad := bytes.Clone(stream)
		bad[i] ^= 1 << (i % 8)
		if _, err := readAll(bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
			t.Fatalf("byte %d: %v", i, err)
		}
		if _, err := readAll(bytes.NewReader(stream[:i])); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// readAll reads a snapshot without a store.
func readAll(r io.Reader) (string, error) {
	in, err := openSnapshot(r)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		key, value, err := in.next()
		if err != nil || key == nil {
			return b.String(), err
		}
		fmt.Fprintf(&b, "%x %x\n", key, value)
	}
}

// TestRestoreInMemoryThenFlush: a store in memory takes as much at once after a restore
// as before it.
func TestRestoreInMemoryThenFlush(t *testing.T) {
	s := open(t, Options{InMemory: true})
	jobs(t, s, 0, 10)
	if err := s.Restore(bytes.NewReader(snapshotOf(t, s))); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		jobs(t, s, 1_000+n*3_500, 3_500)
	}
	flush(t, s)
}
