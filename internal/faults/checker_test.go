package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// story is a small world without a fault: a job due every second, one run of
// which was repeated after a kill, a trigger, and a second job that was deleted.
func story() ([]event, *dump) {
	sec := int64(time.Second)
	t0 := int64(1_800_000_000) * sec
	tick := &plan{Job: "tick", CronStep: 1, Work: work{Seq: "1-1"}}
	amo := &plan{Job: "amo", Every: 2 * sec, AtMostOnce: true, Work: work{Seq: "1-2"}}
	journal := []event{
		{T: t0 + 1, Kind: "open", PID: 1},
		{T: t0 + 2, Kind: "begin", Seq: "1-1", Op: "put", Job: "tick", Plan: tick},
		{T: t0 + 9, Kind: "ack", Seq: "1-1", Op: "put", Job: "tick", Version: 1},
		{T: t0 + 12, Kind: "begin", Seq: "1-2", Op: "put", Job: "amo", Plan: amo},
		{T: t0 + 19, Kind: "ack", Seq: "1-2", Op: "put", Job: "amo", Version: 1},
		{T: t0 + 22, Kind: "begin", Seq: "1-3", Op: "trigger", Job: "tick"},
		{T: t0 + 29, Kind: "ack", Seq: "1-3", Op: "trigger", Job: "tick", Exec: "tick:t"},
	}
	pid := 1
	run := func(job string, i int64, token uint64, n int, end string) {
		e := event{T: t0 + i*sec + 5, PID: pid, Kind: "start", Job: job, Exec: fmt.Sprintf("%s:%d", job, i), Attempt: n, Token: token, Gen: 1, Version: 1}
		journal = append(journal, e)
		if end != "" {
			e.Kind, e.Text, e.T = "end", end, e.T+10
			journal = append(journal, e)
		}
	}
	row := func(job string, i int64, token uint64, attempt int, status chronos.Status) rowDump {
		r := rowDump{ID: fmt.Sprintf("%s:%d", job, i), Gen: 1, Version: 1, Due: t0 + i*sec, Count: 1, Origin: "schedule",
			Status: status, Attempt: attempt, Token: token, Created: t0 + i*sec - sec}
		if attempt > 0 {
			r.Tokens = append(r.Tokens, token)
		}
		return r
	}
	j := &jobDump{
		Exists: true, Version: 1, Payload: string(tick.payload()), NextDue: t0 + 6*sec,
		Versions: []versionDump{{Number: 1, At: t0 + 8, Actor: "1-1", Payload: string(tick.payload())}},
	}
	trigger := row("tick", 0, 9, 1, "succeeded")
	trigger.ID, trigger.Origin, trigger.Key = "tick:t", "trigger", "1-3"
	twice := row("tick", 2, 12, 2, "succeeded")
	twice.Tokens = []uint64{11, 12}
	missed := row("tick", 3, 0, 0, "missed")
	missed.To, missed.Count = t0+4*sec, 2
	j.Rows = []rowDump{trigger, row("tick", 1, 10, 1, "succeeded"), twice, missed, row("tick", 5, 13, 1, "succeeded")}
	a := &jobDump{
		Exists: true, Version: 1, Payload: string(amo.payload()), NextDue: t0 + 6*sec,
		Versions: []versionDump{{Number: 1, At: t0 + 18, Actor: "1-2", Payload: string(amo.payload())}},
		Rows:     []rowDump{row("amo", 2, 20, 1, "lost"), row("amo", 4, 21, 1, "succeeded")},
	}
	journal = append(journal, event{T: t0 + 25, PID: 1, Kind: "start", Job: "tick", Exec: "tick:t", Attempt: 1, Token: 9, Gen: 1, Version: 1},
		event{T: t0 + 26, PID: 1, Kind: "end", Job: "tick", Exec: "tick:t", Attempt: 1, Token: 9, Gen: 1, Text: "ok"})
	run("tick", 1, 10, 1, "ok")
	run("tick", 2, 11, 1, "")
	run("amo", 2, 20, 1, "")
	pid = 2 // the first process was killed
	run("tick", 2, 12, 2, "ok")
	run("amo", 4, 21, 1, "ok")
	run("tick", 5, 13, 1, "ok")
	return journal, &dump{At: t0 + 5*sec + sec/2, Jobs: map[string]*jobDump{"tick": j, "amo": a}}
}

