package chronos_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// A job due every ten minutes, whose scheduler is away from 00:15 to 01:05.
// The instants 00:20 to 01:00 pass meanwhile.
func TestMisfirePolicies(t *testing.T) {
	first := "00:10:00 succeeded"
	then := "01:10:00 succeeded"
	for _, tc := range []struct {
		name   string
		job    chronos.Job
		ledger []string
	}{
		{"default is latest", chronos.Job{}, []string{
			first, "00:20:00-00:50:00 x4 missed(catch_up)", "01:00:00 succeeded", then,
		}},
		{"latest outside its window", chronos.Job{CatchUpWindow: time.Minute}, []string{
			first, "00:20:00-01:00:00 x5 missed(window)", then,
		}},
		{"latest with a window", chronos.Job{CatchUpWindow: 20 * time.Minute}, []string{
			first, "00:20:00-00:40:00 x3 missed(window)", "00:50:00 missed(catch_up)", "01:00:00 succeeded", then,
		}},
		{"earliest", chronos.Job{Misfire: chronos.MisfireEarliest}, []string{
			first, "00:20:00 succeeded", "00:30:00-01:00:00 x4 missed(catch_up)", then,
		}},
		{"earliest within a window", chronos.Job{Misfire: chronos.MisfireEarliest, CatchUpWindow: 30 * time.Minute}, []string{
			first, "00:20:00-00:30:00 x2 missed(window)", "00:40:00 succeeded", "00:50:00-01:00:00 x2 missed(catch_up)", then,
		}},
		{"all, side by side", chronos.Job{Misfire: chronos.MisfireAll, Overlap: chronos.OverlapAllowAll}, []string{
			first, "00:20:00 succeeded", "00:30:00 succeeded", "00:40:00 succeeded", "00:50:00 succeeded", "01:00:00 succeeded", then,
		}},
		{"all, one after the other", chronos.Job{Misfire: chronos.MisfireAll, Overlap: chronos.OverlapBufferAll}, []string{
			first, "00:20:00 succeeded", "00:30:00 succeeded", "00:40:00 succeeded", "00:50:00 succeeded", "01:00:00 succeeded", then,
		}},
		{"all, under skip", chronos.Job{Misfire: chronos.MisfireAll}, []string{
			first, "00:20:00 succeeded", "00:30:00 skipped(overlap)", "00:40:00 skipped(overlap)", "00:50:00 skipped(overlap)", "01:00:00 skipped(overlap)", then,
		}},
		{"all, bounded, oldest first", chronos.Job{Misfire: chronos.MisfireAll, Overlap: chronos.OverlapAllowAll, CatchUpMax: 2}, []string{
			first, "00:20:00 succeeded", "00:30:00 succeeded", "00:40:00-01:00:00 x3 missed(catch_up_max)", then,
		}},
		{"all within a window", chronos.Job{Misfire: chronos.MisfireAll, Overlap: chronos.OverlapAllowAll, CatchUpWindow: 30 * time.Minute}, []string{
			first, "00:20:00-00:30:00 x2 missed(window)", "00:40:00 succeeded", "00:50:00 succeeded", "01:00:00 succeeded", then,
		}},
		{"skip", chronos.Job{Misfire: chronos.MisfireSkip}, []string{
			first, "00:20:00-01:00:00 x5 missed(catch_up)", then,
		}},
		{"latest beyond its start deadline", chronos.Job{StartDeadline: time.Minute}, []string{
			first, "00:20:00-00:50:00 x4 missed(catch_up)", "01:00:00 missed(deadline)", then,
		}},
		{"latest within its start deadline", chronos.Job{StartDeadline: 10 * time.Minute}, []string{
			first, "00:20:00-00:50:00 x4 missed(catch_up)", "01:00:00 succeeded", then,
		}},
		{"all with a start deadline", chronos.Job{Misfire: chronos.MisfireAll, Overlap: chronos.OverlapAllowAll, StartDeadline: 20 * time.Minute}, []string{
			first, "00:20:00 missed(deadline)", "00:30:00 missed(deadline)", "00:40:00 missed(deadline)", "00:50:00 succeeded", "01:00:00 succeeded", then,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onDisk(t, chronos.Options{}, func(r *rig) {
				r.handle(busy(time.Second))
				tc.job.Schedule = chronos.Cron("*/10 * * * *")
				r.put(tc.job)
				r.start()
				r.until("00:15:00")
				r.away(50 * time.Minute)
				r.handle(busy(time.Second))
				r.start()
				r.until("01:15:00")
				r.wantLedger(tc.ledger...)
				wantSum(t, r, 7)
			})
		})
	}
}

