package faults

import (
	"flag"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/authority"
)

var (
	clusterKills   = flag.Int("cluster-kills", 3, "kills of TestCluster")
	clusterFreezes = flag.Int("cluster-freezes", 1, "times that a node stands still in TestClusterFrozen")
	clusterJobs    = flag.Int("cluster-jobs", 50, "jobs of TestCluster, each due every second")
	clusterPeriod  = flag.Duration("cluster-period", 1500*time.Millisecond, "how long all nodes are up between two kills, about")
)

// cluster is three nodes, each a process with a directory of its own, that speak
// mutual TLS and share one journal with the parent.
type cluster struct {
	t        *testing.T
	dir      string
	lease    time.Duration
	rec      *recorder
	snapshot uint64 // entries between snapshots
	peers    []chronos.Peer
	ca       *authority.Authority
	wires    *wires // where connections go through them

	members []*member
}

var clusterNames = []string{"a", "b", "c"}

func newCluster(t *testing.T, snapshot uint64) *cluster {
	t.Helper()
	c := prepare(t, snapshot)
	c.openAll()
	return c
}

// prepare makes what the nodes need, and starts none.
func prepare(t *testing.T, snapshot uint64) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: scratch(t), lease: 3 * time.Second, snapshot: snapshot, peers: freePeers(t, clusterNames)}
	rec, err := openRecorder(c.journal())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rec.f.Close() })
	rec.node, c.rec = "parent", rec
	if c.ca, err = authority.New(); err != nil {
		t.Fatal(err)
	}
	for i := range c.peers {
		c.addMember(c.peers[:len(clusterNames)], i)
	}
	return c
}

// addMember makes a node known to the parent, by its place in a list of peers.
func (c *cluster) addMember(peers []chronos.Peer, i int) *member {
	c.t.Helper()
	id, err := c.ca.Issue(peers[i].Node)
	if err != nil {
		c.t.Fatal(err)
	}
	dir := filepath.Join(c.dir, peers[i].Node)
	m := &member{t: c.t, rec: c.rec, cfg: childConfig{
		Dir: dir, Journal: c.journal(), Dump: dir + ".dump", Log: dir + ".log", Seed: uint64(i),
		Cluster: &nodeConfig{
			Node: peers[i].Node, Peers: peers, Heartbeat: 300 * time.Millisecond, Lease: c.lease, Snapshot: c.snapshot, Identity: id,
		},
	}}
	c.members = append(c.members, m)
	return m
}

func (c *cluster) journal() string { return filepath.Join(c.dir, "journal") }

// freePeers finds ports for nodes, which keep them from one start to the next.
func freePeers(t *testing.T, names []string) (peers []chronos.Peer) {
	t.Helper()
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		peers = append(peers, chronos.Peer{Node: name, Addr: l.Addr().String()})
	}
	return peers
}

