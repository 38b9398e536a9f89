package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// brokenError panics wherever it is looked at.
type brokenError struct{ what *string }

func (e brokenError) Error() string { return *e.what }

type brokenIs struct{}

func (brokenIs) Error() string { return "never seen" }
func (brokenIs) As(any) bool   { panic("no As") }

type brokenString struct{ what *string }

func (b brokenString) String() string { return *b.what }

func TestOutcomes(t *testing.T) {
	boom := errors.New("boom")
	type opt struct {
		timeout time.Duration
		after   func(d *Dispatcher) // a second after the start
	}
	cancel := func(d *Dispatcher) { d.Cancel("x", 1, errors.New("by alice")) }
	untilDone := func(ctx context.Context, err error) error { <-ctx.Done(); return err }
	for _, c := range []struct {
		name    string
		opt     opt
		handler Handler
		want    Result
	}{
		{"nil", opt{}, func(context.Context, *Attempt) error { return nil }, Result{Outcome: Succeeded}},
		{"error", opt{}, func(context.Context, *Attempt) error { return boom }, Result{Outcome: Failed, Error: "boom"}},
		{"permanent", opt{}, func(context.Context, *Attempt) error { return fmt.Errorf("a: %w", Permanent(boom)) },
			Result{Outcome: Failed, Permanent: true, Error: "a: boom"}},
		{"retry after", opt{}, func(context.Context, *Attempt) error { return fmt.Errorf("a: %w", RetryAfter(time.Minute, boom)) },
			Result{Outcome: Failed, HasRetryAfter: true, RetryAfter: time.Minute, Error: "a: boom"}},
		{"retry at once", opt{}, func(context.Context, *Attempt) error { return RetryAfter(-1, boom) },
			Result{Outcome: Failed, HasRetryAfter: true, Error: "boom"}},
		{"snooze", opt{}, func(context.Context, *Attempt) error { return RetryAfter(time.Minute, nil) },
			Result{Outcome: Failed, HasRetryAfter: true, RetryAfter: time.Minute, Snooze: true, Error: "put off by 1m0s"}},
		{"permanent outranks snooze", opt{}, func(context.Context, *Attempt) error { return Permanent(RetryAfter(time.Minute, nil)) },
			Result{Outcome: Failed, Permanent: true, HasRetryAfter: true, RetryAfter: time.Minute, Error: "put off by 1m0s"}},
		{"panic", opt{}, func(context.Context, *Attempt) error { panic("ouch") }, Result{Outcome: Failed, Error: "panic: ouch"}},
		{"panic with nil", opt{}, func(context.Context, *Attempt) error { panic(nil) },
			Result{Outcome: Failed, Error: "panic: panic called with nil argument"}},
		{"runtime error", opt{}, func(_ context.Context, a *Attempt) error { _ = a.Payload[a.Number]; return nil },
			Result{Outcome: Failed, Error: "panic: runtime error: index out of range [1] with length 0"}},
		{"panic with a broken value", opt{}, func(context.Context, *Attempt) error { panic(brokenString{}) },
			Result{Outcome: Failed, Error: "panic: %!v(PANIC=String method: runtime error: invalid memory address or nil pointer dereference)"}},
		{"Goexit", opt{}, func(context.Context, *Attempt) error { runtime.Goexit(); return nil },
			Result{Outcome: Failed, Error: "handler called runtime.Goexit"}},
		{"broken error", opt{}, func(context.Context, *Attempt) error { return brokenError{} },
			Result{Outcome: Failed, Error: "an error of type dispatch.brokenError, whose methods panic: " +
				"runtime error: invalid memory address or nil pointer dereference"}},
		{"broken As", opt{}, func(context.Context, *Attempt) error { return brokenIs{} },
			Result{Outcome: Failed, Error: "an error of type dispatch.brokenIs, whose methods panic: no As"}},
		{"deadline of its own", opt{}, func(context.Context, *Attempt) error { return context.DeadlineExceeded },
			Result{Outcome: Failed, Error: "context deadline exceeded"}},
		{"timeout", opt{timeout: 5 * time.Second}, func(ctx context.Context, _ *Attempt) error { <-ctx.Done(); return ctx.Err() },
			Result{Outcome: TimedOut, Error: "context deadline exceeded"}},
		{"timeout, own error", opt{timeout: 5 * time.Second}, func(ctx context.Context, _ *Attempt) error { return untilDone(ctx, boom) },
			Result{Outcome: TimedOut, Error: "boom"}},
		{"timeout, done late", opt{timeout: 5 * time.Second}, func(context.Context, *Attempt) error { time.Sleep(10 * time.Second); return nil },
			Result{Outcome: Succeeded}},
		{"timeout, snooze", opt{timeout: 5 * time.Second},
			func(ctx context.Context, _ *Attempt) error { return untilDone(ctx, RetryAfter(time.Hour, nil)) },
			Result{Outcome: TimedOut, HasRetryAfter: true, RetryAfter: time.Hour, Error: "put off by 1h0m0s"}},
		{"error before the timeout", opt{timeout: 5 * time.Second}, func(context.Context, *Attempt) error { return boom },
			Result{Outcome: Failed, Error: "boom"}},
		{"cancel", opt{after: cancel}, func(ctx context.Context, _ *Attempt) error { <-ctx.Done(); return ctx.Err() },
			Result{Outcome: Canceled, Error: "context canceled (by alice)"}},
		{"cancel, cause returned", opt{after: cancel}, func(ctx context.Context, _ *Attempt) error { <-ctx.Done(); return context.Cause(ctx) },
			Result{Outcome: Canceled, Error: "by alice"}},
		{"cancel, done", opt{after: cancel}, func(ctx context.Context, _ *Attempt) error { return untilDone(ctx, nil) },
			Result{Outcome: Succeeded}},
		{"cancel, panic", opt{after: cancel}, func(ctx context.Context, _ *Attempt) error { <-ctx.Done(); panic("ouch") },
			Result{Outcome: Canceled, Error: "panic: ouch (by alice)"}},
		{"panic after the timeout", opt{timeout: 5 * time.Second}, func(ctx context.Context, _ *Attempt) error { <-ctx.Done(); panic("ouch") },
			Result{Outcome: Failed, Error: "panic: ouch"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, rec := start(t, Config{})
				mustHandle(t, d, "h", c.handler)
				a := attempt("x", "h")
				a.Timeout = c.opt.timeout
				d.Assign([]*Attempt{a})
				if c.opt.after != nil {
					time.Sleep(time.Second)
					c.opt.after(d)
				}
				time.Sleep(20 * time.Second)
				got := rec.only(t)
				if wantStack := strings.HasPrefix(c.want.Error, "panic: "); wantStack != (got.Stack != "") {
					t.Errorf("stack %q", got.Stack)
				}
				got.Error = strings.TrimSuffix(got.Error, " (use GODEBUG=panicnil=1 to disable)")
				got.ID, got.Job, got.Token, got.Stack = "", "", 0, ""
				got.Started, got.Ended = time.Time{}, time.Time{}
				if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
					t.Errorf("\n got %+v\nwant %+v", got, c.want)
				}
				if d.Running() != 0 || d.Stuck() != 0 {
					t.Errorf("running %d, stuck %d", d.Running(), d.Stuck())
				}
			})
		})
	}
}

