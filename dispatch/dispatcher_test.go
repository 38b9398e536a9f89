package dispatch

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a Report that keeps what it gets.
type recorder struct {
	mu      sync.Mutex
	results []Result
}

func (r *recorder) report(res Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, res)
}

func (r *recorder) all() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.results)
}

// only returns the single result there must be.
func (r *recorder) only(t *testing.T) Result {
	t.Helper()
	all := r.all()
	if len(all) != 1 {
		t.Fatalf("%d results, want 1: %+v", len(all), all)
	}
	return all[0]
}

// start makes a dispatcher that reports to a recorder and is closed after the test.
func start(t *testing.T, cfg Config) (*Dispatcher, *recorder) {
	t.Helper()
	rec := &recorder{}
	cfg.Report = rec.report
	d := New(cfg)
	t.Cleanup(d.Close)
	return d, rec
}

func mustHandle(t *testing.T, d *Dispatcher, name string, h Handler) {
	t.Helper()
	if err := d.Handle(name, h); err != nil {
		t.Fatal(err)
	}
}

// attempt makes one that is due at once.
func attempt(id, handler string) *Attempt {
	return &Attempt{ID: id, Job: "job", Number: 1, Token: 1, Due: time.Now(), StartAt: time.Now(), Handler: handler}
}

func TestHandle(t *testing.T) {
	d, _ := start(t, Config{})
	h := func(context.Context, *Attempt) error { return nil }
	mustHandle(t, d, "b", h)
	mustHandle(t, d, "a", h)
	for name, call := range map[string]func() error{
		"empty name": func() error { return d.Handle("", h) },
		"nil":        func() error { return d.Handle("c", nil) },
		"duplicate":  func() error { return d.Handle("a", h) },
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got, want := d.Handlers(), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("Handlers() = %v, want %v", got, want)
	}
}

func TestAssignHoldsUntilStartAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{})
		var order []string
		var mu sync.Mutex
		mustHandle(t, d, "h", func(_ context.Context, a *Attempt) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, a.ID)
			if late := time.Since(a.StartAt); late != 0 {
				t.Errorf("%s started %v late", a.ID, late)
			}
			return nil
		})
		now := time.Now()
		var batch []*Attempt
		for i, in := range []time.Duration{3 * time.Hour, time.Second, 90 * time.Second, 1500 * time.Millisecond} {
			a := attempt(fmt.Sprint(i), "h")
			a.StartAt = now.Add(in)
			batch = append(batch, a)
		}
		d.Assign(batch)
		synctest.Wait()
		if d.Pending() != 4 || d.Running() != 0 || d.Beginning() != 0 || len(rec.all()) != 0 {
			t.Fatalf("pending %d, running %d", d.Pending(), d.Running())
		}
		// One that comes later and is due earlier moves the timer.
		early := attempt("early", "h")
		early.StartAt = now.Add(100 * time.Millisecond)
		d.Assign([]*Attempt{early})
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if want := []string{"early", "1", "3", "2", "0"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		if d.Pending() != 0 || d.Beginning() != 0 || len(rec.all()) != 5 {
			t.Errorf("pending %d, beginning %d, %d results", d.Pending(), d.Beginning(), len(rec.all()))
		}
	})
}

func TestDuplicatesAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{})
		var calls atomic.Int32
		release := make(chan struct{})
		mustHandle(t, d, "h", func(context.Context, *Attempt) error {
			calls.Add(1)
			<-release
			return nil
		})
		a := attempt("x", "h")
		a.StartAt = a.StartAt.Add(time.Second)
		d.Assign([]*Attempt{a, a, nil, attempt("x", "h")}) // waiting
		time.Sleep(2 * time.Second)
		d.Assign([]*Attempt{a, attempt("x", "h")}) // running
		synctest.Wait()
		close(release)
		synctest.Wait()
		d.Assign([]*Attempt{a, attempt("x", "h")}) // ended
		synctest.Wait()
		if calls.Load() != 1 || len(rec.all()) != 1 {
			t.Errorf("%d calls, %d results", calls.Load(), len(rec.all()))
		}
		next := attempt("x", "h")
		next.Token = 2
		d.Assign([]*Attempt{next})
		synctest.Wait()
		if calls.Load() != 2 {
			t.Error("another token did not run")
		}
	})
}

