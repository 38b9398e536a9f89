package raftfsm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/chronos-go/chronos/store"
)

// divergedName is the file that says, in the directory of a node of a cluster, that
// its content is not to be used again, and why.
const divergedName = "diverged"

// accused stops this node if what a majority has after an entry is not what it has.
func (n *Node) accused(right *Mark) {
	ours, known := n.fsm.trail.sum(right.Index)
	if !known || ours == right.Sum || n.cfg.noCompare || n.fsm.stopped() != nil {
		return
	}
	why := fmt.Errorf("%w: after entry %d it sums up to %016x, that of a majority to %016x. "+
		"Open the node again: what is in its directory is moved to quarantine, and the others send it theirs",
		ErrDiverged, right.Index, ours, right.Sum)
	if !n.cfg.InMemory {
		if err := store.WriteDurably(filepath.Join(n.cfg.Dir, divergedName), []byte(why.Error()+"\n")); err != nil {
			n.log.Error("chronos: that the directory is not to be used again could not be written down", "error", err)
		}
	}
	n.fsm.stop(why)
}

// leaveBehind moves what a node held when it was found to differ from the others to
// quarantine: state, log and snapshots, for a snapshot may hold the same. It starts
// with an empty directory then. A kill on the way is made good by the next start.
func (r *recovery) leaveBehind() error {
	name := filepath.Join(r.cfg.Dir, divergedName)
	why, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || r.cfg.Cluster == nil {
		return nil
	}
	if err != nil {
		return err
	}
	to, err := store.QuarantineFiles(r.cfg.Dir, []string{logName, snapshotDir, "state"}, string(why), r.log)
	if err != nil {
		return err
	}
	r.log.Warn("chronos: this node's state was not that of the others; it was moved to quarantine, and the node joins anew", "to", to)
	if err := os.Remove(name); err != nil {
		return err
	}
	return syncDir(r.cfg.Dir)
}
