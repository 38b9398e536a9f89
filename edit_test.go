package chronos_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// The fire is committed a second before its instant. What happens in that second
// withdraws it: nothing starts under the old definition, and the instant still
// has exactly one row.
func TestEditInTheLookAhead(t *testing.T) {
	for _, tc := range []struct {
		name   string
		job    chronos.Job
		act    func(r *rig, job chronos.Job)
		ledger []string
		starts string
		last   uint64 // version of the last call
	}{
		{"payload", chronos.Job{}, func(r *rig, job chronos.Job) {
			job.Payload = []byte("new")
			r.put(job)
		}, []string{"00:01:00 succeeded", "00:02:00 succeeded"}, "00:01:00 00:02:00", 2},
		{"payload, allow all", chronos.Job{Overlap: chronos.OverlapAllowAll}, func(r *rig, job chronos.Job) {
			job.Payload = []byte("new")
			r.put(job)
		}, []string{"00:01:00 succeeded", "00:02:00 succeeded"}, "00:01:00 00:02:00", 2},
		{"twice", chronos.Job{Overlap: chronos.OverlapAllowAll}, func(r *rig, job chronos.Job) {
			job.Payload = []byte("new")
			r.put(job)
			job.Payload = []byte("newer")
			r.put(job)
		}, []string{"00:01:00 succeeded", "00:02:00 succeeded"}, "00:01:00 00:02:00", 3},
		{"other schedule", chronos.Job{}, func(r *rig, job chronos.Job) {
			job.Schedule = chronos.Cron("30 * * * * *")
			r.put(job)
		}, []string{"00:01:30 succeeded"}, "00:01:30", 2},
		{"no schedule", chronos.Job{}, func(r *rig, job chronos.Job) {
			job.Schedule = chronos.Schedule{}
			r.put(job)
		}, nil, "", 0},
		{"a one-shot at the same instant", chronos.Job{}, func(r *rig, job chronos.Job) {
			job.Schedule = chronos.At(at("00:01:00"))
			r.put(job)
		}, []string{"00:01:00 succeeded"}, "00:01:00", 2},
		{"fixed delay", chronos.Job{}, func(r *rig, job chronos.Job) {
			job.Schedule = chronos.After(time.Minute)
			r.put(job)
		}, []string{"00:01:59.500 succeeded"}, "00:01:59.500", 2},
		{"payload of a fixed delay", chronos.Job{Schedule: chronos.After(time.Minute)}, func(r *rig, job chronos.Job) {
			job.Payload = []byte("new")
			r.put(job)
		}, []string{"00:01:59.500 succeeded"}, "00:01:59.500", 2},
		{"the only run", chronos.Job{MaxRuns: 1}, func(r *rig, job chronos.Job) {
			job.Payload = []byte("new")
			r.put(job)
		}, []string{"00:01:00 succeeded"}, "00:01:00", 2},
		{"the only run, removed after it", chronos.Job{MaxRuns: 1, RemoveAfter: true}, func(r *rig, job chronos.Job) {
			job.Payload = []byte("new")
			r.put(job)
		}, []string{"00:01:00 succeeded"}, "00:01:00", 2},
		{"unchanged", chronos.Job{}, func(r *rig, job chronos.Job) {
			r.put(job)
		}, []string{"00:01:00 succeeded", "00:02:00 succeeded"}, "00:01:00 00:02:00", 1},
		{"note only", chronos.Job{}, func(r *rig, job chronos.Job) {
			job.Note = "looked at"
			r.put(job)
		}, []string{"00:01:00 succeeded", "00:02:00 succeeded"}, "00:01:00 00:02:00", 1},
		{"pause", chronos.Job{}, func(r *rig, _ chronos.Job) {
			r.must(r.Pause(r.ctx, "job", ""))
			r.until("00:01:40")
			r.must(r.Resume(r.ctx, "job"))
		}, []string{"00:01:00 skipped(paused)", "00:02:00 succeeded"}, "00:02:00", 1},
		{"pause and resume at once", chronos.Job{}, func(r *rig, _ chronos.Job) {
			r.must(r.Pause(r.ctx, "job", ""))
			r.must(r.Resume(r.ctx, "job"))
		}, []string{"00:01:00 succeeded", "00:02:00 succeeded"}, "00:01:00 00:02:00", 1},
		{"pause and resume of the only run", chronos.Job{MaxRuns: 1}, func(r *rig, _ chronos.Job) {
			r.must(r.Pause(r.ctx, "job", ""))
			r.must(r.Resume(r.ctx, "job"))
		}, []string{"00:01:00 succeeded"}, "00:01:00", 1},
		{"pause and resume of a fixed delay", chronos.Job{Schedule: chronos.After(time.Minute)}, func(r *rig, _ chronos.Job) {
			r.must(r.Pause(r.ctx, "job", ""))
			synctest.Wait()
			r.must(r.Resume(r.ctx, "job"))
		}, []string{"00:01:59.500 succeeded"}, "00:01:59.500", 1},
		{"rollback", chronos.Job{}, func(r *rig, job chronos.Job) {
			job.Payload = []byte("new")
			r.put(job)
			if _, err := r.Rollback(r.ctx, "job", 1); err != nil {
				r.t.Error(err)
			}
		}, []string{"00:01:00 succeeded", "00:02:00 succeeded"}, "00:01:00 00:02:00", 3},
		{"delete", chronos.Job{}, func(r *rig, _ chronos.Job) {
			r.must(r.Delete(r.ctx, "job"))
		}, []string{"00:01:00 canceled(deleted)"}, "", 0},
		{"delete and put", chronos.Job{}, func(r *rig, job chronos.Job) {
			r.must(r.Delete(r.ctx, "job"))
			r.put(job)
		}, []string{"00:01:00 canceled(deleted)", "00:01:00 succeeded", "00:02:00 succeeded"}, "00:01:00 00:02:00", 3},
		{"jittered", chronos.Job{Schedule: chronos.Every(time.Minute).Jitter(time.Nanosecond)}, func(r *rig, job chronos.Job) {
			job.Payload = []byte("new")
			r.put(job)
		}, []string{"00:01:00 succeeded", "00:02:00 succeeded"}, "00:01:00 00:02:00", 2},
		{"put off by a trigger", chronos.Job{}, func(r *rig, _ chronos.Job) {
			r.trigger("job", chronos.TriggerRequest{Overlap: chronos.OverlapAllowAll})
		}, []string{"trigger 00:00:59.500 succeeded", "00:01:00 succeeded", "00:02:00 succeeded"}, "00:00:59.500 00:01:00 00:02:00", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, chronos.Options{}, func(r *rig) {
				r.handle(succeed)
				if tc.job.Schedule.IsZero() {
					tc.job.Schedule = chronos.Cron("* * * * *")
				}
				tc.job.ID, tc.job.Handler = "job", "h"
				r.put(tc.job)
				r.start()
				r.until("00:00:59")
				time.Sleep(500 * time.Millisecond)
				if r.Status().Assigned != 1 {
					t.Fatal("nothing was fired ahead")
				}
				tc.act(r, tc.job)
				r.until("00:02:10")
				r.wantLedger(tc.ledger...)
				r.wantStarts(tc.starts)
				if calls := r.called(); len(calls) > 0 && calls[len(calls)-1].Version != tc.last {
					t.Errorf("last call is of version %d, want %d", calls[len(calls)-1].Version, tc.last)
				}
				for i, x := range r.called() {
					if tc.last > 1 && x.Version == 1 {
						t.Errorf("call %d is of the old version", i)
					}
				}
			})
		})
	}
}

