package faults

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

const soakJobs = 1_000

// lateness collects how late handlers start. Its room is made beforehand, so
// that the test itself does not grow.
type lateness struct {
	n    atomic.Int64
	late []int32 // microseconds
}

func (l *lateness) note(due time.Time) {
	if i := l.n.Add(1) - 1; i < int64(len(l.late)) {
		l.late[i] = int32(min(time.Since(due).Microseconds(), 1<<31-1))
	}
}

func (l *lateness) String() string {
	all := slices.Clone(l.late[:min(l.n.Load(), int64(len(l.late)))])
	if len(all) == 0 {
		return "nothing ran"
	}
	slices.Sort(all)
	at := func(p float64) time.Duration {
		return time.Duration(all[int(p*float64(len(all)-1))]) * time.Microsecond
	}
	return fmt.Sprintf("p50 %v, p90 %v, p99 %v, p99.9 %v, max %v", at(.5), at(.9), at(.99), at(.999), at(1))
}

// sample is the memory of the process at one moment.
type sample struct{ heap, anon, file int64 }

func takeSample() sample {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s := sample{heap: int64(m.HeapAlloc)}
	text, _ := os.ReadFile("/proc/self/status") // only on Linux
	for line := range strings.Lines(string(text)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &kb); err == nil {
			s.anon = kb << 10
		}
		if _, err := fmt.Sscanf(line, "RssFile: %d kB", &kb); err == nil {
			s.file = kb << 10
		}
	}
	return s
}

// mean of a third of the samples, counted from 0.
func mean(all []sample, third int, of func(sample) int64) float64 {
	n := len(all) / 3
	sum := int64(0)
	for _, s := range all[third*n : (third+1)*n] {
		sum += of(s)
	}
	return float64(sum) / float64(n)
}

// soakJob puts one job a call; half of them are cron, half Every.
func soakJob(i int) chronos.Job {
	sched := chronos.Cron("* * * * * *")
	if i%2 == 1 {
		sched = chronos.Every(time.Second)
	}
	return chronos.Job{ID: fmt.Sprintf("soak/%04d", i), Schedule: sched, Handler: "noop"}
}

// TestSoak: 1,000 jobs every second. Every fire is in the ledger, and memory
// does not grow.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("takes real time: -soak 10m")
	}
	s, err := chronos.New(chronos.Options{
		Dir: t.TempDir(), Retention: chronos.Retention{Age: -1, Count: -1}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	late := &lateness{late: make([]int32, soakJobs*(int(*soak/time.Second)+60))}
	if err := s.Handle("noop", func(_ context.Context, x chronos.Execution) error {
		late.note(x.Due)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	jobs := make([]chronos.Job, soakJobs)
	for i := range jobs {
		jobs[i] = soakJob(i)
	}
	began := time.Now()
	if _, err := s.PutAll(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
	put := time.Now()
	samples, cpu := soakRun(t, s)
	ended := time.Now()
	t.Logf("lateness of %d starts: %s", late.n.Load(), late)
	t.Logf("processor: %.1f %% of one core", 100*cpu.Seconds()/ended.Sub(put).Seconds())
	soakMemory(t, samples)
	soakLedger(t, s, began, put, ended)
}

func soakRun(t *testing.T, s *chronos.Scheduler) ([]sample, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), *soak)
	defer cancel()
	var samples []sample
	before := processorTime()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	tick := time.NewTicker(max(*soak/300, 200*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return samples, processorTime() - before
		case <-tick.C:
			samples = append(samples, takeSample())
		}
	}
}

func soakMemory(t *testing.T, samples []sample) {
	t.Helper()
	for name, of := range map[string]func(sample) int64{
		"heap":          func(s sample) int64 { return s.heap },
		"anonymous RSS": func(s sample) int64 { return s.anon },
		"mapped files":  func(s sample) int64 { return s.file },
	} {
		a, b, c := mean(samples, 0, of), mean(samples, 1, of), mean(samples, 2, of)
		t.Logf("%-13s %6.1f, %6.1f, %6.1f MiB in the three thirds", name, a/(1<<20), b/(1<<20), c/(1<<20))
		// Mapped files are the tables of a ledger that grows by design here;
		// the kernel takes their pages back.
		if name != "mapped files" && c > 1.3*b {
			t.Errorf("%s grows", name)
		}
	}
}

// soakLedger: every second of every job has one row.
func soakLedger(t *testing.T, s *chronos.Scheduler, began, put, ended time.Time) {
	t.Helper()
	rows, notRun := 0, map[chronos.Status]int{}
	for i := range soakJobs {
		id := fmt.Sprintf("soak/%04d", i)
		seen := map[int64]int{}
		for x, err := range s.Executions(t.Context(), chronos.Query{Job: id}) {
			if err != nil {
				t.Fatal(err)
			}
			rows++
			if x.Status != chronos.StatusSucceeded {
				notRun[x.Status] += x.Count
			}
			to := x.Due
			if x.Count > 1 {
				to = x.RangeTo
			}
			for at := x.Due; !at.After(to); at = at.Add(time.Second) {
				seen[at.UnixNano()]++
			}
		}
		for at := put.Truncate(time.Second).Add(time.Second); at.Before(ended.Add(-50 * time.Millisecond)); at = at.Add(time.Second) {
			if n := seen[at.UnixNano()]; n != 1 {
				t.Fatalf("%s: instant %v is in %d rows", id, at, n)
			}
			delete(seen, at.UnixNano())
		}
		for at := range seen {
			if at%int64(time.Second) != 0 || time.Unix(0, at).Before(began) || time.Unix(0, at).After(ended.Add(2*time.Second)) {
				t.Fatalf("%s: row for %v, which was not due", id, time.Unix(0, at))
			}
		}
	}
	t.Logf("%d rows; not run: %v", rows, notRun)
}
