package store

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var damages = flag.Int("damages", 6, "flipped bits and truncations per file in the damage tests")

// damaged makes images of a directory with tables, logs and everything else:
// one after a clean stop, one after a kill. Both hold the same state.
func damaged(t *testing.T) (clean, unclean image, want string) {
	dir := fastDir(t)
	o := Options{Dir: dir, Guard: noReserve(t, dir), NoCompaction: true} // nothing moves under the image
	for i := range 3 {                                                   // three tables
		s := open(t, o)
		jobs(t, s, i*150, 200)
		closeStore(t, s)
	}
	s := open(t, o)
	for i := range 20 { // and a log
		jobs(t, s, 1000+i*5, 10)
		flush(t, s)
	}
	if err := s.SetLogID("a log"); err != nil {
		t.Fatal(err)
	}
	want = dump(t, s)
	unclean = takeImage(t, dir)
	closeStore(t, s)
	return takeImage(t, dir), unclean, want
}

// damageCase is one damaged image.
type damageCase struct {
	how string
	im  image
}

// damageCases flips bits in, cuts off, and removes every file of an image.
func damageCases(r *rand.Rand, im image, n int) []damageCase {
	var cases []damageCase
	for _, file := range slices.Sorted(maps.Keys(im)) {
		for range n {
			cases = append(cases, flip(r, im, file), cut(r, im, file))
		}
		cases = append(cases, remove(im, file))
	}
	return cases
}

