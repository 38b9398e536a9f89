package raftfsm

import (
	"encoding/binary"
	"hash/fnv"
	"sort"
	"sync"
	"time"

	"github.com/chronos-go/chronos/store"
)

// trail is what a node of a cluster remembers of its way through the log: the sum
// over its state after each of the newest commits, and when that was. It stands
// beside the state machine and decides nothing there.
//
// Nodes cut what they apply into commits as it comes, so two of them need not
// have a commit that ends at the same entry; only after every checkpointEvery-th
// one each of them does.
type trail struct {
	began time.Time

	mu         sync.Mutex
	steps      []step // ascending; from is the oldest
	from       int
	checkpoint *Mark // the newest
}

type step struct {
	index, sum uint64
	at         time.Duration // since began
}

const (
	trailLength     = 4_096
	checkpointEvery = 256
)

func newTrail(a *store.Applied) *trail {
	t := &trail{began: time.Now()}
	t.add(a)
	return t
}

// sumOf is what two nodes at the same entry must agree on, in one number.
func sumOf(a *store.Applied) uint64 {
	h := fnv.New64a()
	var b []byte
	for _, n := range []uint64{a.GetDigest(), a.GetRecords(), a.GetSequence(), uint64(a.GetLogTime()), uint64(a.GetLevel())} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	_, _ = h.Write(b)
	return h.Sum64()
}

// add notes a commit.
func (t *trail) add(a *store.Applied) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.addLocked(a)
}

func (t *trail) addLocked(a *store.Applied) {
	s := step{a.GetIndex(), sumOf(a), time.Since(t.began)}
	if len(t.steps) < trailLength {
		t.steps = append(t.steps, s)
	} else {
		t.steps[t.from] = s
		t.from = (t.from + 1) % trailLength
	}
	if s.index%checkpointEvery == 0 {
		t.checkpoint = &Mark{Index: s.index, Sum: s.sum}
	}
}

// restart forgets a state that was replaced as a whole.
func (t *trail) restart(a *store.Applied) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps, t.from, t.checkpoint = nil, 0, nil
	t.addLocked(a)
}

func (t *trail) step(i int) step { return t.steps[(t.from+i)%len(t.steps)] }

// find is the first step that is not below index.
func (t *trail) find(index uint64) int {
	return sort.Search(len(t.steps), func(i int) bool { return t.step(i).index >= index })
}

// sum is what the state summed up to after an entry, if a commit ended there and
// it is remembered.
func (t *trail) sum(index uint64) (sum uint64, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.find(index); i < len(t.steps) && t.step(i).index == index {
		return t.step(i).sum, true
	}
	return 0, false
}

// newest are the marks to tell others: of the newest commit, and of the newest
// one that each node has.
func (t *trail) newest() []*Mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.step(len(t.steps) - 1)
	out := []*Mark{{Index: last.index, Sum: last.sum}}
	if t.checkpoint != nil && t.checkpoint.Index != last.index {
		out = append(out, t.checkpoint)
	}
	return out
}

// behind tells how far a node that has applied so much is behind this one: by
// how many entries, and how long ago the first of them was applied here.
func (t *trail) behind(index uint64) (entries uint64, since time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.step(len(t.steps) - 1)
	if index >= last.index {
		return 0, 0
	}
	return last.index - index, time.Since(t.began) - t.step(t.find(index+1)).at
}