// openAll lets the nodes form their cluster.
func (c *cluster) openAll() {
	c.t.Helper()
	errs := make([]error, len(c.members))
	var wg sync.WaitGroup
	for i, m := range c.members {
		p := m.launch()
		wg.Go(func() { errs[i] = m.ready(p) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// eventually waits for what has to come, however slow the machine is.
func (c *cluster) eventually(what string, limit time.Duration, ok func() bool) {
	c.t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > limit {
			c.t.Fatalf("after %v still not: %s", limit, what)
		}
	}
}

// awaitReady waits until all nodes take writes and run, and tells which leads.
func (c *cluster) awaitReady() (leader *member) {
	c.t.Helper()
	c.eventually("all nodes are ready, and one leads", time.Minute, func() bool {
		leader = nil
		ready := 0
		for _, m := range c.members {
			a := m.status()
			if a.Ready {
				ready++
			}
			if a.Leading {
				leader = m
			}
		}
		return ready == len(c.members) && leader != nil
	})
	return leader
}

// settle ends the campaign: all nodes are up and have caught up, no job is due
// any more, and what was due ends within the limit for what a dead node held.
func (c *cluster) settle() {
	c.t.Helper()
	c.awaitReady()
	count := func(op string) (int, error) {
		a, err := c.members[0].ask(order{Op: op})
		return a.Count, err
	}
	c.eventually("no job is behind", time.Minute, func() bool {
		if _, err := c.members[0].ask(order{Op: opSync}); err != nil {
			return false // what it says of jobs may be old
		}
		now := time.Now()
		n, err := count(opBehind)
		if err != nil || n > 0 {
			return false
		}
		c.rec.even(now)
		return true
	})
	c.eventually("all jobs are paused", time.Minute, func() bool {
		_, err := c.members[0].ask(order{Op: opPause})
		return err == nil
	})
	c.drain(func() (int, error) { return count(opUnfinished) })
}

// drain waits until nothing is unfinished. As long as it gets less, it may take
// its time: jobs that run one at a time work off what waits.
func (c *cluster) drain(unfinished func() (int, error)) {
	c.t.Helper()
	least, since := math.MaxInt, time.Now()
	for ; ; time.Sleep(50 * time.Millisecond) {
		n, err := unfinished()
		switch {
		case err == nil && n == 0:
			return
		case err == nil && n < least:
			least, since = n, time.Now()
		case time.Since(since) > c.lease+resolveLimit:
			c.t.Fatalf("%d executions stay unfinished for %v (%v)", least, time.Since(since), err)
		}
	}
}

// dumps are what the nodes say once they have settled.
func (c *cluster) dumps() map[string]*dump {
	c.t.Helper()
	out := map[string]*dump{}
	for _, m := range c.members {
		if _, err := m.ask(order{Op: opDump, Path: m.cfg.Dump}); err != nil {
			c.t.Fatal(err)
		}
		d, err := readDump(m.cfg.Dump)
		if err != nil {
			c.t.Fatal(err)
		}
		out[m.name()] = d
	}
	return out
}

// examine checks everything, and then that the checker would have noticed.
func (c *cluster) examine() *checker {
	c.t.Helper()
	journal, err := readJournal(c.journal())
	if err != nil {
		c.t.Fatal(err)
	}
	dumps := c.dumps()
	k := checkCluster(journal, dumps, c.lease)
	if len(k.found) > 0 {
		c.t.Fatalf("%d violations\n%s", len(k.found), k.report())
	}
	for i, o := range k.nodes.overlaps {
		if i < 5 {
			c.t.Logf("overlap: %s", o)
		}
	}
	c.t.Log(c.figures(k))
	return k
}

// figures is what a campaign went through.
func (c *cluster) figures(k *checker) string {
	rows, instants, seen := 0, 0, map[string]int{}
	slowest := time.Duration(0)
	for _, j := range k.dump.Jobs {
		for _, r := range j.Rows {
			rows++
			what := string(r.Status)
			if r.Reason != "" && r.Attempt == 0 {
				what += "(" + string(r.Reason) + ")"
			}
			seen[what] += r.Count
			slowest = max(slowest, k.unfinishedFor(j, r))
			if r.Origin == chronos.OriginSchedule {
				instants += r.Count
			}
		}
	}
	return fmt.Sprintf("%s\n%d jobs, %d rows, %d instants: %v\n%d pairs of live attempts of which one was revoked; longest unfinished %v",
		tally(k.journal), len(k.dump.Jobs), rows, instants, seen, len(k.nodes.overlaps), slowest.Round(time.Millisecond))
}

// stop closes the nodes in order, side by side.
func (c *cluster) stop() {
	c.t.Helper()
	var wg sync.WaitGroup
	for _, m := range c.members {
		if p := m.process(); p != nil {
			_ = p.stdin.Close()
			wg.Go(func() {
				if err := p.wait(settleLimit); err != nil {
					c.t.Errorf("node %s: %v", m.name(), err)
				}
			})
		}
	}
	wg.Wait()
}

// TestCluster: three nodes of which one is killed all the time. Every instant
// has one row, each execution runs as its job says, no acknowledged call is
// lost, nothing is stuck, and all nodes say the same in the end.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, uint64(max(200, *clusterJobs)))
	w := newCallers(c, clusterPlans(*clusterJobs))
	w.putAll()
	w.start()
	n := &nemesis{c: c, rng: random(t)}
	for range *clusterKills {
		n.round(*clusterPeriod)
	}
	time.Sleep(*clusterPeriod)
	w.stop()
	c.settle()
	k := c.examine()
	t.Log(failoversOf(k))
	clusterControl(t, k)
	c.stop()
}
