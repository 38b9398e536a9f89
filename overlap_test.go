package chronos_test

import (
	"context"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// A job that is due every minute and works for 140 seconds, under each policy.
func TestOverlapPolicies(t *testing.T) {
	const long = 140 * time.Second
	for _, tc := range []struct {
		name    string
		job     chronos.Job
		handler chronos.Handler
		ledger  []string
		starts  string
	}{
		{"default is skip", chronos.Job{}, busy(long), []string{
			"00:01:00 succeeded", "00:02:00 skipped(overlap)", "00:03:00 skipped(overlap)",
			"00:04:00 succeeded", "00:05:00 skipped(overlap)", "00:06:00 skipped(overlap)",
		}, "00:01:00 00:04:00"},
		{"buffer one", chronos.Job{Overlap: chronos.OverlapBufferOne}, busy(long), []string{
			"00:01:00 succeeded", "00:02:00 succeeded", "00:03:00 skipped(overlap)",
			"00:04:00 running", "00:05:00 skipped(overlap)", "00:06:00 pending[overlap]",
		}, "00:01:00 00:03:20 00:05:40"},
		{"buffer all", chronos.Job{Overlap: chronos.OverlapBufferAll}, busy(long), []string{
			"00:01:00 succeeded", "00:02:00 succeeded", "00:03:00 running",
			"00:04:00 pending[overlap]", "00:05:00 pending[overlap]", "00:06:00 pending[overlap]",
		}, "00:01:00 00:03:20 00:05:40"},
		{"buffer all is bounded", chronos.Job{Overlap: chronos.OverlapBufferAll, BufferMax: 2}, busy(long), []string{
			"00:01:00 succeeded", "00:02:00 succeeded", "00:03:00 running",
			"00:04:00 pending[overlap]", "00:05:00 dropped(buffer)", "00:06:00 pending[overlap]",
		}, "00:01:00 00:03:20 00:05:40"},
		{"cancel other, obeyed", chronos.Job{Overlap: chronos.OverlapCancelOther}, busy(long), []string{
			"00:01:00 canceled(overlap)", "00:02:00 canceled(overlap)", "00:03:00 canceled(overlap)",
			"00:04:00 canceled(overlap)", "00:05:00 canceled(overlap)", "00:06:00 running",
		}, "00:01:00 00:02:00 00:03:00 00:04:00 00:05:00 00:06:00"},
		{"cancel other, ignored: starts after it has ended", chronos.Job{Overlap: chronos.OverlapCancelOther}, deaf(long, errBoom), []string{
			"00:01:00 canceled(overlap)", "00:02:00 skipped(overlap)", "00:03:00 canceled(overlap)",
			"00:04:00 skipped(overlap)", "00:05:00 running(overlap)", "00:06:00 pending[overlap]",
		}, "00:01:00 00:03:20 00:05:40"},
		{"terminate other, late result refused", chronos.Job{Overlap: chronos.OverlapTerminateOther}, deaf(long, nil), []string{
			"00:01:00 terminated(overlap)", "00:02:00 terminated(overlap)", "00:03:00 terminated(overlap)",
			"00:04:00 terminated(overlap)", "00:05:00 terminated(overlap)", "00:06:00 running",
		}, "00:01:00 00:02:00 00:03:00 00:04:00 00:05:00 00:06:00"},
		{"allow all", chronos.Job{Overlap: chronos.OverlapAllowAll}, busy(long), []string{
			"00:01:00 succeeded", "00:02:00 succeeded", "00:03:00 succeeded",
			"00:04:00 succeeded", "00:05:00 running", "00:06:00 running",
		}, "00:01:00 00:02:00 00:03:00 00:04:00 00:05:00 00:06:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, chronos.Options{StuckAfter: 10 * time.Minute, DrainTimeout: time.Minute}, func(r *rig) {
				r.handle(tc.handler)
				tc.job.Schedule = chronos.Every(time.Minute)
				r.put(tc.job)
				r.start()
				r.until("00:06:30")
				r.wantLedger(tc.ledger...)
				r.wantStarts(tc.starts)
			})
		})
	}
}

// What waits for a retry is unfinished: it blocks.
func TestOverlapRetryHoldsTheJob(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		r.put(chronos.Job{
			Schedule: chronos.Every(time.Minute),
			Retry:    chronos.Retry{MaxAttempts: 2, Initial: 90 * time.Second, NoJitter: true},
		})
		r.start()
		r.until("00:03:30")
		r.wantLedger("00:01:00 failed #2", "00:02:00 skipped(overlap)", "00:03:00 pending[instant]")
		r.wantStarts("00:01:00 00:02:30 00:03:00")
	})
}

