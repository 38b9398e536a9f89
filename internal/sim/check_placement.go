package sim

import (
	"cmp"
	"maps"
	"slices"

	"github.com/chronos-go/chronos"
)

// checkPlacement: what asks for labels begins only where they are, and what is for
// one node only there; a job for every node has a row for each that had a part in
// the instant.
func (k *checker) checkPlacement(id string, j *jobDump) {
	for _, a := range k.attempts[id] {
		p := k.planOf(j, a.version)
		if p == nil || a.startPos == 0 {
			continue
		}
		if !a.proc.meets(p.Needs) && (once(id) || a.target == "") { // what is for one node was so by the labels of its fire
			k.fault("placement", id, a.start, "asks for nodes with %v, and began on one with %v: %s", p.Needs, a.proc.labels, a)
		}
		if p.EveryNode != (a.target != "") && once(id) || a.target != "" && a.target != a.node {
			k.fault("placement", id, a.start, "is for node %q: %s", a.target, a)
		}
	}
	occurrences := map[int64][]chronos.Execution{}
	for _, r := range j.rows {
		if r.Target != "" && r.Node != "" && r.Node != r.Target {
			k.fault("placement", id, nanos(r.Due), "is for %s, and was on %s: %s", r.Target, r.Node, row(r))
		}
		if p := k.planOf(j, r.Version); p != nil && p.EveryNode && once(id) && r.Origin == chronos.OriginSchedule {
			occurrences[nanos(r.Due)] = append(occurrences[nanos(r.Due)], r)
		}
	}
	for _, rows := range occurrences {
		k.checkEveryNode(id, k.planOf(j, rows[0].Version), rows)
	}
}

// checkEveryNode looks whether an instant has rows for all nodes that surely had a
// part in it: those that began something before it was fired, of which the end was
// accepted after that. In between their sessions were open, with room.
func (k *checker) checkEveryNode(id string, p *plan, rows []chronos.Execution) {
	if rows[0].Target == "" && rows[0].Reason != chronos.ReasonNode {
		return // it was not fired
	}
	fired, seen := k.firing(id, rows)
	if seen == 0 {
		return
	}
	for _, a := range k.across(fired, seen) {
		if stopped := a.proc.stopped.Load(); stopped != 0 && stopped <= seen || !k.known(a.proc, p.Needs, fired) {
			continue
		}
		k.log.count("parts of nodes in an instant checked", 1)
		if !slices.ContainsFunc(rows, func(r chronos.Execution) bool { return r.Target == a.node }) {
			k.fault("placement", id, fired, "instant %s was fired at %s, and has no row for %s, which ran %s", clock(nanos(rows[0].Due)), clock(fired), a.node, a)
		}
	}
}

// firing is between which moments an instant was fired: when the call was made, and
// when the first of its executions began. seen is 0 if none did.
func (k *checker) firing(id string, rows []chronos.Execution) (fired, seen int64) {
	fired = nanos(rows[0].CreatedAt)
	for _, r := range rows {
		fired = min(fired, nanos(r.CreatedAt))
	}
	for _, a := range k.attempts[id] {
		if a.startPos != 0 && slices.ContainsFunc(rows, func(r chronos.Execution) bool { return r.ID == a.exec }) {
			return fired, max(a.start, nanos(rows[0].CreatedAt))
		}
	}
	return fired, 0
}

// across lists, one for each process, the attempts that began before one moment and
// succeeded after another, as the ledger has it.
func (k *checker) across(from, to int64) (out []*attempt) {
	done := map[*proc]bool{}
	for _, a := range k.spans.over(from, to) {
		if !done[a.proc] {
			done[a.proc] = true
			out = append(out, a)
		}
	}
	return out
}

// known tells if the cluster knew a process to have labels: it was given something
// that asks for them.
func (k *checker) known(p *proc, needs []string, before int64) bool {
	if len(needs) == 0 || !p.meets(needs) {
		return len(needs) == 0
	}
	return slices.ContainsFunc(k.log.attempts, func(a *attempt) bool {
		put := k.planOf(k.jobs[a.job], a.version)
		return a.proc == p && a.startPos != 0 && a.start < before && a.target == "" && put != nil && slices.Equal(put.Needs, needs)
	})
}

// spans are attempts of which the ledger has taken the success, by their beginning.
type spans struct {
	list    []*attempt
	longest int64
}

func (k *checker) accepted() *spans {
	s := &spans{}
	for id, j := range k.jobs {
		tokens := map[uint64]bool{}
		for _, r := range j.rows {
			if r.Status == chronos.StatusSucceeded {
				tokens[r.FencingToken] = true
			}
		}
		for _, a := range k.attempts[id] {
			if tokens[a.token] && a.endPos != 0 && a.how == "ok" && a.cause == "" && !a.void {
				s.list = append(s.list, a)
				s.longest = max(s.longest, a.end-a.start)
			}
		}
	}
	slices.SortFunc(s.list, func(a, b *attempt) int { return cmp.Compare(a.start, b.start) })
	return s
}

// over lists those that began before from and ended after to.
func (s *spans) over(from, to int64) (out []*attempt) {
	at, _ := slices.BinarySearchFunc(s.list, to-s.longest, func(a *attempt, t int64) int { return cmp.Compare(a.start, t) })
	for ; at < len(s.list) && s.list[at].start < from; at++ {
		if s.list[at].end > to {
			out = append(out, s.list[at])
		}
	}
	return out
}

// checkPlaces: no more executions of a concurrency key are unfinished than it has
// places. One has its place from before its first attempt until it is final, also
// while it waits for the next one; the ledger's word is enough for that, so a
// handler that runs on where nobody hears of it makes no difference. One that was
// given a new round has let go of its place in between, and is left out.
func (k *checker) checkPlaces() {
	type edge struct {
		at     int64
		begins bool
		r      *chronos.Execution
	}
	edges, places := map[string][]edge{}, map[string]int{}
	for id, j := range k.jobs {
		first := map[string]int64{}
		for _, a := range k.attempts[id] {
			if a.startPos != 0 && first[a.exec] == 0 {
				first[a.exec] = a.start
			}
		}
		for i := range j.rows {
			r := &j.rows[i]
			p := k.planOf(j, r.Version)
			if p == nil || p.Key == "" || !once(id) || first[r.ID] == 0 || k.redriven[r.ID] || nanos(r.EndedAt) <= first[r.ID] {
				continue
			}
			places[p.Key] = p.Places
			edges[p.Key] = append(edges[p.Key], edge{first[r.ID], true, r}, edge{nanos(r.EndedAt), false, r})
		}
	}
	for key, list := range edges {
		slices.SortStableFunc(list, func(a, b edge) int { // an end first: its place is free then
			return cmp.Or(cmp.Compare(a.at, b.at), boolCompare(a.begins, b.begins))
		})
		holders := map[string]bool{}
		for _, e := range list {
			if !e.begins {
				delete(holders, e.r.ID)
				continue
			}
			holders[e.r.ID] = true
			k.log.count("places of concurrency keys checked", 1)
			if len(holders) == places[key] {
				k.log.count("... of which the last one there is", 1)
			}
			if len(holders) > places[key] {
				k.fault("key", jobOf(e.r.ID), e.at, "%d executions of %s are unfinished, it has %d places: %v", len(holders), key, places[key], slices.Sorted(maps.Keys(holders)))
			}
		}
	}
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
