package chronos_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// What a drain does to attempts that finish, that obey, and that ignore it.
func TestDrain(t *testing.T) {
	for _, tc := range []struct {
		name    string
		job     chronos.Job
		handler chronos.Handler
		took    time.Duration // of the end of Run
		row     string        // right after it
		attempt int           // after the next Run
		stuck   bool
	}{
		{"finishes in time", chronos.Job{}, busy(15 * time.Second), 5 * time.Second, "00:01:00 succeeded", 1, false},
		{"is handed back without burning an attempt", chronos.Job{Retry: chronos.Retry{MaxAttempts: 1}}, busy(time.Hour), 10 * time.Second, "00:01:00 pending[room]", 2, false},
		{"at most once is lost", chronos.Job{Delivery: chronos.AtMostOnce}, busy(time.Hour), 10 * time.Second, "00:01:00 lost(shutdown)", 1, false},
		// Nobody else may have what still runs here.
		{"ignores it: named, and kept", chronos.Job{}, deaf(10*time.Minute, nil), 15 * time.Second, "00:01:00 running", 1, true},
		{"done late, but done", chronos.Job{}, deaf(22*time.Second, nil), 12 * time.Second, "00:01:00 succeeded", 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, chronos.Options{DrainTimeout: 10 * time.Second, StuckAfter: 5 * time.Second}, func(r *rig) {
				work := tc.handler
				r.handle(func(ctx context.Context, x chronos.Execution) error { return work(ctx, x) })
				tc.job.Schedule = chronos.At(at("00:01:00"))
				r.put(tc.job)
				r.start()
				r.until("00:01:10")
				begin := time.Now()
				err := r.end()
				r.end = nil
				if took := time.Since(begin); took != tc.took {
					t.Errorf("Run ended after %v, want %v", took, tc.took)
				}
				if (err != nil) != tc.stuck || tc.stuck && !strings.Contains(err.Error(), "handler h") {
					t.Errorf("Run: %v", err)
				}
				r.wantLedger(tc.row)
				work = succeed
				r.start() // Run may be called again
				time.Sleep(time.Second)
				x := r.rows("job")[0]
				if x.Attempt != tc.attempt || len(r.called()) != tc.attempt {
					t.Errorf("attempt %d, %d calls, want %d", x.Attempt, len(r.called()), tc.attempt)
				}
				if tc.attempt == 2 && (x.Status != chronos.StatusSucceeded || x.Attempts[0].Reason != chronos.ReasonShutdown) {
					t.Errorf("row %+v", x)
				}
				time.Sleep(20 * time.Minute)
			})
		})
	}
}

// What ignored the drain is found by the next start.
func TestDrainStuckIsResolvedByTheNextStart(t *testing.T) {
	onDisk(t, chronos.Options{DrainTimeout: 10 * time.Second, StuckAfter: 5 * time.Second}, func(r *rig) {
		r.handle(deaf(10*time.Minute, nil))
		r.put(chronos.Job{Schedule: chronos.At(at("00:01:00"))})
		r.start()
		r.until("00:01:10")
		if err := r.end(); err == nil {
			t.Error("Run names nobody")
		}
		r.end = nil
		r.away(time.Minute)
		r.handle(succeed)
		r.start()
		r.wantLedger("00:01:00 succeeded #2")
		time.Sleep(20 * time.Minute)
	})
}

// The cause tells a handler that the node stops.
func TestDrainCause(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		var cause error
		r.handle(func(ctx context.Context, _ chronos.Execution) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return cause
		})
		r.put(chronos.Job{})
		r.start()
		r.trigger("job", chronos.TriggerRequest{})
		time.Sleep(time.Second)
		r.halt()
		wantError(t, cause, chronos.ErrStopping)
		r.wantLedger("trigger 00:00:00 pending[room]")
	})
}

// While Run drains, what comes due waits for the next Run.
func TestDrainStartsNothingNew(t *testing.T) {
	bubble(t, chronos.Options{DrainTimeout: time.Minute}, func(r *rig) {
		r.handle(busy(40 * time.Second))
		r.put(chronos.Job{ID: "long", Schedule: chronos.At(at("00:01:00"))})
		r.put(chronos.Job{Schedule: chronos.Cron("10,20 1 0 * * *"), Misfire: chronos.MisfireSkip})
		r.start()
		r.until("00:01:05")
		r.halt()
		if now := time.Now(); !now.Equal(at("00:01:40")) {
			t.Errorf("drained until %s", clockText(now))
		}
		r.wantStarts("00:01:00")
	})
}

