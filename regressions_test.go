package chronos_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// What happened to others, as far as one node can show it. Elsewhere:
// TestRegressionRiver1402BackoffCapped, TestRegressionObanPy32TwoOfOneName,
// TestRegressionDbScheduler233HandlerMissing, TestRegressionOban1156EditDoesNotFireAtOnce,
// TestRegressionDeleteAndPutWhileItRuns and TestMisfireManyInstants.

// Killed 100 ms before a due instant: once (dkron #1210).
func TestRegressionDkron1210KilledBeforeTheInstant(t *testing.T) {
	for _, back := range []time.Duration{0, 50 * time.Millisecond, 5 * time.Second} {
		t.Run(back.String(), func(t *testing.T) {
			onDisk(t, chronos.Options{}, func(r *rig) {
				r.handle(succeed)
				r.put(chronos.Job{Schedule: chronos.Every(time.Hour)})
				r.start()
				r.until("00:59:59")
				time.Sleep(900 * time.Millisecond)
				after := r.crash()
				after.shut()
				time.Sleep(back)
				after.open()
				after.handle(succeed)
				after.start()
				time.Sleep(30 * time.Second)
				if n := len(after.called()); n != 1 {
					t.Errorf("ran %d times: %v", n, after.ledgerText("job"))
				}
				if rows := after.rows("job"); len(rows) != 1 || rows[0].Status != chronos.StatusSucceeded {
					t.Errorf("ledger %v", after.ledgerText("job"))
				}
				after.shut()
			})
		})
	}
}

// Nobody there for ten minutes, with an hourly job due inside: by its policy.
func TestRegressionAwayWhileDue(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{Schedule: chronos.Cron("@hourly")})
		r.until("00:55:00")
		r.away(10 * time.Minute)
		r.handle(succeed)
		r.start()
		r.until("01:30:00")
		r.wantLedger("01:00:00 succeeded")
		r.wantStarts("01:05:00")
	})
}

// A weekly job while the process restarts every day (river #791).
func TestRegressionRiver791WeeklyWithDailyRestarts(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		var starts []string
		weekly := chronos.Job{Schedule: chronos.Cron("0 12 * * SUN")}
		for range 22 {
			r.handle(succeed)
			r.put(weekly) // every start declares it
			r.put(chronos.Job{ID: "interval", Schedule: chronos.Every(7 * 24 * time.Hour).Anchor(at("12:00:00"))})
			r.start()
			time.Sleep(30 * time.Second)
			r.away(24*time.Hour - 31*time.Second)
			time.Sleep(time.Second)
		}
		for _, x := range r.rows("job") {
			starts = append(starts, rowText(x))
		}
		same(t, "weekly", starts, []string{"2000-01-02 12:00:00 succeeded", "2000-01-09 12:00:00 succeeded", "2000-01-16 12:00:00 succeeded"})
		if n := r.count("interval"); n != 3 {
			t.Errorf("interval: %v", r.ledgerText("interval"))
		}
	})
}

// The first run ever comes due while nobody is there (Hangfire #546).
func TestRegressionHangfire546FirstRunWhileDown(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{Schedule: chronos.Cron("0 3 * * *")})
		r.away(5 * time.Hour)
		r.handle(succeed)
		r.start()
		r.wantLedger("03:00:00 succeeded")
		r.wantStarts("05:00:00")
	})
}

// Killed in a Skip job: the next one runs, neither never (dkron #349) nor twice
// (nomad #14505).
func TestRegressionDkron349KilledInASkipJob(t *testing.T) {
	for _, delivery := range []chronos.Delivery{chronos.AtLeastOnce, chronos.AtMostOnce} {
		onDisk(t, chronos.Options{}, func(r *rig) {
			r.handle(busy(30 * time.Second))
			r.put(chronos.Job{Schedule: chronos.Every(time.Minute), Delivery: delivery})
			r.start()
			r.until("00:01:10")
			after := r.crash()
			after.handle(busy(30 * time.Second))
			after.start()
			after.until("00:03:50")
			first := "00:01:00 succeeded #2"
			if delivery == chronos.AtMostOnce {
				first = "00:01:00 lost"
			}
			after.wantLedger(first, "00:02:00 succeeded", "00:03:00 succeeded")
			after.shut()
		})
	}
}

