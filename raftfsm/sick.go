package raftfsm

import "time"

// A disk that hangs, and does not fail, stops a leader in the middle of an
// append: its heartbeats go on, so the others wait for it for ever (raft #503). So
// a node whose log has not answered for some time leaves the network. The others
// elect; the node comes back when its disk does.
const (
	sickLook    = 500 * time.Millisecond
	sickBeats   = 10              // heartbeats
	sickAtLeast = 2 * time.Second // a busy disk is not a sick one
)

func (n *Node) sickAfter() time.Duration {
	return max(sickBeats*n.cfg.Cluster.heartbeat(), sickAtLeast)
}

// watch leaves the network when this node is no use to the others. It waits for
// nothing that may hang with the disk.
func (n *Node) watch() {
	look := time.NewTicker(sickLook)
	defer look.Stop()
	stopped := n.fsm.stopCh
	for {
		select {
		case <-look.C:
		case <-stopped:
			stopped = nil
		case <-n.closing:
			return
		}
		n.lookAtDisk()
	}
}

// lookAtDisk leaves the network, or comes back.
func (n *Node) lookAtDisk() {
	if n.mesh == nil {
		return
	}
	hangs := n.logs.writing.longest()
	stopped := n.fsm.stopped() != nil // its Raft would lead on, and nobody else could
	sick := stopped || hangs > n.sickAfter()
	if n.mesh.Suspend(sick) == sick || stopped {
		return
	}
	if sick {
		n.log.Error("chronos: the log's disk does not answer; this node leaves the cluster until it does", "for", hangs)
	} else {
		n.log.Warn("chronos: the log's disk answers again; this node comes back")
	}
}