//go:noinline
func deepPanic(n int) int {
	if n == 0 {
		panic("deep")
	}
	return deepPanic(n-1) + 1
}

func TestLongestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{})
		mustHandle(t, d, "h", func(ctx context.Context, _ *Attempt) error { time.Sleep(time.Hour); return ctx.Err() })
		a := attempt("x", "h")
		a.Timeout = math.MaxInt64
		d.Assign([]*Attempt{a})
		time.Sleep(2 * time.Hour)
		if r := rec.only(t); r.Outcome != Succeeded {
			t.Errorf("%+v", r)
		}
	})
}

func TestOutcomeWords(t *testing.T) {
	for o, want := range map[Outcome]string{Succeeded: "succeeded", TimedOut: "timed out", HandedBack: "handed back", 0: "Outcome(0)"} {
		if o.String() != want {
			t.Errorf("%d: %s", o, o)
		}
	}
}

func TestStackShowsThePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{})
		mustHandle(t, d, "h", func(context.Context, *Attempt) error { deepPanic(1000); return nil })
		d.Assign([]*Attempt{attempt("x", "h")})
		synctest.Wait()
		stack := rec.only(t).Stack
		if !strings.HasPrefix(stack, "panic(") || !strings.Contains(stack, "deepPanic") || len(stack) > maxStack {
			t.Errorf("%d bytes: %.300s", len(stack), stack)
		}
	})
}