// TestChecker: the checker finds nothing in a world without a fault, and each
// fault that is put into it.
func TestChecker(t *testing.T) {
	journal, d := story()
	if k := check(journal, d, true); len(k.found) > 0 {
		t.Fatalf("a good world is refused:\n%s", k.report())
	}
	for _, c := range []struct {
		name, kind string
		spoil      func(journal []event, tick, amo *jobDump) []event
	}{
		{"doubled row", "ledger", func(j []event, tick, _ *jobDump) []event {
			r := tick.Rows[1]
			r.ID = "tick:again"
			tick.Rows = append(tick.Rows, r)
			return j
		}},
		{"row inside a range", "ledger", func(j []event, tick, _ *jobDump) []event {
			tick.Rows = append(tick.Rows, rowDump{ID: "tick:in", Gen: 1, Version: 1, Due: tick.Rows[3].To, Count: 1, Origin: "schedule", Status: "skipped"})
			return j
		}},
		{"missing row", "ledger", func(j []event, _, amo *jobDump) []event {
			amo.Rows = amo.Rows[:1]
			return j
		}},
		{"wrong count", "ledger", func(j []event, tick, _ *jobDump) []event {
			tick.Rows[3].Count = 3
			return j
		}},
		{"row between instants", "ledger", func(j []event, tick, _ *jobDump) []event {
			tick.Rows[1].Due++
			return j
		}},
		{"next due moved on", "ledger", func(j []event, tick, _ *jobDump) []event {
			tick.NextDue += 2 * int64(time.Second)
			return j
		}},
		{"lost put", "lost", func(j []event, tick, _ *jobDump) []event {
			*tick = jobDump{}
			return j
		}},
		{"lost edit", "lost", func(j []event, tick, _ *jobDump) []event {
			return append(j,
				event{Kind: "begin", Seq: "1-9", Op: "put", Job: "tick", Plan: &plan{Job: "tick"}},
				event{Kind: "ack", Seq: "1-9", Op: "put", Job: "tick", Version: 2})
		}},
		{"lost pause", "lost", func(j []event, _, _ *jobDump) []event {
			return append(j, event{Kind: "begin", Seq: "1-9", Op: "pause", Job: "tick"},
				event{Kind: "ack", Seq: "1-9", Op: "pause", Job: "tick"})
		}},
		{"lost delete", "lost", func(j []event, _, _ *jobDump) []event {
			return append(j, event{Kind: "begin", Seq: "1-9", Op: "delete", Job: "amo"},
				event{Kind: "ack", Seq: "1-9", Op: "delete", Job: "amo"})
		}},
		{"lost trigger", "lost", func(j []event, tick, _ *jobDump) []event {
			tick.Rows = tick.Rows[1:]
			return j
		}},
		{"doubled trigger", "double", func(j []event, tick, _ *jobDump) []event {
			r := tick.Rows[0]
			r.ID += "2"
			tick.Rows = append(tick.Rows, r)
			return j
		}},
		{"old definition", "lost", func(j []event, tick, _ *jobDump) []event {
			tick.Payload = "{}"
			return j
		}},
		{"started twice at most once", "double", func(j []event, _, amo *jobDump) []event {
			amo.Rows[1].Token, amo.Rows[1].Tokens = 22, []uint64{21, 22}
			return append(j, event{T: j[0].T + 5e9, PID: 2, Kind: "start", Job: "amo", Exec: "amo:4", Attempt: 2, Token: 22, Gen: 1, Version: 1})
		}},
		{"started without a row", "lost", func(j []event, _, _ *jobDump) []event {
			return append(j, event{T: j[0].T + 5e9, PID: 2, Kind: "start", Job: "amo", Exec: "amo:9", Attempt: 1, Token: 30, Gen: 1, Version: 1})
		}},
		{"two live attempts", "double", func(j []event, tick, _ *jobDump) []event {
			for i := range j { // the first run ends after the second has begun
				if j[i].Kind == "end" && j[i].Token == 10 {
					j[i].T += 2 * int64(time.Second)
				}
			}
			return j
		}},
		{"token repeated", "fence", func(j []event, tick, _ *jobDump) []event {
			for i := range j {
				if j[i].Token == 13 {
					j[i].Token = 8
				}
			}
			tick.Rows[4].Token, tick.Rows[4].Tokens = 8, []uint64{8}
			return j
		}},
		{"stuck", "stuck", func(j []event, tick, _ *jobDump) []event {
			tick.Rows[4].Status = "running"
			return j
		}},
		{"given up", "lost", func(j []event, tick, _ *jobDump) []event {
			tick.Rows[2].Status = "lost"
			return j
		}},
		{"claimed success", "ledger", func(j []event, tick, amo *jobDump) []event {
			amo.Rows[0].Status = "succeeded"
			return j
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			journal, d := story()
			journal = c.spoil(journal, d.Jobs["tick"], d.Jobs["amo"])
			k := check(journal, d, true)
			for _, v := range k.found {
				if v.Kind == c.kind && strings.Contains(k.report(), "timeline of "+v.Job) {
					return
				}
			}
			t.Fatalf("not caught as %q: %+v", c.kind, k.found)
		})
	}
}
