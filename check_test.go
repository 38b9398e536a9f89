package chronos_test

import (
	"errors"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// Check says what Put would do, and does not do it.
func TestCheck(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		job := chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Minute)}
		got, changes, err := r.Check(r.ctx, job)
		if err != nil || !changes || got.Version != 0 || got.Overlap != chronos.OverlapSkip || got.Retry.MaxAttempts != 1 {
			t.Errorf("a new one: %+v, %v, %v", got, changes, err)
		}
		if _, err := r.Get(r.ctx, "job"); !errors.Is(err, chronos.ErrNotFound) {
			t.Errorf("it is there: %v", err)
		}
		r.put(job)
		job.Overlap = chronos.OverlapSkip // the default, said aloud
		if got, changes, err := r.Check(r.ctx, job); err != nil || changes || got.Version != 1 || got.State.NextDue.IsZero() {
			t.Errorf("unchanged: %+v, %v, %v", got, changes, err)
		}
		job.Timeout = time.Hour
		if _, changes, err := r.Check(r.ctx, job); err != nil || !changes {
			t.Errorf("changed: %v, %v", changes, err)
		}
		if r.get("job").Timeout != 0 {
			t.Error("it was put")
		}
		job.Version = 7
		if _, _, err := r.Check(r.ctx, job); !errors.Is(err, chronos.ErrConflict) {
			t.Errorf("another version: %v", err)
		}
		job.Version, job.Timeout = 1, -1
		if _, _, err := r.Check(r.ctx, job); !errors.Is(err, chronos.ErrInvalid) {
			t.Errorf("invalid: %v", err)
		}
	})
}

// A secret that is another one is a change, also if nobody can read either.
func TestCheckSecret(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		job := chronos.Job{ID: "job", Webhook: &chronos.Webhook{URL: "https://example.com", Bearer: "one"}}
		r.put(job)
		for secret, want := range map[chronos.Secret]bool{"one": false, "two": true, chronos.SecretKept: false} {
			job.Webhook.Bearer = secret
			got, changes, err := r.Check(r.ctx, job)
			if err != nil || changes != want || got.Webhook.Bearer != chronos.SecretKept {
				t.Errorf("%v, %v", changes, err)
			}
		}
	})
}

// DeleteIf takes no job that somebody has changed or put anew.
func TestDeleteIf(t *testing.T) {
	bubble(t, chronos.Options{Concurrency: 1}, func(r *rig) {
		first := r.put(chronos.Job{})
		second := r.put(chronos.Job{Timeout: time.Hour})
		if err := r.DeleteIf(r.ctx, "job", first.Version); !errors.Is(err, chronos.ErrConflict) {
			t.Errorf("after a change: %v", err)
		}
		if err := r.DeleteIf(r.ctx, "job", 0); !errors.Is(err, chronos.ErrInvalid) {
			t.Errorf("without a version: %v", err)
		}
		r.must(r.DeleteIf(r.ctx, "job", second.Version))
		if err := r.DeleteIf(r.ctx, "job", second.Version); !errors.Is(err, chronos.ErrNotFound) {
			t.Errorf("twice: %v", err)
		}
		third := r.put(chronos.Job{Timeout: time.Hour})
		if err := r.DeleteIf(r.ctx, "job", second.Version); !errors.Is(err, chronos.ErrConflict) {
			t.Errorf("put anew: %v", err)
		}
		r.must(r.DeleteIf(r.ctx, "job", third.Version))
	})
}

// It takes all that a job has unfinished with it, in as many steps as that takes.
func TestDeleteIfUnfinished(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		job := r.put(chronos.Job{Schedule: chronos.At(at("00:00:01")), Overlap: chronos.OverlapAllowAll})
		for range 3_000 {
			r.trigger("job", chronos.TriggerRequest{})
		}
		r.must(r.DeleteIf(r.ctx, "job", job.Version))
		for x, err := range r.Executions(r.ctx, chronos.Query{Job: "job", Status: []chronos.Status{chronos.StatusPending, chronos.StatusRunning}}) {
			t.Fatalf("left: %v, %v", x.ID, err)
		}
	})
}
