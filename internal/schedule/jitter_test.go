package schedule

import (
	"fmt"
	"testing"
	"time"
)

func TestOffset(t *testing.T) {
	s := mustCompile(t, "0 * * * *; jitter=10m")
	due := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	var buckets [10]int
	for i := range 10000 {
		d := s.Offset(fmt.Sprintf("job-%d", i), due, due.Add(time.Hour))
		if d < 0 || d >= 10*time.Minute {
			t.Fatalf("offset %v", d)
		}
		buckets[d/time.Minute]++
	}
	for i, n := range buckets {
		if n < 850 || n > 1150 {
			t.Errorf("minute %d has %d of 10000 jobs: not spread evenly", i, n)
		}
	}
	if near := s.Offset("job", due, due.Add(5)); near < 0 || near >= 5 {
		t.Errorf("offset %v reaches the next due instant", near)
	}
	if d := s.Offset("job", due, due); d != 0 {
		t.Errorf("offset %v although the next instant is not later", d)
	}
	if d := mustCompile(t, "0 * * * *").Offset("job", due, time.Time{}); d != 0 {
		t.Errorf("offset %v without jitter", d)
	}
}

// TestOffsetIsFrozen guards the promise that another version of the package, on
// another machine, computes the same offsets.
func TestOffsetIsFrozen(t *testing.T) {
	s := mustCompile(t, "0 * * * *; jitter=24h")
	due := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	for job, want := range map[string]time.Duration{"": 56301368781961, "greet": 69614472230709, "größe": 22092071775624} {
		if got := s.Offset(job, due, time.Time{}); got != want {
			t.Errorf("%q: got %d, want %d", job, got, want)
		}
	}
}
