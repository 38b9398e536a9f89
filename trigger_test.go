package chronos_test

import (
	"context"
	"errors"
	"sync"
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

// asked is what an execution says of who asked for it.
func asked(x chronos.Execution) string { return x.Key + "|" + x.Actor + "|" + x.Note }

// A handler, and what stands around it, see who asked for the execution, in each of its
// attempts, over a restart and a crash too; as the history does.
func TestTriggerSeenInside(t *testing.T) {
	var mu sync.Mutex
	var around []string
	see := func(ctx context.Context, c chronos.Call) (context.Context, func(chronos.Attempt)) {
		mu.Lock()
		defer mu.Unlock()
		around = append(around, asked(c.Execution))
		return ctx, nil
	}
	onDisk(t, chronos.Options{Around: []chronos.Around{see}}, func(r *rig) {
		r.handle(fail)
		r.put(chronos.Job{Schedule: chronos.Every(24 * time.Hour), Retry: chronos.Retry{MaxAttempts: 4, Initial: time.Hour, Multiplier: 1, NoJitter: true}})
		r.start()
		x, err := r.Trigger(chronos.WithActor(r.ctx, "ann"), "job", chronos.TriggerRequest{Key: "k", Note: "please"})
		r.must(err)
		r.until("01:30:00")
		first := r.called()
		r.away(time.Minute)
		r.handle(fail)
		r.start()
		r.until("02:30:00")
		crashed := r.crash()
		crashed.handle(succeed)
		crashed.start()
		crashed.until("03:30:00")
		calls := append(r.called(), crashed.called()...)
		if len(first) != 2 || len(calls) < 4 {
			t.Fatalf("%d calls, then %d", len(first), len(calls))
		}
		const want = "k|ann|please"
		for _, c := range calls {
			if c.ID != x.ID || asked(c) != want {
				t.Errorf("attempt %d of %s sees %q", c.Attempt, c.ID, asked(c))
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if len(around) != len(calls) {
			t.Errorf("%d calls, %d around them", len(calls), len(around))
		}
		for _, a := range around {
			if a != want {
				t.Errorf("around it %q is seen", a)
			}
		}
		if got := crashed.execution(x.ID); asked(got) != want || got.Status != chronos.StatusSucceeded {
			t.Errorf("the row says %q, %s", asked(got), got.Status)
		}
		crashed.shut()
	})
}

// What is due by its schedule was asked for by nobody; a backfill was.
func TestBackfillSeenInside(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute)})
		r.start()
		r.until("00:01:30")
		_, err := r.Backfill(chronos.WithActor(r.ctx, "ann"), "job", chronos.BackfillRequest{From: at("00:01:00"), To: at("00:01:00"), Note: "again"})
		r.must(err)
		var got []string
		for _, c := range r.called() {
			got = append(got, string(c.Origin)+" "+asked(c))
		}
		same(t, "seen", got, []string{"schedule ||", "backfill |ann|again"})
	})
}

// Each node of a cluster sees it, whoever leads and whoever was asked.
func TestClusterTriggerSeenInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b", "c")
		var mu sync.Mutex
		seen := map[string]string{}
		c.change = func(o *chronos.Options) {
			node := o.Node
			o.Around = []chronos.Around{func(ctx context.Context, c chronos.Call) (context.Context, func(chronos.Attempt)) {
				mu.Lock()
				defer mu.Unlock()
				seen[node] += asked(c.Execution) + ";"
				return ctx, nil
			}}
		}
		c.open("a", "b", "c")
		defer c.closeAll()
		for _, name := range c.names {
			c.run(name, "h")
		}
		time.Sleep(time.Second) // each has said that it runs
		c.put(chronos.Job{ID: "job", Handler: "h", Placement: chronos.Placement{EveryNode: true}})
		_, err := c.nodes[c.follower()].Trigger(chronos.WithActor(t.Context(), "ann"), "job", chronos.TriggerRequest{Key: "k", Note: "please"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		for _, name := range c.names {
			if seen[name] != "k|ann|please;" {
				t.Errorf("%s sees %q", name, seen[name])
			}
		}
	})
}
