package raftfsm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/raftfsm/mesh"
	"github.com/chronos-go/chronos/store"
)

// How the members change when a majority of them is lost. Nothing can be
// committed any more, so the configuration is replaced where it stands:
//
//   - with a snapshot: the newest one is written once more, with the new
//     configuration. That it appears is one rename, and the moment at which the
//     node changes from the old cluster to the recovered one;
//   - without any: all of the log is there, and each configuration in it is
//     replaced, in one transaction.
//
// What the log holds beyond the snapshot stays where it is, and Raft decides
// about it as always: the survivor that has most leads. Commands are not touched,
// and configurations become the same on each survivor, so that two logs which
// have an entry of the same index and term still have the same entry.
//
// Leaders of before and after a recovery have no quorum in common, so their terms
// could be the same. Those of an epoch begin where no earlier one ever comes to:
// see termsFrom.
//
// A start that finds what an earlier one left between the steps completes it,
// whether the peers file is still there or not: see tidy.

// regroup makes the list in the peers file the members.
func (r *recovery) regroup() error {
	if r.peers == nil {
		return nil
	}
	path := filepath.Join(r.cfg.Dir, peersName)
	if !r.confKnown {
		return &PeersError{Path: path, Reason: "this node has not become a member yet: it joins with an empty directory, without the file"}
	}
	for _, m := range r.peers {
		r.learn(m.Node, m.Addr)
	}
	if r.peers.made(r.conf) {
		return nil // an earlier start came as far as this
	}
	for _, s := range r.conf.Servers {
		if !r.peers.lists(string(s.ID)) && r.answers(string(s.ID)) {
			return &PeersError{Path: path, Reason: fmt.Sprintf("node %q, which it leaves out, is there and answers: stop it, and keep it from starting again", s.ID)}
		}
	}
	before := epochOf(r.conf)
	conf := r.peers.configuration(before.Number() + 1)
	r.log.Warn("chronos: the cluster is recovered from the loss of its majority: these are its members from now on",
		"members", fmt.Sprintf("%v", r.peers), "were", fmt.Sprintf("%v", r.conf.Servers), "epoch", epochOf(conf))
	if err := r.replaceConfiguration(conf); err != nil {
		return err
	}
	r.conf = conf
	return r.at("committed")
}

// replaceConfiguration is the step that counts.
func (r *recovery) replaceConfiguration(conf raft.Configuration) error {
	list, err := r.snaps.List()
	if err != nil {
		return err
	}
	for _, m := range list {
		if err := r.snaps.verify(m.ID); err != nil {
			if err := r.setAside(filepath.Join(snapshotDir, m.ID), "snapshot "+m.ID+" is damaged: "+err.Error()); err != nil {
				return err
			}
			continue
		}
		if !r.evidence.log.replayable(m.Index) {
			return r.evidence.lost("the newest snapshot that is intact does not reach the log")
		}
		return r.writeAgain(m, conf)
	}
	if r.evidence.log.first != 1 || !r.evidence.log.replayable(0) {
		return r.evidence.lost("no snapshot is intact, and the log does not begin at entry 1")
	}
	return r.logs.reconfigure(1, conf)
}

// writeAgain copies a snapshot, with another configuration.
func (r *recovery) writeAgain(m *raft.SnapshotMeta, conf raft.Configuration) error {
	_, content, err := r.snaps.Open(m.ID)
	if err != nil {
		return err
	}
	defer content.Close()
	time.Sleep(2 * time.Millisecond) // snapshots are named by the millisecond
	sink, err := r.snaps.Create(1, m.Index, m.Term, conf, 1, r.trans)
	if err != nil {
		return diskError(err)
	}
	if _, err := io.Copy(sink, content); err != nil {
		return diskError(errors.Join(err, sink.Cancel()))
	}
	if err := r.at("written"); err != nil {
		return err
	}
	if err := sink.Close(); err != nil {
		return diskError(err)
	}
	list, err := r.snaps.List()
	if err == nil && (len(list) == 0 || epochOf(list[0].Configuration) != epochOf(conf)) {
		err = fmt.Errorf("raftfsm: the snapshot with the new members is not the newest one in %s", r.snaps.dir)
	}
	return err
}

