package chronos_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

func TestTimeout(t *testing.T) {
	for _, tc := range []struct {
		name    string
		handler chronos.Handler
		row     string
		stuck   bool
		starts  string
	}{
		{"obeyed", busy(time.Hour), "00:01:00 timed_out #2", false, "00:01:00 00:01:11"},
		{"in time", busy(9 * time.Second), "00:01:00 succeeded", false, "00:01:00"},
		{"ignored for a while, then an error", deaf(12*time.Second, errBoom), "00:01:00 timed_out #2", false, "00:01:00 00:01:13"},
		{"ignored for a while, then done", deaf(12*time.Second, nil), "00:01:00 succeeded", false, "00:01:00"},
		{"stuck", deaf(time.Hour, nil), "00:01:00 timed_out(stuck) #2", true, "00:01:00 00:01:16"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, chronos.Options{StuckAfter: 5 * time.Second}, func(r *rig) {
				r.handle(tc.handler)
				r.put(chronos.Job{Schedule: chronos.At(at("00:01:00")), Timeout: 10 * time.Second, Retry: chronos.Retry{MaxAttempts: 2, NoJitter: true}})
				r.start()
				r.until("00:10:00")
				r.wantLedger(tc.row)
				r.wantStarts(tc.starts)
				for _, a := range r.rows("job")[0].Attempts {
					if a.Stuck != tc.stuck {
						t.Errorf("attempt %+v", a)
					}
				}
				if got := r.Status().Stuck; (got > 0) != tc.stuck {
					t.Errorf("%d stuck", got)
				}
				r.until("05:00:00") // they return: their late results change nothing
				r.wantLedger(tc.row)
				if got := r.Status().Stuck; got != 0 {
					t.Errorf("%d stuck", got)
				}
			})
		})
	}
}

// A stuck handler gives up its place: with room for one, the next one runs.
func TestStuckDoesNotStopTheRest(t *testing.T) {
	bubble(t, chronos.Options{Concurrency: 1, StuckAfter: 5 * time.Second}, func(r *rig) {
		r.handleAs("bad", deaf(time.Hour, nil))
		r.handle(succeed)
		r.put(chronos.Job{ID: "bad", Handler: "bad", Schedule: chronos.At(at("00:01:00")), Timeout: 10 * time.Second})
		r.put(chronos.Job{Schedule: chronos.At(at("00:01:01"))})
		r.start()
		r.until("00:02:00")
		r.wantLedger("00:01:01 succeeded")
		r.wantStarts("00:01:00 00:01:15")
		r.until("02:00:00")
	})
}

// A panic and a Goexit are failed attempts, nothing more.
func TestPanicAndGoexit(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handleAs("panic", func(_ context.Context, x chronos.Execution) error {
			if x.Attempt == 1 {
				panic("oh no")
			}
			var m map[string]int
			m["x"] = 1 //nolint:staticcheck // it is to panic
			return nil
		})
		r.handleAs("exit", func(context.Context, chronos.Execution) error {
			runtime.Goexit()
			return nil
		})
		r.handle(succeed)
		r.put(chronos.Job{ID: "panic", Handler: "panic", Schedule: chronos.At(at("00:01:00")), Retry: chronos.Retry{MaxAttempts: 2, NoJitter: true}})
		r.put(chronos.Job{ID: "exit", Handler: "exit", Schedule: chronos.At(at("00:01:00"))})
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute)})
		r.start()
		r.until("00:02:30")
		r.wantLedger("00:01:00 succeeded", "00:02:00 succeeded")
		x := r.rows("panic")[0]
		if x.Status != chronos.StatusFailed || len(x.Attempts) != 2 || !strings.Contains(x.Attempts[0].Error, "oh no") ||
			!strings.Contains(x.Attempts[1].Error, "nil map") || !strings.Contains(x.Attempts[1].Stack, "timeout_test.go") || x.Attempts[0].Stack != "" {
			t.Errorf("row %+v", x)
		}
		x = r.rows("exit")[0]
		if x.Status != chronos.StatusFailed || !strings.Contains(x.Error, "Goexit") {
			t.Errorf("row %+v", x)
		}
	})
}
