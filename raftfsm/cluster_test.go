package raftfsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/internal/pipenet"
	"github.com/chronos-go/chronos/store"
)

// trio is a cluster of nodes a, b, c in one bubble.
type trio struct {
	t     *testing.T
	wires *pipenet.Network
	dir   string
	names []string
	addrs map[string]string
	dirs  map[string]string
	nodes map[string]*Node

	worker string
	change func(*Config)
}

func newTrio(t *testing.T, names ...string) *trio {
	c := &trio{t: t, wires: new(pipenet.Network), dir: t.TempDir(), names: names, addrs: map[string]string{}, dirs: map[string]string{}, nodes: map[string]*Node{}}
	for _, name := range names {
		c.addrs[name] = "addr-" + name
	}
	return c
}

func (c *trio) config(name string) Config {
	cfg := testConfig(c.t, cmp.Or(c.dirs[name], filepath.Join(c.dir, name)))
	cfg.ID, cfg.NoCompaction, cfg.NoSync = name, true, true
	cfg.Cluster = &Cluster{ID: "test", Listener: c.wires.Listen(c.addrs[name]), Dial: c.wires.Dialer(c.addrs[name]), Worker: name == c.worker}
	for _, n := range c.names {
		cfg.Cluster.Peers = append(cfg.Cluster.Peers, Peer{n, c.addrs[n]})
	}
	if c.change != nil {
		c.change(&cfg)
	}
	return cfg
}

// start opens nodes at the same time.
func (c *trio) start(names ...string) {
	c.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range names {
		cfg := c.config(name)
		wg.Go(func() {
			n, err := OpenNode(cfg)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				c.t.Errorf("open %s: %v", name, err)
				return
			}
			c.nodes[name] = n
		})
	}
	wg.Wait()
	if c.t.Failed() {
		c.close()
		c.t.FailNow()
	}
}

func (c *trio) stop(names ...string) {
	c.t.Helper()
	for _, name := range names {
		if err := c.nodes[name].Close(); err != nil {
			c.t.Errorf("close %s: %v", name, err)
		}
		delete(c.nodes, name)
	}
}

func (c *trio) close() {
	for name := range c.nodes {
		c.stop(name)
	}
}

// leader waits for one of the nodes to lead.
func (c *trio) leader() string {
	c.t.Helper()
	for range 500 {
		for name, n := range c.nodes {
			if n.IsLeader() {
				return name
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.t.Fatal("nobody leads")
	return ""
}

func (c *trio) other(not string) string {
	for _, name := range c.names {
		if name != not && c.nodes[name] != nil {
			return name
		}
	}
	return ""
}

// same waits until all nodes have applied the same, and compares their bytes.
func (c *trio) same() {
	c.t.Helper()
	lead := c.nodes[c.leader()]
	if _, err := lead.Propose(c.t.Context(), []*Command{barrier()}); err != nil {
		c.t.Fatal(err)
	}
	want := dump(c.t, lead.Store())
	for name, n := range c.nodes {
		ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
		if err := n.fsm.applied.wait(ctx, lead.Store().Applied().GetIndex()); err != nil {
			c.t.Fatalf("%s is at entry %d, the leader at %d", name, n.Store().Applied().GetIndex(), lead.Store().Applied().GetIndex())
		}
		cancel()
		sameState(c.t, name, want, dump(c.t, n.Store()))
	}
	c.sameSums()
}

// sameSums compares what all nodes remember of their way: none may seem to differ.
func (c *trio) sameSums() {
	c.t.Helper()
	type said struct {
		node string
		sum  uint64
	}
	at, compared := map[uint64]said{}, 0
	for name, n := range c.nodes {
		for i := range n.fsm.trail.steps {
			s := n.fsm.trail.step(i)
			if first, ok := at[s.index]; !ok {
				at[s.index] = said{name, s.sum}
			} else if compared++; first.sum != s.sum {
				c.t.Errorf("after entry %d %s sums up to %x, %s to %x", s.index, name, s.sum, first.node, first.sum)
			}
		}
	}
	if compared == 0 && len(c.nodes) > 1 {
		c.t.Error("no two nodes have a commit that ends at the same entry")
	}
}

// Three nodes that are started together are one cluster: what any of them
// commits is on all of them, in the same bytes, and a caller finds its own
// writes on its own node.
func TestClusterForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		for i, name := range []string{"a", "b", "c", "a", "b", "c"} {
			fill(t, c.nodes[name], 10*i, 10*i+10)
			if got := jobs(t, c.nodes[name]); got != 10*i+10 {
				t.Errorf("%s sees %d jobs of its own %d", name, got, 10*i+10)
			}
		}
		c.same()
		leaders := 0
		for _, n := range c.nodes {
			if n.IsLeader() {
				leaders++
			}
		}
		if leaders != 1 {
			t.Errorf("%d leaders", leaders)
		}
	})
}

