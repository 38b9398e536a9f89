package faults

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// paused is a world whose jobs came late, by up to four seconds, until the campaign
// waited that none was behind, and paused them. The last rows came with that wait.
func paused(rng *rand.Rand) (journal []event, d *dump, even int64) {
	sec := int64(time.Second)
	t0 := int64(1_800_000_000) * sec
	p := &plan{Job: "tick", CronStep: 1, Work: work{Seq: "1-1"}}
	n := 10 + rng.Int64N(20)
	even = t0 + n*sec + sec/2
	journal = []event{
		{T: t0 + 1, Kind: "open", PID: 1},
		{T: t0 + 2, Kind: "begin", Seq: "1-1", Op: "put", Job: "tick", Plan: p},
		{T: t0 + 9, Kind: "ack", Seq: "1-1", Op: "put", Job: "tick", Version: 1},
		{T: even, Kind: "even"},
		{T: even + 1 + rng.Int64N(3*sec), Kind: "begin", Seq: "1-2", Op: "pause", Job: "tick"},
	}
	pause := journal[len(journal)-1].T
	journal = append(journal, event{T: pause + 9, Kind: "ack", Seq: "1-2", Op: "pause", Job: "tick"})
	j := &jobDump{Exists: true, Version: 1, Payload: string(p.payload()), Paused: true, PausedAt: pause + 5,
		Versions: []versionDump{{Number: 1, At: t0 + 8, Actor: "1-1", Payload: string(p.payload())}}}
	for i := int64(1); i < n; i++ { // those of the last second may have no row yet
		due := t0 + i*sec
		j.Rows = append(j.Rows, rowDump{ID: clock(due), Gen: 1, Version: 1, Due: due, Count: 1, Origin: "schedule", Status: "skipped",
			Created: min(due+rng.Int64N(4*sec), even)})
	}
	return journal, &dump{At: pause + 10*sec, Jobs: map[string]*jobDump{"tick": j}}, even
}

// What was due before the campaign found that no job is behind has a row, also where
// rows came late; what was due between that and the pause may have none. Without that
// knowledge as many instants as rows were late could be missing, and nobody saw it.
func TestCheckerFinalPause(t *testing.T) {
	unseen := 0
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 5))
		journal, d, even := paused(rng)
		if k := check(journal, d, true); len(k.found) > 0 {
			t.Fatalf("seed %d: a good world is refused:\n%s", seed, k.report())
		}
		tick := d.Jobs["tick"]
		lost := len(tick.Rows) - 1 - rng.IntN(4)
		tick.Rows = slices.Delete(tick.Rows, lost, lost+1)
		k := check(journal, d, true)
		if !slices.ContainsFunc(k.found, func(v violation) bool { return v.Kind == "ledger" }) {
			t.Fatalf("seed %d: a row too few before %s is not seen: %+v", seed, clock(even), k.found)
		}
		without := slices.DeleteFunc(journal, func(e event) bool { return e.Kind == "even" })
		if len(check(without, d, true).found) == 0 {
			unseen++
		}
	}
	if unseen == 0 {
		t.Error("control: it is seen in the same way without")
	}
	t.Logf("%d of 200 would not have been seen", unseen)
}

// A job that was paused before, or changed after, is not held to it.
func TestCheckerEarlierPause(t *testing.T) {
	journal, d, _ := paused(rand.New(rand.NewPCG(1, 5)))
	k := newChecker(journal, d, true)
	tick := d.Jobs["tick"]
	if k.evenBefore("tick", tick) == 0 {
		t.Error("the final pause is not seen as such")
	}
	tick.PausedAt = journal[3].T - 1
	if k.evenBefore("tick", tick) != 0 {
		t.Error("an earlier pause counts as the final one")
	}
	journal, d, _ = paused(rand.New(rand.NewPCG(1, 5)))
	k = newChecker(append(journal, event{T: journal[4].T, Kind: "begin", Seq: "1-3", Op: "resume", Job: "tick"}), d, true)
	if k.evenBefore("tick", d.Jobs["tick"]) != 0 {
		t.Error("a job that was resumed after is held to it")
	}
}

// A row that was fired ahead of an edit, and is later than the edit's first instant, does
// not say that this one had its turn before the job was paused; a row of the edit's does.
func TestCheckerPausedAfterEdit(t *testing.T) {
	sec := int64(time.Second)
	t0 := int64(1_800_000_000) * sec
	p := &plan{Job: "tick", CronStep: 1, Work: work{Seq: "1-2"}}
	edit := t0 + sec - sec/50
	j := &jobDump{Exists: true, Version: 1, Payload: string(p.payload()), Paused: true, PausedAt: edit + sec/15,
		Versions: []versionDump{{Number: 1, At: edit + 1, Actor: "1-2", Payload: string(p.payload())}}}
	d := &dump{At: t0 + 3*sec, Jobs: map[string]*jobDump{"tick": j}}
	k := &checker{dump: d}
	ahead := rowDump{Gen: 1, Version: 1, Due: t0 + sec + sec/25, Count: 1, Origin: "schedule", Status: "pending", Created: edit - sec/20}
	j.Rows = []rowDump{ahead}
	if until, _ := k.horizon("tick", j, p); until >= t0+sec {
		t.Errorf("a row from before the edit is taken for one of its own")
	}
	j.Rows[0].Created = edit + sec/20
	if until, _ := k.horizon("tick", j, p); until < t0+sec {
		t.Errorf("a row of the edit's own says nothing")
	}
}
