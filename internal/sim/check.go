package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/chronos-go/chronos"
)

// checker holds what the nodes say at the end against what the callers and the
// handlers noted.
type checker struct {
	w        *world
	log      *log
	dumps    *dumps
	jobs     map[string]*jobDump // by one node; all have to say the same
	calls    map[string]*call    // by name
	byJob    map[string][]*call
	attempts map[string][]*attempt // by job
	redriven map[string]bool       // executions
	asked    map[string]bool       // executions that somebody wanted to end
	spans    *spans
}

// newChecker sorts what was noted.
func newChecker(w *world, d *dumps) *checker {
	k := &checker{
		w: w, log: w.log, dumps: d, jobs: d.byNode[d.nodes[0]], calls: map[string]*call{}, byJob: map[string][]*call{},
		attempts: map[string][]*attempt{}, redriven: map[string]bool{}, asked: map[string]bool{},
	}
	for _, c := range w.log.calls {
		k.calls[c.seq] = c
		k.byJob[c.job] = append(k.byJob[c.job], c)
		switch c.op {
		case "redrive":
			k.redriven[c.arg] = true
		case "cancel", "terminate":
			k.asked[c.arg] = true
		}
	}
	for _, a := range w.log.attempts {
		k.attempts[a.job] = append(k.attempts[a.job], a)
	}
	k.spans = k.accepted()
	return k
}

// check is the whole of it. The revival is nil if there was none.
func check(w *world, d *dumps, v *revival) {
	k := newChecker(w, d)
	if v != nil {
		k.checkRevival(v)
	}
	for id, j := range k.jobs {
		k.checkVersions(id, j)
		k.checkRequests(id, j)
		k.checkLedger(id, j)
		k.checkAttempts(id, j)
		k.checkRows(id, j)
		k.checkPlacement(id, j)
		k.checkOverdue(id, j)
		k.checkSkips(id, j)
	}
	for job := range k.attempts {
		if k.jobs[job] == nil {
			k.fault("lost", job, k.attempts[job][0].start, "started, and there was no such job")
		}
	}
	k.checkPlaces()
	k.checkSame()
	k.checkLocks()
	k.checkLinear()
}

func (k *checker) fault(kind, job string, at int64, format string, args ...any) {
	k.log.fault(kind, job, at, format, args...)
}

// planOf is what was put as a version of a job, nil if unknown.
func (k *checker) planOf(j *jobDump, version uint64) *plan {
	if version == 0 || version > uint64(len(j.versions)) {
		return nil
	}
	v := j.versions[version-1]
	if v.RolledBackTo != 0 && v.RolledBackTo < version {
		return k.planOf(j, v.RolledBackTo)
	}
	if c := k.calls[v.Actor]; c != nil {
		return c.plan
	}
	return nil
}

// checkVersions: every acknowledged put, rollback and delete is in the version
// history once, with what was put, and nothing is there that nobody asked for.
func (k *checker) checkVersions(id string, j *jobDump) {
	bySeq := map[string]uint64{}
	for i, v := range j.versions {
		at := nanos(v.At)
		if v.Number != uint64(i+1) {
			k.fault("lost", id, at, "version %d follows %d versions", v.Number, i)
		}
		if v.Deleted && (v.Actor == "" || k.calls[v.Actor] == nil) && k.removes(j, i) {
			continue // the scheduler's own removal
		}
		c := k.calls[v.Actor]
		if c == nil || c.job != id || v.Deleted != (c.op == "delete") {
			k.fault("ledger", id, at, "version %d comes from %q, which was no such call", v.Number, v.Actor)
			continue
		}
		if bySeq[v.Actor] != 0 {
			k.fault("twice", id, at, "call %s made two versions", v.Actor)
		}
		bySeq[v.Actor] = v.Number
		if c.err != nil && !c.unsure {
			k.fault("ledger", id, at, "call %s was refused (%v) and made version %d", c.seq, c.err, v.Number)
		}
		if p := k.planOf(j, v.Number); !v.Deleted && p != nil && seqOf(v.Job.Payload) != p.Work.Seq {
			k.fault("lost", id, at, "version %d has the payload of %s, put was %s", v.Number, seqOf(v.Job.Payload), p.Work.Seq)
		}
	}
	for _, c := range k.byJob[id] {
		if !c.acked() || c.op != "put" && c.op != "delete" && c.op != "rollback" {
			continue
		}
		n := bySeq[c.seq]
		if c.op == "rollback" && n == 0 { // to what it was already
			continue
		}
		if n == 0 {
			k.fault("lost", id, c.begin, "acknowledged %s %s made no version", c.op, c.seq)
		} else if c.version != 0 && c.version != n {
			k.fault("lost", id, c.begin, "%s %s was answered with version %d, and is version %d", c.op, c.seq, c.version, n)
		}
		if c.op == "put" && c.read != nil && !k.deletedAfter(j, n) {
			k.fault("stale read", id, c.end, "%s was put, could not be read on the same node, and nobody had deleted it", c.seq)
		}
	}
	if n := len(j.versions); n > 0 && j.exists == j.versions[n-1].Deleted {
		k.fault("lost", id, 0, "the job is not as its last version (exists %v)", j.exists)
	}
}