// tidy completes a change of epoch: what is of an earlier one than the newest
// snapshot goes, so that neither a damaged snapshot nor a follower's catching up
// brings old members back.
func (r *recovery) tidy() error {
	if r.logs == nil || !r.confKnown {
		return nil
	}
	if err := r.liftTerm(termsFrom(epochOf(r.conf))); err != nil {
		return diskError(err)
	}
	list, err := r.snaps.List()
	if err != nil || len(list) == 0 {
		return err
	}
	now := list[0]
	epoch := epochOf(now.Configuration)
	if err := r.tidyLog(now, epoch); err != nil {
		return diskError(err)
	}
	for _, m := range list[1:] {
		if epoch.Compare(epochOf(m.Configuration)) != mesh.Older {
			continue
		}
		dir := filepath.Join(r.snaps.dir, m.ID)
		if err := os.Rename(dir, dir+snapshotTemp); err != nil {
			return err
		}
		if err := errors.Join(r.at("tidying snapshots"), syncDir(r.snaps.dir), os.RemoveAll(dir+snapshotTemp)); err != nil {
			return err
		}
	}
	return nil
}

// termsFrom is where the terms of an epoch begin: four billion elections apart.
func termsFrom(e mesh.Epoch) uint64 { return e.Number() << 32 }

func (r *recovery) liftTerm(least uint64) error {
	term, err := r.logs.GetUint64([]byte(keyTerm))
	if err != nil || term >= least {
		return err
	}
	if err := r.logs.SetUint64([]byte(keyTerm), least); err != nil {
		return err
	}
	return r.at("term lifted")
}

func (r *recovery) tidyLog(now *raft.SnapshotMeta, epoch mesh.Epoch) error {
	var before, behind bool
	for index, of := range r.configurations {
		if epoch.Compare(of) == mesh.Older {
			before, behind = before || index <= now.Index, behind || index > now.Index
		}
	}
	if behind {
		if err := r.logs.reconfigure(now.Index+1, now.Configuration); err != nil {
			return err
		}
		if err := r.at("log rewritten"); err != nil {
			return err
		}
	}
	if before {
		if err := r.logs.DeleteRange(r.evidence.log.first, min(r.evidence.log.last, now.Index)); err != nil {
			return err
		}
	}
	return r.at("log tidied")
}

// sawConfiguration notes one that stands in the log. What is behind the newest
// snapshot counts, unless it was left behind by a recovery.
func (r *recovery) sawConfiguration(l *raft.Log, newest uint64) {
	conf := raft.DecodeConfiguration(l.Data)
	r.configurations[l.Index] = epochOf(conf)
	if l.Index > newest && epochOf(r.conf).Compare(epochOf(conf)) != mesh.Older {
		r.conf, r.confKnown = conf, true
	}
}

// at is where tests end the process.
func (r *recovery) at(step string) error {
	if r.cfg.atStep == nil {
		return nil
	}
	return r.cfg.atStep(step)
}

// diskError types a full disk.
func diskError(err error) error {
	if err != nil && store.DiskFull(err) {
		return fmt.Errorf("%w: %w", store.ErrDiskFull, err)
	}
	return err
}

// reconfigure replaces the configurations that stand in the log from an entry on
// and are of an earlier epoch, all at once.
func (s *logStore) reconfigure(from uint64, conf raft.Configuration) error {
	last, err := s.LastIndex()
	if err != nil {
		return err
	}
	epoch := epochOf(conf)
	var changed []*raft.Log
	for i := from; i <= last; i++ {
		l := &raft.Log{}
		if err := s.GetLog(i, l); err != nil {
			return err
		}
		if l.Type != raft.LogConfiguration || epoch.Compare(epochOf(raft.DecodeConfiguration(l.Data))) != mesh.Older {
			continue
		}
		l.Data = raft.EncodeConfiguration(conf)
		changed = append(changed, l)
	}
	if len(changed) == 0 {
		return nil
	}
	s.forget()
	return s.StoreLogs(changed)
}
