package chronos_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

func TestRetryBackoff(t *testing.T) {
	for _, tc := range []struct {
		name    string
		retry   chronos.Retry
		handler chronos.Handler
		starts  string
		row     string
	}{
		{"none by default", chronos.Retry{}, fail, "00:01:00", "00:01:00 failed"},
		{"defaults", chronos.Retry{MaxAttempts: 4, NoJitter: true}, fail,
			"00:01:00 00:01:01 00:01:03 00:01:07", "00:01:00 failed #4"},
		{"multiplier and cap", chronos.Retry{MaxAttempts: 5, Initial: 10 * time.Second, Multiplier: 3, Max: time.Minute, NoJitter: true}, fail,
			"00:01:00 00:01:10 00:01:40 00:02:40 00:03:40", "00:01:00 failed #5"},
		{"constant", chronos.Retry{MaxAttempts: 3, Initial: 7 * time.Second, Multiplier: 1, NoJitter: true}, fail,
			"00:01:00 00:01:07 00:01:14", "00:01:00 failed #3"},
		{"max elapsed", chronos.Retry{MaxAttempts: 100, Initial: 10 * time.Second, MaxElapsed: 90 * time.Second, NoJitter: true}, fail,
			"00:01:00 00:01:10 00:01:30 00:02:10", "00:01:00 failed #4"},
		{"a first delay above the default cap", chronos.Retry{MaxAttempts: 2, Initial: 2 * time.Hour, NoJitter: true}, fail,
			"00:01:00 02:01:00", "00:01:00 failed #2"},
		{"permanent", chronos.Retry{MaxAttempts: 5, NoJitter: true},
			func(context.Context, chronos.Execution) error {
				return fmt.Errorf("wrapped: %w", chronos.Permanent(errBoom))
			},
			"00:01:00", "00:01:00 failed"},
		{"retry after", chronos.Retry{MaxAttempts: 3, NoJitter: true},
			func(context.Context, chronos.Execution) error { return chronos.RetryAfter(time.Minute, errBoom) },
			"00:01:00 00:02:00 00:03:00", "00:01:00 failed #3"},
		{"retry after, negative", chronos.Retry{MaxAttempts: 2, NoJitter: true},
			func(context.Context, chronos.Execution) error { return chronos.RetryAfter(-time.Minute, errBoom) },
			"00:01:00 00:01:00", "00:01:00 failed #2"},
		{"retry after, beyond all time", chronos.Retry{MaxAttempts: 2, NoJitter: true},
			func(context.Context, chronos.Execution) error { return chronos.RetryAfter(1<<63-1, errBoom) },
			"00:01:00", "00:01:00 pending[instant]"},
		{"a snooze does not count", chronos.Retry{MaxAttempts: 2, NoJitter: true},
			func(_ context.Context, x chronos.Execution) error {
				if x.Attempt <= 3 {
					return chronos.RetryAfter(time.Minute, nil)
				}
				return errBoom
			}, "00:01:00 00:02:00 00:03:00 00:04:00 00:04:01", "00:01:00 failed #5"},
		{"success ends it", chronos.Retry{MaxAttempts: 5, NoJitter: true},
			func(_ context.Context, x chronos.Execution) error {
				if x.Attempt < 3 {
					return errBoom
				}
				return nil
			}, "00:01:00 00:01:01 00:01:03", "00:01:00 succeeded #3"},
		{"a payload that does not decode", chronos.Retry{MaxAttempts: 5, NoJitter: true},
			chronos.JSON(func(context.Context, chronos.Execution, int) error { return nil }),
			"00:01:00", "00:01:00 failed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, chronos.Options{}, func(r *rig) {
				r.handle(tc.handler)
				r.put(chronos.Job{Schedule: chronos.At(at("00:01:00")), Retry: tc.retry, Payload: []byte("{")})
				r.start()
				r.until("05:00:00")
				r.wantStarts(tc.starts)
				r.wantLedger(tc.row)
			})
		})
	}
}

