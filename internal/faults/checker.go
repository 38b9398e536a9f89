package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// violation is one broken promise.
type violation struct {
	Kind string // lost, ledger, double, stuck, fence, order
	Job  string
	Text string
	At   int64 // where to look in the job's timeline
}

// call is one call of the workload, as the journal has it.
type call struct {
	begin event
	end   *event // ack or err; nil when the process died first
}

func (c *call) acked() bool { return c.end != nil && c.end.Kind == "ack" }

// checker holds what a directory says against what the journal says.
type checker struct {
	dump    *dump
	journal []event
	calls   map[string]*call
	byJob   map[string][]event
	settled bool       // nothing may be unfinished
	nodes   *nodesSeen // not nil: the journal is that of a cluster
	found   []violation
}

// check is the whole of it. The dump was taken by a process after every one
// in the journal had ended, or had settled.
func check(journal []event, d *dump, settled bool) *checker {
	k := newChecker(journal, d, settled)
	k.checkJobs()
	return k
}

func newChecker(journal []event, d *dump, settled bool) *checker {
	k := &checker{dump: d, journal: journal, settled: settled, calls: map[string]*call{}, byJob: map[string][]event{}}
	for i := range journal {
		journal[i].pos = i
		e := journal[i]
		switch e.Kind {
		case "begin":
			k.calls[e.Seq] = &call{begin: e}
		case "ack", "err":
			if c := k.calls[e.Seq]; c != nil {
				c.end = &journal[i]
			} else { // the control answers first
				k.calls[e.Seq] = &call{begin: e, end: &journal[i]}
			}
		}
		if e.Job != "" {
			k.byJob[e.Job] = append(k.byJob[e.Job], e)
		}
	}
	for id := range k.byJob {
		if d.Jobs[id] == nil {
			d.Jobs[id] = &jobDump{}
		}
	}
	return k
}

func (k *checker) checkJobs() {
	for id, j := range k.dump.Jobs {
		k.checkVersions(id, j)
		k.checkPause(id, j)
		k.checkRequests(id, j)
		k.checkLedger(id, j)
		k.checkStarts(id, j)
		k.checkRows(id, j)
	}
	slices.SortFunc(k.found, func(a, b violation) int { return strings.Compare(a.Job+a.Text, b.Job+b.Text) })
}

func (k *checker) fault(kind, job string, at int64, format string, args ...any) {
	k.found = append(k.found, violation{kind, job, fmt.Sprintf(format, args...), at})
}

// checkVersions: every acknowledged put and delete is in the version history
// once, with what was put, and nothing is there that nobody asked for.
func (k *checker) checkVersions(id string, j *jobDump) {
	bySeq := map[string]versionDump{}
	for i, v := range j.Versions {
		if v.Number != uint64(i+1) {
			k.fault("lost", id, v.At, "version %d follows %d versions", v.Number, i)
		}
		if v.Actor == "" {
			continue // the scheduler's own removal
		}
		c := k.calls[v.Actor]
		if c == nil || c.begin.Job != id || v.Deleted != (c.begin.Op == "delete") {
			k.fault("ledger", id, v.At, "version %d comes from %q, which was no such call", v.Number, v.Actor)
			continue
		}
		if _, ok := bySeq[v.Actor]; ok {
			k.fault("double", id, v.At, "call %s made two versions", v.Actor)
		}
		bySeq[v.Actor] = v
		if !v.Deleted && v.Payload != string(c.begin.Plan.payload()) {
			k.fault("lost", id, v.At, "version %d has payload %s, put was %s", v.Number, v.Payload, c.begin.Plan.payload())
		}
	}
	for seq, c := range k.calls {
		if c.begin.Job != id || !c.acked() || c.begin.Op != "put" && c.begin.Op != "delete" {
			continue
		}
		v, ok := bySeq[seq]
		switch {
		case !ok:
			k.fault("lost", id, c.begin.T, "acknowledged %s %s made no version", c.begin.Op, seq)
		case c.begin.Op == "put" && c.end.Version != 0 && c.end.Version != v.Number:
			k.fault("lost", id, c.begin.T, "put %s was answered with version %d, and is version %d", seq, c.end.Version, v.Number)
		}
	}
	k.checkCurrent(id, j)
}

func (k *checker) checkCurrent(id string, j *jobDump) {
	if len(j.Versions) == 0 {
		if j.Exists {
			k.fault("lost", id, 0, "the job has no versions")
		}
		return
	}
	last := j.Versions[len(j.Versions)-1]
	if j.Exists == last.Deleted || j.Exists && (j.Version != last.Number || j.Payload != last.Payload) {
		k.fault("lost", id, last.At, "the job is not as its last version %d (exists %v, version %d)", last.Number, j.Exists, j.Version)
	}
}

