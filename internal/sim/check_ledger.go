package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

// A job's life in the version history is cut into generations, from a put to the
// deletion, and these into spans during which one definition held. Every instant of
// a span has to be in the ledger, in exactly one row.

// lookAhead is how long before its instant an execution may be committed; an edit,
// a pause or a deletion in that time can leave a row for an instant after it, where
// the execution had begun before it was recalled.
const lookAhead = int64(1100 * time.Millisecond)

type slot struct {
	required bool
	rows     []string
	targets  map[string]bool // of rows that are for one node
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
	for i, v := range j.versions {
		if v.Deleted {
			g = nil
			continue
		}
		if g == nil {
			g = &generation{first: v.Number, slots: map[int64]*slot{}}
			out = append(out, g)
		}
		g.last = v.Number
		if p := k.planOf(j, v.Number); p != nil {
			k.layOut(g, p, j, i, doubts)
		}
	}
	return out
}

// layOut adds the instants of one version. It holds from the instant that it is
// stamped with up to that of the next one: they are the moments at which the caller
// looked at the clock, and the schedule is cut there.
func (k *checker) layOut(g *generation, p *plan, j *jobDump, i int, doubts []interval) {
	from := nanos(j.versions[i].At)
	var until, atMost int64 // up to somewhere in [until, atMost]
	if i+1 < len(j.versions) {
		next := j.versions[i+1]
		until = nanos(next.At)
		atMost = until + lookAhead
		if c := k.calls[next.Actor]; c != nil && c.endPos != 0 {
			atMost = max(atMost, c.end+lookAhead)
			if c.unsure {
				atMost += int64(4 * k.w.pro.Lease)
			}
		}
		g.last = next.Number
	} else {
		until, atMost = k.horizon(j, p)
	}
	if p.MaxRuns > 0 {
		until = min(until, lastRun(j))
	}
	until = max(until, from) // nothing may have been due yet when it was paused
	g.add(p.instants(until, atMost), false)
	for _, t := range p.instants(from, until) {
		g.add([]int64{t}, !covered(doubts, t))
	}
}

// lastRun is the newest instant that ran: after as many as there may be, nothing is
// due any more.
func lastRun(j *jobDump) (at int64) {
	for _, r := range j.rows {
		if r.Origin == chronos.OriginSchedule && r.Ran() {
			at = max(at, nanos(r.Due))
		}
	}
	return at
}

// horizon is how far the ledger of a job that exists has to be complete. What the
// settler paused was up to date; what somebody else paused may have been overdue,
// and is then accounted for when it goes on.
func (k *checker) horizon(j *jobDump, p *plan) (until, atMost int64) {
	st := j.job.State
	switch paused := nanos(st.PausedAt); {
	case st.Paused && st.PausedBy == settler:
		return paused - int64(time.Second), paused + lookAhead
	case st.Paused:
		last := int64(0)
		for _, r := range j.rows {
			if r.Origin == chronos.OriginSchedule {
				last = max(last, nanos(r.Due), nanos(r.RangeTo))
			}
		}
		return min(last, paused), paused + lookAhead + int64(4*k.w.pro.Lease)
	case p.At != 0:
		return p.At, p.At
	}
	return k.dumps.at - int64(time.Second), k.dumps.at
}

type interval struct{ from, to int64 }

func covered(list []interval, t int64) bool {
	return slices.ContainsFunc(list, func(v interval) bool { return t >= v.from && t <= v.to })
}

// doubts are the times in which a job may have been paused without a resume that
// says so in the ledger. A pause that is answered, and next a resume that is
// answered, leave none: those instants are rows that say "paused".
func (k *checker) doubts(id string, j *jobDump) []interval {
	var ops []*call
	for _, c := range k.byJob[id] {
		if c.op == "put" || c.op == "delete" || c.op == "pause" || c.op == "resume" || c.op == "rollback" {
			ops = append(ops, c)
		}
		if c.plan != nil && c.plan.PauseFail {
			return []interval{{0, k.dumps.at}}
		}
	}
	var out []interval
	for i, c := range ops {
		if c.op != "pause" || c.err != nil && !c.unsure {
			continue
		}
		if i+1 < len(ops) && c.acked() && ops[i+1].op == "resume" && ops[i+1].acked() && !pausedBefore(ops[:i]) {
			continue
		}
		v := interval{from: c.begin, to: k.dumps.at + int64(time.Hour)}
		for _, later := range ops[i+1:] {
			if c.acked() && later.acked() && (later.op == "resume" || later.op == "delete") {
				v.to = later.end
				break
			}
		}
		out = append(out, v)
	}
	return out
}

