package chronos_test

import (
	"errors"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

func (r *rig) count(job string) int {
	r.t.Helper()
	return len(r.rows(job))
}

func TestRetentionByCount(t *testing.T) {
	bubble(t, chronos.Options{Retention: chronos.Retention{Count: 50}}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(10 * time.Second)})
		r.put(chronos.Job{ID: "few", Schedule: chronos.Every(10 * time.Second), Retention: chronos.Retention{Count: 5}})
		r.put(chronos.Job{ID: "all", Schedule: chronos.Every(10 * time.Second), Retention: chronos.Retention{Count: -1}})
		r.start()
		time.Sleep(time.Hour + 5*time.Second)
		for job, most := range map[string]int{"job": 50 + 16 + 7, "few": 5 + 16 + 7} {
			if n := r.count(job); n > most || n < most/4 {
				t.Errorf("%s has %d rows", job, n)
			}
		}
		if n := r.count("all"); n != 360 {
			t.Errorf("the unlimited one has %d rows", n)
		}
		rows := r.rows("job")
		if last := rows[len(rows)-1].Due; !last.Equal(at("01:00:00")) {
			t.Errorf("the newest row is of %s", clockText(last))
		}
	})
}

func TestRetentionByAge(t *testing.T) {
	bubble(t, chronos.Options{Retention: chronos.Retention{Age: time.Hour}}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(10 * time.Minute)})
		r.put(chronos.Job{ID: "all", Schedule: chronos.Every(10 * time.Minute), Retention: chronos.Retention{Age: -1}})
		r.put(chronos.Job{ID: "once", Schedule: chronos.At(at("00:05:00"))})
		r.put(chronos.Job{ID: "keyed"})
		r.start()
		x := r.trigger("keyed", chronos.TriggerRequest{Key: "k"})
		r.until("00:30:00")
		if y := r.trigger("keyed", chronos.TriggerRequest{Key: "k"}); y.ID != x.ID {
			t.Error("the key was forgotten early")
		}
		r.until("05:05:00")
		rows := r.rows("job")
		if len(rows) < 6 || len(rows) > 8 || rows[0].Due.Before(at("03:55:00")) {
			t.Errorf("ledger %v", r.ledgerText("job"))
		}
		if n := r.count("all"); n != 30 {
			t.Errorf("the unlimited one has %d rows", n)
		}
		if n := r.count("once"); n != 0 {
			t.Errorf("an idle job keeps %d rows", n)
		}
		if _, err := r.Get(r.ctx, "once"); err != nil {
			t.Error("retention took the job itself")
		}
		if _, err := r.Execution(r.ctx, x.ID); !errors.Is(err, chronos.ErrNotFound) {
			t.Errorf("triggered: %v", err)
		}
		if y := r.trigger("keyed", chronos.TriggerRequest{Key: "k"}); y.ID == x.ID {
			t.Error("the key outlives its row")
		}
	})
}

// What is not over is kept, however old.
func TestRetentionKeepsTheUnfinished(t *testing.T) {
	bubble(t, chronos.Options{Retention: chronos.Retention{Age: time.Minute, Count: 1}}, func(r *rig) {
		r.handle(busy(10 * time.Hour))
		r.put(chronos.Job{Schedule: chronos.Every(10 * time.Minute).Until(at("05:00:00")), Overlap: chronos.OverlapBufferAll})
		r.start()
		r.until("06:00:00")
		count := map[chronos.Status]int{}
		for _, x := range r.rows("job") {
			count[x.Status]++
		}
		if count[chronos.StatusRunning] != 1 || count[chronos.StatusPending] != 29 {
			t.Errorf("ledger %v", count)
		}
		r.must(r.Delete(r.ctx, "job"))
	})
}

// A deleted job is forgotten when its last row has gone, its versions and
// schedule too.
func TestRetentionForgetsDeletedJobs(t *testing.T) {
	bubble(t, chronos.Options{Retention: chronos.Retention{Age: time.Hour}}, func(r *rig) {
		before := r.Status().Records
		r.handle(succeed)
		job := r.put(chronos.Job{Schedule: chronos.Every(10 * time.Minute)})
		for i := range 5 {
			job.Priority, job.Version = i+1, 0
			r.put(job)
		}
		r.start()
		r.until("01:00:30")
		r.must(r.Delete(r.ctx, "job"))
		r.until("01:30:00")
		n := 0
		for v, err := range r.Versions(r.ctx, "job") {
			r.must(err)
			n++
			if v.Deleted != (n == 7) {
				t.Errorf("version %+v", v)
			}
		}
		if n != 7 || r.count("job") == 0 {
			t.Errorf("%d versions and %d rows right after the deletion", n, r.count("job"))
		}
		r.until("03:00:00")
		for _, err := range r.Versions(r.ctx, "job") {
			wantError(t, err, chronos.ErrNotFound)
		}
		for x, err := range r.Executions(r.ctx, chronos.Query{}) {
			t.Errorf("still there: %s, %v", x.ID, err)
		}
		// What remains are the answers to recent commands and the session.
		if after := r.Status().Records; after > before+20 {
			t.Errorf("%d records before, %d after", before, after)
		}
		again := r.put(chronos.Job{Schedule: chronos.Every(10 * time.Minute)})
		if again.State.Generation <= job.State.Generation {
			t.Errorf("generation %d after %d", again.State.Generation, job.State.Generation)
		}
	})
}
