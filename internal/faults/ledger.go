package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

// A job's life in the version history is cut into generations (from a put to
// the deletion), and these into spans during which one definition held. Where
// a span begins and ends is known only up to the duration of the call that did
// it; instants in there may or may not count. All others have to be in the
// ledger, each in exactly one row.

// lookAhead is how long before its instant an execution may be committed; an
// edit or deletion in that time can leave a row for an instant after it.
const lookAhead = int64(1500 * time.Millisecond)

type slot struct {
	required bool
	rows     []string
}

type generation struct {
	first, last uint64 // versions
	slots       map[int64]*slot
	gen         uint64 // as the rows call it
}

func (g *generation) add(instants []int64, required bool) {
	for _, t := range instants {
		s := g.slots[t]
		if s == nil {
			s = &slot{}
			g.slots[t] = s
		}
		s.required = s.required || required
	}
}

// generations lays out which instants must and which may be in the ledger.
func (k *checker) generations(id string, j *jobDump) []*generation {
	var out []*generation
	var g *generation
	doubts := k.doubts(id, j)
	for i, v := range j.Versions {
		if v.Deleted {
			g = nil
			continue
		}
		if g == nil {
			g = &generation{first: v.Number, slots: map[int64]*slot{}}
			out = append(out, g)
		}
		g.last = v.Number
		c := k.calls[v.Actor]
		if c == nil {
			continue // reported elsewhere
		}
		k.layOut(id, g, c.begin, v, j, i, doubts)
	}
	return out
}

// layOut adds the instants of one version.
func (k *checker) layOut(id string, g *generation, put event, v versionDump, j *jobDump, i int, doubts []interval) {
	p := put.Plan
	from, surely := put.T, v.At // it holds from somewhere in (put.T, v.At]
	var until, atMost int64     // up to somewhere in [until, atMost]
	if i+1 < len(j.Versions) {
		next := j.Versions[i+1]
		until, atMost = next.At, next.At+lookAhead
		if c := k.calls[next.Actor]; c != nil {
			until = c.begin.T
		}
		g.last = next.Number
	} else {
		until, atMost = k.horizon(id, j, p)
	}
	until = max(until, surely) // nothing may have come due at all
	g.add(p.instants(from, surely), false)
	g.add(p.instants(until, atMost), false)
	for _, t := range p.instants(surely, until) {
		g.add([]int64{t}, !covered(doubts, t))
	}
}

// horizon is how far the ledger of a job that exists has to be complete: up to
// what comes due next. What was overdue when a job was paused is accounted for
// by the resume, edit or deletion. In the end the campaign waits until no job is
// behind, and pauses then: what was due before that wait ended has its row, however
// late it came. In the middle of one the newest row tells how far the job had come; one
// that was fired ahead of the newest edit says nothing of that edit's instants.
func (k *checker) horizon(id string, j *jobDump, p *plan) (until, atMost int64) {
	switch {
	case j.Paused && k.settled && k.evenBefore(id, j) != 0:
		return k.evenBefore(id, j) - int64(behindBy), j.PausedAt + lookAhead
	case j.Paused && k.settled:
		return j.PausedAt - int64(time.Second) - lagging(j), j.PausedAt + lookAhead
	case j.Paused:
		last := int64(0)
		for _, r := range j.Rows {
			if r.Origin == chronos.OriginSchedule && (r.To != 0 || r.Created >= j.Versions[len(j.Versions)-1].At) {
				last = max(last, r.Due, r.To)
			}
		}
		return min(last, j.PausedAt), j.PausedAt + lookAhead
	case j.NextDue != 0:
		return j.NextDue - 1, j.NextDue - 1
	case p.At != 0:
		return p.At, p.At
	}
	return k.dump.At, k.dump.At
}

// behindBy is for how long an instant may have passed in a job that is not behind.
const behindBy = time.Second

// evenBefore is when the campaign found that no job is behind, before it paused this
// one for good; 0 if the pause is another one.
func (k *checker) evenBefore(id string, j *jobDump) (at int64) {
	pos := -1
	for _, e := range k.journal {
		if e.Kind == "even" && e.T <= j.PausedAt {
			at, pos = e.T, e.pos
		}
	}
	for _, e := range k.byJob[id] {
		if e.Kind == "begin" && e.Op != "pause" && e.pos > pos {
			return 0
		}
	}
	return at
}

// lagging is by how much a job's rows came late in the ten seconds before it was
// paused: under a load that is too high as many instants may not have had their
// turn. It is 0 for a job that was fired ahead, as it should be. It is needed for pauses
// in the middle of a campaign only.
func lagging(j *jobDump) (late int64) {
	for _, r := range j.Rows {
		if r.Origin == chronos.OriginSchedule && r.Created > j.PausedAt-int64(10*time.Second) && r.Created <= j.PausedAt {
			late = max(late, r.Created-max(r.Due, r.To))
		}
	}
	return late
}

