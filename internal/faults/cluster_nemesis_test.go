package faults

import (
	"math/rand/v2"
	"time"
)

// nemesis kills one node at a time, and starts it again.
type nemesis struct {
	c   *cluster
	rng *rand.Rand
}

// round kills a node, half of the time the one that leads, when all have been
// up for about a period.
func (n *nemesis) round(period time.Duration) {
	n.c.t.Helper()
	time.Sleep(period/2 + time.Duration(n.rng.Int64N(int64(period))))
	leader := n.c.awaitReady()
	m := n.c.members[n.rng.IntN(len(n.c.members))]
	if n.rng.IntN(2) == 0 {
		m = leader
	}
	text := "follower"
	if m == leader {
		text = "leader"
	}
	p := m.process()
	if p == nil {
		n.c.t.Fatalf("node %s has ended by itself", m.name())
	}
	m.kill(p, text)
	n.revive(m)
}

// revive starts a node again, at once or after its lease, and sometimes kills
// it once more on its way up.
func (n *nemesis) revive(m *member) {
	n.c.t.Helper()
	if n.rng.IntN(2) == 0 {
		time.Sleep(time.Duration(n.rng.Int64N(int64(2 * n.c.lease))))
	}
	if n.rng.IntN(6) == 0 {
		p := m.launch()
		time.Sleep(time.Duration(n.rng.IntN(500)) * time.Millisecond)
		m.kill(p, "opening")
	}
	if err := m.ready(m.launch()); err != nil {
		n.c.t.Fatal(err)
	}
}
