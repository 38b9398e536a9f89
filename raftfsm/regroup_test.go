package raftfsm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/raftfsm/mesh"
)

// listing writes a peers file into the directories of these nodes, which are the
// ones it lists.
func (c *trio) listing(names ...string) {
	c.t.Helper()
	var list survivors
	for _, name := range names {
		list = append(list, survivor{Node: name, Addr: c.addrs[name], Worker: name == c.worker})
	}
	for _, name := range names {
		writePeers(c.t, cmp.Or(c.dirs[name], filepath.Join(c.dir, name)), list)
	}
}

func writePeers(t testing.TB, dir string, list any) {
	t.Helper()
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, peersName), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func votersOf(n *Node) (names []string) {
	for name, votes := range n.Voters() {
		if votes {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (c *trio) wantVoters(node string, want ...string) {
	c.t.Helper()
	if got := votersOf(c.nodes[node]); !slices.Equal(got, want) {
		c.t.Errorf("%s: voters %v, want %v", node, got, want)
	}
}

// snapshotAll lets each node take a snapshot. Raft refuses one while the newest
// entry that changes the members is not applied, which a follower hears later.
func (c *trio) snapshotAll() {
	c.t.Helper()
	for name, n := range c.nodes {
		err := n.Snapshot()
		for range 100 {
			if err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
			err = n.Snapshot()
		}
		if err != nil {
			c.t.Fatalf("%s: %v", name, err)
		}
	}
}

// refused opens a node that must not open.
func (c *trio) refused(name string, want error) {
	c.t.Helper()
	cfg := c.config(name)
	begun := time.Now()
	n, err := OpenNode(cfg)
	if err == nil {
		_ = n.Close()
	}
	if !errors.Is(err, want) || time.Since(begun) > 9*time.Second { // the default is 10
		c.t.Errorf("%s: %v after %v, want %v", name, err, time.Since(begun), want)
	}
}

// One of three is left: it goes on alone with all it had, the lost ones are
// refused with their disks and taken in with empty ones.
func TestPeersFileOneOfThree(t *testing.T) {
	for _, snapshots := range []int{0, 1, 3} {
		t.Run(fmt.Sprintf("snapshots=%d", snapshots), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTrio(t, "a", "b", "c")
				c.start("a", "b", "c")
				defer c.close()
				fill(t, c.nodes["b"], 0, 20)
				for i := range snapshots {
					c.snapshotAll()
					fill(t, c.nodes["b"], 20+100*i, 120+100*i)
				}
				all := 20 + 100*snapshots
				c.same()
				c.stop("a", "b", "c")
				c.listing("a")
				c.start("a")
				c.wantVoters("a", "a")
				if got := jobs(t, c.nodes["a"]); got != all {
					t.Errorf("%d jobs of %d", got, all)
				}
				fill(t, c.nodes["a"], all, all+5)
				dir := filepath.Join(c.dir, "a")
				if _, err := os.Stat(filepath.Join(dir, peersName)); !os.IsNotExist(err) {
					t.Errorf("the file is still there: %v", err)
				}
				if _, err := os.Stat(filepath.Join(dir, peersApplied)); err != nil {
					t.Error(err)
				}
				c.refused("b", ErrLeftBehind)
				c.stop("a")
				c.start("a") // and again, without the file
				epoch, _ := c.nodes["a"].epoch.now()
				if epoch.Number() != 1 {
					t.Errorf("epoch %s after another start", epoch)
				}
				if term := c.nodes["a"].Status().Term; term <= 1<<32 || term >= 2<<32 {
					t.Errorf("term %d is not one of the epoch's", term)
				}
				c.dirs["b"] = filepath.Join(c.dir, "b-new")
				c.addrs["d"] = "addr-d"
				c.names = []string{"a", "b", "d"}
				c.start("b", "d")
				c.wantVoters("a", "a", "b", "d")
				fill(t, c.nodes["d"], all+5, all+10)
				c.same()
				for name, n := range c.nodes {
					if at, _ := n.epoch.now(); at != epoch {
						t.Errorf("%s is at epoch %s, the others at %s", name, at, epoch)
					}
				}
				c.snapshotAll()
				c.stop("b", "d", "a")
				c.start("a", "b", "d")
				c.same()
			})
		})
	}
}