// A minority commits nothing; the majority goes on, also after its leader died;
// who comes back catches up, and all addresses may have changed.
func TestClusterGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 5)
		first := c.leader()
		c.stop(first)
		fill(t, c.nodes[c.leader()], 5, 10)
		fill(t, c.nodes[c.other(c.leader())], 10, 15)
		second := c.leader()
		c.stop(second)
		rest := c.nodes[c.other("")]
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if _, err := rest.Propose(ctx, []*Command{put("job-9999")}); !errors.Is(err, ErrNoLeader) {
			t.Errorf("one of three committed: %v", err)
		}
		cancel()
		for _, name := range c.names {
			c.addrs[name] = "moved-" + name
		}
		c.stop(c.other(""))
		c.start("a", "b", "c")
		if got := jobs(t, c.nodes["b"]); got != 15 {
			t.Errorf("%d jobs after all were down", got)
		}
		fill(t, c.nodes["c"], 15, 20)
		c.same()
	})
}

// A leader that is cut off leads no more, and what it could not commit is not
// applied when it comes back, or once.
func TestClusterPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 5)
		old := c.leader()
		c.wires.Isolate(c.addrs[old])
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		_, err := c.nodes[old].Propose(ctx, []*Command{put("job-0005")})
		cancel()
		if !errors.Is(err, ErrUncertain) {
			t.Errorf("cut off: %v", err)
		}
		time.Sleep(2 * time.Second)
		if c.nodes[old].IsLeader() {
			t.Error("it still leads")
		}
		fresh := c.leader()
		fill(t, c.nodes[c.otherThan(old, fresh)], 5, 8)
		c.wires.Join(c.addrs[old])
		time.Sleep(3 * time.Second)
		fill(t, c.nodes[old], 8, 10)
		c.same()
	})
}

func (c *trio) otherThan(x, y string) string {
	for _, name := range c.names {
		if name != x && name != y {
			return name
		}
	}
	return ""
}

// A cluster begins when all are there. A member that lost its disk is taken out and
// comes back like a new one, but not while a process of its name may be alive.
func TestClusterForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 5)
		if v := c.nodes["a"].Voters(); len(v) != 3 || !v["c"] {
			t.Errorf("members %v", v)
		}
		open := &Command{Body: &Command_Open{Open: &Open{Node: "c", Incarnation: 1}}}
		if _, err := c.nodes["c"].Propose(t.Context(), []*Command{open}); err != nil {
			t.Fatal(err)
		}
		if err := c.nodes["c"].Beat(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		c.same()
		c.stop("c")
		c.dirs["c"] = filepath.Join(c.dir, "wiped")
		cfg := c.config("c")
		cfg.StartTimeout = 2 * time.Second
		if n, err := OpenNode(cfg); !errors.Is(err, ErrForgotten) && c.leader() != "c" {
			t.Errorf("at once: %v, %v", n, err)
		}
		time.Sleep(leaseDefault)
		c.start("c")
		if v := c.nodes["a"].Voters(); len(v) != 3 || !v["c"] {
			t.Errorf("members after the loss of a disk: %v", v)
		}
		c.same()
		c.stop("c")
		c.start("c")
		fill(t, c.nodes["c"], 5, 8)
		c.same()
	})
}