// Asleep for eight hours: one run under Latest.
func TestRegressionSuspendedForEightHours(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Cron("*/15 * * * *")})
		r.start()
		r.until("01:01:00")
		r.away(8 * time.Hour)
		r.handle(succeed)
		r.start()
		synctest.Wait()
		if n := len(r.called()); n != 5 {
			t.Errorf("%d runs, want 4 before and 1 after", n)
		}
		rows := r.ledgerText("job")
		same(t, "after", rows[4:], []string{"01:15:00-08:45:00 x31 missed(catch_up)", "09:00:00 succeeded"})
	})
}

// Two thousand one-shots in one second (dkron #1322).
func TestRegressionDkron1322TwoThousandOneShots(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		var jobs []chronos.Job
		for i := range 2000 {
			jobs = append(jobs, chronos.Job{
				ID: fmt.Sprintf("job-%04d", i), Handler: "h", RemoveAfter: i%2 == 0,
				Schedule: chronos.At(at("00:01:00").Add(time.Duration(i%1000) * time.Millisecond)),
			})
		}
		_, err := r.PutAll(r.ctx, jobs)
		r.must(err)
		r.start()
		r.until("00:01:05")
		if n := len(r.called()); n != 2000 {
			t.Errorf("%d ran", n)
		}
		late := 0
		for i, x := range r.calls {
			if r.times[i].Before(x.Due) || r.times[i].Sub(x.Due) > time.Millisecond {
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d not on time", late)
		}
		left := 0
		for range r.Jobs(r.ctx, nil) {
			left++
		}
		if left != 1000 {
			t.Errorf("%d jobs are left", left)
		}
	})
}

// A completion that comes after the execution was ended (river #1302).
func TestRegressionRiver1302CompletionAfterTheEnd(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(deaf(time.Minute, nil))
		r.put(chronos.Job{Overlap: chronos.OverlapAllowAll})
		r.start()
		x := r.trigger("job", chronos.TriggerRequest{})
		time.Sleep(time.Second)
		r.must(r.Terminate(r.ctx, x.ID))
		_, err := r.Redrive(r.ctx, x.ID) // runs again under the same ID, with a new token
		r.must(err)
		time.Sleep(59 * time.Second) // the first handler has returned, the second not
		if got := r.execution(x.ID); got.Status != chronos.StatusRunning || got.Attempt != 2 {
			t.Errorf("the old completion was taken: %+v", got)
		}
		time.Sleep(2 * time.Second)
		if got := r.execution(x.ID); got.Status != chronos.StatusSucceeded || got.Attempt != 2 {
			t.Errorf("row %+v", got)
		}
	})
}

// One job that is not valid any more, among others: they run, it is visible.
func TestRegressionOneInvalidJobAmongMany(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		var jobs []chronos.Job
		for i := range 300 {
			jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("job-%03d", i), Handler: "h", Schedule: chronos.Every(time.Minute)})
		}
		_, err := r.PutAll(r.ctx, jobs)
		r.must(err)
		r.shut()
		node, err := raftfsm.OpenNode(raftfsm.Config{ID: "local", Dir: r.opts.Dir, Logger: quiet, NoCompaction: true})
		r.must(err)
		put := &raftfsm.Put{Job: "aaa", NextDue: time.Now().Add(time.Minute).UnixNano(),
			Definition: &store.Definition{Schedule: "H H * * * from an old release", Handler: "h", Retry: &store.Retry{MaxAttempts: 1}}}
		_, err = node.Propose(r.ctx, []*raftfsm.Command{{Now: time.Now().UnixNano(), Body: &raftfsm.Command_Put{Put: put}}})
		r.must(err)
		r.must(node.Close())
		r.open()
		r.handle(succeed)
		r.start()
		r.until("00:05:30")
		if n := len(r.called()); n != 5*300 {
			t.Errorf("%d runs of the others", n)
		}
		why := r.Status().Trouble["aaa"]
		if !strings.Contains(why, "H H") {
			t.Errorf("trouble %v", r.Status().Trouble)
		}
		if _, err := r.Get(r.ctx, "aaa"); err != nil {
			t.Error(err)
		}
		r.put(chronos.Job{ID: "aaa", Schedule: chronos.Every(time.Minute)}) // mended
		r.until("00:06:30")
		if got := r.Status().Trouble; len(got) > 0 {
			t.Errorf("still in trouble: %v", got)
		}
		rows := r.ledgerText("aaa")
		if len(rows) == 0 || rows[len(rows)-1] != "00:06:00 succeeded" {
			t.Errorf("ledger %v", rows)
		}
	})
}