func (k *checker) deletedAfter(j *jobDump, n uint64) bool {
	return slices.ContainsFunc(j.versions, func(v chronos.Version) bool { return v.Deleted && v.Number > n })
}

// removes tells if a deletion is that of a job that removes itself.
func (k *checker) removes(j *jobDump, i int) bool {
	p := k.planOf(j, uint64(i))
	return p != nil && p.Remove
}

// checkRequests: every acknowledged trigger and backfill has its rows, and none of
// them twice.
func (k *checker) checkRequests(id string, j *jobDump) {
	byKey, byActor, byID := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, r := range j.rows {
		if byID[r.ID] {
			k.fault("twice", id, nanos(r.Due), "row %s is there twice", r.ID)
		}
		byID[r.ID] = true
		if r.Origin == chronos.OriginTrigger && r.Key != "" {
			byKey[strings.TrimSpace(r.Key+" "+r.Target)]++
		}
		if r.Origin == chronos.OriginBackfill {
			byActor[r.Actor]++
		}
		if c := k.calls[r.Actor]; r.Origin != chronos.OriginSchedule && (c == nil || c.job != id) {
			k.fault("ledger", id, nanos(r.Due), "row of a call that nobody made: %s", row(r))
		}
	}
	for key, n := range byKey {
		if n > 1 {
			k.fault("twice", id, 0, "trigger %s has %d executions", key, n)
		}
	}
	for _, c := range k.byJob[id] {
		switch {
		case !c.acked():
		case c.op == "trigger" && !byID[c.exec]:
			k.fault("lost", id, c.begin, "acknowledged trigger %s has no row %s", c.seq, c.exec)
		case c.op == "backfill" && byActor[c.seq] != c.count:
			k.fault("lost", id, c.begin, "backfill %s was answered with %d and has %d rows", c.seq, c.count, byActor[c.seq])
		}
	}
}

// checkRows looks at each row by itself.
func (k *checker) checkRows(id string, j *jobDump) {
	ran := map[uint64]int{}
	for _, r := range j.rows {
		k.log.count("rows checked", 1)
		p := k.planOf(j, r.Version)
		if p == nil {
			k.fault("ledger", id, nanos(r.Due), "row of an unknown version: %s", row(r))
			continue
		}
		if !r.Final() {
			k.fault("stuck", id, nanos(r.Due), "unfinished at the end: %s", row(r))
		}
		if r.Reason == chronos.ReasonNode && r.Target != "" && !k.w.gone[r.Target] {
			k.fault("lost", id, nanos(r.Due), "its node was never taken out: %s", row(r))
		}
		if r.Status == chronos.StatusLost && p.Delivery != chronos.AtMostOnce && (r.Target == "" || r.Reason != chronos.ReasonNode) {
			k.fault("lost", id, nanos(r.Due), "given up although its delivery is at least once: %s", row(r))
		}
		if r.Origin == chronos.OriginSchedule && r.Ran() {
			ran[r.Generation]++
		}
		if r.Status == chronos.StatusSucceeded && p.Work.Out > 0 {
			k.checkOutput(id, r)
		}
		k.checkFailures(id, p, r)
	}
	if len(j.versions) == 1 {
		if p := k.planOf(j, 1); p != nil && p.MaxRuns > 0 {
			for _, n := range ran {
				if n > p.MaxRuns {
					k.fault("ledger", id, 0, "ran %d times, at most %d were wanted", n, p.MaxRuns)
				}
			}
		}
	}
	if p := k.planOf(j, uint64(len(j.versions))); j.exists && p != nil && p.Remove && j.job.State.Exhausted && !j.job.State.Paused {
		k.fault("stuck", id, 0, "it should have removed itself")
	}
}