// Nodes join a cluster that is there, with a vote or without, and are removed; the
// list that they were started with need not name all members.
func TestClusterJoinAndRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 50)
		c.addrs["d"], c.addrs["w"] = "addr-d", "addr-w"
		c.names = []string{"a", "b", "c", "d"}
		c.start("d")
		c.names = []string{"a", "b", "c", "w"}
		c.worker = "w"
		c.start("w")
		for _, name := range []string{"d", "w"} {
			n := c.nodes[name]
			if _, err := n.Propose(t.Context(), []*Command{{Body: &Command_Open{Open: &Open{Node: name, Incarnation: 1, Addr: c.addrs[name]}}}}); err != nil {
				t.Fatal(err)
			}
		}
		if v := c.nodes[c.leader()].Voters(); len(v) != 5 || !v["d"] || v["w"] {
			t.Errorf("members %v", v)
		}
		fill(t, c.nodes["w"], 50, 60)
		c.same()
		for range 2 { // whoever leads next has to find those who joined
			if err := c.nodes[c.leader()].TransferLeadership(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			fill(t, c.nodes[c.leader()], 60, 60)
			c.same()
		}
		for _, name := range []string{c.leader(), "w"} {
			if err := c.nodes[c.other("")].Remove(t.Context(), name); err != nil {
				t.Fatalf("remove %s: %v", name, err)
			}
			time.Sleep(time.Second)
			c.stop(name)
			if v := c.nodes[c.leader()].Voters(); len(v) > 4 {
				t.Errorf("members after the removal of %s: %v", name, v)
			}
		}
		fill(t, c.nodes[c.leader()], 60, 70)
		c.same()
	})
}

// One of three new nodes does not begin a cluster of its own.
func TestClusterAloneIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		if n, err := OpenNode(c.config("a")); !errors.Is(err, ErrNoLeader) {
			t.Errorf("alone: %v, %v", n, err)
		}
		var wg sync.WaitGroup
		for _, name := range []string{"a", "b"} { // the third may have been here before, and be down
			cfg := c.config(name)
			cfg.StartTimeout = 3 * time.Second
			wg.Go(func() {
				if n, err := OpenNode(cfg); !errors.Is(err, ErrNoLeader) {
					t.Errorf("two of three: %v, %v", n, err)
				}
			})
		}
		wg.Wait()
		c.start("a", "b", "c")
		fill(t, c.nodes["b"], 0, 3)
		c.same()
		c.close()
		cfg := c.config("a")
		cfg.Cluster.ID = "other"
		if n, err := OpenNode(cfg); !errors.Is(err, ErrWrongCluster) {
			t.Errorf("another cluster: %v, %v", n, err)
		}
	})
}

// A worker that is started before there is a cluster waits for it, and joins at a
// later start, also if it was killed on its way in.
func TestClusterWorkerFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.addrs["w"], c.worker = "addr-w", "w"
		defer c.close()
		c.names = append(c.names, "w")
		for range 3 {
			cfg := c.config("w")
			cfg.StartTimeout = 2 * time.Second
			if n, err := OpenNode(cfg); !errors.Is(err, ErrNoLeader) {
				t.Fatalf("without a cluster: %v, %v", n, err)
			}
		}
		c.names = c.names[:3]
		c.start("a", "b", "c")
		fill(t, c.nodes["a"], 0, 3)
		empty := &createLog{dir: filepath.Join(c.dir, "w"), logID: c.config("w").Cluster.logID(), nodeID: "w", term: 1, noSync: true}
		if err := errors.Join(empty.write(nil), empty.rename()); err != nil {
			t.Fatal(err)
		}
		c.names = append(c.names, "w")
		c.start("w")
		c.same()
	})
}

// A node that was away longer than the log reaches gets a snapshot.
func TestClusterSnapshotInstall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 5)
		away := c.other(c.leader())
		c.stop(away)
		for i := range 3 {
			fill(t, c.nodes[c.leader()], 5+100*i, 105+100*i)
			c.snapshotAll()
		}
		c.start(away)
		if got := jobs(t, c.nodes[away]); got != 305 {
			t.Errorf("%d jobs", got)
		}
		if at := c.nodes[away].Status().SnapshotIndex; at < 100 {
			t.Errorf("it has a snapshot of entry %d: it was not sent one", at)
		}
		c.same()
		c.stop(away)
		c.start(away)
		c.same()
	})
}

