package raftfsm

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// BenchmarkOpen: from nothing, and from a directory, to a leader whose state
// is up to date.
func BenchmarkOpen(b *testing.B) {
	run := func(b *testing.B, dir func() string) {
		var spent time.Duration
		for b.Loop() {
			d := dir()
			start := time.Now()
			n, err := OpenNode(testConfig(b, d))
			if err != nil {
				b.Fatal(err)
			}
			spent += time.Since(start)
			if err := n.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(spent.Microseconds())/1000/float64(b.N), "ms/open")
	}
	b.Run("new", func(b *testing.B) { run(b, b.TempDir) })
	dir := b.TempDir()
	n, err := OpenNode(testConfig(b, dir))
	if err != nil {
		b.Fatal(err)
	}
	fill(b, n, 0, 1000)
	if err := n.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("1000 entries", func(b *testing.B) { run(b, func() string { return dir }) })
}

// BenchmarkPropose: commands per second through the whole engine.
func BenchmarkPropose(b *testing.B) {
	for _, kind := range []struct {
		name string
		make func(i int) *Command
	}{
		{"barrier", func(int) *Command { return barrier() }},
		{"put", func(i int) *Command { return put(fmt.Sprint("job-", i)) }},
	} {
		for _, callers := range []int{1, 64, 256, 1024} {
			b.Run(fmt.Sprintf("%s/callers=%d", kind.name, callers), func(b *testing.B) {
				n := mustOpen(b, testConfig(b, b.TempDir()))
				b.ResetTimer()
				var wg sync.WaitGroup
				for c := range callers {
					wg.Go(func() {
						for i := c; i < b.N; i += callers {
							if _, err := n.Propose(b.Context(), []*Command{kind.make(i)}); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
				b.StopTimer()
				if err := n.Close(); err != nil {
					b.Error(err)
				}
			})
		}
	}
}
