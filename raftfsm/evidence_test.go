package raftfsm

import (
	"errors"
	"testing"

	"github.com/chronos-go/chronos/store"
)

func snap(index uint64) snapshot {
	return snapshot{id: "s", index: index, term: 2, verify: func() error { return nil }}
}

func badSnap(index uint64) snapshot {
	s := snap(index)
	s.verify = func() error { return errChecksum }
	return s
}

func extent(first, last, good uint64) logExtent {
	e := logExtent{id: "log", first: first, last: last, good: good, term: 2}
	if good > first {
		e.reason = "entry damaged"
	}
	e.command = func(uint64, uint64) bool { return true }
	return e
}

func viewAt(index uint64) view { return view{logID: "log", index: index, term: 2} }

// TestDecide is the table of what a start does with what it finds.
func TestDecide(t *testing.T) {
	damagedView := view{err: store.ErrCorrupt}
	otherLog := viewAt(50)
	otherLog.logID = "another"
	noLog := viewAt(50)
	noLog.logID = ""
	conflict := viewAt(50)
	conflict.conflict = true
	doubtful := viewAt(50)
	doubtful.doubt = "2 starts did not end well"
	quiet := func(l logExtent) logExtent { // nothing but barriers behind the view
		l.command = func(uint64, uint64) bool { return false }
		return l
	}
	const (
		refuse  = "refuse"
		fresh   = "fresh"
		keep    = "keep"
		replay  = "replay the log"
		restore = "restore and replay"
		adopt   = "give Raft a snapshot of the view"
		renew   = "new log from the view"
		renewS  = "new log from the snapshot"
	)
	for _, c := range []struct {
		name string
		e    evidence
		want string
	}{
		{"new directory", evidence{logAbsent: true}, fresh},
		{"clean, no snapshot", evidence{log: extent(1, 50, 1), view: viewAt(50)}, keep},
		{"clean, view lags behind the log", evidence{log: extent(1, 50, 1), view: viewAt(20)}, keep},
		{"clean, two snapshots", evidence{log: extent(21, 50, 21), view: viewAt(50), snapshots: []snapshot{snap(40), snap(20)}}, keep},
		{"view before a snapshot, only barriers between", evidence{log: quiet(extent(21, 50, 21)), view: viewAt(39), snapshots: []snapshot{snap(40), snap(20)}}, keep},
		{"view before a snapshot", evidence{log: extent(21, 50, 21), view: viewAt(30), snapshots: []snapshot{snap(40), snap(20)}}, restore},
		{"state gone, log whole", evidence{log: extent(1, 50, 1)}, replay},
		{"state gone, snapshot and log", evidence{log: extent(21, 50, 21), snapshots: []snapshot{snap(40), snap(20)}}, restore},
		{"state gone, log shortened, no snapshot", evidence{log: extent(21, 50, 21)}, refuse},
		{"state damaged, log whole", evidence{log: extent(1, 50, 1), view: damagedView}, replay},
		{"state damaged, snapshot", evidence{log: extent(21, 50, 21), view: damagedView, snapshots: []snapshot{snap(40)}}, restore},
		{"state damaged, newest snapshot damaged", evidence{log: extent(21, 50, 21), view: damagedView, snapshots: []snapshot{badSnap(40), snap(20)}}, restore},
		{"state damaged, newest snapshot damaged, log too short", evidence{log: extent(30, 50, 30), view: damagedView, snapshots: []snapshot{badSnap(40), snap(20)}}, refuse},
		{"state damaged, snapshots damaged, log whole", evidence{log: extent(1, 50, 1), view: damagedView, snapshots: []snapshot{badSnap(40)}}, replay},
		{"state damaged, snapshots damaged, log shortened", evidence{log: extent(21, 50, 21), view: damagedView, snapshots: []snapshot{badSnap(40), badSnap(20)}}, refuse},
		{"state damaged, a lost snapshot went further than the log", evidence{log: extent(21, 50, 21), view: damagedView, snapshots: []snapshot{snap(20)}, known: 60}, refuse},
		{"state damaged, log entry damaged", evidence{log: extent(1, 50, 31), view: damagedView}, refuse},
		{"state damaged, log entry before the snapshot damaged", evidence{log: extent(1, 50, 31), view: damagedView, snapshots: []snapshot{snap(40)}}, restore},
		{"state of another log", evidence{log: extent(1, 50, 1), view: otherLog}, refuse},
		{"state of no log", evidence{log: extent(1, 50, 1), view: noLog}, replay},
		{"state of another term", evidence{log: extent(1, 50, 1), view: conflict}, replay},
		{"failed starts", evidence{log: extent(1, 50, 1), view: doubtful}, replay},
		{"failed starts, rebuilding impossible", evidence{log: extent(21, 50, 21), view: doubtful}, adopt},
		{"log lost its end", evidence{log: extent(1, 40, 1), view: viewAt(50), known: 50}, adopt},
		{"log lost its end, snapshots", evidence{log: extent(11, 40, 11), view: viewAt(50), snapshots: []snapshot{snap(30), snap(10)}, known: 50}, adopt},
		{"log empty", evidence{log: extent(0, 0, 0), view: viewAt(50), known: 50}, adopt},
		{"log empty, snapshot at its end", evidence{log: extent(0, 0, 0), view: viewAt(50), snapshots: []snapshot{snap(50)}, known: 50}, keep},
		{"log and state lost their end", evidence{log: extent(1, 40, 1), view: damagedView, known: 50}, refuse},
		{"log lost its end, view lags behind", evidence{log: extent(1, 40, 1), view: viewAt(35), known: 50, stored: 50}, refuse},
		{"log lost its end, view has more of it, but not all", evidence{log: extent(1, 40, 1), view: viewAt(45), known: 50, stored: 50}, refuse},
		{"log lost its end, view lags behind, snapshot has it", evidence{log: quiet(extent(1, 40, 1)), view: viewAt(49), snapshots: []snapshot{snap(50)}, known: 50, stored: 50}, keep},
		{"log lost its end, state gone", evidence{log: extent(1, 40, 1), known: 50, stored: 50}, refuse},
		{"log lost all, companions", evidence{log: extent(0, 0, 0), joins: true, known: 1, stored: 1}, refuse},
		{"damaged entry that the view has", evidence{log: extent(1, 50, 31), view: viewAt(50)}, adopt},
		{"damaged last entry that the view has", evidence{log: extent(1, 50, 51), view: viewAt(50)}, adopt},
		{"damaged entry that the view lacks", evidence{log: extent(1, 50, 46), view: viewAt(40)}, refuse},
		{"damaged entry before the snapshot", evidence{log: extent(1, 50, 31), view: viewAt(45), snapshots: []snapshot{snap(40)}}, keep},
		{"snapshots gone, log shortened, view whole", evidence{log: extent(21, 50, 21), view: viewAt(50)}, adopt},
		{"raft.db gone", evidence{logAbsent: true, view: viewAt(50), known: 50}, refuse},
		{"raft.db and state gone, snapshot there", evidence{logAbsent: true, snapshots: []snapshot{snap(40)}, known: 40}, refuse},
		{"raft.db gone, state damaged", evidence{logAbsent: true, view: damagedView}, refuse},
		{"raft.db gone, view trusted", evidence{logAbsent: true, trust: true, view: viewAt(50), known: 50}, renew},
		{"raft.db gone, view trusted but damaged, snapshot", evidence{logAbsent: true, trust: true, view: damagedView, snapshots: []snapshot{snap(40)}, known: 40}, renewS},
		{"raft.db gone, view trusted but older than the snapshot", evidence{logAbsent: true, trust: true, view: viewAt(30), snapshots: []snapshot{snap(40)}, known: 40}, renewS},
		{"raft.db gone, view trusted but damaged", evidence{logAbsent: true, trust: true, view: damagedView, snapshots: []snapshot{badSnap(40)}, known: 40}, refuse},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.e.known = max(c.e.known, c.e.log.last, c.e.newest())
			p, err := c.e.decide()
			if got := nameOf(p, err, c.e.view); got != c.want {
				t.Errorf("%s (%+v, %v), want %s", got, p, err, c.want)
			}
			if err != nil && !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("untyped error: %v", err)
			}
			if err == nil && !p.fresh && p.expect < c.e.known {
				t.Errorf("expects entry %d of %d", p.expect, c.e.known)
			}
			if p.adopt && !p.verify {
				t.Error("takes the view for the truth without verifying it")
			}
		})
	}
}

func nameOf(p plan, err error, v view) string {
	switch {
	case err != nil:
		return "refuse"
	case p.fresh:
		return "fresh"
	case p.newLog && p.adopt:
		return "new log from the view"
	case p.newLog && p.restore:
		return "new log from the snapshot"
	case p.adopt:
		return "give Raft a snapshot of the view"
	case p.restore:
		return "restore and replay"
	case v.index == 0 || p.quarantine != "":
		return "replay the log"
	}
	return "keep"
}
