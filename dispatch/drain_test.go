package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{Grace: 10 * time.Second})
		sleeper := func(total time.Duration) Handler {
			return func(ctx context.Context, _ *Attempt) error {
				select {
				case <-time.After(total):
					return nil
				case <-ctx.Done():
					if !errors.Is(context.Cause(ctx), ErrDraining) {
						t.Errorf("cause %v", context.Cause(ctx))
					}
					return ctx.Err()
				}
			}
		}
		release := make(chan struct{})
		mustHandle(t, d, "quick", sleeper(3*time.Second))
		mustHandle(t, d, "slow", sleeper(time.Hour))
		mustHandle(t, d, "cleanup", func(ctx context.Context, _ *Attempt) error { <-ctx.Done(); return nil })
		mustHandle(t, d, "panic", func(ctx context.Context, _ *Attempt) error { <-ctx.Done(); panic("x") })
		mustHandle(t, d, "deaf", func(context.Context, *Attempt) error { <-release; return nil })
		names := []string{"quick", "slow", "cleanup", "panic", "deaf"}
		for _, name := range names {
			d.Assign([]*Attempt{attempt(name, name)})
		}
		later := attempt("later", "quick")
		later.StartAt = later.StartAt.Add(time.Minute)
		d.Assign([]*Attempt{later})
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		err := d.Drain(ctx)
		if took := time.Since(begin); took != 15*time.Second {
			t.Errorf("took %v", took)
		}
		if !errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), "handler deaf (job job, attempt 1 of deaf)") ||
			strings.Contains(err.Error(), "slow") {
			t.Errorf("error %v", err)
		}
		got := map[string]string{}
		for _, r := range rec.all() {
			got[r.ID] += fmt.Sprintf("%v stuck:%v notstarted:%v", r.Outcome, r.Stuck, r.NotStarted)
		}
		want := map[string]string{
			"later":   "handed back stuck:false notstarted:true",
			"quick":   "succeeded stuck:false notstarted:false",
			"slow":    "handed back stuck:false notstarted:false",
			"cleanup": "succeeded stuck:false notstarted:false",
			"panic":   "failed stuck:false notstarted:false",
			"deaf":    "handed back stuck:true notstarted:false",
		}
		for id := range want {
			if got[id] != want[id] {
				t.Errorf("%s: %s, want %s", id, got[id], want[id])
			}
		}

		// Between Drain and Resume, what comes is handed back.
		d.Assign([]*Attempt{attempt("between", "quick")})
		synctest.Wait()
		if all := rec.all(); all[len(all)-1].Outcome != HandedBack || !all[len(all)-1].NotStarted {
			t.Errorf("%+v", all[len(all)-1])
		}
		d.Resume()
		d.Assign([]*Attempt{attempt("between", "quick")}) // it had not started: it may come again
		time.Sleep(4 * time.Second)
		if all := rec.all(); all[len(all)-1].Outcome != Succeeded {
			t.Errorf("%+v", all[len(all)-1])
		}
		close(release)
		synctest.Wait()
		if err := d.Drain(t.Context()); err != nil {
			t.Errorf("second drain: %v", err)
		}
	})
}

func TestDrainOfNothingReturnsAtOnce(t *testing.T) {
	d, _ := start(t, Config{})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Drain(over); err != nil {
		t.Error(err)
	}
}

func TestDrainWaitsForReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := New(Config{Grace: time.Second, Report: func(Result) { <-release }})
		mustHandle(t, d, "h", func(context.Context, *Attempt) error { return nil })
		d.Assign([]*Attempt{attempt("x", "h")})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.Drain(ctx); err == nil || errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), "1 results were not taken") {
			t.Errorf("error %v", err)
		}
		go func() { time.Sleep(5 * time.Second); close(release) }()
		if err := d.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		d.Close()
	})
}

func TestCancelOutranksDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, rec := start(t, Config{})
		mustHandle(t, d, "h", func(ctx context.Context, _ *Attempt) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return ctx.Err()
		})
		d.Assign([]*Attempt{attempt("x", "h")})
		synctest.Wait()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		go func() { time.Sleep(time.Millisecond); d.Cancel("x", 1, errors.New("by alice")) }()
		if err := d.Drain(over); err != nil {
			t.Error(err)
		}
		if r := rec.only(t); r.Outcome != Canceled {
			t.Errorf("%+v", r)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		rec := &recorder{}
		d := New(Config{Grace: time.Second, Report: rec.report, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		release := make(chan struct{})
		mustHandle(t, d, "deaf", func(context.Context, *Attempt) error { <-release; return nil })
		mustHandle(t, d, "h", func(ctx context.Context, _ *Attempt) error { <-ctx.Done(); return ctx.Err() })
		later := attempt("later", "h")
		later.StartAt = later.StartAt.Add(time.Minute)
		d.Assign([]*Attempt{attempt("deaf", "deaf"), attempt("h", "h"), later})
		synctest.Wait()
		d.Close()
		d.Close()
		d.Resume()
		d.Assign([]*Attempt{attempt("after", "h")})
		synctest.Wait()
		for _, r := range rec.all() {
			if r.Outcome != HandedBack || r.NotStarted != (r.ID == "later" || r.ID == "after") {
				t.Errorf("%+v", r)
			}
		}
		if len(rec.all()) != 4 || d.Stuck() != 1 || !strings.Contains(log.String(), "stuck=1") {
			t.Errorf("%d results, %d stuck, log %q", len(rec.all()), d.Stuck(), log.String())
		}
		close(release) // or the bubble would not end
	})
}

func TestDrainNamesNoMoreThanTen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := start(t, Config{Grace: time.Second})
		release := make(chan struct{})
		mustHandle(t, d, "deaf", func(context.Context, *Attempt) error { <-release; return nil })
		for i := range 25 {
			d.Assign([]*Attempt{attempt(fmt.Sprint(i), "deaf")})
		}
		synctest.Wait()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		err := d.Drain(over)
		if err == nil || strings.Count(err.Error(), "handler deaf") != maxNamed || !strings.Contains(err.Error(), "and 15 more") {
			t.Errorf("error %v", err)
		}
		close(release)
	})
}
