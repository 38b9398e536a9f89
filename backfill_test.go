package chronos_test

import (
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// Instants keep their due, say that they are backfills, and run one after the
// other unless the request says otherwise.
func TestBackfill(t *testing.T) {
	for _, tc := range []struct {
		name   string
		job    chronos.Job
		req    chronos.Overlap
		ledger []string
		starts string
	}{
		{"one after the other", chronos.Job{}, "", []string{
			"backfill 00:10:00 succeeded", "backfill 00:20:00 succeeded", "backfill 00:30:00 succeeded",
		}, "01:00:00 01:00:05 01:00:10"},
		{"also when the job buffers less", chronos.Job{Overlap: chronos.OverlapBufferAll, BufferMax: 2}, "", []string{
			"backfill 00:10:00 succeeded", "backfill 00:20:00 succeeded", "backfill 00:30:00 succeeded",
		}, "01:00:00 01:00:05 01:00:10"},
		{"side by side", chronos.Job{}, chronos.OverlapAllowAll, []string{
			"backfill 00:10:00 succeeded", "backfill 00:20:00 succeeded", "backfill 00:30:00 succeeded",
		}, "01:00:00 01:00:00 01:00:00"},
		{"skip", chronos.Job{Overlap: chronos.OverlapAllowAll}, chronos.OverlapSkip, []string{
			"backfill 00:10:00 succeeded", "backfill 00:20:00 skipped(overlap)", "backfill 00:30:00 skipped(overlap)",
		}, "01:00:00"},
		{"not held by the start deadline", chronos.Job{StartDeadline: time.Minute}, "", []string{
			"backfill 00:10:00 succeeded", "backfill 00:20:00 succeeded", "backfill 00:30:00 succeeded",
		}, "01:00:00 01:00:05 01:00:10"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, chronos.Options{}, func(r *rig) {
				r.handle(busy(5 * time.Second))
				tc.job.Schedule = chronos.Cron("*/10 * * * *").From(at("02:00:00").AddDate(-1, 0, 0))
				r.until("01:00:00")
				r.put(tc.job)
				r.start()
				ctx := chronos.WithActor(r.ctx, "ann")
				n, err := r.Backfill(ctx, "job", chronos.BackfillRequest{From: at("00:10:00"), To: at("00:30:00"), Overlap: tc.req, Note: "lost"})
				r.must(err)
				if n != 3 {
					t.Errorf("made %d", n)
				}
				r.until("01:05:00")
				r.wantLedger(tc.ledger...)
				r.wantStarts(tc.starts)
				for _, x := range r.rows("job") {
					if x.Actor != "ann" || x.Note != "lost" {
						t.Errorf("row %+v", x)
					}
				}
				if st := r.get("job").State; st.Runs != 0 || !st.LastDue.IsZero() {
					t.Errorf("state %+v", st)
				}
			})
		})
	}
}

// Made beside what the ledger has, while paused, and bounded.
func TestBackfillBesideTheLedger(t *testing.T) {
	bubble(t, chronos.Options{Retention: chronos.Retention{Count: -1}}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute)})
		r.start()
		r.until("00:01:30")
		r.must(r.Pause(r.ctx, "job", ""))
		r.until("00:03:30")
		n, err := r.Backfill(r.ctx, "job", chronos.BackfillRequest{From: at("00:01:00"), To: at("00:03:00")})
		r.must(err)
		r.must(r.Resume(r.ctx, "job"))
		if n != 3 {
			t.Errorf("made %d", n)
		}
		r.wantLedger("backfill 00:01:00 succeeded", "00:01:00 succeeded", "backfill 00:02:00 succeeded",
			"00:02:00-00:03:00 x2 skipped(paused)", "backfill 00:03:00 succeeded")
		r.until("20:00:30")
		n, err = r.Backfill(r.ctx, "job", chronos.BackfillRequest{From: at("00:01:00"), To: at("16:40:00")})
		if n != 1000 || err != nil {
			t.Errorf("made %d, %v", n, err)
		}
		r.until("20:00:40")
		done := 0
		for _, x := range r.rows("job") {
			if x.Origin == chronos.OriginBackfill && x.Status == chronos.StatusSucceeded {
				done++
			}
		}
		if done != 1003 {
			t.Errorf("%d backfills have run", done)
		}
		_, err = r.Backfill(r.ctx, "job", chronos.BackfillRequest{From: at("00:01:00"), To: at("16:41:00")})
		wantField(t, err, "BackfillRequest.To")
		n, err = r.Backfill(r.ctx, "job", chronos.BackfillRequest{From: at("00:01:01"), To: at("00:01:59")})
		if n != 0 || err != nil {
			t.Errorf("an empty range made %d, %v", n, err)
		}
	})
}
