package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// clusterControl spoils what a campaign found, in each way once: a checker that
// passes over it would have passed over a fault.
func clusterControl(t *testing.T, k *checker) {
	t.Helper()
	start := slices.IndexFunc(k.journal, func(e event) bool { return e.Kind == "start" && e.Attempt == 1 && k.dump.Jobs[e.Job] != nil })
	if start < 0 {
		t.Fatal("nothing ran")
	}
	id := k.journal[start].Job
	again := func(journal []event, d *dump) bool {
		found := checkCluster(journal, map[string]*dump{"a": d}, time.Hour).found
		return slices.ContainsFunc(found, func(v violation) bool { return v.Job == id })
	}
	small := &dump{At: k.dump.At, Jobs: map[string]*jobDump{id: k.dump.Jobs[id]}}
	journal := slices.DeleteFunc(slices.Clone(k.journal), func(e event) bool { return e.Job != "" && e.Job != id })
	if again(slices.Clone(journal), small) {
		t.Fatal("control: one job by itself is refused")
	}
	at := slices.IndexFunc(journal, func(e event) bool { return e.Kind == "start" && e.Attempt == 1 })
	if !again(slices.Insert(slices.Clone(journal), at, journal[at]), small) {
		t.Error("control: a start that is there twice is not noticed")
	}
	spoilt := *small.Jobs[id]
	row := slices.IndexFunc(spoilt.Rows, func(r rowDump) bool { return r.ID == journal[at].Exec })
	spoilt.Rows = slices.Delete(slices.Clone(spoilt.Rows), row, row+1)
	if !again(journal, &dump{At: small.At, Jobs: map[string]*jobDump{id: &spoilt}}) {
		t.Error("control: a missing row is not noticed")
	}
}

// clusterStory is a small world without a fault: a leader that ran two attempts
// is killed, one is repeated on another node and the other one given up.
func clusterStory() ([]event, map[string]*dump) {
	sec := int64(time.Second)
	t0 := int64(1_800_000_000) * sec
	tick := &plan{Job: "tick", CronStep: 1, Work: work{Seq: "call-1"}}
	amo := &plan{Job: "amo", CronStep: 2, AtMostOnce: true, Work: work{Seq: "call-2"}}
	at := func(ms int64) int64 { return t0 + ms*int64(time.Millisecond) }
	run := func(ms int64, kind, node, job, exec string, n int, token uint64) event {
		e := event{T: at(ms), Mono: ms, Kind: kind, Node: node, Job: job, Exec: exec, Attempt: n, Token: token, Gen: 1, Version: 1}
		if kind == "end" {
			e.Text = "ok"
		}
		return e
	}
	journal := []event{
		{T: at(1), Kind: "begin", Seq: "call-1", Op: "put", Job: "tick", Plan: tick},
		{T: at(3), Kind: "ack", Seq: "call-1", Op: "put", Job: "tick", Version: 1},
		{T: at(4), Kind: "begin", Seq: "call-2", Op: "put", Job: "amo", Plan: amo},
		{T: at(6), Kind: "ack", Seq: "call-2", Op: "put", Job: "amo", Version: 1},
		run(1000, "start", "a", "tick", "tick:1", 1, 10),
		run(1100, "end", "a", "tick", "tick:1", 1, 10),
		run(2000, "start", "a", "tick", "tick:2", 1, 11),
		run(2001, "start", "a", "amo", "amo:2", 1, 20),
		{T: at(2050), Kind: "kill", Node: "a", Text: "leader"},
		{T: at(2060), Kind: "down", Node: "a"},
		run(5000, "start", "b", "tick", "tick:2", 2, 12),
		run(5100, "end", "b", "tick", "tick:2", 2, 12),
	}
	row := func(job string, i int64, status chronos.Status, tokens []uint64, ends ...chronos.Status) rowDump {
		r := rowDump{ID: job + ":" + string(rune('0'+i)), Gen: 1, Version: 1, Due: t0 + i*sec, Count: 1, Origin: "schedule", Status: status,
			Attempt: len(tokens), Tokens: tokens, Ends: ends, Overs: make([]int64, len(ends)), Created: t0 + i*sec - sec, Ended: at(5100)}
		if len(tokens) > 0 {
			r.Token = tokens[len(tokens)-1]
			for n := range r.Overs {
				r.Overs[n] = at(4900)
			}
		}
		return r
	}
	one := func() *dump {
		return &dump{At: at(5500), Jobs: map[string]*jobDump{
			"tick": {
				Exists: true, Version: 1, Payload: string(tick.payload()), NextDue: t0 + 6*sec,
				Versions: []versionDump{{Number: 1, At: at(2), Actor: "call-1", Payload: string(tick.payload())}},
				Rows: []rowDump{
					row("tick", 1, "succeeded", []uint64{10}, "succeeded"),
					row("tick", 2, "succeeded", []uint64{11, 12}, "lost", "succeeded"),
					row("tick", 3, "skipped", nil), row("tick", 4, "skipped", nil), row("tick", 5, "skipped", nil),
				},
			},
			"amo": {
				Exists: true, Version: 1, Payload: string(amo.payload()), NextDue: t0 + 6*sec,
				Versions: []versionDump{{Number: 1, At: at(5), Actor: "call-2", Payload: string(amo.payload())}},
				Rows:     []rowDump{row("amo", 2, "lost", []uint64{20}, "lost"), row("amo", 4, "skipped", nil)},
			},
		}}
	}
	return journal, map[string]*dump{"a": one(), "b": one(), "c": one()}
}