func TestRecall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{})
		release := make(chan struct{})
		var calls atomic.Int32
		mustHandle(t, d, "h", func(context.Context, *Attempt) error {
			calls.Add(1)
			<-release
			return nil
		})
		a := attempt("x", "h")
		a.StartAt = a.StartAt.Add(time.Minute)
		d.Assign([]*Attempt{a})
		if d.Recall("x", 2) || d.Recall("y", 1) {
			t.Error("an unknown attempt was recalled")
		}
		if !d.Recall("x", 1) || d.Recall("x", 1) {
			t.Error("recall once and only once")
		}
		time.Sleep(2 * time.Minute)
		if calls.Load() != 0 || len(rec.all()) != 0 {
			t.Error("a recalled attempt ran or was reported")
		}
		d.Assign([]*Attempt{attempt("x", "h")}) // it never ran, so it may come again
		synctest.Wait()
		if d.Recall("x", 1) {
			t.Error("a running attempt was recalled")
		}
		close(release)
		synctest.Wait()
		if calls.Load() != 1 || rec.only(t).Outcome != Succeeded {
			t.Errorf("%d calls, %+v", calls.Load(), rec.all())
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{})
		why := errors.New("by alice")
		mustHandle(t, d, "h", func(ctx context.Context, _ *Attempt) error {
			<-ctx.Done()
			if context.Cause(ctx) != why {
				t.Errorf("cause %v", context.Cause(ctx))
			}
			return ctx.Err()
		})
		later := attempt("later", "h")
		later.StartAt = later.StartAt.Add(time.Minute)
		d.Assign([]*Attempt{later, attempt("now", "h")})
		synctest.Wait()
		if d.Cancel("other", 1, why) || !d.Cancel("later", 1, why) || d.Cancel("later", 1, why) || !d.Cancel("now", 1, why) {
			t.Error("wrong answers")
		}
		synctest.Wait()
		if d.Cancel("now", 1, why) {
			t.Error("an ended attempt was cancelled")
		}
		byID := map[string]Result{}
		for _, r := range rec.all() {
			byID[r.ID] = r
		}
		if r := byID["later"]; r.Outcome != Canceled || !r.NotStarted || r.Error != "by alice" || !r.Started.IsZero() {
			t.Errorf("later: %+v", r)
		}
		if r := byID["now"]; r.Outcome != Canceled || r.NotStarted || r.Error != "context canceled (by alice)" || r.Started.IsZero() {
			t.Errorf("now: %+v", r)
		}
	})
}

func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{Grace: time.Second})
		why := errors.New("lease lost")
		mustHandle(t, d, "h", func(ctx context.Context, _ *Attempt) error {
			<-ctx.Done()
			if context.Cause(ctx) != why {
				t.Errorf("cause %v", context.Cause(ctx))
			}
			return nil
		})
		hold := make(chan struct{})
		mustHandle(t, d, "deaf", func(context.Context, *Attempt) error { <-hold; return nil })
		later := attempt("later", "h")
		later.StartAt = later.StartAt.Add(time.Minute)
		d.Assign([]*Attempt{later, attempt("now", "h"), attempt("deaf", "deaf")})
		synctest.Wait()
		for _, id := range []string{"later", "now", "deaf", "unknown"} {
			d.Revoke(id, 1, why)
		}
		d.Assign([]*Attempt{attempt("later", "h")}) // a revoked one does not come back
		time.Sleep(2 * time.Minute)
		if got := rec.all(); len(got) != 0 {
			t.Errorf("reported: %+v", got)
		}
		if d.Running() != 0 || d.Pending() != 0 || d.Stuck() != 1 {
			t.Errorf("running %d, pending %d, stuck %d", d.Running(), d.Pending(), d.Stuck())
		}
		close(hold)
		synctest.Wait()
		if d.Stuck() != 0 || len(rec.all()) != 0 {
			t.Errorf("stuck %d, %+v", d.Stuck(), rec.all())
		}
	})
}

func TestHandlerSeesTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{})
		a := attempt("x", "h")
		a.Labels = map[string]string{"k": "v"}
		a.Generation, a.Version, a.Number, a.Token = 2, 3, 4, 5
		a.Origin, a.Payload, a.Timeout = "trigger", []byte("p"), time.Minute
		mustHandle(t, d, "h", func(ctx context.Context, got *Attempt) error {
			at, ok := ctx.Deadline()
			if got != a || !ok || !at.Equal(time.Now().Add(time.Minute)) {
				t.Errorf("%+v, deadline %v", got, at)
			}
			return nil
		})
		d.Assign([]*Attempt{a})
		synctest.Wait()
		want := Result{ID: "x", Job: "job", Token: 5, Outcome: Succeeded, Started: time.Now(), Ended: time.Now()}
		got := rec.only(t)
		if !got.Started.Equal(want.Started) || !got.Ended.Equal(want.Ended) {
			t.Errorf("from %v to %v", got.Started, got.Ended)
		}
		got.Started, got.Ended = want.Started, want.Ended
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// TestRush: many attempts at one instant are a rush from some time before it on.
func TestRush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{})
		defer d.Close()
		hold := make(chan struct{})
		if err := d.Handle("h", func(context.Context, *Attempt) error { <-hold; return nil }); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Second)
		several := func(n int, at time.Time) {
			list := make([]*Attempt, n)
			for i := range list {
				list[i] = &Attempt{ID: fmt.Sprint(n, i), Token: uint64(i + 1), Handler: "h", StartAt: at}
			}
			d.Assign(list)
		}
		several(rushMin-1, at)
		if d.Rush(2 * time.Second) {
			t.Error("few are a rush")
		}
		several(rushMin, at.Add(-time.Millisecond))
		if d.Rush(998*time.Millisecond) || !d.Rush(999*time.Millisecond) {
			t.Error("a rush is not seen when it comes near")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if d.Rush(time.Hour) {
			t.Error("it is over")
		}
		close(hold)
	})
}
