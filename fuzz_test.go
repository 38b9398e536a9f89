package chronos_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// FuzzScheduleText: a text is refused, or stands for a schedule that is written as
// a text that stands for the same.
func FuzzScheduleText(f *testing.F) {
	for _, text := range []string{"", "*/5 * * * *", "TZ=Europe/Berlin 0 0 L * FRI#2; jitter=30s", "@every 90s | @at 2262-04-11T23:47:16Z", "@after 5m; from=x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := chronos.ParseSchedule(text)
		if err != nil {
			return
		}
		again, err := chronos.ParseSchedule(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q became %q and %q, %v", text, s, again, err)
		}
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		a, ok := s.Next(at)
		if b, also := again.Next(at); !a.Equal(b) || ok != also {
			t.Fatalf("%q: next %v and %v", text, a, b)
		}
		wire, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back chronos.Schedule
		if err := json.Unmarshal(wire, &back); err != nil || back.String() != s.String() {
			t.Fatalf("%s became %q, %v", wire, back, err)
		}
	})
}

// FuzzIDs: whatever is given for an ID, a key or a cursor, calls answer with what is
// there or an error, and never with somebody else's.
func FuzzIDs(f *testing.F) {
	f.Add("job", "job:00000000-s0", "key")
	f.Add("a/", "a:x", "")
	f.Add("", ":", "\x00")
	f.Add("job", "job:vvvvvvvvvvvvv-t\xff@n", "é")
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	if _, err := s.Put(f.Context(), chronos.Job{ID: "own", Handler: "h"}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, job, exec, key string) {
		if job == "own" {
			return
		}
		ctx := t.Context()
		if j, err := s.Put(ctx, chronos.Job{ID: job, Handler: "h"}); err == nil && j.ID != job {
			t.Errorf("put %q, got %q", job, j.ID)
		}
		if x, err := s.Trigger(ctx, job, chronos.TriggerRequest{Key: key}); err == nil {
			if again, err := s.Execution(ctx, x.ID); err != nil || again.Job != job {
				t.Errorf("%q of %q is not found: %v", x.ID, job, err)
			}
		}
		if x, err := s.Execution(ctx, exec); err == nil && x.ID != exec {
			t.Errorf("asked for %q, got %q", exec, x.ID)
		}
		for x, err := range s.Executions(ctx, chronos.Query{Job: job, After: exec, Limit: 10}) {
			if err == nil && job != "" && x.Job != job {
				t.Errorf("asked for those of %q, got one of %q", job, x.Job)
			}
		}
		_ = s.Cancel(ctx, exec)
		_ = s.Delete(ctx, job)
		if _, err := s.Get(ctx, "own"); err != nil {
			t.Error(err)
		}
	})
}