// checkOutput: what a row has as output was set by its own attempt.
func (k *checker) checkOutput(id string, r chronos.Execution) {
	var out struct {
		Exec    string
		Attempt int
	}
	if err := json.Unmarshal(r.Output, &out); err != nil || out.Exec != r.ID || out.Attempt != r.Attempt {
		k.fault("ledger", id, nanos(r.Due), "output %.60q is not that of %s", r.Output, row(r))
	}
}

// checkFailures: no more attempts fail than may.
func (k *checker) checkFailures(id string, p *plan, r chronos.Execution) {
	if r.Elided > 0 || k.redriven[r.ID] || !once(id) {
		return
	}
	n := 0
	for _, a := range r.Attempts {
		if a.Status == chronos.StatusFailed || a.Status == chronos.StatusTimedOut {
			n++
		}
	}
	if n > max(1, p.Attempts) {
		k.fault("retry", id, nanos(r.Due), "failed %d times, %d are allowed: %s", n, max(1, p.Attempts), row(r))
	}
}

func row(r chronos.Execution) string {
	s := fmt.Sprintf("%s gen %d %s %s %s attempt %d token %d, due %s created %s ended %s, version %d", r.ID, r.Generation, r.Origin,
		r.Status, r.Reason, r.Attempt, r.FencingToken, clock(nanos(r.Due)), clock(nanos(r.CreatedAt)), clock(nanos(r.EndedAt)), r.Version)
	if r.Count > 1 {
		s += fmt.Sprintf(", %d instants to %s", r.Count, clock(nanos(r.RangeTo)))
	}
	return s
}

// checkSame: all nodes say the same.
func (k *checker) checkSame() {
	first := k.dumps.nodes[0]
	for _, other := range k.dumps.nodes[1:] {
		for id, a := range k.jobs {
			if b := k.dumps.byNode[other][id]; a.text() != b.text() {
				k.fault("nodes differ", id, 0, "%s and %s do not say the same: %.3000s", first, other, difference(a, b))
			}
		}
	}
}

// text is all of it.
func (j *jobDump) text() string {
	return fmt.Sprintf("%v %+v %+v %+v", j.exists, j.job, j.versions, j.rows)
}

func difference(a, b *jobDump) string {
	for i := range a.rows {
		if i >= len(b.rows) || fmt.Sprintf("%+v", a.rows[i]) != fmt.Sprintf("%+v", b.rows[i]) {
			return fmt.Sprintf("%+v of %d, the other has %d", a.rows[i], len(a.rows), len(b.rows))
		}
	}
	return fmt.Sprintf("%+v and %+v; %d and %d rows", a.job, b.job, len(a.rows), len(b.rows))
}

// checkLocks: tokens of a lock grow from one call that got it to the next.
func (k *checker) checkLocks() {
	var got []*call
	for _, c := range k.log.calls {
		if (c.op == "lock" || c.op == "trylock") && c.acked() {
			got = append(got, c)
		}
	}
	for i, a := range got {
		for _, b := range got[i+1:] {
			if a.job == b.job && a.endPos < b.beginPos && a.version >= b.version {
				k.fault("lock", a.job, b.begin, "token %d of %s comes after %d of %s", b.version, b.seq, a.version, a.seq)
			}
		}
	}
}
