package raftfsm

import (
	"fmt"
)

// evidence is what the files of a directory say of themselves before anything
// is changed. The Raft log and the snapshots are the truth, the view (state/)
// is derived from them; but where the view is known to be good and the log is
// not, the view may hold what the log lost.
type evidence struct {
	dir       string
	logAbsent bool       // there is no raft.db
	log       logExtent  // what raft.db holds
	snapshots []snapshot // newest first
	view      view
	known     uint64 // highest index that any file speaks of
	stored    uint64 // last entry that raft.db held before it became older than it was; 0: it did not
	trust     bool   // the host says: the view is the truth
	joins     bool   // the node has companions: an empty log is one that has not been sent anything yet
}

// logExtent is the range of entries in raft.db.
type logExtent struct {
	id          string
	first, last uint64 // 0: no entries
	good        uint64 // good..last are intact and without a gap; last+1 when last is not
	reason      string // why the entries before good are not
	term        uint64 // of the last entry
	// command says whether a command stands in from..to; true when not all of
	// them can be read.
	command func(from, to uint64) bool
}

type snapshot struct {
	id          string
	logID       string
	index, term uint64
	verify      func() error // reads all of it
}

// view is the state in state/.
type view struct {
	err      error // it is damaged
	logID    string
	index    uint64 // applied
	term     uint64
	conflict bool   // the log has another term at index
	doubt    string // a reason to look twice
}

// plan is what to do about it.
type plan struct {
	fresh      bool     // a new directory
	newLog     bool     // put a new log in place
	quarantine string   // why the view is moved aside; "" when it stays
	restore    bool     // Raft restores its newest snapshot
	verify     bool     // the view stays only if its digest holds
	adopt      bool     // write a snapshot of the view and let Raft start there
	discard    []string // snapshots to set aside
	logID      string   // of the new log; "" makes one up
	expect     uint64   // where Raft has to be after its start, at least
	why        string   // what was odd, for the log
}

// replayable says whether the log has every entry behind base.
func (l logExtent) replayable(base uint64) bool {
	if l.last <= base && base > 0 {
		return true
	}
	return l.first > 0 && l.first <= base+1 && l.good <= base+1
}

// decide weighs the evidence. It changes nothing.
func (e *evidence) decide() (plan, error) {
	if e.logAbsent {
		return e.withoutLog()
	}
	if e.joins && e.known == 0 && e.view.err == nil {
		return plan{}, nil
	}
	if v := e.view; v.err == nil && v.index > 0 && v.logID != "" && v.logID != e.log.id {
		return plan{}, &DamageError{Path: e.dir, Remedy: remedyMixed,
			Reason: fmt.Sprintf("state/ belongs to log %s, raft.db is log %s: the directory is a mixture of two", v.logID, e.log.id)}
	}
	if why := e.distrust(); why != "" || e.view.index == 0 {
		return e.rebuild(why)
	}
	if e.view.doubt != "" {
		if p, err := e.rebuild(e.view.doubt); err == nil {
			return p, nil
		}
	}
	p, err := e.keep()
	p.verify = p.verify || e.view.doubt != ""
	return p, err
}

// distrust is why the view cannot stay, "" when it can.
func (e *evidence) distrust() string {
	v := e.view
	switch {
	case v.err != nil:
		return v.err.Error()
	case v.index == 0:
		return "" // empty: nothing to distrust
	case v.logID == "":
		return "it does not say which log it belongs to"
	case v.conflict:
		return fmt.Sprintf("its entry %d is of term %d, the one in raft.db is not", v.index, v.term)
	case v.index < e.newest() && e.log.command(v.index+1, e.newest()):
		return fmt.Sprintf("it ends at entry %d, before the snapshot at %d", v.index, e.newest())
	}
	return ""
}

func (e *evidence) newest() uint64 {
	if len(e.snapshots) == 0 {
		return 0
	}
	return e.snapshots[0].index
}

// keep keeps the view. Raft starts from the newest snapshot and replays what
// the view has already, which the state machine skips. Where the log has not
// all of that (it lost its end, or has a damaged entry that was applied long
// ago), Raft is given a snapshot of the view to start from: whoever got an
// answer finds it in the view, because answers follow its commit. After a crash the view
// may be older; so nothing that any file speaks of may be missing.
func (e *evidence) keep() (plan, error) {
	v, l := e.view, e.log
	newest := e.newest()
	if l.replayable(newest) && max(v.index, e.known) <= max(l.last, newest) {
		return plan{expect: max(l.last, newest)}, nil
	}
	if l.replayable(v.index) && v.index >= newest && e.known <= max(l.last, v.index) {
		why := fmt.Sprintf("raft.db ends at entry %d, the state at %d", l.last, v.index)
		if v.index <= l.last {
			why = "raft.db: " + l.reason
		}
		return plan{adopt: true, verify: true, expect: max(l.last, v.index), why: why}, nil
	}
	return plan{}, e.lost(l.reason)
}

