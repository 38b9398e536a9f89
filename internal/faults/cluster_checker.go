package faults

import (
	"slices"
	"time"
)

// A node that died holds what it ran for the lease at the most; then it is
// resolved, and started again where it may be.
const resolveLimit = 10 * time.Second

// checkCluster holds what the nodes of a cluster say against the journal, which
// the parent and all nodes share. Each node has settled and dumped.
func checkCluster(journal []event, dumps map[string]*dump, lease time.Duration) *checker {
	names := make([]string, 0, len(dumps))
	for name := range dumps {
		names = append(names, name)
	}
	slices.Sort(names)
	k := newChecker(journal, dumps[names[0]], true)
	k.nodes = newNodesSeen(k.journal)
	k.checkJobs()
	k.checkPace(lease + resolveLimit)
	for _, name := range names[1:] {
		k.checkSame(names[0], name, dumps[name])
	}
	return k
}

// checkPace: nothing stays unfinished for longer than it takes to notice that a
// node is gone.
func (k *checker) checkPace(limit time.Duration) {
	for id, j := range k.dump.Jobs {
		for _, r := range j.Rows {
			if took := unfinishedFor(r); took > limit {
				k.fault("stuck", id, r.Due, "unfinished for %v: %s", took, r)
			}
		}
	}
}

func unfinishedFor(r rowDump) time.Duration {
	if r.Attempt == 0 || r.Ended == 0 {
		return 0
	}
	return time.Duration(r.Ended - max(r.Due, r.Created))
}

// checkSame: two nodes have the same ledger.
func (k *checker) checkSame(name, other string, d *dump) {
	for _, pair := range []struct{ a, b *dump }{{k.dump, d}, {d, k.dump}} {
		if text := differences(pair.a, pair.b); text != "" {
			k.fault("ledger", "", 0, "nodes %s and %s differ: %.2000s", name, other, text)
			return
		}
	}
}
