package chronos_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

func TestCancelAndTerminate(t *testing.T) {
	for _, tc := range []struct {
		name      string
		handler   chronos.Handler
		terminate bool
		at        string // of the request; the job is due at 00:01:00
		row       string
		calls     int
	}{
		{"cancel, obeyed", busy(time.Minute), false, "00:01:10", "00:01:00 canceled(request)", 1},
		{"cancel, ignored with success", deaf(time.Minute, nil), false, "00:01:10", "00:01:00 succeeded", 1},
		{"cancel, ignored with an error", deaf(time.Minute, errBoom), false, "00:01:10", "00:01:00 canceled(request)", 1},
		{"cancel, stuck", deaf(15*time.Minute, nil), false, "00:01:10", "00:01:00 canceled(stuck)", 1},
		{"terminate, obeyed", busy(time.Minute), true, "00:01:10", "00:01:00 terminated(request)", 1},
		{"terminate, ignored", deaf(time.Minute, nil), true, "00:01:10", "00:01:00 terminated(request)", 1},
		{"cancel what waits for a retry", fail, false, "00:01:10", "00:01:00 canceled(request)", 1},
		{"terminate what waits for a retry", fail, true, "00:01:10", "00:01:00 canceled(request)", 1},
		{"cancel before the instant", succeed, false, "00:00:59", "00:01:00 canceled(request)", 0},
		{"terminate before the instant", succeed, true, "00:00:59", "00:01:00 terminated(request)", 0},
		{"cancel what is over", func(context.Context, chronos.Execution) error { return chronos.Permanent(errBoom) }, false, "00:01:10", "00:01:00 failed", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, chronos.Options{StuckAfter: 2 * time.Minute}, func(r *rig) {
				r.handle(tc.handler)
				r.put(chronos.Job{Schedule: chronos.At(at("00:01:00")), Retry: chronos.Retry{MaxAttempts: 3, Initial: time.Minute, NoJitter: true}})
				r.start()
				r.until(tc.at)
				if tc.at < "00:01" {
					time.Sleep(500 * time.Millisecond)
				}
				id := r.rows("job")[0].ID
				end := r.Cancel
				if tc.terminate {
					end = r.Terminate
				}
				r.must(end(r.ctx, id))
				r.must(end(r.ctx, id)) // again: nothing more
				if tc.terminate && !r.execution(id).Final() {
					t.Error("not over at once")
				}
				r.until("00:20:00")
				r.wantLedger(tc.row)
				x := r.execution(id)
				if len(r.called()) != tc.calls || !tc.terminate && x.Ran() != (tc.calls > 0) {
					t.Errorf("called %d times, want %d; row %+v", len(r.called()), tc.calls, x)
				}
				if st := r.get("job").State; st.Unfinished != 0 || st.Buffered != 0 {
					t.Errorf("state %+v", st)
				}
			})
		})
	}
}

// The handler learns who wants it to end.
func TestCancelCauses(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		var cause error
		r.handle(func(ctx context.Context, x chronos.Execution) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return ctx.Err()
		})
		r.put(chronos.Job{Timeout: time.Hour})
		r.start()
		run := func(end func(context.Context, string) error) chronos.Execution {
			t.Helper()
			x := r.trigger("job", chronos.TriggerRequest{})
			time.Sleep(time.Second)
			r.must(end(r.ctx, x.ID))
			x, err := r.Wait(r.ctx, x.ID)
			r.must(err)
			synctest.Wait()
			return x
		}
		run(r.Cancel)
		wantError(t, cause, chronos.ErrCanceled)
		run(r.Terminate)
		wantError(t, cause, chronos.ErrRevoked)
		run(func(ctx context.Context, _ string) error { return r.Delete(ctx, "job") })
		wantError(t, cause, chronos.ErrRevoked)
		r.put(chronos.Job{Timeout: time.Hour})
		x := run(func(context.Context, string) error { return nil })
		wantError(t, cause, context.DeadlineExceeded)
		if x.Status != chronos.StatusTimedOut {
			t.Errorf("row %+v", x)
		}
	})
}

// What was terminated is in the row's history, also once it has been redriven.
func TestTerminatedAttemptIsRemembered(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(time.Minute))
		r.put(chronos.Job{})
		r.start()
		x := r.trigger("job", chronos.TriggerRequest{})
		time.Sleep(time.Second)
		r.must(r.Terminate(r.ctx, x.ID))
		_, err := r.Redrive(r.ctx, x.ID)
		r.must(err)
		x, err = r.Wait(r.ctx, x.ID)
		r.must(err)
		if len(x.Attempts) != 2 || x.Attempts[0].Status != chronos.StatusTerminated || x.Attempts[0].Reason != chronos.ReasonRequest || x.Attempts[1].Status != chronos.StatusSucceeded {
			t.Errorf("attempts %+v", x.Attempts)
		}
	})
}

// Cancelling one of those that wait for room leaves the others in order.
func TestCancelWaitingForRoom(t *testing.T) {
	bubble(t, chronos.Options{Concurrency: 1}, func(r *rig) {
		r.handle(busy(time.Minute))
		r.put(chronos.Job{Overlap: chronos.OverlapAllowAll})
		r.start()
		var ids []string
		for range 4 {
			ids = append(ids, r.trigger("job", chronos.TriggerRequest{}).ID)
			time.Sleep(time.Second)
		}
		r.must(r.Cancel(r.ctx, ids[1]))
		r.must(r.Terminate(r.ctx, ids[2]))
		r.until("00:10:00")
		r.wantLedger("trigger 00:00:00 succeeded", "trigger 00:00:01 canceled(request)", "trigger 00:00:02 canceled(request)", "trigger 00:00:03 succeeded")
		r.wantStarts("00:00:00 00:01:00")
	})
}
