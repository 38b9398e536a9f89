package chronos_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/testhook"
	"github.com/chronos-go/chronos/raftfsm"
)

// older has nodes play a program that knows feature levels up to one. It returns
// a function that upgrades a node's program.
func older(t *testing.T, level uint32, nodes ...string) (upgrade func(node string)) {
	t.Helper()
	old := map[string]bool{}
	for _, n := range nodes {
		old[n] = true
	}
	before := testhook.Raft
	testhook.Raft = func(cfg *raftfsm.Config) {
		if before != nil {
			before(cfg)
		}
		if old[cfg.ID] {
			cfg.MaxLevel = level
		}
	}
	t.Cleanup(func() { testhook.Raft = before })
	return func(node string) { delete(old, node) }
}

// A rolling upgrade: the cluster goes on while its nodes are restarted with a
// newer program one by one, and uses what is new when the last of them knows it.
func TestRollingUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upgrade := older(t, raftfsm.LevelFirst, "a", "b", "c")
		c := &team{t: t, dir: t.TempDir(), names: []string{"a", "b", "c"}, nodes: map[string]*chronos.Scheduler{}, ends: map[string]func() error{},
			live: map[string]int{}, most: map[string]int{}, labels: map[string]map[string]string{"b": {"zone": "x"}}}
		c.open("a", "b", "c")
		for _, n := range c.names {
			c.run(n, "h")
		}
		c.put(chronos.Job{ID: "plain", Handler: "h", Schedule: chronos.Every(time.Second)})
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		keyed := chronos.Job{ID: "keyed", Handler: "h", Schedule: chronos.Every(time.Second), Concurrency: chronos.Concurrency{Key: "k"}}
		zoned := chronos.Job{ID: "zoned", Handler: "h", Schedule: chronos.Every(time.Second), Placement: chronos.Placement{Labels: map[string]string{"zone": "x"}}}
		limited := chronos.Job{ID: "limited", Handler: "h", Schedule: chronos.Every(time.Second), SucceedWithin: time.Minute}
		for _, n := range c.names {
			_, err := c.any().Put(t.Context(), keyed)
			wantField(t, err, "Job.Concurrency")
			if _, err = c.any().PutAll(t.Context(), []chronos.Job{zoned}); !errors.Is(err, chronos.ErrInvalid) {
				t.Errorf("PutAll before the upgrade: %v", err)
			}
			_, err = c.any().Put(t.Context(), limited)
			wantField(t, err, "Job.SucceedWithin")
			if at := c.any().Status().Level; at != int(raftfsm.LevelFirst) {
				t.Errorf("level %d before %s is upgraded", at, n)
			}
			c.close(n)
			upgrade(n)
			c.open(n)
			c.run(n, "h")
		}
		c.put(keyed, zoned, limited)
		time.Sleep(5 * time.Second)
		for _, n := range c.names {
			st := c.nodes[n].Status()
			if st.Level != int(raftfsm.Level) {
				t.Errorf("level %d on %s after the upgrade", st.Level, n)
			}
			for _, m := range st.Members {
				if m.Level != int(raftfsm.Level) {
					t.Errorf("%s says that it knows level %d", m.Node, m.Level)
				}
			}
		}
		if n := c.byNode("zoned"); n["b"] < 4 || len(n) != 1 {
			t.Errorf("zoned ran on %v", n)
		}
		c.complete("a", "plain", begin, time.Now().Add(-time.Second).Truncate(time.Second))
		if c.mostOf("plain") > 1 {
			t.Errorf("plain ran %d times at once", c.mostOf("plain"))
		}
		c.closeAll()
	})
}

// A program that is older than what the cluster has come to use is refused, with
// the way out: with its directory, and as a new node.
func TestOlderProgramIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		older(t, raftfsm.LevelFirst, "old")
		c := &team{t: t, dir: t.TempDir(), names: []string{"a", "b", "c"}, nodes: map[string]*chronos.Scheduler{}, ends: map[string]func() error{},
			live: map[string]int{}, most: map[string]int{}}
		c.open("a", "b", "c")
		for _, n := range c.names {
			c.run(n, "h")
		}
		c.put(chronos.Job{ID: "keyed", Handler: "h", Schedule: chronos.Every(time.Second), Concurrency: chronos.Concurrency{Key: "k"}})
		c.worker = "old"
		c.names = append(c.names, "old")
		refused(t, c.options("old"))
		c.close("c")
		older(t, raftfsm.LevelFirst, "c")
		c.worker = ""
		refused(t, c.options("c"))
		time.Sleep(5 * time.Second)
		if c.any().Status().Err != nil {
			t.Error(c.any().Status().Err)
		}
		c.closeAll()
	})
}

func refused(t *testing.T, o chronos.Options) {
	t.Helper()
	o.Cluster.JoinTimeout = 20 * time.Second
	s, err := chronos.New(o)
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "upgrade it") {
		t.Errorf("an older program on %s: %v", o.Node, err)
	}
}

// On one node the level rises with the program, and does not fall.
func TestLevelOfOneNode(t *testing.T) {
	onDisk(t, chronos.Options{Node: "one"}, func(r *rig) {
		r.put(chronos.Job{ID: "k", Concurrency: chronos.Concurrency{Key: "k"}})
		r.shut()
		upgrade := older(r.t, raftfsm.LevelFirst, "one")
		if _, err := chronos.New(r.opts); !errors.Is(err, chronos.ErrConflict) || !strings.Contains(err.Error(), "upgrade it") {
			r.t.Errorf("an older program: %v", err)
		}
		upgrade("one")
		r.open()
		if j := r.get("k"); j.Concurrency.Key != "k" || j.Concurrency.Limit != 1 {
			r.t.Errorf("job %+v", j)
		}
	})
}
