package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
		if d.Pending() != 4 || d.Running() != 0 || len(rec.all()) != 0 {
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
		if d.Pending() != 0 || len(rec.all()) != 5 {
			t.Errorf("pending %d, %d results", d.Pending(), len(rec.all()))
		}
	})
}

func TestHeapOrder(t *testing.T) {
	now := time.Now()
	for _, c := range []struct{ due, later int }{{0, 5}, {5, 0}, {5, 500}, {manyDue, 10}, {manyDue + 1, 10}, {5000, 0}, {5000, 700}} {
		var h attemptHeap
		for i := range c.due + c.later {
			a := &Attempt{Number: i, StartAt: now}
			if i >= c.due {
				a.StartAt = now.Add(time.Duration(1+(i*7919)%1000) * time.Second)
			} else if i%2 == 1 {
				a.StartAt = now.Add(-time.Second)
			}
			a.prepare(now, 0)
			a.seq = uint64(i)
			h.add(a)
		}
		got := h.due(now)
		if len(got) != c.due || len(h) != c.later || !slices.IsSortedFunc(got, (*Attempt).compare) {
			t.Errorf("%+v: took %d, left %d", c, len(got), len(h))
		}
		for i, a := range h {
			if a.index != i {
				t.Fatalf("%+v: index %d at %d", c, a.index, i)
			}
		}
		if rest := h.due(now.Add(time.Hour)); len(rest) != c.later || !slices.IsSortedFunc(rest, (*Attempt).compare) {
			t.Errorf("%+v: the rest is not in order", c)
		}
	}
}

// The wall clock may be set while attempts wait; the heap takes either clock's word.
func TestClockSteps(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name string
		now  time.Time
		due  int
	}{
		{"nothing happened", now, 0},
		{"monotonic clock has come to it", now.Add(time.Minute), 1},
		{"wall clock was set forward past it", now.Round(0).Add(time.Minute), 1},
	} {
		a := &Attempt{StartAt: now.Add(time.Minute)}
		a.prepare(now, 0)
		var h attemptHeap
		h.add(a)
		if got := len(h.due(c.now)); got != c.due {
			t.Errorf("%s: %d due, want %d", c.name, got, c.due)
		}
	}
	for _, at := range []time.Time{{}, time.Unix(1<<50, 0)} {
		a := &Attempt{StartAt: at}
		a.prepare(now, 0)
		var h attemptHeap
		h.add(a)
		if got := len(h.due(now)) == 1; got != at.Before(now) {
			t.Errorf("StartAt %v: due %v", at, got)
		}
	}
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

func TestRecentIsBounded(t *testing.T) {
	var r recent
	for i := range recentMax + 10 {
		r.add(key{"x", uint64(i)})
		r.add(key{"x", uint64(i)})
	}
	if len(r.keys) != recentMax || len(r.ring) != recentMax {
		t.Errorf("%d keys, ring of %d", len(r.keys), len(r.ring))
	}
	if r.has(key{"x", 9}) || !r.has(key{"x", 10}) || !r.has(key{"x", recentMax + 9}) {
		t.Error("not the last ones are remembered")
	}
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

// Every attempt is reported exactly once, or recalled or revoked; what was
// recalled never runs.
func TestRaces(t *testing.T) {
	const attempts = 3000
	var reports, calls [attempts]atomic.Int32
	var index sync.Map
	d := New(Config{Grace: 10 * time.Millisecond, Report: func(r Result) {
		i, _ := index.Load(r.ID)
		reports[i.(int)].Add(1)
	}})
	mustHandle(t, d, "h", func(ctx context.Context, a *Attempt) error {
		calls[a.Number].Add(1)
		switch a.Number % 4 {
		case 0:
			return nil
		case 1:
			panic("x")
		case 2:
			<-ctx.Done()
			return ctx.Err()
		}
		time.Sleep(20 * time.Millisecond) // deaf
		return errors.New("late")
	})
	var recalled, revoked [attempts]atomic.Bool
	var wg sync.WaitGroup
	batch := make([]*Attempt, attempts)
	for i := range batch {
		a := attempt(fmt.Sprint(i), "h")
		a.Number = i
		a.Timeout = time.Duration(1+rand.IntN(20)) * time.Millisecond
		a.StartAt = time.Now().Add(time.Duration(rand.IntN(20)) * time.Millisecond)
		index.Store(a.ID, i)
		batch[i] = a
	}
	for i := range attempts {
		wg.Go(func() {
			d.Assign(batch[i : i+1])
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			id := batch[i].ID
			switch rand.IntN(5) {
			case 0:
				recalled[i].Store(d.Recall(id, 1))
			case 1:
				d.Cancel(id, 1, nil)
			case 2:
				revoked[i].Store(true)
				d.Revoke(id, 1, nil)
			case 3:
				d.Assign([]*Attempt{batch[i], attempt(id, "h")})
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = d.Drain(ctx) // may name those that are deaf
	d.Close()
	for i := range attempts {
		n, c := reports[i].Load(), calls[i].Load()
		switch {
		case c > 1, n > 1:
			t.Errorf("%d: called %d times, reported %d times", i, c, n)
		case recalled[i].Load() && (c != 0 || n != 0):
			t.Errorf("%d: recalled, called %d times, reported %d times", i, c, n)
		case !recalled[i].Load() && !revoked[i].Load() && n != 1:
			t.Errorf("%d: reported %d times", i, n)
		}
	}
	if d.Running() != 0 || d.Pending() != 0 || len(d.live) != 0 {
		t.Errorf("running %d, pending %d, live %d", d.Running(), d.Pending(), len(d.live))
	}
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