// Callers on all nodes, while leaders come and go: nothing is applied twice,
// and nothing acknowledged is lost.
func TestClusterCommitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		if _, err := c.nodes["a"].Propose(t.Context(), []*Command{put("job-0000")}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		acked := map[string]bool{}
		done := make(chan struct{})
		for _, name := range c.names {
			n := c.nodes[name]
			for w := range 3 {
				wg.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-done:
							return
						default:
						}
						exec := store.ExecutionKey(1_000, store.Origin_ORIGIN_TRIGGER, fmt.Sprintf("%s-%d-%d", name, w, i))
						cmd := &Command{Id: commandID(), Now: 1_000, Body: &Command_Trigger{Trigger: &Trigger{Job: "job-0000", Execution: exec}}}
						res, err := n.Propose(t.Context(), []*Command{cmd})
						if err == nil && res[0].Code == Code_CODE_OK {
							mu.Lock()
							acked[exec] = true
							mu.Unlock()
						}
						time.Sleep(7 * time.Millisecond)
					}
				})
			}
		}
		for range 6 {
			time.Sleep(time.Second)
			lead := c.leader()
			c.wires.Isolate(c.addrs[lead])
			time.Sleep(1500 * time.Millisecond)
			c.wires.Join(c.addrs[lead])
		}
		close(done)
		wg.Wait()
		time.Sleep(3 * time.Second)
		c.same()
		rows, counted := ledger(t, c.nodes["a"], "job-0000")
		for exec := range acked {
			if !rows[exec] {
				t.Errorf("%s was acknowledged and is not there", exec)
			}
		}
		if counted != uint64(len(rows)) {
			t.Errorf("%d rows were counted, %d are there: something was applied twice", counted, len(rows))
		}
		if len(acked) < 500 {
			t.Errorf("only %d were acknowledged", len(acked))
		}
		t.Logf("%d acknowledged, %d rows", len(acked), len(rows))
	})
}

// ledger returns the keys of a job's rows, and how many rows it has by its own
// count.
func ledger(t *testing.T, n *Node, job string) (rows map[string]bool, counted uint64) {
	t.Helper()
	rows = map[string]bool{}
	err := n.Store().View(func(r *store.Reader) error {
		st, err := r.Schedule(job)
		if err != nil {
			return err
		}
		counted = st.Rows
		return r.Executions(job, "", func(key string, _ *store.Execution) (bool, error) {
			rows[key] = true
			return true, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, counted
}

// hanging is a log whose disk hangs while somebody else has taken it.
type hanging struct {
	logBackend
	taken chan struct{}
}

func (h *hanging) StoreLogs(logs []*raft.Log) error {
	h.taken <- struct{}{}
	defer func() { <-h.taken }()
	return h.logBackend.StoreLogs(logs)
}

// A leader whose disk hangs is replaced, and comes back when the disk does; what
// it had taken in is applied once.
func TestClusterSickLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		disks := map[string]*hanging{}
		c.change = func(cfg *Config) {
			h := &hanging{taken: make(chan struct{}, 1)}
			disks[cfg.ID] = h
			cfg.backend = func(b logBackend) logBackend {
				h.logBackend = b
				return h
			}
		}
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 5)
		sick := c.leader()
		disks[sick].taken <- struct{}{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, _ = c.nodes[sick].Propose(ctx, []*Command{barrier()})
		cancel()
		begun := time.Now()
		var fresh *Node
		for fresh == nil {
			for name, n := range c.nodes {
				if name != sick && n.IsLeader() {
					fresh = n
				}
			}
			if time.Since(begun) > time.Minute {
				<-disks[sick].taken
				t.Fatal("nobody took over")
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("replaced after %v", time.Since(begun))
		fill(t, fresh, 5, 10)
		<-disks[sick].taken
		time.Sleep(5 * time.Second)
		fill(t, c.nodes[sick], 10, 12)
		c.same()
	})
}

// A new leader that has lost the others before they could say that it has all that
// was committed closes all the same, also where it would go on leading for longer
// than Close may take.
func TestClusterCloseOfLonelyLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.change = func(cfg *Config) {
			cfg.Cluster.HeartbeatTimeout, cfg.Cluster.Lease, cfg.StartTimeout = 10*time.Second, 100*time.Second, 2*time.Minute
		}
		c.start("a", "b", "c")
		old := c.leader()
		for _, a := range c.names {
			for _, b := range c.names {
				c.wires.Delay(c.addrs[a], c.addrs[b], 100*time.Millisecond)
			}
		}
		c.stop(old)
		heir := ""
		for n := 0; heir == "" && n < 100_000; n++ {
			time.Sleep(time.Millisecond)
			for name, n := range c.nodes {
				if n.raft.State() == raft.Leader {
					heir = name
				}
			}
		}
		c.wires.Isolate(c.addrs[heir])
		c.stop(heir)
		c.close()
	})
}
