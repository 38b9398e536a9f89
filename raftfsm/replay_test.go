package raftfsm

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

var replayEntries = flag.Int("replay", 1_500, "log entries of the replay test, per seed")

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// dump is the whole state as bytes, the applied index included.
func dump(t testing.TB, st *store.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := st.Dump(func(k, v []byte) error {
		out[string(k)] = string(v)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func sameState(t testing.TB, what string, want, got map[string]string) {
	t.Helper()
	for _, k := range sortedKeys(want) {
		if g, ok := got[k]; !ok || g != want[k] {
			t.Fatalf("%s: key %q differs: %x there, %x here (present: %v)", what, k, want[k], g, ok)
		}
	}
	for _, k := range sortedKeys(got) {
		if _, ok := want[k]; !ok {
			t.Fatalf("%s: key %q should not be there", what, k)
		}
	}
}

// TestReplay: the same log gives the same bytes, however it is batched, and
// also when a snapshot is taken and restored in the middle.
func TestReplay(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newScenario(t, seed)
			s.crowded = seed >= 3
			for range *replayEntries {
				s.step()
				if err := s.audit(); err != nil {
					t.Fatalf("after entry %d: %v", len(s.logs), err)
				}
			}
			want := dump(t, s.f.st)
			if len(want) < 100 {
				t.Fatalf("the scenario left only %d records: it shows nothing", len(want))
			}
			rnd := rand.New(rand.NewPCG(seed, 2))
			sameState(t, "other batches", want, dump(t, replay(t, memoryStore(t), s.logs, rnd)))

			sameState(t, "restarts", want, dump(t, replayRestarting(t, memoryStore(t), s.logs)))

			half := len(s.logs) / 2
			first := replay(t, memoryStore(t), s.logs[:half], rnd)
			second := memoryStore(t)
			copySnapshot(t, first, second)
			sameState(t, "snapshot", dump(t, first), dump(t, second))
			sameState(t, "snapshot in the middle", want, dump(t, replay(t, second, s.logs, rnd)))
		})
	}
}

// replayRestarting applies logs one by one, with the memory of a state machine that
// has just been opened for each: what it derives decides nothing.
func replayRestarting(t testing.TB, st *store.Store, logs []*raft.Log) *store.Store {
	t.Helper()
	for _, l := range logs {
		f := newFSM(st, nil, slog.New(slog.DiscardHandler))
		if err := f.ApplyBatch([]*raft.Log{l})[0].(*entryResult).err; err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// replay applies logs in random batches; those the store holds are skipped, as
// after a restart.
func replay(t testing.TB, st *store.Store, logs []*raft.Log, rnd *rand.Rand) *store.Store {
	t.Helper()
	f := newFSM(st, nil, slog.New(slog.DiscardHandler))
	for len(logs) > 0 {
		n := min(len(logs), 1+rnd.IntN(40))
		for i, r := range f.ApplyBatch(logs[:n]) {
			if err := r.(*entryResult).err; err != nil {
				t.Fatalf("entry %d: %v", logs[i].Index, err)
			}
		}
		logs = logs[n:]
		if rnd.IntN(10) == 0 {
			if err := f.reload(); err != nil { // what a restart does
				t.Fatal(err)
			}
		}
	}
	return st
}

func copySnapshot(t testing.TB, from, to *store.Store) {
	t.Helper()
	var buf bytes.Buffer
	sn := from.Snapshot()
	defer sn.Release()
	if _, err := sn.WriteTo(&buf); err != nil {
		t.Fatal(err)
	}
	if err := to.Restore(&buf); err != nil {
		t.Fatal(err)
	}
}

// TestReplayControl: were Apply to depend on a batch's borders, TestReplay
// would see it. Here a log with one entry left out stands for that.
func TestReplayControl(t *testing.T) {
	s := newScenario(t, 7)
	for range 200 {
		s.step()
	}
	want := dump(t, s.f.st)
	got := dump(t, replay(t, memoryStore(t), s.logs[:len(s.logs)-1], rand.New(rand.NewPCG(1, 1))))
	if maps.Equal(want, got) {
		t.Fatal("a log with an entry missing leads to the same bytes: the comparison is blind")
	}
}
