package chronos_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chronos-go/chronos"
)

// BenchmarkJobs lists 10,000 jobs with 1,000 schedules.
func BenchmarkJobs(b *testing.B) {
	s, err := chronos.New(chronos.Options{InMemory: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	jobs := make([]chronos.Job, 10_000)
	for i := range jobs {
		jobs[i] = chronos.Job{
			ID: fmt.Sprint("job-", i), Handler: "h",
			Schedule: chronos.Cron(fmt.Sprintf("%d %d * * MON-FRI", i%60, i/60%17)),
		}
	}
	if _, err := s.PutAll(context.Background(), jobs); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		for _, err := range s.Jobs(context.Background(), chronos.Selector{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != len(jobs) {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(jobs)), "ns/job")
}
