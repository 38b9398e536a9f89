package chronos_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// BenchmarkLateness reports by how much handlers start after their due
// instant when many jobs are due in the same second, each second, with every
// fire and finish committed to disk.
func BenchmarkLateness(b *testing.B) {
	for _, jobs := range []int{1, 1_000, 10_000} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) { lateness(b, jobs) })
	}
}

func lateness(b *testing.B, jobs int) {
	const warm, rounds = 2, 5
	s, err := chronos.New(chronos.Options{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var mu sync.Mutex
	var late []time.Duration
	begin := time.Now().Add(warm * time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := s.Handle("noop", func(_ context.Context, x chronos.Execution) error {
		d := time.Since(x.Due)
		if x.Due.After(begin) {
			mu.Lock()
			late = append(late, d)
			mu.Unlock()
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	list := make([]chronos.Job, jobs)
	for i := range list {
		list[i] = chronos.Job{ID: fmt.Sprintf("job-%d", i), Schedule: chronos.Cron("* * * * * *"), Handler: "noop"}
	}
	if _, err := s.PutAll(ctx, list); err != nil {
		b.Fatal(err)
	}
	begin = time.Now().Add(warm * time.Second)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	time.Sleep((warm + rounds) * time.Second)
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(late)
	if len(late) == 0 {
		b.Fatal("nothing ran")
	}
	at := func(p float64) float64 { return float64(late[int(p*float64(len(late)-1))]) / 1e6 }
	b.ReportMetric(at(0.50), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(float64(len(late))/rounds, "fires/s")
	b.ReportMetric(0, "ns/op")
}