// rebuild makes the state from snapshot and log, into an empty view.
func (e *evidence) rebuild(why string) (plan, error) {
	p := plan{quarantine: why, why: why}
	if why == "" && (len(e.snapshots) > 0 || e.log.first > 0 && e.log.command(e.log.first, e.log.last)) {
		p.why = "the state is gone"
	}
	for _, s := range e.snapshots {
		if err := s.verify(); err != nil {
			p.discard = append(p.discard, s.id)
			continue
		}
		if !e.log.replayable(s.index) || e.known > max(e.log.last, s.index) {
			return plan{}, e.lost(why)
		}
		p.restore, p.expect = true, max(e.log.last, s.index)
		return p, nil
	}
	if e.log.first != 1 || !e.log.replayable(0) || e.known > e.log.last {
		return plan{}, e.lost(why)
	}
	p.expect = e.log.last
	return p, nil
}

// withoutLog: raft.db is not there.
func (e *evidence) withoutLog() (plan, error) {
	if e.known == 0 && e.view.err == nil {
		return plan{fresh: true, newLog: true}, nil
	}
	if !e.trust {
		return plan{}, &DamageError{Path: e.dir + "/raft.db", Reason: "missing or unusable, but the directory is not a new one", Remedy: remedyLog}
	}
	if e.distrustAlone() == "" && e.view.index >= e.newest() {
		p := plan{newLog: true, adopt: true, verify: true, expect: e.view.index, why: whyRenew}
		for _, s := range e.snapshots {
			p.discard = append(p.discard, s.id)
		}
		return p, nil
	}
	p := plan{newLog: true}
	for _, s := range e.snapshots {
		if s.verify() == nil {
			p.logID, p.quarantine, p.restore = s.logID, "behind its snapshot, or damaged", true
			p.expect, p.why = s.index, whyRenew
			return p, nil
		}
		p.discard = append(p.discard, s.id)
	}
	return plan{}, e.lost("neither the state nor a snapshot is intact")
}

func (e *evidence) distrustAlone() string {
	if e.view.err != nil {
		return e.view.err.Error()
	}
	if e.view.index == 0 {
		return "it is empty"
	}
	return ""
}

const (
	whyRenew    = "a new raft.db was asked for"
	remedyMixed = "Put the files of one node back together; or move state/ away, to have it rebuilt from raft.db and snapshots/; " +
		"or open once with TrustView, to keep state/ and begin a new log"
	remedyLog = "Put raft.db back from a copy of the whole directory; or, when the state in state/ is the newest there is, " +
		"open once with TrustView: what is in the state is kept, and a new log begins there"
	remedyOlder   = "Nothing was changed. Put the whole directory back from a backup; or open once with TrustView, to go on without what is lost"
	remedyMembers = "Nothing was changed. Move the directory away and start the node with an empty one: it joins the others again"
	remedyAll     = "Nothing was changed. Put the whole directory back from a backup, or move it away to begin with an empty one"
)

// lost: no combination of log, snapshots and view is complete.
func (e *evidence) lost(why string) error {
	reason := fmt.Sprintf("the state cannot be put together: snapshots %v, log entries %d to %d", e.indexes(), e.log.first, e.log.last)
	if e.log.reason != "" {
		reason += fmt.Sprintf(" (%s)", e.log.reason)
	}
	if e.view.err == nil {
		reason += fmt.Sprintf(", state at %d", e.view.index)
	}
	remedy := remedyAll
	if e.stored > max(e.log.last, e.newest()) && (e.view.err != nil || e.stored > e.view.index) {
		reason += fmt.Sprintf(", entry %d was stored in raft.db and is not there any more", e.stored)
		if remedy = remedyOlder; e.joins {
			remedy = remedyMembers
		}
	} else if e.known > 0 {
		reason += fmt.Sprintf(", entry %d is known of", e.known)
	}
	if why != "" && why != e.log.reason {
		reason += "; " + why
	}
	return &DamageError{Path: e.dir, Reason: reason, Remedy: remedy}
}

func (e *evidence) indexes() []uint64 {
	var out []uint64
	for _, s := range e.snapshots {
		out = append(out, s.index)
	}
	return out
}