// Two of five are left, with logs of different lengths. What the longer one has
// stays; they are a cluster again, and can be recovered once more.
func TestPeersFileTwoOfFive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c", "d", "e")
		c.start(c.names...)
		defer c.close()
		fill(t, c.nodes["a"], 0, 20)
		c.snapshotAll()
		fill(t, c.nodes["a"], 20, 40)
		c.same()
		c.wires.Isolate(c.addrs["a"])
		fill(t, c.nodes[c.leaderBut("a")], 40, 45)
		if err := c.nodes["b"].fsm.applied.wait(t.Context(), c.nodes[c.leaderBut("a")].Status().AppliedIndex); err != nil {
			t.Fatal(err)
		}
		c.close()
		c.wires.Join(c.addrs["a"])
		c.listing("a", "b")
		c.start("a", "b")
		c.wantVoters("a", "a", "b")
		c.wantVoters("b", "a", "b")
		if got := jobs(t, c.nodes["a"]); got != 45 {
			t.Errorf("%d jobs of 45", got)
		}
		fill(t, c.nodes["a"], 45, 50)
		c.same()
		for _, name := range []string{"c", "d", "e"} {
			c.refused(name, ErrLeftBehind)
		}
		c.stop("a", "b")
		c.listing("b")
		c.start("b")
		if at, _ := c.nodes["b"].epoch.now(); at.Number() != 2 {
			t.Errorf("epoch %s", at)
		}
		c.refused("a", ErrLeftBehind)
		if got := jobs(t, c.nodes["b"]); got != 50 {
			t.Errorf("%d jobs of 50", got)
		}
	})
}

func (c *trio) leaderBut(not string) string {
	c.t.Helper()
	for range 500 {
		for name, n := range c.nodes {
			if name != not && n.IsLeader() {
				return name
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.t.Fatal("nobody leads")
	return ""
}

// Entries that no majority had, and that differ among the survivors, are decided
// as ever: nobody applies what another one does not. One of the survivors comes
// late, with entries of a term that the others have not heard of.
func TestPeersFileForks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c", "d", "e")
		c.start(c.names...)
		defer c.close()
		fill(t, c.nodes["a"], 0, 10)
		c.same()
		var survived []string
		for i := range 3 {
			lead := c.leader()
			survived = append(survived, lead)
			for _, name := range c.names {
				c.wires.Isolate(c.addrs[name])
			}
			change := c.nodes[lead].raft.RemoveServer(raft.ServerID(c.other(lead)), 0, time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			for n := range 3 - i {
				if _, err := c.nodes[lead].Propose(ctx, []*Command{put(fmt.Sprintf("fork-%d-%d", i, n))}); err == nil {
					t.Fatal("committed alone")
				}
			}
			cancel()
			if change.Error() == nil {
				t.Fatal("changed the members alone")
			}
			c.stop(lead)
			for _, name := range c.names {
				c.wires.Join(c.addrs[name])
			}
		}
		c.close()
		c.listing(survived...)
		c.start(survived[:2]...)
		fresh := c.nodes[c.leader()]
		for i := range 5 {
			if _, err := fresh.Propose(t.Context(), []*Command{put(fmt.Sprintf("after-%d", i))}); err != nil {
				t.Fatal(err)
			}
		}
		c.start(survived[2])
		c.same()
		slices.Sort(survived)
		c.wantVoters(survived[2], survived...)
		c.snapshotAll()
		c.stop(survived...)
		c.start(survived...)
		c.same()
	})
}

// A node that the list leaves out and that is alive keeps the list from being
// followed; a node that was stopped does not.
func TestPeersFileWhileOthersLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 5)
		c.same()
		c.stop("a")
		c.listing("a")
		var refused *PeersError
		if n, err := OpenNode(c.config("a")); !errors.As(err, &refused) || !strings.Contains(err.Error(), "answers") {
			t.Fatalf("%v, %v", n, err)
		}
		remove(t, c.config("a").Dir, peersName)
		c.start("a")
		c.wantVoters("a", "a", "b", "c")
		fill(t, c.nodes["a"], 5, 10)
		c.same()
	})
}

