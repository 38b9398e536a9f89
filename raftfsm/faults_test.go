package raftfsm

import (
	"testing"

	"github.com/chronos-go/chronos/store"
)

const second = int64(1_000_000_000)

// putEvery puts job-0 with a first instant.
func putEvery(s *scenario, version uint64, base, due int64, overlap store.Overlap) *Command {
	return &Command{Now: s.now, Body: &Command_Put{Put: &Put{
		Job: "job-0", BaseVersion: version, BaseDue: base, NextDue: due,
		Definition: &store.Definition{Schedule: "@every 1s", Handler: "h", Overlap: overlap, Description: string(rune('a' + version))},
	}}}
}

func rowsOf(s *scenario, job string) (out []*store.Execution) {
	err := s.f.st.View(func(r *store.Reader) error {
		return r.Executions(job, "", func(_ string, x *store.Execution) (bool, error) {
			out = append(out, x)
			return true, nil
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// TestResolveRecalled: an execution that was fired ahead, then recalled by an
// edit, and whose node died before it answered, does not start under the new
// definition: its instant is not one of that.
func TestResolveRecalled(t *testing.T) {
	s := newScenario(t, 1)
	due := s.now + second
	s.entry(&Command{Now: s.now, Body: &Command_Open{Open: &Open{Node: "a", Incarnation: 1, Capacity: 5, Handlers: []string{"h"}}}})
	s.entry(putEvery(s, 0, 0, due, store.Overlap_OVERLAP_SKIP))
	rec, _ := s.state("job-0")
	s.entry(&Command{Now: s.now, Body: &Command_Fire{Fire: &Fire{
		Job: "job-0", Generation: rec.Generation, Version: 1, ExpectDue: due, NextDue: due + second, Runs: []*Run{{Due: due, StartAt: due}},
	}}})
	s.entry(putEvery(s, 1, due+second, due+second/2, store.Overlap_OVERLAP_SKIP))
	if len(rowsOf(s, "job-0")) != 1 || len(s.last.Recalled) != 1 {
		t.Fatalf("not recalled: %v", s.last)
	}
	s.now += second / 4
	s.entry(
		&Command{Now: s.now, Body: &Command_Open{Open: &Open{Node: "a", Incarnation: 2, Capacity: 5, Handlers: []string{"h"}}}},
		&Command{Now: s.now, Body: &Command_Resolve{Resolve: &Resolve{Node: "a", Incarnation: 2}}})
	if rows := rowsOf(s, "job-0"); len(rows) != 0 {
		t.Errorf("still there: %v", rows)
	}
	if _, st := s.state("job-0"); st.NextDue != due+second/2 || st.Active != 0 || st.Runs != 0 {
		t.Errorf("schedule is %v", st)
	}
}

// TestRecallOvertaken: when the answer to a recall comes after the instant, and
// another edit has accounted for what was due by then, the row stays.
func TestRecallOvertaken(t *testing.T) {
	for _, started := range []bool{false, true} {
		s := newScenario(t, 1)
		due := s.now + second
		s.entry(&Command{Now: s.now, Body: &Command_Open{Open: &Open{Node: "a", Incarnation: 1, Capacity: 5, Handlers: []string{"h"}}}})
		s.entry(putEvery(s, 0, 0, due, store.Overlap_OVERLAP_SKIP))
		rec, _ := s.state("job-0")
		s.entry(&Command{Now: s.now, Body: &Command_Fire{Fire: &Fire{
			Job: "job-0", Generation: rec.Generation, Version: 1, ExpectDue: due, NextDue: due + second, Runs: []*Run{{Due: due, StartAt: due}},
		}}})
		s.entry(putEvery(s, 1, due+second, due, store.Overlap_OVERLAP_SKIP))
		held := s.last.Recalled[0]
		s.now = due + second/100
		s.entry(putEvery(s, 2, due, due+second, store.Overlap_OVERLAP_SKIP)) // the instant has a row: it is not overdue
		s.entry(&Command{Now: s.now, Body: &Command_HandBack{HandBack: &HandBack{
			Job: "job-0", Execution: held.Exec, Token: held.Token, Started: started, Kept: started,
		}}})
		rows := rowsOf(s, "job-0")
		if len(rows) != 1 || rows[0].Due != due || rows[0].Status != store.Status_STATUS_PENDING || rows[0].Attempts != 1 {
			t.Fatalf("started %v: rows are %v", started, rows)
		}
		if kept := rows[0].Token == held.Token; kept != started {
			t.Errorf("started %v: token was %d, is %d", started, held.Token, rows[0].Token)
		}
	}
}

// TestRangeInterrupted: a range of missed instants does not go on past
// executions that the same fire makes.
func TestRangeInterrupted(t *testing.T) {
	s := newScenario(t, 1)
	due := s.now + second
	s.entry(putEvery(s, 0, 0, due, store.Overlap_OVERLAP_BUFFER_ALL))
	rec, _ := s.state("job-0")
	fire := func(run, from, to int64) {
		s.now = to + second
		span := &Span{From: from, To: to, Count: uint64((to-from)/second) + 1, Status: store.Status_STATUS_MISSED, Reason: store.Reason_REASON_CATCH_UP_MAX}
		s.entry(&Command{Now: s.now, Body: &Command_Fire{Fire: &Fire{
			Job: "job-0", Generation: rec.Generation, Version: 1, ExpectDue: run, NextDue: to + second,
			Runs: []*Run{{Due: run, StartAt: run}}, Spans: []*Span{span},
		}}})
	}
	fire(due, due+second, due+2*second)
	fire(due+3*second, due+4*second, due+6*second)
	count := uint64(0)
	for _, x := range rowsOf(s, "job-0") {
		count += max(x.RangeCount, 1)
		if x.RangeTo > x.Due && x.Due < due+3*second && x.RangeTo > due+3*second {
			t.Errorf("range over an instant that has a row: %v", x)
		}
	}
	if count != 7 {
		t.Errorf("%d instants accounted for, want 7", count)
	}
}