// pausedBefore tells if the job may have been paused already: then a pause changes
// nothing, and the doubt began earlier.
func pausedBefore(ops []*call) bool {
	for _, c := range slices.Backward(ops) {
		switch {
		case c.op == "put", c.op == "rollback", c.err != nil && !c.unsure:
		case c.op == "pause":
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
	var ranges []chronos.Execution
	for _, r := range j.rows {
		p := k.planOf(j, r.Version)
		switch {
		case r.Origin != chronos.OriginSchedule || p != nil && p.After > 0:
		case r.Count > 1 || r.RangeTo.After(r.Due):
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
			k.log.count("instants checked", 1)
			switch {
			case len(s.rows) == 0 && s.required:
				missing = append(missing, t)
			case len(s.rows) > 1 && len(s.targets) < len(s.rows):
				k.fault("ledger", id, t, "instant %s is in %d rows: %v", clock(t), len(s.rows), s.rows)
			}
		}
		slices.Sort(missing)
		if len(missing) > 0 {
			k.fault("ledger", id, missing[0], "%d instants of versions %d to %d have no row, the first at %s, the last at %s",
				len(missing), g.first, g.last, clock(missing[0]), clock(missing[len(missing)-1]))
		}
	}
}

func (k *checker) generationOf(gens []*generation, id string, r chronos.Execution) *generation {
	for _, g := range gens {
		if r.Version < g.first || r.Version > g.last {
			continue
		}
		if g.gen == 0 {
			g.gen = r.Generation
		}
		if g.gen != r.Generation {
			k.fault("ledger", id, nanos(r.Due), "row of generation %d among those of %d: %s", r.Generation, g.gen, row(r))
		}
		return g
	}
	k.fault("ledger", id, nanos(r.Due), "row of no generation: %s", row(r))
	return nil
}

// enter puts a row into the slot of its instant.
func (k *checker) enter(gens []*generation, id string, r chronos.Execution) {
	g := k.generationOf(gens, id, r)
	if g == nil {
		return
	}
	s := g.slots[nanos(r.Due)]
	if s == nil {
		k.fault("ledger", id, nanos(r.Due), "row for an instant that was not due: %s", row(r))
		return
	}
	s.rows = append(s.rows, r.ID)
	if r.Target != "" { // one for each node
		if s.targets == nil {
			s.targets = map[string]bool{}
		}
		s.targets[r.Target] = true
	}
}

// enterRange puts a row into the slots it accounts for. Instants within that have
// rows of their own, such as an edit leaves behind when they were fired ahead, must
// not be counted in it.
func (k *checker) enterRange(gens []*generation, id string, r chronos.Execution) {
	g := k.generationOf(gens, id, r)
	if g == nil {
		return
	}
	surely, maybe := 0, 0
	for t, s := range g.slots {
		if t < nanos(r.Due) || t > nanos(r.RangeTo) || len(s.rows) > 0 && !strings.HasPrefix(s.rows[0], rangeMark) {
			continue
		}
		s.rows = append(s.rows, rangeMark+r.ID)
		if maybe++; s.required {
			surely++
		}
	}
	if !r.CountIsFloor && (r.Count < surely || r.Count > maybe) {
		k.fault("ledger", id, nanos(r.Due), "row counts %d instants, there are %s: %s", r.Count, fmt.Sprintf("%d to %d", surely, maybe), row(r))
	}
}

// rangeMark goes before the IDs of range rows in a slot.
const rangeMark = "range "
