package chronostest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
	"github.com/chronos-go/chronos/internal/testleak"
)

func TestMain(m *testing.M) { os.Exit(testleak.Run(m)) }

// fake is a testing.TB that notes how it fails. Cleanup and directories are those
// of the real one.
type fake struct {
	testing.TB
	said []string
}

func (f *fake) Helper() {}

func (f *fake) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *fake) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

func (f *fake) Fatal(args ...any) {
	f.said = append(f.said, fmt.Sprint(args...))
	runtime.Goexit()
}

// fails runs a part of a test that has to fail, and looks for words in what it
// says. Fatal ends it, and only it.
func (f *fake) fails(t *testing.T, part func(), words ...string) {
	t.Helper()
	f.said = nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		part()
	}()
	<-done
	text := strings.Join(f.said, "\n")
	if len(f.said) != 1 {
		t.Errorf("it failed %d times:\n%s", len(f.said), text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in what it says:\n%s", w, text)
		}
	}
	f.said = nil
}

// passes runs a part of a test that has to pass.
func (f *fake) passes(t *testing.T, part func()) {
	t.Helper()
	part()
	if len(f.said) > 0 {
		t.Errorf("it failed: %s", strings.Join(f.said, "\n"))
	}
	f.said = nil
}

// bubble runs a test with a kit in a bubble.
func bubble(t *testing.T, o chronostest.Options, test func(t *testing.T, k *chronostest.Kit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, chronostest.New(t, o)) })
}

// observed is bubble with a fake in place of the testing.T.
func observed(t *testing.T, o chronostest.Options, test func(t *testing.T, f *fake, k *chronostest.Kit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{TB: t}
		test(t, f, chronostest.New(f, o))
	})
}

// declare makes an Options.Declare of a handler, under the name "h", and jobs. What
// is left out of a job is "job", and that handler.
func declare(h chronos.Handler, jobs ...chronos.Job) func(*chronos.Scheduler) error {
	return func(s *chronos.Scheduler) error {
		if err := s.Handle("h", h); err != nil {
			return err
		}
		for _, j := range jobs {
			if j.ID == "" {
				j.ID = "job"
			}
			if j.Handler == "" {
				j.Handler = "h"
			}
			if _, err := s.Put(context.Background(), j); err != nil {
				return err
			}
		}
		return nil
	}
}

func succeed(context.Context, chronos.Execution) error { return nil }

var errBoom = errors.New("boom")

// busy works for d, and gives up when its context ends.
func busy(d time.Duration) chronos.Handler {
	return func(ctx context.Context, _ chronos.Execution) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// timed works as long as it is told to.
func timed(d func(chronos.Execution) time.Duration) chronos.Handler {
	return func(ctx context.Context, x chronos.Execution) error { return busy(d(x))(ctx, x) }
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}
