package store

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// contents is what a store should hold: sealed values by key.
type contents map[string][]byte

// seen is a view that is still open, and what it has to show.
type seen struct {
	r    *Reader
	want contents
}

// TestPendingReads: whatever is pending, being written or written, each view shows the
// state of one commit, by key, forwards, backwards and as a whole; and so does the
// transaction that is open. Commits, flushes and the ends of views come at random.
func TestPendingReads(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			s := open(t, Options{InMemory: seed%2 == 0, Dir: t.TempDir()})
			state := contents{}
			var views []seen
			for range 120 {
				state = randomCommit(t, rng, s, state)
				switch rng.IntN(6) {
				case 0:
					flush(t, s)
				case 1:
					views = append(views, look(t, s, state))
				case 2:
					if len(views) > 0 {
						compareView(t, rng, views[0])
						views[0].r.view.release()
						views[0].r.gen.leave()
						views = views[1:]
					}
				}
			}
			for _, v := range views {
				compareView(t, rng, v)
				v.r.view.release()
				v.r.gen.leave()
			}
			if err := s.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func look(t *testing.T, s *Store, want contents) seen {
	t.Helper()
	g, err := s.pin()
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.newReader(g)
	if err != nil {
		t.Fatal(err)
	}
	return seen{r, want}
}

func anyKey(rng *rand.Rand) []byte {
	switch rng.IntN(3) {
	case 0:
		return jobKey(fmt.Sprintf("j%02d", rng.IntN(40)))
	case 1:
		return executionKey(fmt.Sprintf("j%d", rng.IntN(4)), fmt.Sprint(rng.IntN(30)))
	default:
		return dueKey(rng.Int64N(50), DueTick, fmt.Sprintf("j%d", rng.IntN(3)), "")
	}
}

// randomCommit changes some records, looks at them within the transaction, and
// answers what there is now.
func randomCommit(t *testing.T, rng *rand.Rand, s *Store, before contents) contents {
	t.Helper()
	now := maps.Clone(before)
	tx := s.Begin()
	for range 1 + rng.IntN(40) {
		key := anyKey(rng)
		if rng.IntN(3) == 0 {
			delete(now, string(key))
			if err := tx.Delete(key); err != nil {
				t.Fatal(err)
			}
			continue
		}
		m := &Job{Version: rng.Uint64()}
		now[string(key)], _ = seal(key, m)
		if err := tx.Put(key, m); err != nil {
			t.Fatal(err)
		}
	}
	compareScan(t, rng, now, tx.Scan, nil)
	tx.Applied().Index++
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return now
}

type scanFunc func(prefix, from []byte, fn func(key []byte, decode func(Message) error) (bool, error)) error

func compareView(t *testing.T, rng *rand.Rand, v seen) {
	t.Helper()
	compareScan(t, rng, v.want, v.r.Scan, v.r.ScanReverse)
	for range 20 {
		key := anyKey(rng)
		found, err := v.r.Get(key, &Job{})
		if err != nil || found != (v.want[string(key)] != nil) {
			t.Fatalf("%q: %v %v", key, found, err)
		}
	}
	count := 0
	err := v.r.each(func(key, value []byte) error {
		if count++; !bytes.Equal(v.want[string(key)], value) {
			return fmt.Errorf("%q is %x", key, value)
		}
		return nil
	})
	if err != nil || count != len(v.want) {
		t.Fatal(err, count, len(v.want))
	}
}

func compareScan(t *testing.T, rng *rand.Rand, want contents, forth, back scanFunc) {
	t.Helper()
	for _, prefix := range []string{prefixJobs, prefixExecutions, prefixExecutions + "j1\x00", prefixDue, prefixLocks} {
		from := anyKey(rng)
		if rng.IntN(3) == 0 {
			from = nil
		}
		var keys []string
		for k := range want {
			if bytes.HasPrefix([]byte(k), []byte(prefix)) {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		up := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k < string(from) })
		if got := walked(t, forth, prefix, from); !slices.Equal(got, up) {
			t.Fatalf("%q from %q:\n%q\n%q", prefix, from, got, up)
		}
		if back == nil {
			continue
		}
		down := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return from != nil && k > string(from) })
		slices.Reverse(down)
		if got := walked(t, back, prefix, from); !slices.Equal(got, down) {
			t.Fatalf("%q back from %q:\n%q\n%q", prefix, from, got, down)
		}
	}
}

func walked(t *testing.T, scan scanFunc, prefix string, from []byte) (keys []string) {
	t.Helper()
	err := scan([]byte(prefix), from, func(key []byte, decode func(Message) error) (bool, error) {
		keys = append(keys, string(key))
		return true, decode(&Job{})
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestPendingKilled: who is killed finds the state of a commit that was whole, the
// newest that was flushed or a newer one, and never a mixture. What came and went
// between two flushes leaves nothing.
func TestPendingKilled(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	dir := fastDir(t)
	s := open(t, Options{Dir: dir, Guard: noReserve(t, dir), NoCompaction: true})
	state := contents{}
	dumps := map[uint64]string{}
	for range 30 {
		for range rng.IntN(8) {
			state = randomCommit(t, rng, s, state)
			dumps[s.Index()] = dump(t, s)
		}
		least := s.Index()
		flush(t, s)
		state = randomCommit(t, rng, s, state)
		dumps[s.Index()] = dump(t, s)
		killed := fastDir(t)
		s.gen.writing.Lock() // a kill takes one moment, an image does not
		im := takeImage(t, dir)
		s.gen.writing.Unlock()
		im.write(t, killed)
		k := open(t, Options{Dir: killed, Guard: noReserve(t, killed)})
		if k.Index() < least || dump(t, k) != dumps[k.Index()] {
			t.Fatalf("killed at %d: opened at %d of at least %d", s.Index(), k.Index(), least)
		}
		closeStore(t, k)
	}
}

// TestPendingFlushesByItself: a store is not asked to flush, and does not keep more
// than so much in memory.
func TestPendingFlushesByItself(t *testing.T) {
	s := open(t, Options{InMemory: true})
	for n := range 10 * pendingBytes / 100_000 {
		change(t, s, func(tx *Tx) error {
			return tx.PutPayload("j", fmt.Sprint(n), bytes.Repeat([]byte{byte(n)}, 100_000))
		})
		// Twice as much may be on its way to Badger, and as much has come meanwhile.
		if size := s.gen.pending.size(); size > 4*pendingBytes+300_000 {
			t.Fatalf("%d bytes are pending", size)
		}
	}
	b, err := openBase(s.gen.db)
	if err != nil {
		t.Fatal(err)
	}
	defer b.leave()
	if b.applied.Index == 0 {
		t.Fatal("nothing was written")
	}
}

// TestPendingKeepsLayersFew: commits that change nothing leave no more layers to look
// through than others do.
func TestPendingKeepsLayersFew(t *testing.T) {
	s := open(t, Options{InMemory: true})
	p := &s.live().pending
	for n := range 2_000 {
		change(t, s, func(tx *Tx) error {
			if n%100 > 0 {
				return nil
			}
			return tx.PutJob(fmt.Sprint(n), &Job{})
		})
		p.mu.Lock()
		layers := len(p.fresh)
		p.mu.Unlock()
		if layers > 16 {
			t.Fatalf("%d layers after %d commits", layers, n+1)
		}
	}
	flush(t, s)
	b, err := openBase(s.gen.db)
	if err != nil {
		t.Fatal(err)
	}
	defer b.leave()
	if b.applied.Index != 2_000 {
		t.Errorf("Badger stands at %d", b.applied.Index)
	}
}
