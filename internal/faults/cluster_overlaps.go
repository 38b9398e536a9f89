package faults

import (
	"fmt"
	"math"
	"slices"

	"github.com/chronos-go/chronos"
)

// nodesSeen is what the checker of a cluster keeps beside that of one node. The
// order of the journal's lines is its clock: all processes append to one file,
// a start before the handler's body and an end after it, and the parent notes a
// node's death once it is dead. So what overlaps there may have overlapped, and
// what does not overlap there has not.
type nodesSeen struct {
	downs    map[string][]int      // where each node died
	running  map[string][]*attempt // of exclusive jobs, by job and generation
	overlaps []overlap
}

// overlap is two attempts of an exclusive job that were live at once, the older
// of which had been revoked: its node had been given up.
type overlap struct{ older, newer *attempt }

func (o overlap) String() string {
	return fmt.Sprintf("%s, revoked: [%s] beside [%s]", o.older.start.Job, o.older.start, o.newer.start)
}

func newNodesSeen(journal []event) *nodesSeen {
	n := &nodesSeen{downs: map[string][]int{}, running: map[string][]*attempt{}}
	for i, e := range journal {
		if e.Kind == "down" {
			n.downs[e.Node] = append(n.downs[e.Node], i)
		}
	}
	return n
}

// until is where an attempt was over at the latest.
func (n *nodesSeen) until(a *attempt) int {
	if a.end != nil {
		return a.end.pos
	}
	for _, at := range n.downs[a.start.Node] {
		if at > a.start.pos {
			return at
		}
	}
	return math.MaxInt
}

// enter looks at an attempt of any job.
func (n *nodesSeen) enter(k *checker, id string, j *jobDump, a *attempt) {
	if how, at := ledgerEnd(j, a); how == chronos.StatusLost && a.start.T > at {
		k.fault("fence", id, a.start.T, "started although its node had been given up at %s: %s", clock(at), a.start)
	}
}

// live enters an attempt of an exclusive job, and compares it with those that are not over.
func (n *nodesSeen) live(k *checker, id string, j *jobDump, a *attempt) {
	key := fmt.Sprintf("%s %d", id, a.start.Gen)
	var still []*attempt
	for _, b := range n.running[key] {
		if n.until(b) < a.start.pos {
			continue
		}
		still = append(still, b)
		o := overlap{older: b, newer: a}
		if a.start.Token < b.start.Token {
			o = overlap{older: a, newer: b}
		}
		if !revoked(j, o.older) {
			k.fault("double", id, a.start.T, "two live attempts, and the older one was not revoked: %s and %s", o.older.start, o.newer.start)
			continue
		}
		n.overlaps = append(n.overlaps, o)
	}
	n.running[key] = append(still, a)
}

// revoked tells if the ledger took an attempt away from its node.
func revoked(j *jobDump, a *attempt) bool {
	s, _ := ledgerEnd(j, a)
	return s == chronos.StatusLost || s == chronos.StatusTerminated
}

// ledgerEnd is how and when an attempt ended by the ledger, empty if that has no
// end of it.
func ledgerEnd(j *jobDump, a *attempt) (how chronos.Status, at int64) {
	for _, r := range j.Rows {
		if r.ID != a.start.Exec {
			continue
		}
		if i := slices.Index(r.Tokens, a.start.Token); i >= 0 {
			return r.Ends[i], r.Overs[i]
		}
	}
	return "", 0
}