// wantSum checks that the rows account for so many instants.
func wantSum(t *testing.T, r *rig, want int) {
	t.Helper()
	sum := 0
	for _, x := range r.rows("job") {
		sum += x.Count
	}
	if sum != want {
		t.Errorf("the ledger accounts for %d instants, want %d", sum, want)
	}
}

// Late by no more than a second is on time.
func TestMisfireThreshold(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{Schedule: chronos.Cron("*/10 * * * *"), Misfire: chronos.MisfireSkip})
		r.until("00:05:00")
		r.away(5*time.Minute + time.Second)
		r.handle(succeed)
		r.start()
		r.until("00:15:00")
		r.wantLedger("00:10:00 succeeded")
		r.wantStarts("00:10:01")
	})
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{Schedule: chronos.Cron("*/10 * * * *"), Misfire: chronos.MisfireSkip})
		r.until("00:05:00")
		r.away(5*time.Minute + time.Second + time.Millisecond)
		r.handle(succeed)
		r.start()
		r.until("00:15:00")
		r.wantLedger("00:10:00 missed(catch_up)")
	})
}

// A stop in the second before a due instant, when its fire is committed already:
// the execution is handed back unstarted, and what happens after a long stop is
// the misfire policy's to say.
func TestMisfireStoppedInTheLookAhead(t *testing.T) {
	for _, tc := range []struct {
		name   string
		job    chronos.Job
		away   time.Duration
		ledger []string
	}{
		{"latest", chronos.Job{}, 3*time.Hour + 30*time.Minute, []string{
			"01:00:00-03:00:00 x3 missed(catch_up)", "04:00:00 succeeded",
		}},
		{"skip", chronos.Job{Misfire: chronos.MisfireSkip}, 3*time.Hour + 30*time.Minute, []string{
			"01:00:00-04:00:00 x4 missed(catch_up)",
		}},
		{"earliest", chronos.Job{Misfire: chronos.MisfireEarliest}, 3*time.Hour + 30*time.Minute, []string{
			"01:00:00 succeeded", "02:00:00-04:00:00 x3 missed(catch_up)",
		}},
		{"back in time", chronos.Job{}, 100 * time.Millisecond, []string{"01:00:00 succeeded"}},
		{"the last run of a job", chronos.Job{MaxRuns: 1}, 3*time.Hour + 30*time.Minute, []string{
			"01:00:00-03:00:00 x3 missed(catch_up)", "04:00:00 succeeded",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onDisk(t, chronos.Options{}, func(r *rig) {
				r.handle(succeed)
				tc.job.Schedule = chronos.Cron("@hourly")
				r.put(tc.job)
				r.start()
				r.until("00:59:59")
				time.Sleep(500 * time.Millisecond)
				r.away(tc.away)
				r.handle(succeed)
				r.start()
				time.Sleep(time.Second)
				r.wantLedger(tc.ledger...)
				if len(r.called()) > 1 {
					t.Errorf("called %d times", len(r.called()))
				}
			})
		})
	}
	t.Run("fixed delay", func(t *testing.T) {
		onDisk(t, chronos.Options{}, func(r *rig) {
			r.handle(succeed)
			r.put(chronos.Job{Schedule: chronos.After(time.Hour)})
			r.start()
			r.until("00:59:59")
			time.Sleep(500 * time.Millisecond)
			r.away(time.Hour)
			r.handle(succeed)
			r.start()
			r.until("04:00:00")
			r.wantStarts("01:59:59.500 02:59:59.500 03:59:59.500")
		})
	})
}

// 101 missed minutes (Kubernetes gives up at 100), and what they cost.
func TestMisfireManyInstants(t *testing.T) {
	for _, tc := range []struct {
		name  string
		sched chronos.Schedule
		away  time.Duration
		want  int
		limit time.Duration
	}{
		{"101 minutes", chronos.Cron("* * * * *"), 101 * time.Minute, 101, time.Second},
		{"a week of seconds", chronos.Every(time.Second), 7 * 24 * time.Hour, 7 * 86400, 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onDisk(t, chronos.Options{}, func(r *rig) {
				r.put(chronos.Job{Schedule: tc.sched})
				r.away(tc.away)
				r.handle(succeed)
				r.start()
				synctest.Wait()
				rows := r.rows("job")
				if len(rows) > 0 && !rows[len(rows)-1].Final() { // fired ahead
					rows = rows[:len(rows)-1]
				}
				if len(rows) != 2 || rows[0].Count != tc.want-1 || rows[1].Status != chronos.StatusSucceeded {
					t.Errorf("ledger %v", r.ledgerText("job"))
				}
				time.Sleep(2 * time.Minute)
				if got := r.rows("job"); len(got) <= 2 {
					t.Errorf("scheduling does not go on: %v", r.ledgerText("job"))
				}
			})
		})
	}
}