// Lists that cannot be meant are refused, and nothing is changed by them.
func TestPeersFileRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		fill(t, c.nodes["a"], 0, 5)
		c.close()
		dir := filepath.Join(c.dir, "a")
		path := filepath.Join(dir, peersName)
		before := contents(t, dir)
		good := `[{"node": "a", "addr": "addr-a"}]`
		for name, bad := range map[string]struct {
			text, want string
			mode       os.FileMode
			change     func(*Config)
		}{
			"empty":            {text: "", want: "not a JSON list"},
			"no JSON":          {text: "a b c", want: "not a JSON list"},
			"torn":             {text: good[:20], want: "not a JSON list"},
			"an object":        {text: `{"node": "a"}`, want: "not a JSON list"},
			"unknown field":    {text: `[{"node": "a", "addr": "x", "voter": true}]`, want: "voter"},
			"more behind it":   {text: good + good, want: "behind the list"},
			"empty list":       {text: "[]", want: "does not list this node"},
			"null":             {text: "null", want: "does not list this node"},
			"without the node": {text: `[{"node": "b", "addr": "x"}]`, want: "does not list this node"},
			"twice":            {text: `[{"node": "a", "addr": "x"}, {"node": "a", "addr": "x"}]`, want: "twice"},
			"no address":       {text: `[{"node": "a"}]`, want: "address"},
			"no name":          {text: `[{"addr": "x"}]`, want: "no name"},
			"a name with @":    {text: `[{"node": "a@1", "addr": "x"}]`, want: "no name"},
			"a worker here":    {text: `[{"node": "a", "addr": "x", "worker": true}, {"node": "b", "addr": "x"}]`, want: "agree"},
			"no voter": {text: `[{"node": "a", "addr": "x", "worker": true}]`, want: "nobody who votes", change: func(cfg *Config) {
				cfg.Cluster.Worker = true
			}},
			"writable by others": {text: good, mode: 0o622, want: "chmod 600"},
			"no cluster":         {text: good, want: "Options.Cluster", change: func(cfg *Config) { cfg.Cluster = nil }},
		} {
			if bad.mode != 0 && runtime.GOOS == "windows" {
				continue
			}
			if err := os.WriteFile(path, []byte(bad.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if bad.mode != 0 {
				if err := os.Chmod(path, bad.mode); err != nil {
					t.Fatal(err)
				}
			}
			cfg := c.config("a")
			if bad.change != nil {
				bad.change(&cfg)
			}
			n, err := OpenNode(cfg)
			var refused *PeersError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), bad.want) || refused.Path != path {
				t.Errorf("%s: %v, %v", name, n, err)
			}
			remove(t, path)
			if after := contents(t, dir); !maps.Equal(before, after) {
				t.Errorf("%s: the directory was changed", name)
			}
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if n, err := OpenNode(c.config("a")); err == nil || !strings.Contains(err.Error(), "regular file") {
			t.Errorf("a directory: %v, %v", n, err)
		}
		remove(t, path)
		fresh := filepath.Join(c.dir, "fresh")
		if err := os.Mkdir(fresh, 0o700); err != nil {
			t.Fatal(err)
		}
		c.dirs["a"] = fresh
		c.listing("a")
		if n, err := OpenNode(c.config("a")); err == nil || !strings.Contains(err.Error(), "holds no state") {
			t.Errorf("without state: %v, %v", n, err)
		}
		if _, err := os.Stat(filepath.Join(fresh, logName)); !os.IsNotExist(err) {
			t.Error("a log was made")
		}
		delete(c.dirs, "a")
		c.start("a", "b", "c")
		c.same()
		c.close()
	})
}

// contents is what counts in a directory, by name. Opening raft.db turns a page of
// it, and is left out.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"snapshots/*", "snapshots/*/*", "quarantine/*", "state/*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text := ""
			if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
				text = readFile(t.(*testing.T), name)
			}
			out[name] = text
		}
	}
	return out
}

// A kill at any step of a recovery leaves the old node or the recovered one, with
// the file or without; and the next start with the file arrives at the same end.
func TestPeersFileKilled(t *testing.T) {
	for _, history := range []struct {
		name string
		make func(c *trio)
		want []string // steps
	}{
		{"no snapshot", func(*trio) {}, []string{"committed", "term lifted", "renamed"}},
		{"snapshots", func(c *trio) {
			for i := range 3 {
				c.snapshotAll()
				fill(c.t, c.nodes["b"], 10+50*i, 60+50*i)
			}
		}, []string{"written", "committed", "term lifted", "log tidied", "tidying snapshots", "renamed"}},
		{"members changing", func(c *trio) {
			fill(c.t, c.nodes["b"], 10, 60)
			if err := c.nodes["b"].Remove(c.t.Context(), "d"); err != nil {
				c.t.Fatal(err)
			}
			c.snapshotAll()
			fill(c.t, c.nodes["b"], 60, 160)
			for c.leader() != "a" {
				_ = c.nodes[c.leader()].TransferLeadership()
				time.Sleep(time.Second)
			}
			c.wires.Isolate("addr-a")
			_ = c.nodes["a"].raft.RemoveServer("b", 0, time.Second).Error() // it stays in the log, uncommitted
		}, []string{"written", "committed", "term lifted", "log rewritten", "log tidied", "tidying snapshots", "renamed"}},
	} {
		t.Run(history.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTrio(t, "a", "b", "c", "d")
				c.start(c.names...)
				fill(t, c.nodes["b"], 0, 10)
				history.make(c)
				want := jobs(t, c.nodes["a"])
				c.close()
				c.listing("a")
				copies := map[string]string{}
				c.change = func(cfg *Config) {
					cfg.atStep = func(step string) error {
						if copies[step] == "" {
							copies[step] = copyDir(t, cfg.Dir)
						}
						return nil
					}
				}
				c.wires.Join("addr-a")
				c.start("a")
				c.change = nil
				c.stop("a")
				for _, step := range history.want {
					if copies[step] == "" {
						t.Errorf("there was no step %q", step)
						continue
					}
					outcome := c.survey(step, copies[step], want)
					t.Logf("killed at %q: %s", step, outcome)
					if old := step == "written"; old != (outcome == "old") {
						t.Errorf("killed at %q: the node is %s", step, outcome)
					}
				}
			})
		})
	}
}