// Large outputs are cut, so that history stays bounded (dkron #1566).
func TestRegressionDkron1566LargeOutputs(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		big := strings.Repeat("x", 3<<20)
		r.handle(func(ctx context.Context, _ chronos.Execution) error {
			chronos.SetOutput(ctx, []byte(big))
			return fmt.Errorf("%s", big)
		})
		r.put(chronos.Job{Schedule: chronos.Every(time.Second).Until(at("00:01:40"))})
		r.start()
		r.until("00:02:00")
		rows := r.rows("job")
		if len(rows) != 100 {
			t.Errorf("%d rows", len(rows))
		}
		for _, x := range rows {
			if len(x.Output) != 64<<10 || !x.OutputTruncated || len(x.Error) > 8<<10 {
				t.Fatalf("%d bytes of output, %d of error", len(x.Output), len(x.Error))
			}
		}
	})
}

// A copy of an old directory, opened much later, fires nothing of the past but
// what its policies ask for.
func TestRegressionOldBackup(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(time.Hour), Misfire: chronos.MisfireSkip})
		r.put(chronos.Job{ID: "once", Schedule: chronos.At(at("00:30:00")), StartDeadline: time.Hour})
		r.start()
		r.until("00:10:00")
		backup := r.crash()
		backup.shut()
		r.until("12:10:00")
		backup.open()
		backup.handle(succeed)
		backup.start()
		backup.until("13:10:00")
		backup.wantLedger("01:00:00-12:00:00 x12 missed(catch_up)", "13:00:00 succeeded")
		same(t, "once", backup.ledgerText("once"), []string{"00:30:00 missed(deadline)"})
		backup.wantStarts("13:00:00")
		backup.shut()
	})
}

// A clock that was set back makes an instant due that has its row already. A
// range of instants that begins there must not stop the node: the row stands,
// and the rest is accounted for.
func TestRegressionRangeMeetsARow(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.shut()
		node, err := raftfsm.OpenNode(raftfsm.Config{ID: "local", Dir: r.opts.Dir, Logger: quiet, NoCompaction: true})
		r.must(err)
		propose := func(c *raftfsm.Command) *raftfsm.Result {
			t.Helper()
			c.Now = time.Now().UnixNano()
			res, err := node.Propose(r.ctx, []*raftfsm.Command{c})
			r.must(err)
			return res[0]
		}
		due := func(n int) int64 { return epoch.Add(time.Duration(n) * time.Minute).UnixNano() }
		def := &store.Definition{Schedule: "@every 1m", Handler: "h", Retry: &store.Retry{MaxAttempts: 1}}
		propose(&raftfsm.Command{Body: &raftfsm.Command_Put{Put: &raftfsm.Put{Job: "job", Definition: def, NextDue: due(1)}}})
		gen := func() uint64 {
			var g uint64
			r.must(node.Store().View(func(rd *store.Reader) error {
				job, err := rd.Job("job")
				g = job.GetGeneration()
				return err
			}))
			return g
		}()
		time.Sleep(time.Minute)
		propose(&raftfsm.Command{Body: &raftfsm.Command_Fire{Fire: &raftfsm.Fire{
			Job: "job", Generation: gen, Version: 1, ExpectDue: due(1), NextDue: due(2), Runs: []*raftfsm.Run{{Due: due(1), StartAt: due(1)}},
		}}})
		propose(&raftfsm.Command{Body: &raftfsm.Command_Pause{Pause: &raftfsm.Pause{Job: "job"}}})
		time.Sleep(3 * time.Minute)
		for _, n := range []uint64{3, 1} {
			span := &raftfsm.Span{From: due(1), To: due(int(n)), Count: n, Status: store.Status_STATUS_SKIPPED, Reason: store.Reason_REASON_PAUSED}
			res := propose(&raftfsm.Command{Body: &raftfsm.Command_Resume{Resume: &raftfsm.Resume{
				Job: "job", BaseVersion: 1, BaseDue: due(2), NextDue: due(5), Paused: span,
			}}})
			if n == 3 && !res.Changed {
				t.Errorf("not resumed: %v", res)
			}
		}
		r.must(node.Err())
		r.must(node.Close())
		r.open()
		rows := r.rows("job")
		if len(rows) != 2 || !rows[0].Due.Equal(at("00:01:00")) || rows[0].Status != chronos.StatusPending || rows[1].Count != 2 || !rows[1].RangeTo.Equal(at("00:03:00")) {
			t.Errorf("ledger %v", r.ledgerText("job"))
		}
	})
}