// A year of a per-second job costs seconds, and scheduling goes on, of other
// jobs meanwhile, too.
func TestMisfireYearOfSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{Schedule: chronos.Every(time.Second)})
		r.put(chronos.Job{ID: "other", Schedule: chronos.Every(time.Second), Misfire: chronos.MisfireSkip})
		r.away(365 * 24 * time.Hour)
		r.handle(succeed)
		r.start()
		time.Sleep(3 * time.Second)
		want := 365*86400 + 3
		for _, job := range []string{"job", "other"} {
			sum, late := 0, 0
			for _, x := range r.rows(job) {
				sum += x.Count
				if x.Ran() && x.Final() && x.Attempts[0].Started.Sub(x.Due) > time.Second {
					late++
				}
			}
			if sum != want && sum != want+1 { // one may be fired ahead
				t.Errorf("%s: the ledger accounts for %d instants, want %d", job, sum, want)
			}
			if n := len(r.rows(job)); n > 10 {
				t.Errorf("%s: %d rows", job, n)
			}
		}
	})
}

// A one-shot that came due while nobody was there runs late, whatever the
// misfire policy, unless its start deadline says no.
func TestMisfireOneShot(t *testing.T) {
	for _, tc := range []struct {
		name   string
		job    chronos.Job
		ledger []string
	}{
		{"latest", chronos.Job{}, []string{"00:10:00 succeeded"}},
		{"skip", chronos.Job{Misfire: chronos.MisfireSkip}, []string{"00:10:00 succeeded"}},
		{"deadline", chronos.Job{StartDeadline: time.Hour}, []string{"00:10:00 missed(deadline)"}},
		{"within its deadline", chronos.Job{StartDeadline: 3 * time.Hour}, []string{"00:10:00 succeeded"}},
	} {
		for _, remove := range []bool{false, true} {
			t.Run(tc.name, func(t *testing.T) {
				onDisk(t, chronos.Options{}, func(r *rig) {
					tc.job.Schedule = chronos.At(at("00:10:00"))
					tc.job.RemoveAfter = remove
					r.put(tc.job)
					r.away(2 * time.Hour)
					r.handle(succeed)
					r.start()
					r.wantLedger(tc.ledger...)
					if _, err := r.Get(r.ctx, "job"); (err != nil) != remove {
						t.Errorf("RemoveAfter %v: Get gives %v", remove, err)
					}
				})
			})
		}
	}
}

// The start deadline holds for what waits for room or for another execution.
func TestStartDeadlineWhileWaiting(t *testing.T) {
	bubble(t, chronos.Options{Concurrency: 1}, func(r *rig) {
		r.handle(busy(10 * time.Minute))
		r.put(chronos.Job{ID: "long", Schedule: chronos.At(at("00:01:00"))})
		r.put(chronos.Job{Schedule: chronos.Every(5 * time.Minute).Until(at("00:10:00")), StartDeadline: 4 * time.Minute})
		r.start()
		r.until("00:08:59")
		r.wantLedger("00:05:00 pending[room]")
		r.until("00:09:01")
		r.wantLedger("00:05:00 missed(deadline)")
		r.until("00:30:00")
		r.wantLedger("00:05:00 missed(deadline)", "00:10:00 succeeded")
	})
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(5 * time.Minute))
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute).Until(at("00:02:00")), StartDeadline: 2 * time.Minute, Overlap: chronos.OverlapBufferAll})
		r.start()
		r.until("00:04:01")
		r.wantLedger("00:01:00 running", "00:02:00 missed(deadline)")
		if st := r.get("job").State; st.Buffered != 0 || st.Unfinished != 1 {
			t.Errorf("state %+v", st)
		}
		r.until("00:30:00")
		r.wantLedger("00:01:00 succeeded", "00:02:00 missed(deadline)")
	})
}

// A deadline far beyond any instant is none, and no overflow.
func TestStartDeadlineHuge(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		_, err := r.Put(r.ctx, chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Minute), StartDeadline: 1<<63 - 1})
		wantField(t, err, "Job.StartDeadline")
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute), StartDeadline: 50 * 365 * 24 * time.Hour})
		r.start()
		r.until("00:01:30")
		r.wantLedger("00:01:00 succeeded")
	})
}
