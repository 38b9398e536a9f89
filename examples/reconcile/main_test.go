package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// The file is followed: what is changed in it changes the jobs, what is not valid does
// not, and neither does a file that is suddenly empty.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, out := newProgram(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.run(ctx) }()
		step := func(file string) string {
			t.Helper()
			if file != "" {
				if err := os.WriteFile(p.file, []byte(file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(4*time.Second + 500*time.Millisecond)
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			text := out.String()
			out.Reset()
			return text
		}
		contains(t, step(""), "+ greet\n+ report\n2 to add, 0 to change, 0 to remove, 0 unchanged", "greet says hello")
		contains(t, step(`{"jobs": [{"id": "greet", "schedule": "@every 2s", "handler": "say", "payload_json": {"text": "good evening"}}]}`),
			"~ greet (description, payload_json)\n- report\n0 to add, 1 to change, 1 to remove, 0 unchanged", "greet says good evening")
		contains(t, step(`{"jobs": [{"id": "greet", "scheduel": "@every 2s"}]}`), `"schedule" was meant, perhaps`, "greet says good evening")
		contains(t, step(`{"jobs": []}`), "it would remove too much", "greet says good evening")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What fails for a reason that is not in the file is tried again.
func TestFollowAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, out := newProgram(t)
		s, err := chronos.New(chronos.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil { // it answers nothing any more
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		p.follow(ctx, s, nil)
		if n := strings.Count(out.String(), "not all is as the file says"); n != 3 {
			t.Errorf("%d times:\n%s", n, out)
		}
	})
}

// A second start changes nothing, and a dry run never does.
func TestStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, out := newProgram(t)
		for _, tc := range []struct {
			dry  bool
			want string
		}{{true, "2 to add"}, {true, "2 to add"}, {false, "2 to add"}, {false, "2 unchanged"}} {
			p.dry = tc.dry
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := p.run(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			contains(t, out.String(), tc.want)
			out.Reset()
		}
		p.file = filepath.Join(t.TempDir(), "none.json")
		if err := p.run(t.Context()); err == nil {
			t.Error("it starts without a file")
		}
	})
}

func newProgram(t *testing.T) (*program, *bytes.Buffer) {
	t.Helper()
	text, err := os.ReadFile("jobs.json")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := &program{dir: t.TempDir(), file: filepath.Join(t.TempDir(), "jobs.json"), out: &out}
	if err := os.WriteFile(p.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return p, &out
}

func contains(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("output lacks %q:\n%s", w, out)
		}
	}
}
