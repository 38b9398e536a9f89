package raftfsm

import (
	"log/slog"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// However the log is cut into batches, each node has a commit that ends with every
// checkpoint, and the same sum there.
func TestCheckpoints(t *testing.T) {
	const entries = 3 * checkpointEvery
	data, err := encodeBatch(&Batch{Commands: []*Command{put("job-0001")}})
	if err != nil {
		t.Fatal(err)
	}
	var logs []*raft.Log
	for i := range uint64(entries) {
		logs = append(logs, &raft.Log{Index: i + 1, Term: 1, Type: raft.LogCommand, Data: data})
	}
	var first *trail
	for _, batch := range []int{entries, 100, 7} {
		f := newFSM(memoryStore(t), nil, slog.New(slog.DiscardHandler))
		f.trail = newTrail(f.st.Applied())
		for i := 0; i < entries; i += batch {
			f.ApplyBatch(logs[i:min(i+batch, entries)])
		}
		if first == nil {
			first = f.trail
		}
		for index := uint64(checkpointEvery); index <= entries; index += checkpointEvery {
			want, _ := first.sum(index)
			if got, known := f.trail.sum(index); !known || got != want {
				t.Errorf("batches of %d: after entry %d: %x, known: %v, want %x", batch, index, got, known, want)
			}
		}
		if marks := f.trail.newest(); marks[0].Index != entries {
			t.Errorf("batches of %d: newest %v", batch, marks)
		}
	}
	if _, known := first.sum(100); known {
		t.Error("one batch is one commit but for checkpoints")
	}
}

// A trail remembers the newest commits, finds them by entry, and forgets all of a
// state that was replaced.
func TestTrail(t *testing.T) {
	tr := newTrail(&store.Applied{})
	for i := uint64(1); i <= trailLength+1000; i++ {
		tr.add(&store.Applied{Index: 2 * i, Digest: i})
	}
	last := uint64(2 * (trailLength + 1000))
	for _, tc := range []struct {
		index uint64
		known bool
	}{{last, true}, {last - 1, false}, {last - 2, true}, {last + 2, false}, {2002, true}, {2000, false}, {0, false}} {
		sum, known := tr.sum(tc.index)
		if known != tc.known || known && sum != sumOf(&store.Applied{Index: tc.index, Digest: tc.index / 2}) {
			t.Errorf("entry %d: %x, known: %v", tc.index, sum, known)
		}
	}
	if marks := tr.newest(); len(marks) != 2 || marks[0].Index != last || marks[1].Index%checkpointEvery != 0 {
		t.Errorf("newest %v", marks)
	}
	for _, tc := range [][2]uint64{{last, 0}, {last + 5, 0}, {last - 10, 10}, {0, last}} {
		if entries, _ := tr.behind(tc[0]); entries != tc[1] {
			t.Errorf("who has applied %d is behind by %d, not by %d", tc[0], entries, tc[1])
		}
	}
	tr.restart(&store.Applied{Index: 7})
	if _, known := tr.sum(last); known || len(tr.newest()) != 1 || tr.newest()[0].Index != 7 {
		t.Errorf("after a restart %v", tr.newest())
	}
}