// The delay is capped whatever the number of the attempt (river #1402: 310
// failures made it overflow).
func TestRegressionRiver1402BackoffCapped(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		r.put(chronos.Job{
			Schedule: chronos.At(at("00:01:00")),
			Retry:    chronos.Retry{MaxAttempts: 1100, Multiplier: 10, Max: time.Minute, NoJitter: true},
		})
		r.start()
		time.Sleep(310 * time.Minute)
		n := len(r.called())
		time.Sleep(10 * time.Minute)
		if n < 300 || len(r.called()) != n+10 {
			t.Errorf("%d attempts, and %d ten minutes later", n, len(r.called()))
		}
		time.Sleep(24 * time.Hour)
		rows := r.rows("job")
		if len(rows) != 1 || rows[0].Status != chronos.StatusFailed || rows[0].Attempt != 1100 {
			t.Errorf("ledger %v", r.ledgerText("job"))
		}
		x := rows[0]
		if len(x.Attempts)+x.Elided != 1100 || x.Attempts[0].Number != 1 || x.Attempts[len(x.Attempts)-1].Number != 1100 {
			t.Errorf("%d attempts kept, %d elided, first %d", len(x.Attempts), x.Elided, x.Attempts[0].Number)
		}
	})
}

// Full jitter: between nothing and the whole delay, and not always the same.
func TestRetryJitter(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		r.put(chronos.Job{
			Schedule: chronos.At(at("00:01:00")),
			Retry:    chronos.Retry{MaxAttempts: 50, Initial: time.Minute, Multiplier: 1},
		})
		r.start()
		r.until("03:00:00")
		if len(r.times) != 50 {
			t.Fatalf("%d attempts", len(r.times))
		}
		seen := map[time.Duration]bool{}
		for i := 1; i < len(r.times); i++ {
			d := r.times[i].Sub(r.times[i-1])
			if d < 0 || d > time.Minute {
				t.Errorf("delay %v", d)
			}
			seen[d] = true
		}
		if len(seen) < 40 {
			t.Errorf("only %d different delays", len(seen))
		}
	})
}

// The instant of the next attempt survives a restart, and so does the ID.
func TestRetryOverRestart(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		r.put(chronos.Job{
			Schedule: chronos.At(at("00:01:00")), Payload: []byte("mine"),
			Retry: chronos.Retry{MaxAttempts: 3, Initial: time.Hour, NoJitter: true},
		})
		r.start()
		r.until("00:30:00")
		r.wantLedger("00:01:00 pending[instant]")
		if x := r.rows("job")[0]; !x.ReadyAt.Equal(at("01:01:00")) || x.Error != "boom" || x.Attempt != 1 {
			t.Errorf("row %+v", x)
		}
		r.away(10 * time.Minute)
		r.handle(fail)
		r.start()
		r.until("02:00:00") // the third attempt is due at 03:01
		r.away(3 * time.Hour)
		r.handle(succeed)
		r.start()
		r.wantStarts("00:01:00 01:01:00 05:00:00")
		calls := r.called()
		for i, x := range calls {
			if x.ID != calls[0].ID || x.Attempt != i+1 || string(x.Payload) != "mine" || !x.Due.Equal(at("00:01:00")) {
				t.Errorf("call %d: %+v", i, x)
			}
			if i > 0 && x.FencingToken <= calls[i-1].FencingToken {
				t.Errorf("token %d after %d", x.FencingToken, calls[i-1].FencingToken)
			}
		}
		r.wantLedger("00:01:00 succeeded #3")
	})
}