type interval struct{ from, to int64 }

func covered(list []interval, t int64) bool {
	return slices.ContainsFunc(list, func(v interval) bool { return t >= v.from && t <= v.to })
}

// doubts are the times in which a job may have been paused without a resume
// that says so in the ledger. A pause that is answered, and next a resume that
// is answered, leave none: those instants are rows that say "paused".
func (k *checker) doubts(id string, j *jobDump) []interval {
	var ops []*call
	for _, e := range k.byJob[id] {
		if e.Kind == "begin" && (e.Op == "put" || e.Op == "delete" || e.Op == "pause" || e.Op == "resume") {
			ops = append(ops, k.calls[e.Seq])
		}
	}
	var out []interval
	for i, c := range ops {
		if c.begin.Op != "pause" {
			continue
		}
		if i+1 < len(ops) && c.acked() && ops[i+1].begin.Op == "resume" && ops[i+1].acked() && !k.pausedBefore(ops[:i]) {
			continue
		}
		v := interval{from: c.begin.T, to: k.dump.At + int64(time.Hour)}
		for _, later := range ops[i+1:] {
			if later.acked() && later.begin.Op != "pause" && (later.begin.Op != "put" || later.end.Version == 1) {
				v.to = later.end.T
				break
			}
		}
		out = append(out, v)
	}
	return out
}

// pausedBefore tells if the job may have been paused already: then a pause
// changes nothing, and the doubt began earlier.
func (k *checker) pausedBefore(ops []*call) bool {
	for _, c := range slices.Backward(ops) {
		switch {
		case c.begin.Op == "put":
		case c.begin.Op == "pause":
			return true
		case c.acked():
			return false
		}
	}
	return false
}

// checkLedger: every due instant has exactly one row.
func (k *checker) checkLedger(id string, j *jobDump) {
	gens := k.generations(id, j)
	var ranges []rowDump
	for _, r := range j.Rows {
		switch {
		case r.Origin != chronos.OriginSchedule:
		case r.Count > 1 || r.To > r.Due:
			ranges = append(ranges, r)
		default:
			k.enter(gens, id, r)
		}
	}
	for _, r := range ranges {
		k.enterRange(gens, id, r)
	}
	for _, g := range gens {
		var missing []int64
		for t, s := range g.slots {
			switch {
			case len(s.rows) == 0 && s.required:
				missing = append(missing, t)
			case len(s.rows) > 1:
				k.fault("ledger", id, t, "instant %s is in %d rows: %v", clock(t), len(s.rows), s.rows)
			}
		}
		slices.Sort(missing)
		if len(missing) > 0 {
			k.fault("ledger", id, missing[0], "%d instants of versions %d to %d have no row, the first at %s",
				len(missing), g.first, g.last, clock(missing[0]))
		}
	}
}

func (k *checker) generationOf(gens []*generation, id string, r rowDump) *generation {
	for _, g := range gens {
		if r.Version < g.first || r.Version > g.last {
			continue
		}
		if g.gen == 0 {
			g.gen = r.Gen
		}
		if g.gen != r.Gen {
			k.fault("ledger", id, r.Due, "row of generation %d among those of %d: %s", r.Gen, g.gen, r)
		}
		return g
	}
	k.fault("ledger", id, r.Due, "row of no generation: %s", r)
	return nil
}

// enter puts a row into the slot of its instant.
func (k *checker) enter(gens []*generation, id string, r rowDump) {
	g := k.generationOf(gens, id, r)
	if g == nil {
		return
	}
	s := g.slots[r.Due]
	if s == nil {
		k.fault("ledger", id, r.Due, "row for an instant that was not due: %s", r)
		return
	}
	s.rows = append(s.rows, r.ID)
}

// enterRange puts a row into the slots it accounts for. Instants within that
// have rows of their own, such as an edit leaves behind when they were fired
// ahead, must not be counted in it.
func (k *checker) enterRange(gens []*generation, id string, r rowDump) {
	g := k.generationOf(gens, id, r)
	if g == nil {
		return
	}
	surely, maybe := 0, 0
	for t, s := range g.slots {
		if t < r.Due || t > r.To || len(s.rows) > 0 && single(s.rows[0]) {
			continue
		}
		s.rows = append(s.rows, rangeMark+r.ID)
		if maybe++; s.required {
			surely++
		}
	}
	if !r.Floor && (r.Count < surely || r.Count > maybe) {
		k.fault("ledger", id, r.Due, "row counts %d instants, there are %s: %s", r.Count, between(surely, maybe), r)
	}
}

// rangeMark goes before the IDs of range rows in a slot.
const rangeMark = "range "

func single(row string) bool { return !strings.HasPrefix(row, rangeMark) }

func between(a, b int) string {
	if a == b {
		return fmt.Sprint(a)
	}
	return fmt.Sprintf("%d to %d", a, b)
}