func TestErrorIsCappedAndValid(t *testing.T) {
	for name, text := range map[string]string{
		"long": strings.Repeat("é", 1<<20), "broken": strings.Repeat("\xffx", 3000), "cut rune": strings.Repeat("x", 4092) + "é…é",
	} {
		a := &Attempt{}
		got := a.errorText(text)
		if len(got) > maxError || len(got) < maxError-8 || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes, valid %v", name, len(got), utf8.ValidString(got))
		}
	}
	if got := capText("fits", 4); got != "fits" {
		t.Errorf("got %q", got)
	}
}

func TestMissingHandlerIsHandedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{})
		a := attempt("x", "nobody")
		d.Assign([]*Attempt{a})
		synctest.Wait()
		r := rec.only(t)
		if r.Outcome != HandedBack || !r.NotStarted || !strings.Contains(r.Error, `no handler "nobody"`) || !r.Started.IsZero() {
			t.Errorf("%+v", r)
		}
		// It did not run, so it may come again once the handler is there.
		mustHandle(t, d, "nobody", func(context.Context, *Attempt) error { return nil })
		d.Assign([]*Attempt{a})
		synctest.Wait()
		if all := rec.all(); len(all) != 2 || all[1].Outcome != Succeeded {
			t.Errorf("%+v", all)
		}
	})
}

func TestSkipOnTheLastStep(t *testing.T) {
	for _, c := range []struct {
		name string
		stop stop
		want Outcome
	}{{"cancelled", stopCancel, Canceled}, {"draining", stopDrain, HandedBack}} {
		d, rec := start(t, Config{})
		a := attempt("x", "h")
		a.prepare(time.Now(), 1)
		a.call = func(context.Context, *Attempt) error { t.Error("called"); return nil }
		a.stop, a.state = c.stop, starting
		a.cancel(ErrDraining)
		d.live[a.key()] = a
		d.running.Store(1)
		d.run(a)
		if r := rec.only(t); r.Outcome != c.want || !r.NotStarted {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

func TestOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{MaxOutput: 4})
		var kept *Attempt
		mustHandle(t, d, "h", func(_ context.Context, a *Attempt) error {
			kept = a
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() { a.SetOutput([]byte("concurrent")) })
			}
			wg.Wait()
			b := []byte(a.Payload)
			a.SetOutput(b)
			clear(b)
			return nil
		})
		for i, c := range []struct {
			in, out   string
			truncated bool
		}{{"", "", false}, {"1234", "1234", false}, {"12345", "1234", true}} {
			a := attempt(fmt.Sprint(i), "h")
			a.Payload = []byte(c.in)
			d.Assign([]*Attempt{a})
			synctest.Wait()
			kept.SetOutput([]byte("late"))
			r := rec.all()[i]
			if string(r.Output) != c.out || r.Truncated != c.truncated {
				t.Errorf("%q: %q, %v", c.in, r.Output, r.Truncated)
			}
		}
	})
	var own Attempt // as a test of a handler would make it
	own.SetOutput(make([]byte, defaultMaxOutput+1))
	if got, cut := own.output.seal(); len(got) != defaultMaxOutput || !cut {
		t.Errorf("%d bytes, %v", len(got), cut)
	}
}