// checkPause: the last answered pause or resume counts, unless a call that
// could have changed it came later.
func (k *checker) checkPause(id string, j *jobDump) {
	var last *call
	for _, e := range k.byJob[id] {
		if e.Kind != "begin" {
			continue
		}
		switch c := k.calls[e.Seq]; {
		case e.Op == "delete":
			last = nil
		case e.Op == "pause" || e.Op == "resume":
			last = c
		}
	}
	if last == nil || !last.acked() || !j.Exists {
		return
	}
	if want := last.begin.Op == "pause"; j.Paused != want {
		k.fault("lost", id, last.begin.T, "acknowledged %s %s did not last", last.begin.Op, last.begin.Seq)
	}
}

// checkRequests: every acknowledged trigger and backfill has its rows, and
// none of them twice.
func (k *checker) checkRequests(id string, j *jobDump) {
	byKey, byActor, byID := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, r := range j.Rows {
		byID[r.ID] = true
		if r.Key != "" {
			byKey[r.Key]++
		}
		if r.Origin == "backfill" {
			byActor[r.Actor]++
		}
	}
	for key, n := range byKey {
		if n > 1 {
			k.fault("double", id, 0, "trigger %s has %d executions", key, n)
		}
	}
	for seq, c := range k.calls {
		if c.begin.Job != id || !c.acked() {
			continue
		}
		switch {
		case c.begin.Op == "trigger" && c.end.Exec != "" && !byID[c.end.Exec], c.begin.Op == "trigger" && byKey[seq] == 0:
			k.fault("lost", id, c.begin.T, "acknowledged trigger %s has no row %s", seq, c.end.Exec)
		case c.begin.Op == "backfill" && byActor[seq] != c.end.Count:
			k.fault("lost", id, c.begin.T, "backfill %s was answered with %d and has %d rows", seq, c.end.Count, byActor[seq])
		}
	}
}

// checkRows looks at each row by itself.
func (k *checker) checkRows(id string, j *jobDump) {
	for _, r := range j.Rows {
		p := k.planOf(j, r.Version)
		if p == nil {
			k.fault("ledger", id, r.Due, "row of an unknown version: %s", r)
			continue
		}
		final := r.Status != "pending" && r.Status != "running"
		if r.Status == "running" {
			k.fault("stuck", id, r.Due, "held by a process that has ended: %s", r)
		}
		if k.settled && !final {
			k.fault("stuck", id, r.Due, "unfinished at the end: %s", r)
		}
		if r.Status == "lost" && !p.AtMostOnce {
			k.fault("lost", id, r.Due, "given up although its delivery is at least once: %s", r)
		}
	}
}

// planOf is what was put as a version of a job, nil if unknown.
func (k *checker) planOf(j *jobDump, version uint64) *plan {
	if version == 0 || version > uint64(len(j.Versions)) {
		return nil
	}
	c := k.calls[j.Versions[version-1].Actor]
	if c == nil {
		return nil
	}
	return c.begin.Plan
}

// report is what was found, with the timelines of the jobs concerned.
func (k *checker) report() string {
	var b strings.Builder
	shown := map[string]bool{}
	for i, v := range k.found {
		fmt.Fprintf(&b, "%s: %s: %s\n", v.Kind, v.Job, v.Text)
		if i >= 20 {
			fmt.Fprintf(&b, "... and %d more\n", len(k.found)-i-1)
			break
		}
		if !shown[v.Job] && len(shown) < 4 {
			shown[v.Job] = true
			b.WriteString(k.timeline(v.Job, v.At))
		}
	}
	return b.String()
}

// timeline is what happened to a job around an instant (around the end, if at
// is 0), by all accounts.
func (k *checker) timeline(job string, at int64) string {
	const around = int64(2500 * time.Millisecond)
	if at == 0 {
		at = k.dump.At
	}
	type line struct {
		at   int64
		text string
	}
	var lines []line
	add := func(t int64, text string) {
		if t > at-around && t < at+around {
			lines = append(lines, line{t, text})
		}
	}
	for _, e := range k.journal {
		if e.Job == job || e.Kind == "open" {
			add(e.T, e.String())
		}
	}
	j := k.dump.Jobs[job]
	for _, v := range j.Versions {
		add(v.At, fmt.Sprintf("%s version %d by %s deleted=%v", clock(v.At), v.Number, v.Actor, v.Deleted))
	}
	for _, r := range j.Rows {
		add(r.Due, r.String())
	}
	slices.SortStableFunc(lines, func(a, b line) int { return int(min(max(a.at-b.at, -1), 1)) })
	var b strings.Builder
	fmt.Fprintf(&b, "  timeline of %s; exists=%v paused=%v next due %s, seen at %s\n", job, j.Exists, j.Paused, clock(j.NextDue), clock(k.dump.At))
	for _, l := range lines {
		fmt.Fprintf(&b, "    %s\n", l.text)
	}
	return b.String()
}