// An edit at any moment of a minute, from half a second before to half a second
// after the instant: one row per instant, none started with the old definition
// after Put has returned.
func TestEditAtEveryMoment(t *testing.T) {
	for _, overlap := range []chronos.Overlap{chronos.OverlapSkip, chronos.OverlapAllowAll, chronos.OverlapBufferAll} {
		t.Run(string(overlap), func(t *testing.T) {
			bubble(t, chronos.Options{}, func(r *rig) {
				var edited time.Time
				var version uint64
				r.handle(func(ctx context.Context, x chronos.Execution) error {
					r.mu.Lock()
					defer r.mu.Unlock()
					if x.Version < version && time.Now().After(edited) {
						t.Errorf("%s started at version %d after version %d was put at %s", clockText(x.Due), x.Version, version, clockText(edited))
					}
					return nil
				})
				r.put(chronos.Job{Schedule: chronos.Cron("* * * * *"), Overlap: overlap})
				r.start()
				for i := range 40 {
					time.Sleep(time.Until(at("00:00:00").Add(time.Duration(i+1)*time.Minute + time.Duration(i-20)*60*time.Millisecond)))
					job := r.put(chronos.Job{Schedule: chronos.Cron("* * * * *"), Overlap: overlap, Priority: i % 7})
					r.mu.Lock()
					edited, version = time.Now(), job.Version
					r.mu.Unlock()
				}
				r.until("00:45:30")
				seen := map[time.Time]int{}
				for _, x := range r.rows("job") {
					seen[x.Due]++
				}
				for i := 1; i <= 45; i++ {
					if due := at("00:00:00").Add(time.Duration(i) * time.Minute); seen[due] != 1 {
						t.Errorf("%s has %d rows", clockText(due), seen[due])
					}
				}
			})
		})
	}
}

