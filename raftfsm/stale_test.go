package raftfsm

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// TestStaleSnapshot: a leader's snapshot comes a second time, when the node has got on, and
// its log begins behind it. The node keeps what it has, and goes on.
func TestStaleSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		lead := c.nodes[c.leader()]
		fill(t, lead, 0, 30)
		early := snapshotRPC(t, lead)
		for range 3 {
			fill(t, lead, 30, 200)
			snapshotRPC(t, lead)
		}
		c.same()
		name := c.other(c.leader())
		c.stop(name)
		c.dirs[name] = filepath.Join(c.dir, "wiped")
		time.Sleep(leaseDefault)
		c.start(name)
		c.same()
		n := c.nodes[name]
		before := n.Store().Applied().GetIndex()
		if first, _ := n.logs.FirstIndex(); first < 200 {
			t.Fatalf("the log begins at entry %d", first)
		}
		if err := early(name); err == nil || !strings.Contains(err.Error(), errStale.Error()) {
			t.Errorf("a stale snapshot: %v", err)
		}
		if at := n.Store().Applied().GetIndex(); at < before {
			t.Errorf("the state went back from entry %d to %d", before, at)
		}
		fill(t, c.nodes[c.leader()], 200, 210)
		c.same()
		c.stop(name)
		c.start(name)
		c.same()
	})
}

// snapshotRPC takes a leader's snapshot as it sends it to a node.
func snapshotRPC(t *testing.T, lead *Node) func(name string) error {
	t.Helper()
	if err := lead.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	all, err := lead.snaps.List()
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	meta, r, err := lead.snaps.Open(all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) error {
		to := raft.ServerAddress(name)
		from := lead.trans.EncodePeer(raft.ServerID(lead.id), raft.ServerAddress(lead.id))
		req := &raft.InstallSnapshotRequest{
			RPCHeader:       raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(lead.id), Addr: from},
			SnapshotVersion: meta.Version, Term: lead.raft.CurrentTerm(),
			LastLogIndex: meta.Index, LastLogTerm: meta.Term, Size: meta.Size,
			Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex,
		}
		var resp raft.InstallSnapshotResponse
		err := lead.trans.InstallSnapshot(raft.ServerID(name), to, req, &resp, bytes.NewReader(content))
		time.Sleep(time.Second)
		return err
	}
}
