package faults

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// footprint is what an open and closed scheduler may leave in a process and
// in its directory.
type footprint struct {
	goroutines, descriptors int
	files                   []string
}

func footprintOf(t *testing.T, dir string) footprint {
	t.Helper()
	f := footprint{goroutines: runtime.NumGoroutine()}
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		f.descriptors = len(fds)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // compacted away meanwhile
		}
		if err == nil && !d.IsDir() {
			f.files = append(f.files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// openRunClose is the life of a scheduler, with a job that fires.
func openRunClose(t *testing.T, dir string) {
	t.Helper()
	s, err := chronos.New(chronos.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan struct{}, 1)
	err = s.Handle("work", func(context.Context, chronos.Execution) error {
		select {
		case ran <- struct{}{}:
		default:
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := s.Put(ctx, chronos.Job{ID: "leak", Schedule: chronos.Every(20 * time.Millisecond), Handler: "work"}); err != nil {
		t.Fatal(err)
	}
	s.Events(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-ran:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing ran")
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLeaks: Close leaves no goroutine, no descriptor and no file more than
// the same number of openings before.
func TestLeaks(t *testing.T) {
	dir := t.TempDir()
	for range 5 {
		openRunClose(t, dir)
	}
	before := footprintOf(t, dir)
	for range *reopens {
		openRunClose(t, dir)
	}
	compact(t, dir, len(before.files))
	after := footprintOf(t, dir)
	for end := time.Now().Add(5 * time.Second); after.goroutines > before.goroutines && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		after = footprintOf(t, dir)
	}
	if after.goroutines > before.goroutines {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, before %d:\n%s", after.goroutines, before.goroutines, stacks[:runtime.Stack(stacks, true)])
	}
	if after.descriptors > before.descriptors {
		t.Errorf("%d descriptors, before %d", after.descriptors, before.descriptors)
	}
	if len(after.files) > len(before.files)+8 {
		t.Errorf("%d files, before %d: %v", len(after.files), len(before.files), added(before.files, after.files))
	}
	t.Logf("after %d openings: %d goroutines, %d descriptors, %d files; before: %d, %d, %d", *reopens,
		after.goroutines, after.descriptors, len(after.files), before.goroutines, before.descriptors, len(before.files))
}

// compact leaves a directory open until the tables that each Close writes are
// merged: that takes a second or two, which the openings before did not last.
func compact(t *testing.T, dir string, files int) {
	t.Helper()
	s, err := chronos.New(chronos.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end) && len(footprintOf(t, dir).files) > files+4; {
		time.Sleep(50 * time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func added(before, after []string) []string {
	var out []string
	for _, f := range after {
		if !slices.Contains(before, f) {
			out = append(out, f)
		}
	}
	return out
}

// TestLeaksControl: a scheduler that is not closed is seen.
func TestLeaksControl(t *testing.T) {
	dir := t.TempDir()
	before := footprintOf(t, dir)
	s, err := chronos.New(chronos.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	open := footprintOf(t, dir)
	if open.goroutines <= before.goroutines || len(open.files) <= len(before.files) {
		t.Errorf("open: %+v, before: %+v", open, before)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
