package raftfsm

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos/store"
)

// pulse has all nodes beat twice a second, and the leader commit something; the
// returned function ends it.
func (c *trio) pulse() (end func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for name, n := range c.nodes {
		wg.Go(func() {
			for i := 0; ; i++ {
				ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
				_ = n.Beat(ctx, 1)
				if n.IsLeader() {
					_, _ = n.Propose(ctx, []*Command{put("pulse-" + name)})
				}
				cancel()
				select {
				case <-done:
					return
				case <-time.After(500 * time.Millisecond):
				}
			}
		})
	}
	return func() {
		close(done)
		wg.Wait()
	}
}

// corrupt changes a node's state beside the log, so that the state's own sum holds.
func corrupt(t *testing.T, n *Node) {
	t.Helper()
	synctest.Wait() // Apply is idle
	tx := n.st.Begin()
	defer tx.Discard()
	if err := tx.PutHeld("ghost", &store.Held{Node: "nobody", Token: 1}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := n.st.Verify(t.Context()); err != nil {
		t.Fatalf("the node's own check found it: %v", err)
	}
}

// awaitStop waits some beats for a node to stop, and tells how long that took.
func awaitStop(n *Node, limit time.Duration) (took time.Duration, err error) {
	begun := time.Now()
	select {
	case <-n.Stopped():
	case <-time.After(limit):
	}
	return time.Since(begun), n.Err()
}

// One node's state is not that of the others, and its own checks do not find it: it
// stops within a few beats, whether it leads or not, leaves its directory
// behind at its next start, and is filled anew. The control does not compare, and
// does not find it.
func TestClusterDiverged(t *testing.T) {
	for name, tc := range map[string]struct{ leads, worker, off bool }{
		"follower": {}, "leader": {leads: true}, "worker": {worker: true}, "control": {off: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTrio(t, "a", "b", "c")
				c.change = func(cfg *Config) { cfg.noCompare = tc.off }
				c.start("a", "b", "c")
				defer c.close()
				c.raise()
				victim := c.leader()
				switch {
				case tc.worker:
					victim, c.worker = "w", "w"
					c.addrs["w"] = "addr-w"
					c.names = append(c.names, "w")
					c.start("w")
				case !tc.leads:
					victim = c.other(victim)
				}
				fill(t, c.nodes["a"], 0, 20)
				c.divergeAndReturn(victim, tc.off)
			})
		})
	}
}

