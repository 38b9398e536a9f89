package chronos_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

func TestTrigger(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(func(ctx context.Context, x chronos.Execution) error {
			chronos.SetOutput(ctx, append([]byte("got "), x.Payload...))
			return nil
		})
		r.put(chronos.Job{Payload: []byte("default"), Labels: map[string]string{"k": "v"}})
		r.start()
		r.until("00:05:00")
		x := r.trigger("job", chronos.TriggerRequest{Note: "please"})
		y, err := r.Trigger(chronos.WithActor(r.ctx, "ann"), "job", chronos.TriggerRequest{Payload: []byte("mine"), Overlap: chronos.OverlapAllowAll})
		r.must(err)
		z := r.trigger("job", chronos.TriggerRequest{Payload: []byte{}, Overlap: chronos.OverlapAllowAll})
		for _, tc := range []struct{ id, out, actor, note string }{
			{x.ID, "got default", "", "please"}, {y.ID, "got mine", "ann", ""}, {z.ID, "got ", "", ""},
		} {
			got, err := r.Wait(r.ctx, tc.id)
			r.must(err)
			if string(got.Output) != tc.out || got.Actor != tc.actor || got.Note != tc.note || got.Origin != chronos.OriginTrigger ||
				!got.Due.Equal(at("00:05:00")) || got.Status != chronos.StatusSucceeded || got.Attempt != 1 {
				t.Errorf("got %+v, want %+v", got, tc)
			}
		}
		if c := r.called()[0]; c.Labels["k"] != "v" || c.Count != 1 || c.Node != "local" || c.Generation == 0 {
			t.Errorf("handler got %+v", c)
		}
		if st := r.get("job").State; st.Runs != 0 {
			t.Errorf("triggers count as runs: %+v", st)
		}
	})
}

// The same key gives the same execution, over a restart too, until the row is
// gone or the job is a new generation.
func TestTriggerKey(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{})
		r.put(chronos.Job{ID: "other"})
		x := r.trigger("job", chronos.TriggerRequest{Key: "k"})
		same := r.trigger("job", chronos.TriggerRequest{Key: "k", Payload: []byte("other payload")})
		if same.ID != x.ID || x.Key != "k" {
			t.Errorf("%s, then %s", x.ID, same.ID)
		}
		if y := r.trigger("job", chronos.TriggerRequest{Key: "k2", Overlap: chronos.OverlapAllowAll}); y.ID == x.ID {
			t.Error("another key gives the same execution")
		}
		if y := r.trigger("other", chronos.TriggerRequest{Key: "k"}); y.ID == x.ID {
			t.Error("another job gives the same execution")
		}
		r.away(time.Hour)
		r.handle(succeed)
		r.start()
		r.until("01:00:10")
		if again := r.trigger("job", chronos.TriggerRequest{Key: "k"}); again.ID != x.ID || again.Status != chronos.StatusSucceeded {
			t.Errorf("after a restart %+v", again)
		}
		if len(r.called()) != 3 {
			t.Errorf("called %d times", len(r.called()))
		}
		r.must(r.Delete(r.ctx, "job"))
		r.put(chronos.Job{})
		if again := r.trigger("job", chronos.TriggerRequest{Key: "k"}); again.ID == x.ID {
			t.Error("a new generation got an old execution")
		}
	})
}

// A payload of its own survives a restart while the execution is pending.
func TestTriggerPayloadSurvives(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		broken := true
		r.handle(func(context.Context, chronos.Execution) error {
			if broken {
				return errBoom
			}
			return nil
		})
		r.put(chronos.Job{Payload: []byte("default"), Retry: chronos.Retry{MaxAttempts: 5, Initial: time.Hour, NoJitter: true}})
		r.start()
		x := r.trigger("job", chronos.TriggerRequest{Payload: []byte("mine")})
		r.until("00:10:00")
		r.away(5 * time.Minute)
		broken = false
		r.handle(succeed)
		r.start()
		got, err := r.Wait(r.ctx, x.ID)
		r.must(err)
		calls := r.called()
		if got.Status != chronos.StatusSucceeded || len(calls) != 2 || string(calls[1].Payload) != "mine" {
			t.Errorf("row %+v\ncalls %+v", got, calls)
		}
	})
}

// Triggers before Run, and of a job whose handler nobody has yet, wait and are
// visible.
func TestTriggerWaits(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{})
		r.trigger("job", chronos.TriggerRequest{})
		r.wantLedger("trigger 00:00:00 pending[room]")
		r.start()
		r.until("00:10:00")
		r.wantLedger("trigger 00:00:00 pending[room]")
		if st := r.get("job").State; st.Unfinished != 1 {
			t.Errorf("state %+v", st)
		}
		r.handle(succeed) // while it runs
		r.wantLedger("trigger 00:00:00 succeeded")
		r.wantStarts("00:10:00")
	})
}

func TestWait(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(time.Minute))
		r.put(chronos.Job{Overlap: chronos.OverlapBufferAll})
		r.start()
		x := r.trigger("job", chronos.TriggerRequest{})
		ctx, cancel := context.WithTimeout(r.ctx, time.Second)
		defer cancel()
		if got, err := r.Wait(ctx, x.ID); !errors.Is(err, context.DeadlineExceeded) || got.Status != chronos.StatusRunning {
			t.Errorf("got %+v, %v", got, err)
		}
		many := make(chan error, 10)
		for range 10 {
			go func() {
				got, err := r.Wait(r.ctx, x.ID)
				if err == nil && got.Status != chronos.StatusSucceeded {
					err = errors.New(string(got.Status))
				}
				many <- err
			}()
		}
		for range 10 {
			r.must(<-many)
		}
		if since := time.Since(epoch); since != time.Minute {
			t.Errorf("waited until %v", since)
		}
		_, err := r.Wait(r.ctx, x.ID) // over already
		r.must(err)
		_, err = r.Wait(r.ctx, x.ID[:len(x.ID)-1])
		wantError(t, err, chronos.ErrNotFound)
	})
}

// Closing ends every Wait.
func TestWaitEndsWithClose(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{})
		x := r.trigger("job", chronos.TriggerRequest{})
		done := make(chan error)
		s := r.Scheduler
		go func() {
			_, err := s.Wait(r.ctx, x.ID)
			done <- err
		}()
		synctest.Wait()
		r.shut()
		wantError(t, <-done, chronos.ErrClosed)
	})
}

// An execution that is withdrawn is no more, and Wait says so.
func TestWaitWithdrawn(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute)})
		r.start()
		r.until("00:00:59")
		time.Sleep(500 * time.Millisecond)
		x := r.rows("job")[0]
		done := make(chan error)
		go func() {
			_, err := r.Wait(r.ctx, x.ID)
			done <- err
		}()
		synctest.Wait()
		r.must(r.Pause(r.ctx, "job", ""))
		wantError(t, <-done, chronos.ErrNotFound)
	})
}
