package store

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestFootprint prints what an open, idle store takes; the figures of the
// package documentation are from
//
//	go test -run Footprint -v ./store/
func TestFootprint(t *testing.T) {
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	base, rss, goroutines := heap(), residentMiB(), runtime.NumGoroutine()
	dir := t.TempDir()
	began := time.Now()
	s := open(t, Options{Dir: dir})
	t.Logf("open, new directory: %v", time.Since(began).Round(time.Millisecond))
	t.Logf("empty and idle: heap %.1f MiB, resident %.0f MiB, %d goroutines",
		heap()-base, residentMiB()-rss, runtime.NumGoroutine()-goroutines)
	for i := range 10 {
		jobs(t, s, i*1000, 1000)
	}
	t.Logf("after 10,000 jobs: heap %.1f MiB, resident %.0f MiB", heap()-base, residentMiB()-rss)
	began = time.Now()
	closeStore(t, s)
	t.Logf("close: %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	s = open(t, Options{Dir: dir})
	t.Logf("open after a clean stop: %v", time.Since(began).Round(time.Millisecond))
	if got := heap() - base; got > 60 {
		t.Errorf("an idle store holds %.1f MiB", got)
	}
	closeStore(t, s)
	time.Sleep(50 * time.Millisecond)
	if left := runtime.NumGoroutine() - goroutines; left > 0 {
		t.Errorf("%d goroutines are left after Close", left)
	}
}

// residentMiB is 0 where the platform does not tell.
func residentMiB() float64 {
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// peak is how far the heap grows while fn runs, sampled. The collector is made to
// run often, so that it is about what is in use and not about garbage.
func peak(fn func()) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	base, top := m.HeapAlloc, m.HeapAlloc
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	for {
		select {
		case <-done:
			return float64(top-base) / (1 << 20)
		case <-time.After(2 * time.Millisecond):
			runtime.ReadMemStats(&m)
			top = max(top, m.HeapAlloc)
		}
	}
}

// TestFootprintOfSnapshots: memory does not grow with the state.
func TestFootprintOfSnapshots(t *testing.T) {
	s := filled(t, Options{Dir: fastDir(t), NoSync: true}, 100_000)
	flush(t, s) // as before a snapshot of Raft's
	path := filepath.Join(t.TempDir(), "snapshot")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	grown := peak(func() {
		sn := s.Snapshot()
		defer sn.Release()
		if _, err := sn.WriteTo(f); err != nil {
			t.Error(err)
		}
	})
	t.Logf("snapshot of 100,000 records: peak +%.1f MiB", grown)
	if grown > 32 {
		t.Error("too much")
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	grown = peak(func() {
		if err := s.Restore(f); err != nil {
			t.Error(err)
		}
	})
	t.Logf("restore of 100,000 records: peak +%.1f MiB", grown)
	if grown > 112 {
		t.Error("too much")
	}
}