func TestRunRules(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.start()
		wantError(t, r.Run(r.ctx), chronos.ErrConflict)
		if st := r.Status(); !st.Running || !st.Ready || st.Err != nil || st.Node != "local" {
			t.Errorf("status %+v", st)
		}
		r.halt()
		if st := r.Status(); st.Running {
			t.Errorf("status %+v", st)
		}
		over, cancel := context.WithCancel(r.ctx)
		cancel()
		wantError(t, r.Run(over), context.Canceled)
		r.start()
		r.halt()
	})
}

// Close ends Run with its drain, twice is once, and from several places.
func TestClose(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(5 * time.Second))
		r.put(chronos.Job{})
		r.start()
		r.trigger("job", chronos.TriggerRequest{})
		time.Sleep(time.Second)
		for range 3 {
			r.must(r.Close())
		}
		if since := time.Since(epoch); since != 5*time.Second {
			t.Errorf("closed after %v", since)
		}
		r.halt()
		wantError(t, r.Run(r.ctx), chronos.ErrClosed)
		if st := r.Status(); st.Ready || st.Running {
			t.Errorf("status %+v", st)
		}
	})
}

// A handler that closes its own scheduler does not lock it up.
func TestCloseFromAHandler(t *testing.T) {
	bubble(t, chronos.Options{DrainTimeout: 10 * time.Second, StuckAfter: 5 * time.Second}, func(r *rig) {
		r.handle(func(context.Context, chronos.Execution) error {
			time.Sleep(time.Second)
			return r.Close()
		})
		r.put(chronos.Job{})
		ran := make(chan error)
		s := r.Scheduler
		go func() { ran <- s.Run(r.ctx) }()
		synctest.Wait()
		r.trigger("job", chronos.TriggerRequest{})
		if err := <-ran; err == nil {
			t.Error("Run names nobody")
		}
		time.Sleep(time.Minute)
	})
}

// A directory belongs to one process at a time, and to one node.
func TestRegressionObanPy32TwoOfOneName(t *testing.T) {
	onDisk(t, chronos.Options{Node: "one"}, func(r *rig) {
		_, err := chronos.New(r.opts)
		wantError(t, err, chronos.ErrLocked)
		if err == nil || !strings.Contains(err.Error(), r.opts.Dir) {
			t.Errorf("the error does not name the directory: %v", err)
		}
		r.put(chronos.Job{}) // the first one goes on
		r.shut()
		other := r.opts
		other.Node = "two"
		if s, err := chronos.New(other); err == nil {
			t.Error("another node took the directory")
			_ = s.Close()
		}
		r.open()
		r.get("job")
	})
}

// Opening and closing leaves no goroutine and no file open. (A goroutine that is
// left makes the bubble panic.)
func TestCloseLeavesNothing(t *testing.T) {
	fds := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return 0
		}
		return len(list)
	}
	dir := t.TempDir()
	before, goroutines := fds(), ourGoroutines()
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			s, err := chronos.New(chronos.Options{Dir: dir, Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			events, done := s.Events(ctx), make(chan error)
			go func() { done <- s.Run(ctx) }()
			if _, err := s.Put(ctx, chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second)}); err != nil {
				t.Error(err)
			}
			time.Sleep(1500 * time.Millisecond)
			cancel()
			<-done
			for range events {
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if after := fds(); after > before {
		t.Errorf("%d files open before, %d after", before, after)
	}
	if after := ourGoroutines(); after > goroutines {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", goroutines, after, stacks[:runtime.Stack(stacks, true)])
	}
}

// ourGoroutines counts the goroutines that run code of a module, Chronos or one
// below it. The runtime has some of its own, which it starts when it likes.
func ourGoroutines() (n int) {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "github.com/") || strings.Contains(stack, "go.etcd.io/") {
			n++
		}
	}
	return n
}

// A directory that cannot be used is an error, not a panic or a wait.
func TestNewErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for field, opts := range map[string]chronos.Options{
		"Options.Dir":          {},
		"Options.InMemory":     {Dir: "x", InMemory: true},
		"Options.Node":         {InMemory: true, Node: "a b"},
		"Options.Concurrency":  {InMemory: true, Concurrency: -1},
		"Options.DrainTimeout": {InMemory: true, DrainTimeout: -1},
		"Options.StuckAfter":   {InMemory: true, StuckAfter: 1<<63 - 1},
		"Options.MaxOutput":    {InMemory: true, MaxOutput: 1 << 20},
	} {
		_, err := chronos.New(opts)
		wantField(t, err, field)
	}
	if _, err := chronos.New(chronos.Options{Dir: file, Logger: quiet}); err == nil {
		t.Error("a file was taken for a directory")
	}
	if _, err := chronos.New(chronos.Options{Dir: filepath.Join(file, "under"), Logger: quiet}); err == nil || errors.Is(err, chronos.ErrLocked) {
		t.Errorf("got %v", err)
	}
}
