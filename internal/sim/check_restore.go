package sim

import (
	"fmt"
	"strings"

	"github.com/chronos-go/chronos"
)

// checkRevival holds what a restored scheduler says against what the old one said in
// the end, and against the moment of the backup.
func (k *checker) checkRevival(v *revival) {
	defer func() {
		for what, n := range v.w.log.counts {
			if strings.HasPrefix(what, "restored") {
				k.log.counts[what] += n
			}
		}
		for _, f := range v.w.log.found {
			k.fault(f.kind, f.job, f.at, "restored: %s", f.text)
		}
	}()
	v.w.log.closed = true
	if v.dumps == nil {
		return
	}
	n := newChecker(v.w, v.dumps)
	for id, j := range n.jobs {
		old := k.jobs[id]
		if old == nil {
			n.fault("restore", id, v.ended, "there never was such a job")
			continue
		}
		n.checkRestoredRows(v, id, j, old)
		if once(id) && j.exists {
			n.log.count("restored ledgers checked", 1)
			n.checkLedger(id, j)
		}
	}
	n.checkRestoredStarts(v, k)
	for _, c := range k.log.calls {
		if again := v.again[c.seq]; again != "" && again != c.exec {
			n.fault("restore", c.job, v.ended, "key %s gave %s, and gives %s", c.arg, c.exec, again)
		}
	}
}

// checkRestoredRows: what had ended before the backup is there as it was, what came
// after it is not, and what was under way is lost. An end is stamped by the node that
// saw it, which may have had to look for a new leader before that was committed.
func (k *checker) checkRestoredRows(v *revival, id string, j, old *jobDump) {
	before, after := v.backup.call.begin-int64(2*k.w.pro.Lease), v.backup.call.end
	was, is := map[string]*chronos.Execution{}, map[string]*chronos.Execution{}
	for i := range old.rows {
		was[old.rows[i].ID] = &old.rows[i]
	}
	for i := range j.rows {
		is[j.rows[i].ID] = &j.rows[i]
	}
	for _, r := range old.rows {
		ended := r.Final() && nanos(r.EndedAt) < before && r.Count <= 1 && r.RangeTo.IsZero()
		switch n := is[r.ID]; {
		case !ended || k.redriven[r.ID]:
		case n == nil:
			k.fault("restore", id, nanos(r.Due), "had ended before the backup, and is not there: %s", row(r))
		case fmt.Sprintf("%+v", *n) != fmt.Sprintf("%+v", r):
			k.fault("restore", id, nanos(r.Due), "is another: %+v, was %+v", *n, r)
		default:
			k.log.count("restored rows equal", 1)
		}
	}
	for _, r := range j.rows {
		o := was[r.ID]
		switch {
		case nanos(r.CreatedAt) >= v.begun || r.Reason == chronos.ReasonRestore && r.Status == chronos.StatusMissed:
		case nanos(r.CreatedAt) > after:
			k.fault("restore", id, nanos(r.Due), "was made after the backup: %s", row(r))
		case !r.Final():
			k.fault("restore", id, nanos(r.Due), "goes on: %s", row(r))
		case r.Reason == chronos.ReasonRestore:
			k.log.count("restored rows lost", 1)
			if o != nil && o.Final() && nanos(o.EndedAt) < before && !k.redriven[r.ID] {
				k.fault("restore", id, nanos(r.Due), "is lost, and was %s", row(*o))
			}
		}
	}
	if old.exists && j.exists && len(j.versions) > len(old.versions) {
		k.fault("restore", id, v.ended, "has %d versions, there were %d", len(j.versions), len(old.versions))
	}
}

// checkRestoredStarts: nothing of the past begins, and no token comes twice.
func (k *checker) checkRestoredStarts(v *revival, old *checker) {
	highest, known := uint64(0), map[string]bool{}
	for _, a := range old.log.attempts {
		highest = max(highest, a.token)
		known[a.exec] = true
	}
	for _, a := range k.log.attempts {
		k.log.count("restored starts checked", 1)
		switch {
		case a.start < v.begun || a.due <= v.begun:
			k.fault("restore", a.job, a.start, "fires the past: due %s, restored %s: %s", clock(a.due), clock(v.begun), a)
		case known[a.exec]:
			k.fault("restore", a.job, a.start, "had begun before the backup was restored: %s", a)
		case a.token <= highest:
			k.fault("restore", a.job, a.start, "token %d was given out before, up to %d: %s", a.token, highest, a)
		}
	}
}