// survey looks at a directory as a kill left it, without the file and with it.
func (c *trio) survey(step, dir string, want int) string {
	c.t.Helper()
	bare := copyDir(c.t, dir)
	_ = os.Remove(filepath.Join(bare, peersName))
	cfg := c.config("a")
	cfg.Dir = bare
	cfg = cfg.withDefaults()
	_, trans := raft.NewInmemTransport("")
	r := &recovery{cfg: &cfg, log: cfg.Logger, trans: trans, onDamage: func(error) {}}
	if err := r.run(); err != nil {
		c.t.Errorf("%s: %v", step, err)
	}
	seen := map[mesh.Epoch]bool{epochOf(r.conf): true}
	list, err := r.snaps.List()
	if err != nil {
		c.t.Error(err)
	}
	for _, m := range list {
		seen[epochOf(m.Configuration)] = true
	}
	first, _ := r.logs.FirstIndex()
	last, _ := r.logs.LastIndex()
	for i := first; i > 0 && i <= last; i++ {
		var l raft.Log
		if err := r.logs.GetLog(i, &l); err != nil {
			c.t.Errorf("%s: entry %d: %v", step, i, err)
		}
		if l.Type == raft.LogConfiguration {
			seen[epochOf(raft.DecodeConfiguration(l.Data))] = true
		}
	}
	if len(seen) != 1 {
		c.t.Errorf("killed at %q, the node is of several epochs: %v", step, slices.Collect(maps.Keys(seen)))
	}
	if err := r.release(); err != nil {
		c.t.Error(err)
	}
	c.dirs["a"] = dir
	c.start("a")
	c.wantVoters("a", "a")
	if at, _ := c.nodes["a"].epoch.now(); at.Number() != 1 {
		c.t.Errorf("killed at %q, recovered to epoch %s", step, at)
	}
	if got := jobs(c.t, c.nodes["a"]); got < want {
		c.t.Errorf("killed at %q: %d jobs of %d", step, got, want)
	}
	c.stop("a")
	if _, err := os.Stat(filepath.Join(dir, peersName)); !os.IsNotExist(err) {
		c.t.Errorf("killed at %q: the file is still there", step)
	}
	if seen[mesh.Unrecovered] {
		return "old"
	}
	return "recovered"
}

// A worker survives, too: with a voter it stays one; alone it can be made a voter,
// because it holds a replica of all.
func TestPeersFileWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		c.addrs["w"], c.worker = "addr-w", "w"
		c.names = append(c.names, "w")
		c.start("w")
		fill(t, c.nodes["w"], 0, 20)
		c.same()
		c.close()
		c.listing("a", "w")
		c.start("a", "w")
		c.wantVoters("w", "a")
		fill(t, c.nodes["w"], 20, 30)
		c.same()
		c.close()
		c.worker = ""
		c.listing("w")
		c.start("w")
		c.wantVoters("w", "w")
		if got := jobs(t, c.nodes["w"]); got != 30 {
			t.Errorf("%d jobs of 30", got)
		}
		fill(t, c.nodes["w"], 30, 35)
		c.refused("a", ErrLeftBehind)
	})
}

// A member whose files do not say any more who the others are must not guess it
// from the host's list, which may name members that were removed long ago.
func TestClusterMembersUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		for i := range 3 {
			fill(t, c.nodes["a"], 100*i, 100*i+100)
			c.snapshotAll()
		}
		c.same()
		c.stop("a")
		remove(t, c.dir, "a", snapshotDir)
		var damage *DamageError
		if n, err := OpenNode(c.config("a")); !errors.As(err, &damage) || !strings.Contains(err.Error(), "members") {
			t.Errorf("%v, %v", n, err)
		}
		c.dirs["a"] = filepath.Join(c.dir, "a-new")
		c.start("a")
		c.same()
	})
}