// raise has the cluster use all that this program knows; the root does so when the
// members have announced themselves.
func (c *trio) raise() {
	c.t.Helper()
	cmd := &Command{Now: time.Now().UnixNano(), Body: &Command_Raise{Raise: &Raise{Level: Level}}}
	if _, err := c.nodes[c.leader()].Propose(c.t.Context(), []*Command{cmd}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *trio) divergeAndReturn(victim string, off bool) {
	t, led := c.t, c.leader() == victim
	end := c.pulse()
	time.Sleep(3 * time.Second)
	corrupt(t, c.nodes[victim])
	took, err := awaitStop(c.nodes[victim], 20*time.Second)
	if off {
		if err != nil {
			t.Errorf("found without comparing: %v", err)
		}
		end()
		return
	}
	if !errors.Is(err, ErrDiverged) || !errors.Is(err, ErrStopped) || took > 3*time.Second {
		t.Errorf("stopped after %v: %v", took, err)
	}
	t.Logf("found after %v", took)
	time.Sleep(2 * time.Second)
	for name, n := range c.nodes {
		if name != victim && n.Err() != nil {
			t.Errorf("%s stopped as well: %v", name, n.Err())
		}
	}
	if !led && !c.nodes[c.leader()].Members()[victim].Differs {
		t.Error("the leader does not show it")
	}
	end()
	c.stop(victim)
	fill(t, c.nodes[c.leader()], 20, 30)
	time.Sleep(leaseDefault)
	c.start(victim)
	end = c.pulse()
	time.Sleep(3 * time.Second)
	end()
	c.same()
	if c.nodes[c.leader()].Members()[victim].Differs {
		t.Error("it still counts as different")
	}
	dir := filepath.Join(c.dir, victim)
	if _, err := os.Stat(filepath.Join(dir, divergedName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the mark is still there: %v", err)
	}
	for _, name := range []string{"raft.db", "state", "WHY"} {
		if found, _ := filepath.Glob(filepath.Join(dir, "quarantine", "*", name)); len(found) != 1 {
			t.Errorf("%s in quarantine: %v", name, found)
		}
	}
}

// With two nodes nobody can say whose state is right: it is reported, and both go on.
func TestClusterTwoDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b")
		c.start("a", "b")
		defer c.close()
		c.raise()
		fill(t, c.nodes["a"], 0, 5)
		end := c.pulse()
		defer func() { end() }()
		time.Sleep(2 * time.Second)
		for _, name := range c.names {
			for of, m := range c.nodes[name].Members() {
				if m.Differs {
					t.Errorf("%s takes %s for different before it is", name, of)
				}
			}
		}
		lead := c.leader()
		odd := c.other(lead)
		corrupt(t, c.nodes[odd])
		time.Sleep(5 * time.Second)
		for _, name := range c.names {
			if m := c.nodes[name].Members()[odd]; !m.Differs {
				t.Errorf("%s does not know of it: %+v", name, m)
			}
			if err := c.nodes[name].Err(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A majority is one of the voters and of those who spoke, and of three at least.
func TestMajority(t *testing.T) {
	three := map[string]bool{"a": true, "b": true, "c": true}
	five := map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true}
	one := map[string]bool{"a": true, "w": false, "x": false}
	for _, tc := range []struct {
		text    string
		sums    map[string]uint64
		members map[string]bool
		right   uint64
	}{
		{"all agree", map[string]uint64{"a": 1, "b": 1, "c": 1}, three, 1},
		{"one is odd", map[string]uint64{"a": 1, "b": 2, "c": 1}, three, 1},
		{"two have spoken", map[string]uint64{"a": 1, "b": 2}, three, 0},
		{"two that agree", map[string]uint64{"a": 1, "b": 1}, three, 0},
		{"three sums", map[string]uint64{"a": 1, "b": 2, "c": 3}, three, 0},
		{"two of five are no majority of the votes", map[string]uint64{"a": 1, "b": 1, "c": 2}, five, 0},
		{"three of five", map[string]uint64{"a": 1, "b": 1, "c": 2, "d": 1}, five, 1},
		{"two to two", map[string]uint64{"a": 1, "b": 1, "c": 2, "d": 2}, five, 0},
		{"a worker is odd", map[string]uint64{"a": 1, "w": 1, "x": 2}, one, 1},
		{"workers do not outvote", map[string]uint64{"a": 1, "w": 2, "x": 2}, one, 0},
	} {
		right, ok := majority(tc.sums, tc.members)
		if right != tc.right || ok != (tc.right != 0) {
			t.Errorf("%s: %d, %v", tc.text, right, ok)
		}
	}
}

// A node whose directory is to be left behind leaves all of it, also when it was
// killed half-way.
func TestLeaveBehind(t *testing.T) {
	dir := t.TempDir()
	cfg := &Config{Dir: dir, Cluster: &Cluster{}}
	r := &recovery{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	if err := r.leaveBehind(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "snapshots"), 0o700); err != nil {
		t.Fatal(err) // raft.db and state had been moved before the kill
	}
	if err := store.WriteDurably(filepath.Join(dir, divergedName), []byte("why\n")); err != nil {
		t.Fatal(err)
	}
	alone := &recovery{cfg: &Config{Dir: dir}, log: r.log}
	if err := alone.leaveBehind(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "snapshots")); err != nil {
		t.Errorf("without a cluster nothing is left behind: %v", err)
	}
	for range 2 {
		if err := r.leaveBehind(); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "quarantine" {
		t.Errorf("left: %v, %v", left, err)
	}
}