// TestClusterChecker: the checker finds nothing in a world without a fault, and
// each fault that only several nodes can have.
func TestClusterChecker(t *testing.T) {
	const lease = 3 * time.Second
	journal, dumps := clusterStory()
	if k := checkCluster(journal, dumps, lease); len(k.found) > 0 || len(k.nodes.overlaps) > 0 {
		t.Fatalf("a good world is refused: %v\n%s", k.nodes.overlaps, k.report())
	}
	find := func(j []event, kind, node string, token uint64) int {
		return slices.IndexFunc(j, func(e event) bool { return e.Kind == kind && e.Node == node && e.Token == token })
	}
	rows := func(dumps map[string]*dump, job string, change func([]rowDump) []rowDump) {
		for _, d := range dumps {
			d.Jobs[job].Rows = change(d.Jobs[job].Rows)
		}
	}
	for _, c := range []struct {
		name, kind string
		spoil      func(j []event, dumps map[string]*dump) []event
	}{
		{"row missing on every node", "ledger", func(j []event, dumps map[string]*dump) []event {
			rows(dumps, "tick", func(r []rowDump) []rowDump { return slices.Delete(r, 2, 3) })
			return j
		}},
		{"row missing on one node", "ledger", func(j []event, dumps map[string]*dump) []event {
			dumps["c"].Jobs["tick"].Rows = dumps["c"].Jobs["tick"].Rows[:4]
			return j
		}},
		{"job that only one node has", "ledger", func(j []event, dumps map[string]*dump) []event {
			dumps["b"].Jobs["ghost"] = &jobDump{Exists: true}
			return j
		}},
		{"start on two nodes", "double", func(j []event, _ map[string]*dump) []event {
			e := j[find(j, "start", "a", 10)]
			e.Node = "b"
			return slices.Insert(j, find(j, "end", "a", 10), e)
		}},
		{"repeated before the first one was over", "double", func(j []event, dumps map[string]*dump) []event {
			rows(dumps, "tick", func(r []rowDump) []rowDump { r[1].Ends[0] = "failed"; return r })
			return slices.DeleteFunc(j, func(e event) bool { return e.Kind == "down" })
		}},
		{"at most once on two nodes", "double", func(j []event, dumps map[string]*dump) []event {
			rows(dumps, "amo", func(r []rowDump) []rowDump {
				r[0].Tokens, r[0].Ends, r[0].Token, r[0].Attempt = []uint64{20, 21}, []chronos.Status{"lost", "lost"}, 21, 2
				r[0].Overs = []int64{r[0].Ended, r[0].Ended}
				return r
			})
			e := j[find(j, "start", "a", 20)]
			e.Node, e.Token, e.Attempt = "b", 21, 2
			return append(j, e)
		}},
		{"token that does not grow", "fence", func(j []event, dumps map[string]*dump) []event {
			for i := range j {
				if j[i].Token == 12 {
					j[i].Token = 9
				}
			}
			return j
		}},
		{"started after its node was given up", "fence", func(j []event, _ map[string]*dump) []event {
			j[find(j, "start", "a", 20)].T += int64(time.Minute)
			return j
		}},
		{"trigger lost", "lost", func(j []event, _ map[string]*dump) []event {
			return append(j, event{Kind: "begin", Seq: "call-3", Op: "trigger", Job: "tick"},
				event{Kind: "retry", Seq: "call-3", Op: "trigger", Job: "tick"},
				event{Kind: "ack", Seq: "call-3", Op: "trigger", Job: "tick", Exec: "tick:t"})
		}},
		{"unfinished for too long", "stuck", func(j []event, dumps map[string]*dump) []event {
			rows(dumps, "tick", func(r []rowDump) []rowDump { r[1].Ended += int64(time.Minute); return r })
			return j
		}},
		{"overtaken by younger ones", "stuck", func(j []event, dumps map[string]*dump) []event {
			rows(dumps, "tick", func(r []rowDump) []rowDump {
				r = backlog(r, 20)
				for i := 6; i < len(r); i++ {
					r[i].Created++
				}
				r[5].Ended = r[len(r)-1].Ended + 1
				return r
			})
			return j
		}},
		{"buffered, and not started after those before it had ended", "stuck", func(j []event, dumps map[string]*dump) []event {
			rows(dumps, "tick", func(r []rowDump) []rowDump {
				r = backlog(r, 20)
				for i := 12; i < len(r); i++ {
					r[i].Ended += int64(30 * time.Second)
				}
				return r
			})
			return j
		}},
		{"success of an attempt that did not end", "ledger", func(j []event, _ map[string]*dump) []event {
			return slices.Delete(j, find(j, "end", "b", 12), find(j, "end", "b", 12)+1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			journal, dumps := clusterStory()
			k := checkCluster(c.spoil(journal, dumps), dumps, lease)
			if !slices.ContainsFunc(k.found, func(v violation) bool { return v.Kind == c.kind }) {
				t.Fatalf("not caught as %q: %+v", c.kind, k.found)
			}
		})
	}
}

// backlog adds executions that were made at once and ran one after the other, a
// second each.
func backlog(rows []rowDump, n int) []rowDump {
	for i := range n {
		r := rows[0]
		r.ID, r.Origin, r.Key = "tick:b"+string(rune('a'+i)), "backfill", ""
		r.Due = rows[1].Due
		r.Ended = rows[1].Ended + int64(i+1)*int64(time.Second)
		r.Token += uint64(100 + i)
		rows = append(rows, r)
	}
	return rows
}

// TestClusterBacklog: what waits for its turn is not stuck, however long the queue.
func TestClusterBacklog(t *testing.T) {
	stuck := func(change func([]rowDump) []rowDump) bool {
		journal, dumps := clusterStory()
		for _, d := range dumps {
			d.Jobs["tick"].Rows = change(backlog(d.Jobs["tick"].Rows, 20))
		}
		k := checkCluster(journal, dumps, 3*time.Second)
		return slices.ContainsFunc(k.found, func(v violation) bool { return v.Kind == "stuck" })
	}
	if stuck(func(r []rowDump) []rowDump { return r }) {
		t.Error("a backlog that is worked off is called stuck")
	}
	if !stuck(func(r []rowDump) []rowDump { r[len(r)-1].Ended += int64(14 * time.Second); return r }) {
		t.Error("the last of it is not noticed")
	}
}

// TestClusterOverlap: an attempt that goes on after it was revoked is told of,
// and is no fault.
func TestClusterOverlap(t *testing.T) {
	journal, dumps := clusterStory()
	journal = slices.DeleteFunc(journal, func(e event) bool { return e.Kind == "down" })
	k := checkCluster(journal, dumps, 3*time.Second)
	if len(k.found) > 0 || len(k.nodes.overlaps) != 1 {
		t.Fatalf("%v\n%s", k.nodes.overlaps, k.report())
	}
}
