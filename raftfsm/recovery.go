package raftfsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/raftfsm/mesh"
	"github.com/chronos-go/chronos/store"
)

// recovery opens a directory: it gathers evidence without changing anything,
// decides, and carries the decision out. Its fields become the node's.
type recovery struct {
	cfg   *Config
	log   *slog.Logger
	trans raft.Transport // encodes addresses for a snapshot, no more

	lock   *store.DirLock
	guard  *store.Guard
	starts starts
	snaps  *snapshotStore
	logs   *logStore
	view   *store.Store

	evidence evidence
	conf     raft.Configuration // the newest that was seen
	// confKnown says that conf stands in a file; else it is what a new directory
	// would begin with.
	confKnown      bool
	configurations map[uint64]mesh.Epoch // epochs of those in the log
	peers          survivors             // what the peers file says
	logID          string
	nodeID         string
	startsN        int
	counted        bool  // this start stands in starts
	damage         error // why raft.db is unusable, when TrustView lets us go on without
	plan           plan
	onDamage       func(error)
	onFailure      func(error)
	mayForm        func() (join bool, err error) // holds a new directory of a cluster back
	answers        func(node string) bool        // tells if a node of the cluster can be reached
	learn          func(node, addr string)
}

// run leaves a directory that Raft can start from, or an error.
func (r *recovery) run() error {
	if err := r.occupy(); err != nil {
		return err
	}
	steps := []func() error{
		r.leaveBehind, r.readLog, r.readPeers, r.readSnapshots, r.walkLog, r.readView, r.judge, r.carryOut, r.nameView,
		r.regroup, r.tidy, r.putAway,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// occupy makes the directory ours and looks whether there is room to work.
func (r *recovery) occupy() (err error) {
	dir := r.cfg.Dir
	if dir == "" {
		return errors.New("raftfsm: Config.Dir is empty")
	}
	if r.lock, err = store.LockDir(dir); err != nil {
		return err
	}
	r.cfg.Guard.Logger = cmp.Or(r.cfg.Guard.Logger, r.log)
	if r.guard, err = store.NewGuard(dir, r.cfg.Guard); err != nil {
		return err
	}
	if err := r.guard.Check(); err != nil {
		return err
	}
	r.starts = startsIn(dir)
	r.startsN, r.evidence.view.doubt = r.starts.doubt()
	r.evidence.dir, r.evidence.trust, r.evidence.joins = dir, r.cfg.TrustView, r.cfg.Cluster != nil
	r.counted = true
	return r.starts.begin(r.startsN, r.evidence.view.doubt != "")
}

func (r *recovery) readSnapshots() (err error) {
	if r.snaps, err = openSnapshots(r.cfg.Dir, r.log); err != nil {
		return err
	}
	if !r.evidence.logAbsent {
		r.snaps.logID = r.logID
	}
	list, err := r.snaps.List()
	if err != nil {
		return err
	}
	for _, m := range list {
		id := m.ID
		owner, _ := r.snaps.owner(m)
		r.evidence.snapshots = append(r.evidence.snapshots, snapshot{
			id: id, index: m.Index, term: m.Term, logID: owner,
			verify: func() error { return r.snaps.verify(id) },
		})
	}
	if len(list) > 0 {
		r.conf, r.confKnown = list[0].Configuration, true
	}
	names, err := r.snaps.names()
	for _, name := range names {
		if r.snaps.foreign(name) {
			continue
		}
		var term, index uint64 // a damaged one still tells by its name how far it went
		_, _ = fmt.Sscanf(name, "%d-%d-", &term, &index)
		r.evidence.known = max(r.evidence.known, index, 1)
	}
	return err
}

func (r *recovery) readLog() (err error) {
	r.logs, err = openLog(r.cfg.Dir, r.cfg.NoSync, r.cfg.SnapshotBytes)
	if err == nil {
		r.logID, r.nodeID, err = r.logs.identity()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.evidence.logAbsent = true
		return nil
	case err != nil && r.cfg.TrustView && errors.Is(err, store.ErrCorrupt):
		r.damage = err
		r.evidence.logAbsent = true
		return r.closeLog()
	case err != nil:
		return err
	}
	if r.cfg.ID != "" && r.cfg.ID != r.nodeID {
		return fmt.Errorf("%w: %q is the directory of node %q, not of %q", ErrWrongNode, r.cfg.Dir, r.nodeID, r.cfg.ID)
	}
	if c := r.cfg.Cluster; c != nil && r.logID != c.logID() {
		return fmt.Errorf("%w: %q is not a directory of cluster %q", ErrWrongCluster, r.cfg.Dir, c.ID)
	}
	if err := r.openMark(); err != nil || r.cfg.TrustView {
		return err
	}
	if r.logs.mark != nil {
		r.evidence.stored, err = r.logs.mark.lost(r.logs.found)
	}
	r.evidence.known = max(r.evidence.known, r.evidence.stored)
	return diskError(err)
}

// openMark has the log tell from now on what it has acknowledged.
func (r *recovery) openMark() (err error) {
	if !r.cfg.NoSync {
		r.logs.mark, err = openWatermark(r.cfg.Dir, r.logID, r.nodeID)
	}
	return err
}

func (r *recovery) walkLog() error {
	if r.evidence.logAbsent {
		return nil
	}
	newest := r.evidence.newest()
	r.configurations = map[uint64]mesh.Epoch{}
	extent, err := r.logs.extent(newest, func(l *raft.Log) {
		if l.Type == raft.LogConfiguration {
			r.sawConfiguration(l, newest)
		}
		if l.Index > newest {
			r.logs.since.Add(int64(len(l.Data)))
		}
	})
	if err != nil {
		return &DamageError{Path: r.logs.path, Reason: err.Error(), Remedy: remedyLog}
	}
	if len(r.conf.Servers) == 0 {
		r.conf = r.cfg.firstConfiguration(r.nodeID)
	}
	extent.id = r.logID
	r.evidence.log = extent
	r.evidence.known = max(r.evidence.known, extent.last)
	return nil
}

func (r *recovery) closeLog() error {
	if r.logs == nil {
		return nil
	}
	l := r.logs
	r.logs = nil
	return l.close()
}

// readView opens state/. Only damage is evidence; a full disk, a lock or a
// newer format end the start, and nothing is moved.
func (r *recovery) readView() error {
	v := &r.evidence.view
	if err := r.openView(); err != nil {
		if !errors.Is(err, store.ErrCorrupt) {
			return err
		}
		v.err = err
		return nil
	}
	applied := r.view.Applied()
	v.index, v.term, v.logID = applied.GetIndex(), applied.GetTerm(), r.view.LogID()
	if r.evidence.logAbsent || v.logID == r.logID {
		r.evidence.known = max(r.evidence.known, v.index)
	}
	if r.logs == nil {
		return nil
	}
	var l raft.Log
	if err := r.logs.GetLog(v.index, &l); err == nil && l.Term != v.term {
		v.conflict = true
	}
	return nil
}

func (r *recovery) openView() (err error) {
	r.view, err = store.Open(store.Options{
		Dir: r.cfg.Dir, Logger: r.log, Guard: r.guard, OnCorrupt: r.onDamage, OnFailed: r.onFailure, Busy: r.cfg.Busy,
		NoSync: r.cfg.NoSync, NoCompaction: r.cfg.NoCompaction,
	})
	return err
}

func (r *recovery) judge() (err error) {
	r.plan, err = r.evidence.decide()
	if err != nil && r.cfg.TrustView && !r.evidence.logAbsent {
		r.damage, r.evidence.logAbsent = err, true
		if err := r.closeLog(); err != nil {
			return err
		}
		r.plan, err = r.evidence.decide()
	}
	if err != nil {
		return err
	}
	if r.plan.why != "" {
		r.log.Warn("chronos: recovering", "dir", r.cfg.Dir, "why", r.plan.why,
			"rebuild", !r.plan.adopt, "snapshot", r.evidence.newest(), "log", r.evidence.log.last)
	}
	if !r.plan.verify {
		return nil
	}
	err = r.view.Verify(context.Background())
	if errors.Is(err, store.ErrCorrupt) {
		return r.evidence.lost(err.Error())
	}
	return err
}

// carryOut changes the directory. Each step leaves it in a state from which
// the same or a later start arrives at the same end; a new raft.db comes last.
func (r *recovery) carryOut() error {
	p := r.plan
	if p.quarantine != "" {
		if err := r.replaceView(p.quarantine); err != nil {
			return err
		}
	}
	for _, id := range p.discard {
		if err := r.setAside(filepath.Join(snapshotDir, id), "snapshot "+id+" is damaged"); err != nil {
			return err
		}
	}
	if p.newLog {
		return r.replaceLog()
	}
	if p.adopt {
		return r.adopt(r.evidence.view.term)
	}
	return nil
}

// replaceView moves state/ aside and opens an empty one.
func (r *recovery) replaceView(why string) error {
	if err := r.closeView(); err != nil {
		return err
	}
	to, err := store.Quarantine(r.cfg.Dir, why, r.log)
	if err != nil {
		return err
	}
	r.log.Warn("chronos: state moved to quarantine, it is rebuilt from snapshot and log", "to", to)
	return r.openView()
}

func (r *recovery) closeView() error {
	if r.view == nil {
		return nil
	}
	v := r.view
	r.view = nil
	return v.Close()
}

// setAside moves a file or directory of the host's directory to quarantine.
func (r *recovery) setAside(name, why string) error {
	to := filepath.Join(r.cfg.Dir, "quarantine", time.Now().UTC().Format("20060102T150405.000000000Z")+"-"+filepath.Base(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	r.log.Warn("chronos: file moved to quarantine", "name", name, "why", why, "to", to)
	if err := os.Rename(filepath.Join(r.cfg.Dir, name), to); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(filepath.Join(r.cfg.Dir, name))))
}

// replaceLog makes a new raft.db, for a new directory or because a person
// asked for it.
func (r *recovery) replaceLog() error {
	r.nodeID = cmp.Or(r.cfg.ID, r.nodeID, randomID())
	r.logID = cmp.Or(r.plan.logID, r.cfg.newLogID())
	r.snaps.logID = r.logID
	r.conf = r.cfg.firstConfiguration(r.nodeID)
	join, err := r.mayForm()
	if err != nil {
		return err
	}
	c := &createLog{dir: r.cfg.Dir, logID: r.logID, nodeID: r.nodeID, noSync: r.cfg.NoSync}
	first := &r.conf
	if !r.plan.fresh || join {
		first = nil // who joins is sent its configuration
	}
	r.confKnown = first != nil
	c.term = max(1, r.evidence.view.term)
	for _, s := range r.evidence.snapshots {
		c.term = max(c.term, s.term)
	}
	if err := c.write(first); err != nil {
		return err
	}
	if r.plan.adopt {
		if err := r.adopt(r.evidence.view.term); err != nil {
			return err
		}
	}
	if err := r.nameView(); err != nil {
		return err
	}
	if r.damage != nil {
		if err := r.setAside(logName, r.damage.Error()); err != nil {
			return err
		}
	}
	if err := c.rename(); err != nil {
		return err
	}
	_ = syncDir(filepath.Dir(r.cfg.Dir)) // it may be new, too; not every parent may be opened
	if r.logs, err = openLog(r.cfg.Dir, r.cfg.NoSync, r.cfg.SnapshotBytes); err != nil {
		return err
	}
	return r.openMark()
}

// adopt writes a snapshot of the view for Raft to start from, and drops what
// the log holds up to there.
func (r *recovery) adopt(term uint64) error {
	index := r.evidence.view.index
	if r.cfg.Cluster != nil && !r.confKnown {
		return &DamageError{Path: r.cfg.Dir, Reason: "who the members of the cluster are is not known any more", Remedy: remedyMembers}
	}
	sink, err := r.snaps.Create(1, index, max(term, 1), r.conf, 1, r.trans)
	if err != nil {
		return err
	}
	content := r.view.Snapshot()
	defer content.Release()
	if _, err := content.WriteTo(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return err
	}
	if r.logs == nil {
		return nil
	}
	if have, err := r.logs.GetUint64([]byte(keyTerm)); err != nil || have < term {
		if err := r.logs.SetUint64([]byte(keyTerm), term); err != nil {
			return err
		}
	}
	l := r.evidence.log
	return r.logs.DeleteRange(l.first, min(l.last, index))
}

// nameView ties the view to the log.
func (r *recovery) nameView() error {
	if r.view.LogID() == r.logID {
		return nil
	}
	return r.view.SetLogID(r.logID)
}

// release gives everything back after a failed start.
func (r *recovery) release() error {
	err := errors.Join(r.closeView(), r.closeLog())
	if r.counted {
		r.starts.undo(r.startsN, r.evidence.view.doubt)
	}
	if r.lock != nil {
		r.lock.Unlock()
	}
	return err
}

func singleConfiguration(id string) raft.Configuration {
	return raft.Configuration{Servers: []raft.Server{{
		Suffrage: raft.Voter, ID: raft.ServerID(id), Address: raft.ServerAddress(id),
	}}}
}
