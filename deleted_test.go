package chronos_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/testhook"
	"github.com/chronos-go/chronos/raftfsm"
)

// TestDeleteOverdue: what came due while nobody ran is in the ledger, also
// when the job is deleted before anybody could fire it.
func TestDeleteOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := chronos.New(chronos.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx := t.Context()
		for _, id := range []string{"runs", "paused"} {
			if _, err := s.Put(ctx, chronos.Job{ID: id, Schedule: chronos.Every(time.Second), Handler: "none"}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(100 * time.Millisecond)
		if err := s.Pause(ctx, "paused", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		for id, want := range map[string]chronos.Status{"runs": chronos.StatusMissed, "paused": chronos.StatusSkipped} {
			if err := s.Delete(ctx, id); err != nil {
				t.Fatal(err)
			}
			n := 0
			for x, err := range s.Executions(ctx, chronos.Query{Job: id}) {
				if err != nil {
					t.Fatal(err)
				}
				if n += x.Count; x.Status != want {
					t.Errorf("%s: instant is %s (%s), want %s", id, x.Status, x.Reason, want)
				}
			}
			if n != 5 {
				t.Errorf("%s: %d instants in the ledger, want 5", id, n)
			}
		}
	})
}

// Two calls delete a job that a third one changes just before: both have to look
// again. One of them has deleted it, and the other one is told that it is gone.
func TestDeleteTwiceBehindAnEdit(t *testing.T) {
	var slow atomic.Bool
	before := testhook.Raft
	defer func() { testhook.Raft = before }()
	testhook.Raft = func(c *raftfsm.Config) {
		before(c)
		c.LogWrite = func() error {
			if slow.Load() {
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}
	}
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{})
		slow.Store(true)
		var calls sync.WaitGroup
		put := func(job chronos.Job) {
			if _, err := r.Put(r.t.Context(), job); err != nil {
				r.t.Error(err)
			}
		}
		calls.Go(func() { put(chronos.Job{ID: "other", Handler: "h"}) }) // the log is busy with it
		calls.Go(func() {
			time.Sleep(time.Millisecond)
			put(chronos.Job{ID: "job", Handler: "h", Payload: []byte("changed")})
		})
		answers := make([]error, 2)
		for i := range answers {
			calls.Go(func() { time.Sleep(2 * time.Millisecond); answers[i] = r.Delete(r.t.Context(), "job") })
		}
		calls.Wait()
		slow.Store(false)
		if (answers[0] == nil) == (answers[1] == nil) || !errors.Is(errors.Join(answers...), chronos.ErrNotFound) {
			r.t.Errorf("answers %v", answers)
		}
	})
}
