package raftfsm

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// applying is a state machine with jobs that are due every second.
type applying struct {
	b     *testing.B
	f     *fsm
	index uint64
	now   int64
	jobs  int
	held  []Assignment
}

func newApplying(b *testing.B, jobs int) *applying {
	a := &applying{b: b, jobs: jobs, now: 1_000_000_000_000}
	a.f = newFSM(memoryStore(b), func(e *Effects) { a.held = append(a.held, e.Assigned...) }, nil)
	a.apply(&Command{Body: &Command_Open{Open: &Open{Node: "a", Incarnation: 1, Capacity: int64(jobs), Handlers: []string{"h"}}}})
	a.each(func(job string) *Command {
		def := &store.Definition{Schedule: "@every 1s", Handler: "h", Retry: &store.Retry{MaxAttempts: 3, Initial: 1e9, Multiplier: 2, Max: 60e9}}
		return &Command{Body: &Command_Put{Put: &Put{Job: job, NextDue: a.now + 1e9, Definition: def}}}
	})
	return a
}

// each applies one command per job, 500 in an entry.
func (a *applying) each(command func(job string) *Command) {
	var batch []*Command
	for i := range a.jobs {
		batch = append(batch, command(fmt.Sprintf("job-%05d", i)))
		if len(batch) == 500 || i == a.jobs-1 {
			a.apply(batch...)
			batch = batch[:0]
		}
	}
}

func (a *applying) apply(cmds ...*Command) {
	for _, c := range cmds {
		c.Now = a.now
	}
	data, err := encodeBatch(&Batch{Commands: cmds})
	if err != nil {
		a.b.Fatal(err)
	}
	a.index++
	res := a.f.Apply(&raft.Log{Index: a.index, Term: 1, Type: raft.LogCommand, Data: data}).(*entryResult)
	if res.err != nil {
		a.b.Fatal(res.err)
	}
	for i, r := range res.results {
		if r.Code != Code_CODE_OK {
			a.b.Fatalf("%v: %v", cmds[i], r)
		}
	}
}

// round fires every job once and ends what was started.
func (a *applying) round() {
	due := a.now + 1e9
	a.now = due
	a.held = a.held[:0]
	a.each(func(job string) *Command {
		f := &Fire{Job: job, Generation: a.gen(job), Version: 1, ExpectDue: due, NextDue: due + 1e9, Runs: []*Run{{Due: due, StartAt: due}}}
		return &Command{Body: &Command_Fire{Fire: f}}
	})
	held, i := a.held, 0
	if len(held) != a.jobs {
		a.b.Fatalf("%d assigned", len(held))
	}
	a.each(func(string) *Command {
		h := held[i]
		i++
		return &Command{Body: &Command_Finish{Finish: &Finish{
			Job: h.Job, Execution: h.Exec, Token: h.Execution.Token, Started: due, Ended: due + 1e6, Status: store.Status_STATUS_SUCCEEDED,
		}}}
	})
}

var benchGens = map[string]uint64{}

func (a *applying) gen(job string) uint64 {
	if g := benchGens[job]; g != 0 {
		return g
	}
	_ = a.f.st.View(func(r *store.Reader) error {
		rec, err := r.Job(job)
		benchGens[job] = rec.GetGeneration()
		return err
	})
	return benchGens[job]
}

// BenchmarkApply: what the log costs a node for one execution, from the fire to the
// end, without disk and consensus.
func BenchmarkApply(b *testing.B) {
	const jobs = 10_000
	clear(benchGens)
	a := newApplying(b, jobs)
	a.round() // what was made once
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for ; n < b.N; n += jobs {
		a.round()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/execution")
}
