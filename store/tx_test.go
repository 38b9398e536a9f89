package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// model is what a Tx should be: a sorted map that can be thrown away.
type model map[string]string

func (m model) from(prefix, from string) []string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(k, prefix) && k >= from {
			keys = append(keys, k)
		}
	}
	return keys
}

type scanner func(prefix, from []byte, fn func([]byte, func(Message) error) (bool, error)) error

// collect scans at most limit records and compares decoded values on the way.
func (m model) collect(t *testing.T, scan scanner, prefix, from string, limit int) []string {
	t.Helper()
	var got []string
	var start []byte
	if from != "" {
		start = []byte(from)
	}
	err := scan([]byte(prefix), start, func(key []byte, decode func(Message) error) (bool, error) {
		if bytes.HasPrefix(key, []byte(prefixMeta)) {
			return true, nil
		}
		ref := &Reference{}
		if err := decode(ref); err != nil {
			return false, err
		}
		if ref.Execution != m[string(key)] {
			t.Errorf("%q holds %q, want %q", key, ref.Execution, m[string(key)])
		}
		got = append(got, string(key))
		return len(got) < limit, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// randomKey has few enough values that keys meet, in segments whose names are
// prefixes of each other, with parts whose bytes sort unlike text.
func randomKey(r *rand.Rand) string {
	segments := []string{"a/", "ab/", "due/", "jobs/", "z/"}
	parts := []string{"", "\x00", "\xff", "\xff\xff", "k", "kk", "/"}
	return segments[r.IntN(len(segments))] + parts[r.IntN(len(parts))] + fmt.Sprint(r.IntN(40)) + parts[r.IntN(len(parts))]
}

func randomBounds(r *rand.Rand) (prefix, from string) {
	k := randomKey(r)
	prefix = k[:r.IntN(len(k)+1)]
	if r.IntN(2) == 0 {
		from = randomKey(r)
	}
	return prefix, from
}

func first(keys []string, n int) []string { return keys[:min(n, len(keys))] }

func TestTxAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, memory := range []bool{true, false} {
		dir := t.TempDir()
		o := Options{Dir: dir, InMemory: memory, NoSync: true}
		s := open(t, o)
		committed := model{}
		for round := range 150 {
			next := maps.Clone(committed)
			runBatch(t, r, s, next, &committed)
			checkReads(t, r, s, committed)
			if !memory && round%50 == 49 {
				closeStore(t, s)
				s = open(t, o)
			}
		}
		if err := s.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := s.Applied().Records; n != uint64(len(committed)) {
			t.Fatalf("%d records, model has %d", n, len(committed))
		}
	}
}

func runBatch(t *testing.T, r *rand.Rand, s *Store, m model, committed *model) {
	t.Helper()
	tx := s.Begin()
	defer tx.Discard()
	for range r.IntN(60) {
		key := randomKey(r)
		switch r.IntN(6) {
		case 0, 1:
			m[key] = fmt.Sprint(r.IntN(5))
			if err := tx.Put([]byte(key), &Reference{Execution: m[key]}); err != nil {
				t.Fatal(err)
			}
		case 2:
			delete(m, key)
			if err := tx.Delete([]byte(key)); err != nil {
				t.Fatal(err)
			}
		case 3, 4:
			ref := &Reference{Execution: "before"}
			ok, err := tx.Get([]byte(key), ref)
			want, has := m[key]
			if err != nil || ok != has || (ok && ref.Execution != want) {
				t.Fatalf("%q: %v %v %q, want %v %q", key, err, ok, ref.Execution, has, want)
			}
		default:
			prefix, from := randomBounds(r)
			limit := 1 + r.IntN(50)
			if got, want := m.collect(t, tx.Scan, prefix, from, limit), first(m.from(prefix, from), limit); !slices.Equal(got, want) {
				t.Fatalf("scan %q from %q: %q, want %q", prefix, from, got, want)
			}
		}
	}
	if r.IntN(4) == 0 {
		return // discarded
	}
	tx.Applied().Index++
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	*committed = m
}

func checkReads(t *testing.T, r *rand.Rand, s *Store, m model) {
	t.Helper()
	err := s.View(func(v *Reader) error {
		for range 5 {
			prefix, from := randomBounds(r)
			limit := 1 + r.IntN(50)
			if got, want := m.collect(t, v.Scan, prefix, from, limit), first(m.from(prefix, from), limit); !slices.Equal(got, want) {
				t.Fatalf("scan %q from %q: %q, want %q", prefix, from, got, want)
			}
			want := m.from(prefix, "")
			if from != "" {
				want = slices.DeleteFunc(want, func(k string) bool { return k > from })
			}
			slices.Reverse(want)
			if got := m.collect(t, v.ScanReverse, prefix, from, limit); !slices.Equal(got, first(want, limit)) {
				t.Fatalf("reverse scan %q from %q: %q, want %q", prefix, from, got, first(want, limit))
			}
		}
		return v.verify(t.Context())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOrderDoesNotMatter: the same changes in other batches lead to the same bytes.
func TestOrderDoesNotMatter(t *testing.T) {
	a, b := open(t, Options{InMemory: true}), open(t, Options{InMemory: true})
	change(t, a, func(tx *Tx) error {
		return errors.Join(tx.PutJob("x", &Job{Version: 1}), tx.PutJob("y", &Job{Version: 2}), tx.PutJob("gone", &Job{}))
	})
	change(t, a, func(tx *Tx) error { return tx.DeleteJob("gone") })
	change(t, b, func(tx *Tx) error { return tx.PutJob("y", &Job{Version: 9}) })
	change(t, b, func(tx *Tx) error {
		return errors.Join(tx.PutJob("y", &Job{Version: 2}), tx.PutJob("x", &Job{Version: 1}))
	})
	if dump(t, a) != dump(t, b) {
		t.Fatal("two ways to one state differ")
	}
}

func TestTxRules(t *testing.T) {
	s := open(t, Options{InMemory: true})
	tx := s.Begin()
	if err := s.Begin().Commit(); !errors.Is(err, errTxOpen) {
		t.Errorf("two transactions at once: %v", err)
	}
	for _, key := range []string{"", "nosegment", "meta/applied", strings.Repeat("k/", maxKey)} {
		if err := tx.Put([]byte(key), &Reference{}); !errors.Is(err, errKey) {
			t.Errorf("key %.20q: %v", key, err)
		}
	}
	if err := tx.PutJob("big", &Job{Note: strings.Repeat("x", MaxRecord)}); !errors.Is(err, ErrTooBig) {
		t.Errorf("a record of 1 MiB: %v", err)
	}
	if err := tx.PutJob("a", &Job{}); err != nil {
		t.Fatal(err)
	}
	err := tx.Jobs("", func(string, func() (*Job, error)) (bool, error) { return true, tx.DeleteJob("a") })
	if !errors.Is(err, errScanning) {
		t.Errorf("writing within a scan: %v", err)
	}
	stop := errors.New("stop")
	if err := tx.Jobs("", func(string, func() (*Job, error)) (bool, error) { return true, stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	tx.Discard()
	if err := s.Restore(strings.NewReader("x")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("restore after discard: %v", err)
	}
}

func all([]byte, func(Message) error) (bool, error) { return true, nil }
