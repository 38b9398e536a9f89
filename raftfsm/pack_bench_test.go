package raftfsm

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// atOnce is a log that commits immediately, and answers with nothing in particular.
type atOnce struct {
	fakeRaft
	commands int
}

type atOnceFuture struct{ result *entryResult }

func (atOnceFuture) Index() uint64   { return 1 }
func (atOnceFuture) Error() error    { return nil }
func (f atOnceFuture) Response() any { return f.result }

func (a *atOnce) apply(data []byte, _ time.Duration) raft.ApplyFuture {
	b, err := decodeBatch(data)
	if err != nil {
		panic(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries[:0], nil)
	a.commands += len(b.Commands)
	r := &entryResult{results: make([]*Result, len(b.Commands))}
	for i := range r.results {
		r.results[i] = &Result{}
	}
	return atOnceFuture{r}
}

func benchmarkFinish(i int) *Command {
	return &Command{Now: 1_800_000_000e9, Body: &Command_Finish{Finish: &Finish{
		Job: "reports/daily", Execution: store.ScheduledKey(int64(i)*1e9, 1), Token: uint64(i), Started: 1_800_000_000e9, Ended: 1_800_000_001e9,
		Status: store.Status_STATUS_SUCCEEDED,
	}}}
}

// BenchmarkPack is the way of commands through the proposer: encoded, packed into
// entries, sealed, opened again, and answered, without consensus and disk. Callers
// with one command each, and one with a thousand.
func BenchmarkPack(b *testing.B) {
	for _, c := range []struct{ callers, commands int }{{1, 1}, {64, 1}, {1024, 1}, {1, 1000}} {
		b.Run(fmt.Sprintf("callers=%d/commands=%d", c.callers, c.commands), func(b *testing.B) {
			a := &atOnce{}
			a.never = make(chan struct{})
			p := newProposer(&proposer{apply: a.apply, fsm: a, timeout: 10 * time.Second, patience: 5 * time.Second})
			cmds := make([]*Command, c.commands)
			for i := range cmds {
				cmds[i] = benchmarkFinish(i)
			}
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for caller := range c.callers {
				wg.Go(func() {
					for i := caller; i < b.N; i += c.callers {
						if res, err := p.propose(b.Context(), cmds); err != nil || len(res) != len(cmds) {
							b.Errorf("%d results: %v", len(res), err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			if a.commands != b.N*c.commands {
				b.Errorf("%d commands of %d", a.commands, b.N*c.commands)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(a.commands), "ns/command")
			a.end(p)
		})
	}
}
