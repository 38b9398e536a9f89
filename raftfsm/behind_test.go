package raftfsm

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// A node whose state is far behind its log, as while it is rebuilt, is elected: it
// hands leadership on, instead of letting everybody wait for it.
func TestClusterElectedBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		var pause atomic.Int64 // of c, whenever it has applied something
		c.change = func(cfg *Config) {
			if cfg.ID == "c" {
				cfg.OnApply = func(*Effects) { time.Sleep(time.Duration(pause.Load())) }
			}
		}
		c.start("a", "b", "c")
		defer c.close()
		for c.leader() == "c" {
			if err := c.nodes["c"].TransferLeadership(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		pause.Store(int64(20 * time.Second))
		fill(t, c.nodes[c.leader()], 0, 100)
		if err := c.nodes[c.leader()].raft.LeadershipTransferToServer(raft.ServerID("c"), raft.ServerAddress("c")).Error(); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for c.nodes["c"].raft.State() != raft.Leader {
			time.Sleep(time.Millisecond)
		}
		ready := func() bool { return c.nodes["a"].IsLeader() || c.nodes["b"].IsLeader() || c.nodes["c"].IsLeader() }
		for !ready() && time.Since(begun) < time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("nobody led for %v", took)
		}
		pause.Store(0)
		time.Sleep(20 * time.Second)
		c.same()
	})
}
