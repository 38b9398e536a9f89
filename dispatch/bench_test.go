package dispatch

import (
	"context"
	"slices"
	"strconv"
	"sync"
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
