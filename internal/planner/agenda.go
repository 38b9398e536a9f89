package planner

import (
	"math"
	"strconv"
	"sync"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// agenda is what the planner keeps in memory: how far the due index has been
// dealt with, and what of it has to be looked at again. It does not grow with
// the jobs that are idle.
type agenda struct {
	mu sync.Mutex
	// watermark is where the next scan starts: everything below is dealt with
	// or held. Seeking from it passes by the tombstones of what was due before.
	watermark int64
	next      int64            // earliest instant known beyond the last scan, maxInstant if none
	held      map[string]*held // by job, or by job, kind, execution and instant
	freed     map[string]bool  // keys of held entries that may be looked at now
	trouble   map[string]string
	settle    bool // the state machine left work for another entry
}

type held struct {
	entry store.DueEntry
	at    int64
}

const (
	minInstant = math.MinInt64
	maxInstant = math.MaxInt64
)

func (a *agenda) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watermark, a.next = minInstant, minInstant
	a.held, a.freed, a.trouble = map[string]*held{}, map[string]bool{}, map[string]string{}
}

// holdKey tells the start deadline of an execution from its next attempt, and from
// another deadline that an edit gave it: the index has lost the old one then, but it
// is held until it is over.
func holdKey(e store.DueEntry) string {
	if e.Kind == store.DueTick {
		return e.Job
	}
	return e.Job + "\x00" + string(rune(e.Kind)) + e.Exec + "\x00" + strconv.FormatInt(e.At, 10)
}

// observe notes what a committed batch changed, and tells if the planner
// should look now.
func (a *agenda) observe(eff *raftfsm.Effects) (wake bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if eff.Due != 0 {
		a.watermark = min(a.watermark, eff.Due)
		if eff.Due < a.next {
			a.next = eff.Due
			wake = true
		}
	}
	for _, job := range eff.Freed {
		if a.held[job] != nil {
			a.freed[job] = true
			wake = true
		}
	}
	for _, c := range eff.Changes {
		switch c.Kind {
		case raftfsm.JobPut, raftfsm.JobDeleted, raftfsm.JobPaused:
			delete(a.trouble, c.Job)
			delete(a.held, c.Job)
		}
	}
	if eff.More {
		a.settle, wake = true, true
	}
	return wake
}

// begin hands out the range to scan and the held entries whose time has come.
// What is observed while the scan is under way lowers the watermark again.
func (a *agenda) begin(now int64) (from int64, ready []store.DueEntry, settle bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, h := range a.held {
		if h.at <= now || a.freed[key] {
			ready = append(ready, h.entry)
			delete(a.held, key)
		}
	}
	clear(a.freed)
	from, settle = a.watermark, a.settle
	a.watermark, a.next, a.settle = maxInstant, maxInstant, false
	return from, ready, settle
}

// unsettle notes that the entry which the state machine waits for was not made.
func (a *agenda) unsettle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle = true
}

// end says how far the scan came and what lies beyond.
func (a *agenda) end(scanned, next int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watermark = min(a.watermark, scanned)
	a.next = min(a.next, next)
}

// hold keeps an entry to be looked at again at an instant.
func (a *agenda) hold(e store.DueEntry, at int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held[holdKey(e)] = &held{e, at}
}

func (a *agenda) isHeld(e store.DueEntry) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held[holdKey(e)] != nil
}

// setTrouble notes that a job cannot be planned; true if that is news.
func (a *agenda) setTrouble(job, why string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	news := a.trouble[job] != why
	a.trouble[job] = why
	return news
}

// clearTrouble notes that a job can be planned.
func (a *agenda) clearTrouble(job string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.trouble, job)
}

// due is the earliest instant that waits, and the earliest at which something
// has to be done about it.
func (a *agenda) due(lookAhead int64) (next, act int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next, act = a.next, maxInstant
	if a.next != maxInstant {
		act = max(a.next, minInstant+lookAhead) - lookAhead
	}
	for _, h := range a.held {
		next, act = min(next, h.entry.At), min(act, h.at)
	}
	return next, act
}
