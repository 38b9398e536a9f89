package raftfsm

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// Nodes at the same entry hold the same bytes. A node whose state is not that of the
// others was changed by something else than the log, and its own checks need not
// find that. So each tells with its beats what its state sums up to after which entry,
// and the leader compares. Where they differ it asks all for their sums after that entry,
// and a majority decides. Who has something else stops, and its next start leaves
// its directory behind and comes back like a node whose disk is lost.

// compare holds what a node said against what this one has, newest first.
func (d *desk) compare(from string, marks []*Mark) {
	n := d.node
	if len(marks) == 0 {
		return // an older node
	}
	n.roll.applied(from, marks[0].Index)
	var odd []uint64
	for _, m := range marks {
		ours, known := n.fsm.trail.sum(m.Index)
		if known && ours == m.Sum && len(odd) == 0 {
			n.roll.agrees(from)
			return
		}
		if known && ours != m.Sum {
			odd = append(odd, m.Index)
		}
	}
	if len(odd) == 0 || n.cfg.noCompare || d.judging.Swap(true) {
		return
	}
	d.owned.Go(func() {
		defer d.judging.Store(false)
		if !slices.ContainsFunc(odd, d.judge) {
			n.roll.differs(n.log, from, nil)
		}
	})
}

// judge asks all members for their sums after an entry; false if they do not tell who
// is right.
func (d *desk) judge(index uint64) (decided bool) {
	n := d.node
	members := n.Voters()
	sums := d.sums(index, members)
	right, ok := majority(sums, members)
	if !ok {
		return false
	}
	mark := &Mark{Index: index, Sum: right}
	for _, node := range slices.Sorted(maps.Keys(sums)) {
		switch {
		case sums[node] == right:
		case node == n.id:
			n.accused(mark)
		default:
			n.roll.differs(n.log, node, mark)
		}
	}
	return true
}

// sums is what the members have after an entry, as far as they answer and know.
func (d *desk) sums(index uint64, members map[string]bool) map[string]uint64 {
	type voice struct {
		node string
		sum  uint64
		ok   bool
	}
	n, out := d.node, map[string]uint64{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	got := make(chan voice, len(members))
	for node := range members {
		d.owned.Go(func() {
			if node == n.id {
				sum, ok := n.fsm.trail.sum(index)
				got <- voice{node, sum, ok}
				return
			}
			f, _, err := n.pulse.ask(ctx, node, askSum, binary.BigEndian.AppendUint64(nil, index))
			v := voice{node: node, ok: err == nil && f.code == saidDone && len(f.body) == 8}
			if v.ok {
				v.sum = binary.BigEndian.Uint64(f.body)
			}
			got <- v
		})
	}
	for range members {
		if v := <-got; v.ok {
			out[v.node] = v.sum
		}
	}
	return out
}

// majority is the sum that is right: three at least have spoken, more than half of
// them say it, and they are more than half of those who vote, so that the cluster
// goes on without the others.
func majority(sums map[string]uint64, members map[string]bool) (right uint64, ok bool) {
	votes, all, voters := map[uint64]int{}, map[uint64]int{}, 0
	for node, votes1 := range members {
		if votes1 {
			voters++
		}
		if sum, spoke := sums[node]; spoke {
			all[sum]++
			if votes1 {
				votes[sum]++
			}
		}
	}
	for sum, n := range all {
		if len(sums) >= 3 && 2*n > len(sums) && 2*votes[sum] > voters {
			return sum, true
		}
	}
	return 0, false
}

// sum answers a question for the sum after an entry.
func (d *desk) sum(body []byte) (code byte, answer []byte) {
	if len(body) != 8 {
		return saidWrong, nil
	}
	select {
	case <-d.open:
	default:
		return saidAgain, nil
	}
	sum, known := d.node.fsm.trail.sum(binary.BigEndian.Uint64(body))
	if !known || d.node.fsm.stopped() != nil {
		return saidAgain, nil
	}
	return saidDone, binary.BigEndian.AppendUint64(nil, sum)
}