func TestStuck(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		cancel  bool
		want    Outcome
	}{{"timeout", time.Minute, false, TimedOut}, {"cancel", 0, true, Canceled}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				d, rec := start(t, Config{Grace: 10 * time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				release := make(chan struct{})
				mustHandle(t, d, "deaf", func(_ context.Context, a *Attempt) error {
					a.SetOutput([]byte("so far"))
					<-release
					a.SetOutput([]byte("too late"))
					panic("dropped, too")
				})
				var others atomic.Int32
				mustHandle(t, d, "other", func(context.Context, *Attempt) error { others.Add(1); return nil })
				a := attempt("x", "deaf")
				a.Timeout = c.timeout
				d.Assign([]*Attempt{a})
				time.Sleep(time.Minute)
				if c.cancel {
					d.Cancel("x", 1, nil)
				}
				time.Sleep(9 * time.Second)
				if len(rec.all()) != 0 || d.Running() != 1 {
					t.Fatal("given up within Grace")
				}
				time.Sleep(2 * time.Second)
				r := rec.only(t)
				if r.Outcome != c.want || !r.Stuck || string(r.Output) != "so far" || !strings.Contains(r.Error, "stuck") {
					t.Errorf("%+v", r)
				}
				if took := r.Ended.Sub(r.Started); took != 70*time.Second {
					t.Errorf("given up after %v", took)
				}
				if d.Running() != 0 || d.Stuck() != 1 || !strings.Contains(log.String(), "stuck") || !strings.Contains(log.String(), "level=WARN") {
					t.Errorf("running %d, stuck %d, log %q", d.Running(), d.Stuck(), log.String())
				}
				if d.Cancel("x", 1, nil) || d.Recall("x", 1) {
					t.Error("a stuck attempt is over")
				}
				d.Assign([]*Attempt{attempt("x", "deaf"), attempt("y", "other")})
				synctest.Wait()
				if others.Load() != 1 || len(rec.all()) != 2 {
					t.Error("the rest goes on, the stuck one does not come again")
				}
				close(release)
				synctest.Wait()
				if d.Stuck() != 0 || len(rec.all()) != 2 || !strings.Contains(log.String(), "has returned") {
					t.Errorf("stuck %d, %d results", d.Stuck(), len(rec.all()))
				}
			})
		})
	}
}

func TestReportMayPanicOrExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var n atomic.Int32
		d := New(Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Report: func(r Result) {
			n.Add(1)
			if r.ID == "panic" {
				panic("no room")
			}
			runtime.Goexit()
		}})
		mustHandle(t, d, "h", func(context.Context, *Attempt) error { return nil })
		d.Assign([]*Attempt{attempt("panic", "h"), attempt("exit", "h")})
		synctest.Wait()
		if err := d.Drain(t.Context()); err != nil || n.Load() != 2 || len(d.live) != 0 {
			t.Errorf("%v, %d reports, %d live", err, n.Load(), len(d.live))
		}
		d.Close()
		if !strings.Contains(log.String(), "no room") {
			t.Errorf("log %q", log.String())
		}
	})
}

func TestErrorWrappersAreTransparent(t *testing.T) {
	inner := &FieldError{"F", "r"}
	for name, err := range map[string]error{"Permanent": Permanent(inner), "RetryAfter": RetryAfter(1, inner)} {
		var got *FieldError
		if !errors.Is(err, inner) || !errors.As(err, &got) || err.Error() != inner.Error() {
			t.Errorf("%s hides what it wraps", name)
		}
	}
	if Permanent(nil) != nil || RetryAfter(1, nil) == nil {
		t.Error("nil: Permanent is nothing, RetryAfter a snooze")
	}
}
