package chronos_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

func TestPauseAndResume(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute)})
		r.start()
		r.until("00:01:30")
		ann := chronos.WithActor(r.ctx, "ann")
		r.must(r.Pause(ann, "job", "too loud"))
		r.must(r.Pause(chronos.WithActor(r.ctx, "bob"), "job", "again")) // changes nothing
		st := r.get("job").State
		if !st.Paused || st.PausedBy != "ann" || st.PauseNote != "too loud" || !st.PausedAt.Equal(at("00:01:30")) || !st.NextDue.IsZero() {
			t.Errorf("state %+v", st)
		}
		r.trigger("job", chronos.TriggerRequest{}) // works while paused
		r.until("00:03:30")
		r.away(2 * time.Minute) // a pause outlives a restart
		r.handle(succeed)
		r.start()
		r.until("00:06:30")
		r.must(r.Resume(r.ctx, "job"))
		r.must(r.Resume(r.ctx, "job"))
		st = r.get("job").State
		if st.Paused || st.PausedBy != "" || st.PauseNote != "" || !st.PausedAt.IsZero() || !st.NextDue.Equal(at("00:07:00")) {
			t.Errorf("state %+v", st)
		}
		r.until("00:08:30")
		// Nothing of the pause is fired after it.
		r.wantLedger("00:01:00 succeeded", "trigger 00:01:30 succeeded", "00:02:00-00:06:00 x5 skipped(paused)", "00:07:00 succeeded", "00:08:00 succeeded")
		r.wantStarts("00:01:00 00:01:30 00:07:00 00:08:00")
	})
}

// What is under way goes on, its retries included.
func TestPauseLetsRunningGoOn(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute), Retry: chronos.Retry{MaxAttempts: 2, Initial: 30 * time.Second, NoJitter: true}})
		r.start()
		r.until("00:01:10")
		r.must(r.Pause(r.ctx, "job", ""))
		r.until("00:10:00")
		r.wantStarts("00:01:00 00:01:30")
	})
}

// Buffered executions are under way, too.
func TestPauseWithBuffered(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(100 * time.Second))
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute), Overlap: chronos.OverlapBufferOne})
		r.start()
		r.until("00:02:10")
		r.must(r.Pause(r.ctx, "job", ""))
		r.until("00:10:30")
		r.must(r.Resume(r.ctx, "job"))
		r.wantLedger("00:01:00 succeeded", "00:02:00 succeeded", "00:03:00-00:10:00 x8 skipped(paused)")
	})
}

func TestPauseBySelector(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		for _, j := range []chronos.Job{
			{ID: "a", Labels: map[string]string{"team": "x", "env": "prod"}},
			{ID: "b", Labels: map[string]string{"team": "x", "env": "test"}},
			{ID: "c", Labels: map[string]string{"team": "y", "env": "prod"}},
			{ID: "d"},
		} {
			j.Schedule = chronos.Every(time.Hour)
			r.put(j)
		}
		paused := func() string {
			out := ""
			for j, err := range r.Jobs(r.ctx, nil) {
				r.must(err)
				if j.State.Paused {
					out += j.ID
				}
			}
			return out
		}
		step := func(want int, state string, n int, err error) {
			t.Helper()
			r.must(err)
			if n != want || paused() != state {
				t.Errorf("counted %d, want %d; paused %q, want %q", n, want, paused(), state)
			}
		}
		n, err := r.PauseAll(r.ctx, chronos.Selector{"team": "x"}, "note")
		step(2, "ab", n, err)
		n, err = r.PauseAll(r.ctx, chronos.Selector{"env": "prod"}, "note")
		step(1, "abc", n, err)
		n, err = r.ResumeAll(r.ctx, chronos.Selector{"env": "prod", "team": "x"})
		step(1, "bc", n, err)
		n, err = r.PauseAll(r.ctx, nil, "all")
		step(2, "abcd", n, err)
		n, err = r.PauseAll(r.ctx, chronos.Selector{"nobody": ""}, "all")
		step(0, "abcd", n, err)
		n, err = r.ResumeAll(r.ctx, nil)
		step(4, "", n, err)
	})
}

// A job that was paused when its last run ended is removed when it is resumed.
func TestPauseAndRemoveAfter(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		r.put(chronos.Job{Schedule: chronos.At(at("00:01:00")), RemoveAfter: true, PauseOnFailure: true})
		r.start()
		r.until("00:02:00")
		if !r.get("job").State.Paused {
			t.Error("not paused")
		}
		r.must(r.Resume(r.ctx, "job"))
		_, err := r.Get(r.ctx, "job")
		wantError(t, err, chronos.ErrNotFound)
		r.wantLedger("00:01:00 failed")
	})
}

// A one-shot whose instant falls into a pause does not run afterwards.
func TestPauseOverAOneShot(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.At(at("00:10:00"))})
		r.start()
		r.must(r.Pause(r.ctx, "job", ""))
		r.until("00:20:00")
		r.must(r.Resume(r.ctx, "job"))
		r.until("00:30:00")
		r.wantLedger("00:10:00 skipped(paused)")
		if st := r.get("job").State; !st.Exhausted {
			t.Errorf("state %+v", st)
		}
	})
}

// Many jobs are paused and resumed in few commits.
func TestPauseAllSharesCommits(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		jobs := make([]chronos.Job, 1000)
		for i := range jobs {
			jobs[i] = chronos.Job{ID: fmt.Sprintf("job-%04d", i), Handler: "h", Schedule: chronos.Every(time.Hour)}
		}
		if _, err := r.PutAll(r.ctx, jobs); err != nil {
			t.Fatal(err)
		}
		for _, all := range []func() (int, error){
			func() (int, error) { return r.PauseAll(r.ctx, nil, "") }, func() (int, error) { return r.ResumeAll(r.ctx, nil) },
		} {
			before := r.Status().AppliedIndex
			n, err := all()
			if entries := r.Status().AppliedIndex - before; err != nil || n != 1000 || entries > 300 {
				t.Errorf("%d jobs in %d entries: %v", n, entries, err)
			}
		}
	})
}