// Edits count from now on: what was overdue is recorded, not fired (Oban #1156).
func TestRegressionOban1156EditDoesNotFireAtOnce(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Cron("0 * * * *"), Misfire: chronos.MisfireAll, Overlap: chronos.OverlapAllowAll})
		r.until("03:30:00") // nobody runs
		r.put(chronos.Job{Schedule: chronos.Cron("45 * * * *"), Misfire: chronos.MisfireAll, Overlap: chronos.OverlapAllowAll})
		r.start()
		r.until("03:40:00")
		r.wantLedger("01:00:00-03:00:00 x3 missed(edit)")
		r.until("05:00:00")
		r.wantLedger("01:00:00-03:00:00 x3 missed(edit)", "03:45:00 succeeded", "04:45:00 succeeded")
	})
}

// An edit lets what runs go on; its retries use the new definition.
func TestEditWhileRunning(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(func(ctx context.Context, x chronos.Execution) error {
			time.Sleep(10 * time.Second)
			if x.Attempt == 1 {
				return errBoom
			}
			return nil
		})
		job := chronos.Job{Schedule: chronos.At(at("00:01:00")), Retry: chronos.Retry{MaxAttempts: 3, Initial: 20 * time.Second, NoJitter: true}}
		r.put(job)
		r.start()
		r.until("00:01:05")
		job.Payload, job.Schedule = []byte("new"), chronos.At(at("01:00:00"))
		r.put(job)
		r.until("00:10:00")
		r.wantStarts("00:01:00 00:01:30")
		r.wantLedger("00:01:00 succeeded #2")
		if x := r.called()[1]; x.Version != 2 || string(x.Payload) != "new" {
			t.Errorf("retry %+v", x)
		}
	})
}

// The next attempt, committed ahead of its instant, is withdrawn by an edit and
// started with the new definition.
func TestEditInTheLookAheadOfARetry(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(fail)
		job := chronos.Job{Schedule: chronos.At(at("00:01:00")), Retry: chronos.Retry{MaxAttempts: 2, Initial: time.Minute, NoJitter: true}}
		r.put(job)
		r.start()
		r.until("00:01:59")
		time.Sleep(500 * time.Millisecond)
		if r.Status().Assigned != 1 {
			t.Fatal("nothing was assigned ahead")
		}
		job.Payload, job.Schedule = []byte("new"), chronos.At(at("05:00:00"))
		r.put(job)
		r.until("00:10:00")
		r.wantStarts("00:01:00 00:02:00")
		r.wantLedger("00:01:00 failed #2")
		if x := r.called()[1]; x.Version != 2 || x.Attempt != 2 || string(x.Payload) != "new" {
			t.Errorf("retry %+v", x)
		}
	})
}

// A job deleted and put again while it runs is a new generation: nothing old
// touches it.
func TestRegressionDeleteAndPutWhileItRuns(t *testing.T) {
	bubble(t, chronos.Options{StuckAfter: 10 * time.Minute}, func(r *rig) {
		var causes []error
		r.handle(func(ctx context.Context, x chronos.Execution) error {
			time.Sleep(90 * time.Second)
			r.mu.Lock()
			causes = append(causes, context.Cause(ctx))
			r.mu.Unlock()
			return errBoom
		})
		job := chronos.Job{Schedule: chronos.Every(time.Minute).Until(at("00:02:00")), PauseOnFailure: true, Retry: chronos.Retry{MaxAttempts: 2, NoJitter: true}}
		old := r.put(job)
		r.start()
		r.until("00:01:10")
		r.must(r.Delete(r.ctx, "job"))
		r.wantLedger("00:01:00 canceled(deleted)")
		job.Retry = chronos.Retry{}
		now := r.put(job)
		if now.State.Generation <= old.State.Generation || now.Version <= old.Version {
			t.Errorf("generation %d after %d, version %d after %d", now.State.Generation, old.State.Generation, now.Version, old.Version)
		}
		r.until("00:02:40") // the old handler returned at 02:30
		r.wantLedger("00:01:00 canceled(deleted)", "00:02:00 running")
		if st := r.get("job").State; st.Paused || st.Failures != 0 || st.Unfinished != 1 || st.Runs != 1 {
			t.Errorf("the old result touched the new job: %+v", st)
		}
		r.until("00:05:00")
		r.wantLedger("00:01:00 canceled(deleted)", "00:02:00 failed")
		if causes[0] != chronos.ErrRevoked || causes[1] != nil {
			t.Errorf("causes %v", causes)
		}
	})
}

// An edit while a long catch-up is under way ends it.
func TestEditWhilePausedKeepsTheLedgerComplete(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		job := chronos.Job{Schedule: chronos.Cron("* * * * *")}
		r.put(job)
		r.start()
		r.until("00:01:30")
		r.must(r.Pause(r.ctx, "job", "why"))
		r.until("00:04:30") // 02 03 04 pass
		job.Schedule = chronos.Cron("30 * * * *")
		r.put(job)
		r.until("00:35:00")
		r.must(r.Resume(r.ctx, "job"))
		r.until("01:31:00")
		r.wantLedger("00:01:00 succeeded", "00:02:00-00:30:00 x4 skipped(paused)", "01:30:00 succeeded")
	})
}
