package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func testConfig(t testing.TB, dir string) Config {
	t.Helper()
	var log *slog.Logger
	if os.Getenv("CHRONOS_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return Config{Dir: dir, Logger: log}
}

func mustOpen(t testing.TB, cfg Config) *Node {
	t.Helper()
	n, err := OpenNode(cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func barrier() *Command { return &Command{Body: &Command_Barrier{Barrier: &Barrier{}}} }

func TestOpenProposeClose(t *testing.T) {
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprintf("memory %v", memory), func(t *testing.T) {
			cfg := testConfig(t, t.TempDir())
			cfg.ID = "node-1"
			if memory {
				cfg.Dir, cfg.InMemory = "", true
			}
			n := mustOpen(t, cfg)
			if s := n.Status(); !s.Leader || s.State != "Leader" || s.ID != "node-1" || s.LeaderID != "node-1" || s.Stopped != nil {
				t.Errorf("after open: %+v", s)
			}
			if up := <-n.LeaderCh(); !up {
				t.Error("LeaderCh says no")
			}
			fill(t, n, 0, 10)
			if n.Status().AppliedIndex != n.Status().LastIndex {
				t.Errorf("answered before it was applied: %+v", n.Status())
			}
			if err := n.Snapshot(); err != nil {
				t.Error(err)
			}
			if s := n.Status(); s.SnapshotIndex != s.LastIndex || s.LogBytes != 0 {
				t.Errorf("after a snapshot: %+v", s)
			}
			for range 3 {
				if err := n.Close(); err != nil {
					t.Error(err)
				}
			}
			if _, err := n.Propose(t.Context(), []*Command{barrier()}); !errors.Is(err, ErrClosed) {
				t.Errorf("propose after close: %v", err)
			}
			if err := n.Snapshot(); !errors.Is(err, ErrClosed) {
				t.Errorf("snapshot after close: %v", err)
			}
			if n.IsLeader() || n.Status().State != "Shutdown" {
				t.Errorf("after close: %+v", n.Status())
			}
			if memory {
				return
			}
			cfg.ID = ""
			n = mustOpen(t, cfg)
			if n.ID() != "node-1" || jobs(t, n) != 10 {
				t.Errorf("reopened as %q with %d jobs", n.ID(), jobs(t, n))
			}
		})
	}
}

// TestQuiet: an ordinary life writes nothing at the levels operators watch.
func TestQuiet(t *testing.T) {
	var out strings.Builder
	cfg := testConfig(t, t.TempDir())
	cfg.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	for range 2 {
		n := mustOpen(t, cfg)
		fill(t, n, 0, 3)
		if err := errors.Join(n.Snapshot(), n.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if out.Len() > 0 {
		t.Errorf("logged:\n%s", out.String())
	}
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("cannot count open files here")
	}
	return len(entries)
}

// TestCloseLeavesNothing: no goroutine, no file, no lock.
func TestCloseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	cycle := func(i int) {
		n, err := OpenNode(testConfig(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 { // closed in the midst of work
			wg.Go(func() {
				for {
					if _, err := n.Propose(t.Context(), []*Command{put(fmt.Sprint(i))}); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Errorf("got %v", err)
						}
						return
					}
				}
			})
		}
		time.Sleep(time.Duration(i%7) * time.Millisecond)
		for range 2 {
			wg.Go(func() {
				if err := n.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	cycle(0)
	routines, files := runtime.NumGoroutine(), openFiles(t)
	for i := range 50 {
		cycle(i)
	}
	for range 100 {
		if runtime.NumGoroutine() <= routines && openFiles(t) <= files {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines were %d, %d files were %d\n%s", runtime.NumGoroutine(), routines, openFiles(t), files, buf[:runtime.Stack(buf, true)])
}

// TestEffectsBeginWithOpen: what is replayed while opening is not reported.
func TestEffectsBeginWithOpen(t *testing.T) {
	dir := t.TempDir()
	n := mustOpen(t, testConfig(t, dir))
	fill(t, n, 0, 5)
	killed := copyDir(t, dir)
	remove(t, killed, "state") // everything is replayed
	var reported atomic.Int32
	cfg := testConfig(t, killed)
	cfg.OnApply = func(*Effects) { reported.Add(1) }
	again := mustOpen(t, cfg)
	if reported.Load() != 0 || jobs(t, again) != 5 {
		t.Errorf("%d effects of the past, %d jobs", reported.Load(), jobs(t, again))
	}
	fill(t, again, 5, 7)
	if reported.Load() != 2 {
		t.Errorf("%d effects of 2", reported.Load())
	}
}

// TestRetryGetsFirstAnswer: the same command ID twice is applied once.
func TestRetryGetsFirstAnswer(t *testing.T) {
	n := mustOpen(t, testConfig(t, t.TempDir()))
	c := put("job-0000")
	for i := range 3 {
		res, err := n.Propose(t.Context(), []*Command{c})
		if err != nil || res[0].Version != 1 || !res[0].Changed {
			t.Errorf("%d: %v %v", i, res, err)
		}
	}
	if jobs(t, n) != 1 {
		t.Errorf("%d jobs", jobs(t, n))
	}
}

// TestLogStaysBounded: the log reaches back to the older snapshot and no
// further, and a snapshot is taken when it has grown by SnapshotBytes.
func TestLogStaysBounded(t *testing.T) {
	cfg := testConfig(t, t.TempDir())
	cfg.SnapshotBytes = 256 << 10
	n := mustOpen(t, cfg)
	big := make([]byte, 20<<10)
	for i := range 200 {
		c := put(fmt.Sprintf("job-%04d", i%10))
		c.GetPut().Definition.Payload = big
		c.GetPut().BaseVersion = 0
		c.GetPut().Definition.Description = fmt.Sprint(i)
		if _, err := n.Propose(t.Context(), []*Command{c}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return n.Status().LogBytes < cfg.SnapshotBytes && n.Status().SnapshotIndex > 100 })
	list, err := n.snaps.List()
	if err != nil || len(list) != snapshotsKept {
		t.Fatalf("%d snapshots, %v", len(list), err)
	}
	first, _ := n.logs.FirstIndex()
	if older := list[1].Index; first > older+1 || first+trailingLogs < older {
		t.Errorf("log from %d, older snapshot at %d", first, older)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(cfg.Dir, logName))
	if err != nil || info.Size() > 16<<20 {
		t.Errorf("%v %v", info, err)
	}
	mustOpen(t, cfg)
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("did not come true within 5 s")
}

// TestSimulatedDay: the whole engine runs in a synctest bubble, and a day
// costs little.
func TestSimulatedDay(t *testing.T) {
	dir := t.TempDir()
	start := time.Now()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t, dir)
		cfg.NoCompaction, cfg.NoSync = true, true
		n, err := OpenNode(cfg)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for i := range 24 * 60 {
			time.Sleep(time.Minute)
			fill(t, n, i, i+1)
		}
		if d := time.Since(began); d < 24*time.Hour || d > 24*time.Hour+time.Minute {
			t.Errorf("the day took %v", d)
		}
		if s := n.Status(); !s.Leader || s.Term != 2 {
			t.Errorf("not one calm term: %+v", s)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("took %v", time.Since(start))
}

// TestManyCallers: every caller gets the answer to its own commands.
func TestManyCallers(t *testing.T) {
	n := mustOpen(t, testConfig(t, t.TempDir()))
	const callers, each = 64, 30
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("job-%04d", c*each+i)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				res, err := n.Propose(ctx, []*Command{put(id), put(id), barrier()})
				cancel()
				if err != nil || len(res) != 3 || !res[0].Changed || res[1].Changed {
					t.Errorf("%s: %v %v", id, res, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := jobs(t, n); got != callers*each {
		t.Errorf("%d jobs", got)
	}
	if err := n.Store().Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