// What is exhausted can be listed and run again, under its own ID.
func TestRetryRedrive(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		broken := true
		r.handle(func(context.Context, chronos.Execution) error {
			if broken {
				return errBoom
			}
			return nil
		})
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute).Until(at("00:03:00")), Retry: chronos.Retry{MaxAttempts: 2, NoJitter: true}})
		r.start()
		r.until("00:10:00")
		var dead []string
		for x, err := range r.Executions(r.ctx, chronos.Query{Status: []chronos.Status{chronos.StatusFailed}}) {
			r.must(err)
			dead = append(dead, x.ID)
		}
		if len(dead) != 3 {
			t.Fatalf("%d exhausted executions", len(dead))
		}
		x, err := r.Redrive(r.ctx, dead[0])
		r.must(err)
		if x.ID != dead[0] || x.Final() {
			t.Errorf("redriven %+v", x)
		}
		r.until("00:11:00")
		r.wantLedger("00:01:00 failed #2", "00:02:00 failed #2", "00:03:00 failed #4")
		broken = false
		_, err = r.Redrive(r.ctx, dead[0])
		r.must(err)
		x, err = r.Wait(r.ctx, dead[0])
		r.must(err)
		if x.Status != chronos.StatusSucceeded || x.Attempt != 5 {
			t.Errorf("redriven %+v", x)
		}
		_, err = r.Redrive(r.ctx, dead[0])
		wantError(t, err, chronos.ErrConflict)
		if st := r.get("job").State; st.Unfinished != 0 || st.Runs != 3 || st.Failures != 0 {
			t.Errorf("state %+v", st)
		}
	})
}

// PauseOnFailure waits for the whole chain of retries.
func TestRetryPauseOnFailure(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute), PauseOnFailure: true, Retry: chronos.Retry{MaxAttempts: 3, NoJitter: true}})
		r.start()
		r.until("00:01:02")
		if r.get("job").State.Paused {
			t.Error("paused before the chain is over")
		}
		r.until("00:05:30")
		st := r.get("job").State
		if !st.Paused || st.PausedBy == "" || !strings.Contains(st.PauseNote, "failed") {
			t.Errorf("state %+v", st)
		}
		r.must(r.Resume(r.ctx, "job"))
		r.wantLedger("00:01:00 failed #3", "00:02:00-00:05:00 x4 skipped(paused)")
	})
}

// Errors whose own methods panic, and endless ones, are still errors.
func TestRetryHostileErrors(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		errs := []error{panickyError{}, errors.New(strings.Repeat("x", 1<<20)), errors.New("bad \xff utf8 \x00")}
		r.handle(func(_ context.Context, x chronos.Execution) error { return errs[x.Attempt-1] })
		r.put(chronos.Job{Schedule: chronos.At(at("00:01:00")), Retry: chronos.Retry{MaxAttempts: 3, NoJitter: true}})
		r.start()
		r.until("00:10:00")
		r.wantLedger("00:01:00 failed #3")
		for _, a := range r.rows("job")[0].Attempts {
			if a.Error == "" || len(a.Error) > 8<<10 {
				t.Errorf("error of %d bytes", len(a.Error))
			}
		}
	})
}

type panickyError struct{}

func (panickyError) Error() string { panic("no text") }

// An execution waited behind another one until shortly before its start deadline,
// and failed at once. The deadline, which holds for the first attempt only, is still
// on the planner's mind when the next attempt comes due.
func TestRetryBeforeTheDeadlineIsOver(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		first := true
		r.handle(func(_ context.Context, x chronos.Execution) error {
			if first {
				first = false
				time.Sleep(1500 * time.Millisecond)
				return nil
			}
			if x.Attempt == 1 {
				return errBoom
			}
			return nil
		})
		r.put(chronos.Job{
			Overlap: chronos.OverlapBufferAll, StartDeadline: 2 * time.Second,
			Retry: chronos.Retry{MaxAttempts: 2, Initial: 100 * time.Millisecond, NoJitter: true},
		})
		r.start()
		r.trigger("job", chronos.TriggerRequest{})
		second := r.trigger("job", chronos.TriggerRequest{})
		time.Sleep(time.Hour)
		if x := r.execution(second.ID); x.Status != chronos.StatusSucceeded || x.Attempt != 2 {
			t.Errorf("an hour later: %+v", x)
		}
	})
}
