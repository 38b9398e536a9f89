package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

func TestShow(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // to see that nothing is left there
	var out bytes.Buffer
	if err := show(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	want := regexp.MustCompile(`^  (\w) leads, with token \d+
-- (\w) is cut off: .*
  (\w) stops: chronos: fenced
  (\w) leads, with token \d+
-- Somebody .*
  refused: there was a higher token: (\w) came with \d+ after \d+
-- (\w) is closed: .*
  (\w) stops: chronos: closed
  (\w) leads, with token \d+
-- All are closed.
  (\w) stops: chronos: closed
`)
	m := want.FindStringSubmatch(out.String())
	if m == nil {
		t.Fatalf("output:\n%s", out.String())
	}
	first, second, third := m[1], m[4], m[8]
	if got := strings.Join(m[1:], ""); first == second || second == third || got != first+first+first+second+first+second+second+third+third {
		t.Errorf("not who should: %q\n%s", got, out.String())
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Whatever becomes of the node that leads, it stops before another one begins,
// and whoever begins has a higher token.
func TestFailOver(t *testing.T) {
	for name, fail := range map[string]func(*chronostest.Kit, string){
		"cut off": (*chronostest.Kit).CutOff,
		"killed":  (*chronostest.Kit).Kill,
		"stopped": (*chronostest.Kit).Stop,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := chronostest.New(t, chronostest.Options{Nodes: 3, Declare: func(*chronos.Scheduler) error { return nil }})
				books := newLedger(io.Discard)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				for _, node := range k.Nodes() {
					s := k.Node(node)
					go func() {
						if err := lead(ctx, s, "books", books.work); err != nil {
							t.Errorf("%s: %v", node, err)
						}
					}()
				}
				first, err := books.next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				k.Advance(time.Second)
				fail(k, first)
				second, err := books.next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				books.mu.Lock()
				defer books.mu.Unlock()
				if want := []string{first + " leads", first + " stops", second + " leads"}; first == second || !slices.Equal(books.events, want) {
					t.Errorf("got %q, want %q", books.events, want)
				}
				if books.tokens[second] <= books.tokens[first] {
					t.Errorf("token %d after %d", books.tokens[second], books.tokens[first])
				}
			})
		})
	}
}

// The context of the host ends it, too, and the lock is free then.
func TestLeadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: func(*chronos.Scheduler) error { return nil }})
		ctx, cancel := context.WithCancel(t.Context())
		books := newLedger(io.Discard)
		ended := make(chan error, 1)
		go func() { ended <- lead(ctx, k.Scheduler(), "books", books.work) }()
		if _, err := books.next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if l, err := k.Scheduler().TryLock(t.Context(), "books"); err == nil {
			t.Fatalf("the lock is free while %s has it", l.Name())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		l, err := k.Scheduler().TryLock(t.Context(), "books")
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Who cannot give the lock back, for nobody leads, leads again when somebody does.
func TestLeadAfterSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Nodes: 3, Declare: func(*chronos.Scheduler) error { return nil }})
		ctx, cancel := context.WithCancel(t.Context())
		began, enough, ended := make(chan uint64, 2), make(chan struct{}, 1), make(chan error, 1)
		go func() {
			ended <- lead(ctx, k.Node("node-1"), "books", func(ctx context.Context, _ string, token uint64) {
				began <- token
				select {
				case <-enough:
				case <-ctx.Done():
				}
			})
		}()
		first := <-began
		k.CutOff("node-1")
		enough <- struct{}{}
		k.Advance(time.Minute)
		if len(began) > 0 {
			t.Errorf("it leads, and reaches nobody: token %d", <-began)
		}
		k.Reconnect("node-1")
		select {
		case second := <-began:
			if second <= first {
				t.Errorf("token %d after %d", second, first)
			}
		case err := <-ended:
			t.Fatalf("it leads no more: %v", err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
