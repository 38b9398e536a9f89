package chronos_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
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