// One buffered meets the policy as it is when it is taken.
func TestOverlapBufferedMeetsTheNewDefinition(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(150 * time.Second))
		r.handleAs("new", busy(time.Second))
		job := chronos.Job{Schedule: chronos.Every(time.Minute), Overlap: chronos.OverlapBufferAll}
		r.put(job)
		r.start()
		r.until("00:03:10") // 02 and 03 wait
		job.Handler, job.Overlap, job.Schedule = "new", chronos.OverlapAllowAll, chronos.At(at("01:00:00"))
		r.put(job)
		r.until("00:04:00")
		r.wantLedger("00:01:00 succeeded", "00:02:00 succeeded", "00:03:00 succeeded")
		r.wantStarts("00:01:00 00:03:30 00:03:30")
		for i, x := range r.called() {
			if want := uint64(min(i+1, 2)); x.Version != want {
				t.Errorf("call %d has version %d, want %d", i, x.Version, want)
			}
		}
	})
}

// A canceled newcomer in the buffer leaves the others in order.
func TestOverlapCancelBuffered(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(200 * time.Second))
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute).Until(at("00:03:00")), Overlap: chronos.OverlapBufferAll})
		r.start()
		r.until("00:03:30")
		r.must(r.Cancel(r.ctx, r.rows("job")[1].ID))
		r.until("00:20:00")
		r.wantLedger("00:01:00 succeeded", "00:02:00 canceled(request)", "00:03:00 succeeded")
		r.wantStarts("00:01:00 00:04:20")
	})
}

func TestOverlapTriggerOverride(t *testing.T) {
	for _, tc := range []struct {
		name     string
		job, req chronos.Overlap
		ledger   []string
	}{
		{"none: the job's policy", chronos.OverlapSkip, "", []string{"00:01:00 succeeded", "trigger 00:01:10 skipped(overlap)"}},
		{"allow all over skip", chronos.OverlapSkip, chronos.OverlapAllowAll, []string{"00:01:00 succeeded", "trigger 00:01:10 succeeded"}},
		{"skip over allow all", chronos.OverlapAllowAll, chronos.OverlapSkip, []string{"00:01:00 succeeded", "trigger 00:01:10 skipped(overlap)"}},
		{"buffer one over skip", chronos.OverlapSkip, chronos.OverlapBufferOne, []string{"00:01:00 succeeded", "trigger 00:01:10 succeeded"}},
		{"buffer all over skip", chronos.OverlapSkip, chronos.OverlapBufferAll, []string{"00:01:00 succeeded", "trigger 00:01:10 succeeded"}},
		{"cancel over skip", chronos.OverlapSkip, chronos.OverlapCancelOther, []string{"00:01:00 canceled(overlap)", "trigger 00:01:10 succeeded"}},
		{"terminate over skip", chronos.OverlapSkip, chronos.OverlapTerminateOther, []string{"00:01:00 terminated(overlap)", "trigger 00:01:10 succeeded"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, chronos.Options{}, func(r *rig) {
				r.handle(busy(30 * time.Second))
				r.put(chronos.Job{Schedule: chronos.At(at("00:01:00")), Overlap: tc.job})
				r.start()
				r.until("00:01:10")
				r.trigger("job", chronos.TriggerRequest{Overlap: tc.req})
				r.until("00:05:00")
				r.wantLedger(tc.ledger...)
			})
		})
	}
}

// A late result of a terminated execution changes nothing, also when the job
// runs again by then.
func TestOverlapLateResultRefused(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(func(ctx context.Context, x chronos.Execution) error {
			chronos.SetOutput(ctx, []byte("late"))
			time.Sleep(100 * time.Second)
			return errBoom
		})
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute).Until(at("00:02:00")), Overlap: chronos.OverlapTerminateOther})
		r.start()
		r.until("00:02:10")
		before := r.rows("job")[0]
		r.until("00:10:00")
		after := r.rows("job")[0]
		if after.Status != chronos.StatusTerminated || len(after.Output) > 0 || after.Error != "" || !after.EndedAt.Equal(before.EndedAt) {
			t.Errorf("a refused result changed the row: %+v", after)
		}
		if got := r.get("job").State; got.Failures != 1 || got.LastStatus != chronos.StatusFailed {
			t.Errorf("state %+v", got)
		}
	})
}

// A thousand wait, the next is dropped.
func TestOverlapBufferLimit(t *testing.T) {
	bubble(t, chronos.Options{Retention: chronos.Retention{Count: -1}}, func(r *rig) {
		r.handle(busy(2000 * time.Second))
		r.put(chronos.Job{Schedule: chronos.Every(time.Second), Overlap: chronos.OverlapBufferAll})
		r.start()
		r.until("00:17:00")
		count := map[chronos.Status]int{}
		for _, x := range r.rows("job") {
			count[x.Status]++
		}
		if count[chronos.StatusRunning] != 1 || count[chronos.StatusPending] != 1000 || count[chronos.StatusDropped] != 19 {
			t.Errorf("got %v, want 1 running, 1000 pending, 19 dropped", count)
		}
		r.must(r.Delete(r.ctx, "job"))
	})
}
