package dispatch

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkStart10k assigns 10,000 attempts for one instant and measures how late
// their handlers are called.
func BenchmarkStart10k(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchmarkStart(b, 0) })
	b.Run("timeout", func(b *testing.B) { benchmarkStart(b, time.Minute) })
}

func benchmarkStart(b *testing.B, timeout time.Duration) {
	const n = 10_000
	late := make([]time.Duration, n)
	var p99s, worst []time.Duration
	for range b.N {
		var done sync.WaitGroup
		d := New(Config{Report: func(Result) { done.Done() }})
		if err := d.Handle("h", func(_ context.Context, a *Attempt) error {
			late[a.Number] = time.Since(a.StartAt)
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		batch := make([]*Attempt, n)
		at := time.Now().Add(200 * time.Millisecond)
		for i := range batch {
			batch[i] = &Attempt{ID: strconv.Itoa(i), Job: "j", Number: i, Token: 1, StartAt: at, Handler: "h", Timeout: timeout}
		}
		done.Add(n)
		d.Assign(batch)
		done.Wait()
		d.Close()
		slices.Sort(late)
		if late[0] < 0 {
			b.Errorf("started %v early", -late[0])
		}
		p99s = append(p99s, late[n*99/100])
		worst = append(worst, late[n-1])
	}
	slices.Sort(p99s)
	slices.Sort(worst)
	b.ReportMetric(float64(p99s[len(p99s)/2].Microseconds())/1000, "ms-p99-late")
	b.ReportMetric(float64(worst[len(worst)-1].Microseconds())/1000, "ms-max-late")
}

// BenchmarkAssign10k measures how long the state machine is held up.
func BenchmarkAssign10k(b *testing.B) {
	const n = 10_000
	for range b.N {
		b.StopTimer()
		d := New(Config{})
		batch := make([]*Attempt, n)
		at := time.Now().Add(time.Hour)
		for i := range batch {
			batch[i] = &Attempt{ID: strconv.Itoa(i), Token: 1, StartAt: at}
		}
		b.StartTimer()
		d.Assign(batch)
		b.StopTimer()
		d.Close()
	}
}

// BenchmarkDispatch is what an attempt costs that is due when it is assigned, from
// there to the report of its end: one after the other, and a thousand in one batch.
func BenchmarkDispatch(b *testing.B) {
	for _, batch := range []int{1, 1000} {
		b.Run("batch="+strconv.Itoa(batch), func(b *testing.B) {
			var done sync.WaitGroup
			var started atomic.Int64 // from the assignment to the handler, all together
			d := New(Config{Report: func(Result) { done.Done() }})
			defer d.Close()
			var assigned time.Time
			if err := d.Handle("h", func(context.Context, *Attempt) error {
				started.Add(int64(time.Since(assigned)))
				return nil
			}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			token, n := uint64(0), 0
			for b.Loop() {
				attempts := make([]*Attempt, batch)
				due := time.Now()
				for i := range attempts {
					token++
					attempts[i] = &Attempt{ID: strconv.Itoa(i), Job: "j", Number: 1, Token: token, Due: due, StartAt: due, Handler: "h"}
				}
				done.Add(batch)
				assigned = time.Now()
				d.Assign(attempts)
				done.Wait()
				n += batch
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/attempt")
			b.ReportMetric(float64(started.Load())/float64(n), "ns-to-handler")
		})
	}
}
