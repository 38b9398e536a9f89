package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The example is its own test: twice on one directory, with five minutes
// between, on a clock that does not take them.
func TestShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		first := watched(t, dir)
		contains(t, first,
			"nothing to remember yet",
			"greet   @every 2s  version 1",
			"greet   says hello",
			"shaky   failed (no luck) and is tried again at ",
			"shaky   works this time, at attempt 2",
			"slow    is due, but still busy: skipped",
			"The history, newest first",
			"succeeded  2 attempts, the first ended as failed",
			"skipped    overlap",
		)

		time.Sleep(5 * time.Minute)
		second := watched(t, dir)
		contains(t, second,
			"It remembers: ",
			"the last entry 5m",
			"slow    was due at ",
			"greet   @every 2s  version 1",  // declared again, unchanged
			"slow    missed 150 instants, ", // the last one of them runs
			"missed     150 instants up to ",
			"(catch_up)",
		)
		if strings.Contains(second, "nothing to remember") {
			t.Error("the second start remembers nothing")
		}
	})
}

func TestShowEndsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		var out bytes.Buffer
		began := time.Now()
		if err := show(ctx, &out, t.TempDir(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v to stop", took)
		}
		contains(t, out.String(), "The history, newest first")
	})
}

func watched(t *testing.T, dir string) string {
	t.Helper()
	var out bytes.Buffer
	if err := show(t.Context(), &out, dir, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func contains(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("output lacks %q", w)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}
