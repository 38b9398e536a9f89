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
// node is gone, counted from when it could have been started: an execution whose
// job runs one at a time waits for those before it, and each of these has its own
// limit. So has each attempt: a node that dies as well is noticed anew. While nobody
// had a majority, nothing could be done.
func (k *checker) checkPace(limit time.Duration) {
	limit += k.longestOutage()
	for id, j := range k.dump.Jobs {
		for _, r := range j.Rows {
			if took := k.unfinishedFor(j, r); took > limit {
				k.fault("stuck", id, r.Due, "unfinished for %v: %s", took, r)
			}
		}
	}
}

// longestOutage is for how long nobody had a majority.
func (k *checker) longestOutage() (longest time.Duration) {
	since := int64(0)
	for _, e := range k.journal {
		switch {
		case e.Kind == "cut" && e.Text == cutAll:
			since = e.Mono
		case e.Kind == "heal" && since != 0:
			longest, since = max(longest, time.Duration(e.Mono-since)), 0
		}
	}
	return longest
}

// unfinishedFor is how long an execution that ran took from when it could have been
// started to the end of an attempt, or from one such end to the next.
func (k *checker) unfinishedFor(j *jobDump, r rowDump) time.Duration {
	if r.Attempt == 0 || r.Ended == 0 {
		return 0
	}
	from := max(r.Due, r.Created)
	if p := k.planOf(j, r.Version); p != nil && p.exclusive() {
		for _, q := range j.Rows {
			if q.Gen == r.Gen && q.Attempt > 0 && q.Created <= r.Created && q.Ended < r.Ended {
				from = max(from, q.Ended)
			}
		}
	}
	longest := int64(0)
	for _, end := range append(slices.Sorted(slices.Values(r.Overs)), r.Ended) {
		longest, from = max(longest, end-from), max(from, end)
	}
	return time.Duration(longest)
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
