package faults

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

var clusterHistory = flag.Int("cluster-history", 5_000, "executions that the cluster of TestClusterHistory has when a node joins")

const (
	historyJobs  = 16
	historyBatch = 1_000 // instants of a backfill
	historyFires = 100   // jobs that are due every second meanwhile
)

// TestClusterHistory: a new node joins a cluster with a long history, by a snapshot
// of it, while jobs are due each second. It catches up and votes; nothing that is
// due in between waits for that; in the end it holds the same bytes as the others.
func TestClusterHistory(t *testing.T) {
	c := newCluster(t, uint64(min(8192, max(50, *clusterHistory/500))))
	c.fill(*clusterHistory)
	w := newCallers(c, loadPlans(historyFires))
	w.putAll()
	w.start()
	time.Sleep(5 * time.Second)
	// Jobs are due at full seconds, and to join may take a part of one: one shall lie within.
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1850 * time.Millisecond)))
	g := c.grow()
	time.Sleep(3 * time.Second)
	g.end = time.Now()
	w.stop()
	c.settle()
	k := c.examine()
	n, text := g.figures(k)
	t.Log(text)
	if n == 0 {
		t.Error("nothing was due while it joined: this test proves nothing")
	}
	c.counted(c.members[len(c.members)-1])
	c.identical()
}

// fill makes a history, by backfills that really run, on all nodes.
func (c *cluster) fill(rows int) {
	c.t.Helper()
	began := time.Now()
	for i := range historyJobs {
		p := &plan{Job: fillJob(i), Every: int64(time.Second), Quiet: true, Overlap: chronos.OverlapAllowAll}
		if _, err := c.members[0].ask(order{Op: opPut, Plan: p, Seq: "fill"}); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, err := c.members[0].ask(order{Op: opPause}); err != nil { // they are for backfills only
		c.t.Fatal(err)
	}
	var batches atomic.Int64
	var wg sync.WaitGroup
	for i := range historyJobs {
		wg.Go(func() {
			for n := batches.Add(1); int(n-1)*historyBatch < rows; n = batches.Add(1) {
				c.backfill(c.members[i%len(c.members)], i, n)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	c.t.Logf("%d executions ran in %v: %.0f each second; load average %s", rows, took.Round(time.Second), float64(rows)/took.Seconds(), loadAverage())
}

// backfill makes one batch of a job's history, and waits until most of it has run.
// It is repeated, under its name, while nobody takes it.
func (c *cluster) backfill(m *member, i int, batch int64) {
	from := time.Unix(1_500_000_000+batch*2*historyBatch, 0)
	o := order{Op: opBackfill, Job: fillJob(i), Seq: fmt.Sprint("fill-", batch), From: from.UnixNano(),
		To: from.Add((historyBatch - 1) * time.Second).UnixNano()}
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		_, err := m.ask(o)
		if err == nil {
			break
		}
		if time.Since(begun) > time.Minute {
			c.t.Errorf("backfill %d: %v", batch, err)
			return
		}
	}
	for {
		a, err := m.ask(order{Op: opUnfinishedOf, Job: fillJob(i)})
		if err != nil || a.Count < historyBatch/2 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func fillJob(i int) string { return fmt.Sprintf("fill/%02d", i) }

// counted checks that a node has all of the history.
func (c *cluster) counted(m *member) {
	c.t.Helper()
	total := 0
	for i := range historyJobs {
		a, err := m.ask(order{Op: opRows, Job: fillJob(i)})
		if err != nil {
			c.t.Fatal(err)
		}
		total += a.Count
	}
	if want := (*clusterHistory + historyBatch - 1) / historyBatch * historyBatch; total != want {
		c.t.Errorf("node %s has %d executions that ran, of %d", m.name(), total, want)
	}
}

// growth is how a node joined.
type growth struct {
	began, ready, votes, end time.Time
	snapshot                 int64
	load                     string
	leader, joining          peak
	before                   peak // of the leader
}

// peak is the most memory that a process had.
type peak struct{ heap, anon, rss int64 }

func (p *peak) see(m *member, p1 *process) {
	if a, err := m.ask(order{Op: opMemory}); err == nil {
		p.heap = max(p.heap, int64(a.Heap))
	}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p1.cmd.Process.Pid))
	for line := range bytes.Lines(text) {
		var kb int64
		if _, err := fmt.Sscanf(string(line), "RssAnon: %d kB", &kb); err == nil {
			p.anon = max(p.anon, kb<<10)
		}
		if _, err := fmt.Sscanf(string(line), "VmRSS: %d kB", &kb); err == nil {
			p.rss = max(p.rss, kb<<10)
		}
	}
}

func (p peak) String() string {
	return fmt.Sprintf("heap %d, anonymous %d, resident %d MiB", p.heap>>20, p.anon>>20, p.rss>>20)
}

// grow adds a node, and waits until it votes.
func (c *cluster) grow() *growth {
	c.t.Helper()
	peers := append(c.peers[:len(c.peers):len(c.peers)], freePeers(c.t, []string{"d"})...)
	leader := c.awaitReady()
	g := &growth{}
	g.before.see(leader, leader.process())
	m := c.addMember(peers, len(peers)-1)
	g.began = time.Now()
	p := m.launch()
	watching := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			g.leader.see(leader, leader.process())
			g.joining.see(m, p)
			select {
			case <-watching:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	err := m.ready(p)
	g.ready = time.Now()
	if err == nil {
		c.eventually("the new node votes", time.Minute, func() bool { return m.status().Voters == len(peers) })
	}
	g.votes, g.load = time.Now(), loadAverage()
	close(watching)
	watch.Wait()
	if err != nil {
		c.t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(m.cfg.Dir, "snapshots", "*", "state.bin"))
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			g.snapshot = max(g.snapshot, info.Size())
		}
	}
	if g.snapshot == 0 {
		c.t.Error("it joined without a snapshot")
	}
	return g
}

// figures says how the node joined, and how many starts there were meanwhile.
func (g *growth) figures(k *checker) (starts int, text string) {
	var before, during, after []time.Duration
	for _, e := range k.journal {
		if e.Kind != "start" || e.Attempt != 1 || e.Due == 0 {
			continue
		}
		late := time.Duration(e.T - e.Due)
		switch {
		case e.T < g.began.UnixNano():
			before = append(before, late)
		case e.T < g.votes.UnixNano():
			during = append(during, late)
		case e.T < g.end.UnixNano():
			after = append(after, late)
		}
	}
	return len(during), fmt.Sprintf("caught up after %v, votes after %v; snapshot %.1f MB; load average %s\nleader before: %s\nleader meanwhile: %s\nnew node: %s\n"+
		"lateness before: %s\n… while it joined: %s\n… afterwards: %s",
		g.ready.Sub(g.began).Round(time.Millisecond), g.votes.Sub(g.began).Round(time.Millisecond), float64(g.snapshot)/1e6, g.load,
		g.before, g.leader, g.joining, distribution(before), distribution(during), distribution(after))
}
