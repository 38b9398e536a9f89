package faults

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

var (
	clusterLoad    = flag.Duration("cluster-load", 0, "how long TestClusterLoad runs; 0 skips it")
	clusterRate    = flag.Int("cluster-rate", 1_000, "jobs of TestClusterLoad, each due every second")
	clusterLeaders = flag.Int("cluster-leaders", 0, "leaders that TestClusterLeaders kills; 0 skips it")
	clusterProfile = flag.String("cluster-profile", "", "where to leave a profile of the leader of TestClusterLoad")
)

// loadPlans are jobs that are due every second, of which nine tenths may not run
// twice at once, with short handlers.
func loadPlans(n int) []*plan {
	kinds := []plan{
		{Job: "skip"}, {Job: "skip", Work: work{Max: 20}}, {Job: "skip"}, {Job: "once-skip", AtMostOnce: true, Work: work{Max: 20}},
		{Job: "buffer-one", Overlap: chronos.OverlapBufferOne}, {Job: "skip", Misfire: chronos.MisfireSkip},
		{Job: "buffer-all", Overlap: chronos.OverlapBufferAll, Misfire: chronos.MisfireAll, Work: work{Max: 20}},
		{Job: "all", Overlap: chronos.OverlapAllowAll}, {Job: "cancel", Overlap: chronos.OverlapCancelOther, Work: work{Max: 50}},
		{Job: "retry", Attempts: 3, Work: work{Fail: 10}},
	}
	out := make([]*plan, n)
	for i := range out {
		p := kinds[i%len(kinds)]
		p.Job, p.CronStep = fmt.Sprintf("%s/%d", p.Job, i), 1
		out[i] = &p
	}
	return out
}

// TestClusterLoad: 1,000 jobs each second on three nodes, one of which is killed
// every ten seconds and started again. The ledger is complete, no exclusive job
// runs twice at once, no acknowledged call is lost, nothing is left unfinished,
// and all nodes hold the same bytes.
func TestClusterLoad(t *testing.T) {
	if *clusterLoad == 0 {
		t.Skip("takes real time: -cluster-load 5m")
	}
	before, opened := childrenTime(), time.Now()
	c := newCluster(t, 8192)
	w := newCallers(c, append(loadPlans(*clusterRate), pulses(2)...))
	w.putAll()
	w.start()
	t.Logf("load average at the start %s", loadAverage())
	n := &nemesis{c: c, rng: random(t)}
	began := time.Now()
	end := began.Add(*clusterLoad)
	for next := began.Add(10 * time.Second); next.Before(end) && time.Now().Before(end); next = next.Add(10 * time.Second) {
		if at := c.awaitReady(); *clusterProfile != "" && time.Since(began) > *clusterLoad/2 {
			c.profile(at, *clusterProfile)
			*clusterProfile = ""
		}
		time.Sleep(time.Until(next))
		n.kill(c.members[n.rng.IntN(len(c.members))])
	}
	time.Sleep(time.Until(end))
	w.stop()
	t.Logf("load average at the end %s", loadAverage())
	c.settle()
	took := time.Since(opened)
	k := c.examine()
	t.Log(failoversOf(k))
	t.Log(startsOf(k))
	clusterControl(t, k)
	c.identical()
	used := childrenTime() - before
	t.Logf("the nodes used %v of processor time in %v: %.2f cores", used.Round(time.Second), took.Round(time.Second), used.Seconds()/took.Seconds())
}

// kill kills a node, and starts it again after a moment.
func (n *nemesis) kill(m *member) {
	n.c.t.Helper()
	text := "follower"
	if m.status().Leading {
		text = "leader"
	}
	m.kill(m.process(), text)
	time.Sleep(time.Duration(n.rng.Int64N(int64(2 * time.Second))))
	if err := m.ready(m.launch()); err != nil {
		n.c.t.Fatal(err)
	}
}

// TestClusterLeaders: as TestCluster, but only the leader is killed. It is for the
// distribution of how long that is felt.
func TestClusterLeaders(t *testing.T) {
	if *clusterLeaders == 0 {
		t.Skip("takes real time: -cluster-leaders 100")
	}
	c := newCluster(t, 1000)
	w := newCallers(c, append(clusterPlans(20), pulses(4)...))
	w.putAll()
	w.start()
	t.Logf("load average at the start %s", loadAverage())
	n := &nemesis{c: c, rng: random(t)}
	for range *clusterLeaders {
		c.awaitReady()
		time.Sleep(time.Second + time.Duration(n.rng.Int64N(int64(time.Second))))
		n.kill(c.awaitReady())
	}
	time.Sleep(time.Second)
	w.stop()
	t.Logf("load average at the end %s", loadAverage())
	c.settle()
	k := c.examine()
	f := failoversOf(k)
	t.Log(f)
	if f.leaders < *clusterLeaders*9/10 {
		t.Errorf("%d of %d kills met the leader", f.leaders, *clusterLeaders)
	}
	c.identical()
}

// profile has a node look at itself for ten seconds.
func (c *cluster) profile(m *member, path string) {
	c.t.Helper()
	if _, err := m.ask(order{Op: opProfile, Path: path}); err != nil {
		c.t.Error(err)
	}
}

// loadAverage is what the machine says, empty where it does not.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(text))[:min(3, len(strings.Fields(string(text))))], " ")
}