// TestDamage damages every file there is. Open must find it or the state must
// be right: nothing wrong, nothing empty, no panic.
func TestDamage(t *testing.T) {
	clean, unclean, want := damaged(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, kind := range []damageCase{{"clean", clean}, {"unclean", unclean}} {
		tryDamage(t, damageCase{"nothing", kind.im}, want, true)
		cases := make(chan damageCase, 10_000)
		for _, c := range damageCases(r, kind.im, *damages) {
			cases <- c
		}
		close(cases)
		t.Run(kind.how, func(t *testing.T) {
			var refused, opened atomic.Int32
			var workers sync.WaitGroup
			for range 4 {
				workers.Go(func() {
					for c := range cases {
						if tryDamage(t, c, want, false) {
							opened.Add(1)
						} else {
							refused.Add(1)
						}
					}
				})
			}
			workers.Wait()
			t.Logf("%d refused, %d opened with the right data", refused.Load(), opened.Load())
		})
	}
}

func flip(r *rand.Rand, im image, file string) damageCase {
	out := maps.Clone(im)
	f := out[file]
	if f.size == 0 {
		return damageCase{file + " untouched", out}
	}
	// Most flips go where there is something, some into the zeros behind.
	at := r.Int64N(max(1, int64(len(f.content))))
	if r.IntN(4) == 0 {
		at = r.Int64N(f.size)
	}
	f.content = append(bytes.Clone(f.content), make([]byte, max(0, at+1-int64(len(f.content))))...)
	bit := r.IntN(8)
	f.content[at] ^= 1 << bit
	out[file] = f
	return damageCase{fmt.Sprintf("%s bit %d of byte %d of %d", file, bit, at, f.size), out}
}

func cut(r *rand.Rand, im image, file string) damageCase {
	out := maps.Clone(im)
	f := out[file]
	if f.size == 0 {
		return damageCase{file + " untouched", out}
	}
	switch r.IntN(4) {
	case 0:
		f.size = 0
	case 1:
		f.size = r.Int64N(f.size)
	default:
		f.size = r.Int64N(max(1, int64(len(f.content))))
	}
	f.content = f.content[:min(int64(len(f.content)), f.size)]
	out[file] = f
	return damageCase{fmt.Sprintf("%s cut to %d of %d", file, f.size, im[file].size), out}
}

func remove(im image, file string) damageCase {
	out := maps.Clone(im)
	delete(out, file)
	return damageCase{file + " removed", out}
}

// tryDamage opens a damaged image and tells whether that worked.
func tryDamage(t *testing.T, c damageCase, want string, mustOpen bool) bool {
	t.Helper()
	dir := fastDir(t)
	defer os.RemoveAll(dir)
	c.im.write(t, dir)
	s, err := Open(Options{Dir: dir, Guard: noReserve(t, dir)})
	if err != nil {
		if !errors.Is(err, ErrCorrupt) || mustOpen {
			t.Errorf("%s: %v", c.how, err)
		}
		return false
	}
	defer s.Close()
	if got := dump(t, s); got != want {
		t.Errorf("%s: opened with other data, %d bytes instead of %d", c.how, len(got), len(want))
	}
	return true
}

// TestLostRecord: what no checksum shows, the digest does, in Open or soon after.
func TestLostRecord(t *testing.T) {
	dir := fastDir(t)
	s := open(t, Options{Dir: dir, Guard: noReserve(t, dir)})
	jobs(t, s, 0, 20)
	flush(t, s)
	w := s.gen.db.NewTransaction(true)
	if err := errors.Join(w.Delete(jobKey("job-000007")), w.Commit()); err != nil {
		t.Fatal(err)
	}
	im := takeImage(t, dir)
	if tryDamage(t, damageCase{"lost record", im}, "", false) {
		t.Fatal("opened without a record")
	}
	dir = fastDir(t)
	im.write(t, dir)
	heard := make(chan error, 1)
	open(t, Options{Dir: dir, Guard: noReserve(t, dir), verifyInline: 1, OnCorrupt: func(err error) { heard <- err }})
	if err := <-heard; !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

// TestLostTail: a log that ends too early leaves an older state, consistent in
// itself. The watermark tells that commits were acknowledged beyond it.
func TestLostTail(t *testing.T) {
	_, unclean, _ := damaged(t)
	for file, f := range unclean {
		if !strings.HasSuffix(file, ".mem") {
			continue
		}
		f.content = f.content[:len(f.content)/2]
		unclean[file] = f
		if tryDamage(t, damageCase{"half a log", unclean}, "", false) {
			t.Fatal("opened without acknowledged commits")
		}
		delete(unclean, filepath.Join(filepath.Dir(file), nameWatermark))
		dir := fastDir(t)
		unclean.write(t, dir)
		s := open(t, Options{Dir: dir, Guard: noReserve(t, dir)})
		if err := s.Verify(t.Context()); err != nil || s.Applied().Index < 3 || s.Applied().Index >= 23 {
			t.Fatal(err, s.Applied())
		}
		return
	}
	t.Fatal("no log in the image")
}

// TestRotWhileOpen: a value that changes under an open store is refused.
func TestRotWhileOpen(t *testing.T) {
	s := open(t, Options{InMemory: true})
	jobs(t, s, 0, 2)
	flush(t, s)
	key := jobKey("job-000001")
	w := s.gen.db.NewTransaction(true)
	value, err := seal(key, &Job{Version: 5})
	if err != nil {
		t.Fatal(err)
	}
	value[len(value)-1] ^= 4
	s.gen.overlay = newOverlay() // what a transaction still knows it does not read
	if err := errors.Join(w.Set(key, value), w.Commit()); err != nil {
		t.Fatal(err)
	}
	s.gen.pending.close() // nor does anybody read what Badger said before
	for name, err := range map[string]error{
		"get":     s.View(func(r *Reader) error { _, err := r.Job("job-000001"); return err }),
		"scan":    s.View(func(r *Reader) error { return r.Scan([]byte("jobs/"), nil, all) }),
		"reverse": s.View(func(r *Reader) error { return r.ScanReverse([]byte("jobs/"), nil, all) }),
		"verify":  s.Verify(t.Context()),
		"snapshot": func() error {
			sn := s.Snapshot()
			defer sn.Release()
			_, err := sn.WriteTo(&bytes.Buffer{})
			return err
		}(),
		"tx": func() error { tx := s.Begin(); defer tx.Discard(); return tx.PutJob("job-000001", &Job{}) }(),
	} {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
