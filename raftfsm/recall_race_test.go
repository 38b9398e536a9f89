package raftfsm

import (
	"testing"

	"github.com/chronos-go/chronos/store"
)

// A second edit was made of the state as it was while the first one's recall was
// open, and left the instant out because it had a row; the answer to the recall
// is committed before it and takes the row away.
func TestRecallAnsweredBeforeEdit(t *testing.T) {
	s := newScenario(t, 1)
	due := s.now + second
	s.entry(&Command{Now: s.now, Body: &Command_Open{Open: &Open{Node: "a", Incarnation: 1, Capacity: 5, Handlers: []string{"h"}}}})
	s.entry(putEvery(s, 0, 0, due, store.Overlap_OVERLAP_SKIP))
	rec, _ := s.state("job-0")
	s.entry(&Command{Now: s.now, Body: &Command_Fire{Fire: &Fire{
		Job: "job-0", Generation: rec.Generation, Version: 1, ExpectDue: due, NextDue: due + second, Runs: []*Run{{Due: due, StartAt: due}},
	}}})
	s.entry(putEvery(s, 1, due+second, due, store.Overlap_OVERLAP_SKIP)) // recalls it
	held := s.last.Recalled[0]
	back := &Command{Now: s.now, Body: &Command_HandBack{HandBack: &HandBack{Job: "job-0", Execution: held.Exec, Token: held.Token}}}
	s.now = due + second/4
	edit := putEvery(s, 2, due, due+second, store.Overlap_OVERLAP_SKIP) // made now: the row is there, nothing is overdue
	s.entry(back)                                                       // committed late, by the next leader
	res := s.entry(edit)[0]
	_, st := s.state("job-0")
	if len(rowsOf(s, "job-0")) == 0 && st.NextDue > due {
		t.Errorf("the instant %d has no row, and the job is due next at %d (the edit was answered %v)", due, st.NextDue, res.Code)
	}
}
