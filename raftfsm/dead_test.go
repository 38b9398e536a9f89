package raftfsm

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// TestPickDead is the table of who may be taken out. A member is its name, in
// upper case if it votes, and for how many minutes nothing was heard of it.
func TestPickDead(t *testing.T) {
	now := time.Now()
	for members, want := range map[string]string{
		"A0 B0 C0":                      "",
		"A0 B0 C9":                      "",  // two would be left
		"A0 B0 C9 D0":                   "C", // it has been replaced
		"A0 B0 C9 D9":                   "",  // two of three would be left: of a majority, but C and D are two
		"A0 B0 C0 D9 E9":                "D",
		"A0 B0 C0 D8 E9":                "E", // the longest first
		"A0 B0 C0 E9":                   "E",
		"A0 B0 C9 D9 E9":                "", // the majority is lost
		"A0 B0 C1 D9 E0":                "D",
		"A0 B0 C1 D1 E9":                "", // of the four left two were not heard of within the lease
		"A0 B0 C1 D1 E0 F9":             "", // three of six
		"A0 B0 C1 D0 E0 F9":             "F",
		"A0 B9":                         "",
		"A0":                            "",
		"A0 B0 C0 w9":                   "w",
		"A0 B0 C0 w9 v8":                "w",
		"A0 B0 C0 D9 w5":                "w", // workers first
		"A0 B0 C9 w9":                   "w",
		"A0 B1 C1 w9":                   "", // nothing can be committed
		"A0 w9":                         "w",
		"A0 B0 w9":                      "w",
		"A0 B0 C0 D4":                   "", // not for so long
		"A0 B0 C0 D5":                   "D",
		"A0 B0 C0 D9 E9 F9 G0":          "D",
		"A0 B0 C0 D9 E9 F9 G9":          "", // three of seven
		"A0 B0 C0 E9 F9":                "E",
		"A0 B0 C0 D0 E0 F9 G9 v9 w9 x9": "v",
	} {
		var list []standing
		for _, word := range strings.Fields(members) {
			silent := time.Duration(word[1]-'0') * time.Minute
			list = append(list, standing{node: word[:1], voter: word[0] < 'a', heard: now.Add(-silent)})
		}
		if got := pickDead(list, now, 5*time.Minute, time.Minute); got != want {
			t.Errorf("%s: %q, want %q", members, got, want)
		}
	}
}

// A dead voter stays until it is replaced, a dead worker does not; one that comes
// back with its directory is told what became of it.
func TestClusterRemoveDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const after = time.Minute
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		c.addrs["w"], c.addrs["d"], c.worker = "addr-w", "addr-d", "w"
		c.names = []string{"a", "b", "c", "w", "d"}
		c.start("w")
		fill(t, c.nodes["w"], 0, 5)
		c.same()
		for c.leader() == "c" {
			_ = c.nodes["c"].TransferLeadership()
			time.Sleep(time.Second)
		}
		c.stop("c", "w")
		remove := func(want string) {
			t.Helper()
			for name, n := range c.nodes {
				if got, err := n.RemoveDead(after); !n.IsLeader() && got != "" || n.IsLeader() && (got != want || err != nil) {
					t.Errorf("%s removes %q (%v), want %q", name, got, err, want)
				}
			}
		}
		time.Sleep(after - 10*time.Second)
		remove("")
		if err := c.nodes[c.leader()].TransferLeadership(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after - 5*time.Second) // the new leader has not led for so long
		remove("")
		time.Sleep(20 * time.Second)
		remove("w")
		remove("") // c stays: two would be left
		c.start("d")
		c.wantVoters("d", "a", "b", "c", "d")
		remove("c")
		remove("")
		c.wantVoters(c.leader(), "a", "b", "d")
		for _, name := range []string{"c", "w"} {
			c.refused(name, ErrRemoved)
		}
		c.dirs["c"] = c.dir + "/c-new"
		c.start("c")
		c.wantVoters("c", "a", "b", "c", "d")
		c.same()
	})
}

// A node that hears the leader and cannot reach it is not dead: it still votes.
func TestClusterOneWayIsNotDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c", "d")
		c.start(c.names...)
		defer c.close()
		fill(t, c.nodes["a"], 0, 5)
		time.Sleep(5 * time.Minute) // nobody sends beats: these nodes have no sessions
		if got, err := c.nodes[c.leader()].RemoveDead(time.Minute); got != "" {
			t.Errorf("removed %q (%v)", got, err)
		}
		gone := c.other(c.leader())
		c.wires.Isolate(c.addrs[gone])
		time.Sleep(90 * time.Second)
		if got, err := c.nodes[c.leader()].RemoveDead(time.Minute); got != gone || err != nil {
			t.Errorf("removed %q (%v), want %q", got, err, gone)
		}
		// It runs on, finds nobody, and is told when it can be.
		c.wires.Join(c.addrs[gone])
		time.Sleep(30 * time.Second)
		if err := c.nodes[gone].Err(); !errors.Is(err, ErrStopped) || !errors.Is(err, ErrRemoved) {
			t.Errorf("the removed node: %v", err)
		}
		for name, n := range c.nodes {
			if name != gone && n.Err() != nil {
				t.Errorf("%s: %v", name, n.Err())
			}
		}
		c.stop(gone)
		c.refused(gone, ErrRemoved)
	})
}

// A node that joins has no vote while it catches up: what it has not got yet must
// not count as kept. It gets one when it has.
func TestClusterJoinerVotesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 50)
		c.addrs["d"] = "addr-d"
		c.names = append(c.names, "d")
		disk := &hanging{taken: make(chan struct{}, 1)}
		disk.taken <- struct{}{} // nothing that it is sent gets to its disk
		c.change = func(cfg *Config) {
			if cfg.ID != "d" {
				return
			}
			cfg.StartTimeout = time.Minute
			cfg.backend = func(b logBackend) logBackend {
				disk.logBackend = b
				return disk
			}
		}
		opened := make(chan struct{})
		go func() {
			defer close(opened)
			c.start("d")
		}()
		time.Sleep(20 * time.Second)
		for _, name := range []string{"a", "b", "c"} {
			if votes, member := c.nodes[name].Voters()["d"]; votes || !member {
				t.Errorf("%s: d votes: %v, is a member: %v", name, votes, member)
			}
		}
		fill(t, c.nodes["a"], 50, 60) // nobody waits for it
		<-disk.taken
		<-opened
		c.wantVoters("d", "a", "b", "c", "d")
		c.same()
	})
}

// A worker gets no vote, however long it is there, however often it starts, and
// whoever leads.
func TestClusterWorkerNeverVotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		c.addrs["w"], c.worker = "addr-w", "w"
		c.names = append(c.names, "w")
		for i := range 4 {
			c.start("w")
			fill(t, c.nodes["w"], 10*i, 10*i+10)
			if err := c.nodes[c.leader()].TransferLeadership(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second)
			for name, n := range c.nodes {
				if votes, member := n.Voters()["w"]; votes || !member {
					t.Errorf("%s: w votes: %v, is a member: %v", name, votes, member)
				}
			}
			if s := c.nodes["w"].raft.State(); s != raft.Follower {
				t.Errorf("the worker is %v", s)
			}
			c.same()
			c.stop("w")
		}
	})
}
