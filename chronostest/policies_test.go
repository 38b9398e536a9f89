package chronostest_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

var start = time.Date(2026, 3, 2, 8, 30, 0, 0, time.UTC) // a Monday

func TestRuns(t *testing.T) {
	job := chronos.Job{Schedule: chronos.Cron("0 * * * *")}
	observed(t, chronostest.Options{Start: start, Declare: declare(succeed, job)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		f.passes(t, func() {
			if due := k.AdvanceToDue(); !due.Equal(at(t, "2026-03-02T09:00:00Z")) {
				t.Errorf("due at %s", due)
			}
			if x := k.AssertRan("job", time.Now()); x.Job != "job" || x.Status != chronos.StatusSucceeded {
				t.Errorf("the row is %+v", x)
			}
			k.AssertNotDue("job", time.Now().Add(time.Minute))
			k.Advance(2 * time.Hour)
			k.AssertLedger("job", "2026-03-02T09:00:00Z succeeded", "2026-03-02T10:00:00Z succeeded", "2026-03-02T11:00:00Z succeeded")
		})
		f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T09:30:00Z")) },
			"job at 2026-03-02T09:30:00Z: want succeeded, but it was not due then", "it is due at 2026-03-02T09:00:00Z, and next at 2026-03-02T10:00:00Z",
			"the job: 0 * * * * (", "2026-03-02T10:00:00Z succeeded")
		f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T12:00:00Z")) }, "that is still ahead: it is 2026-03-02T11:00:00Z")
		f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T08:00:00Z")) }, "the job was put only at 2026-03-02T08:30:00Z")
		f.fails(t, func() { k.AssertNotDue("job", at(t, "2026-03-02T10:00:00Z")) }, "job was due at 2026-03-02T10:00:00Z, and should not have been: succeeded")
		f.fails(t, func() { k.AssertNotDue("job", at(t, "2026-03-02T12:00:00Z")) }, "job will be due at 2026-03-02T12:00:00Z")
		f.fails(t, func() { k.AssertStatus("job", at(t, "2026-03-02T10:00:00Z"), chronos.StatusFailed, chronos.ReasonNone) },
			"want failed, got succeeded: it ran")
		f.fails(t, func() { k.AssertLedger("job", "2026-03-02T09:00:00Z succeeded", "2026-03-02T10:00:00Z failed") },
			"from line 2 on", "2026-03-02T10:00:00Z failed", "2026-03-02T11:00:00Z succeeded", "next due at 2026-03-02T12:00:00Z")
		f.fails(t, func() { k.AssertLedger("job") }, "want\n\t\tnothing")
		f.fails(t, func() { k.AssertRan("jab", time.Now()) }, `reading job "jab": chronos: not found`)
		f.fails(t, func() { k.Advance(-1) }, "is negative")
		f.fails(t, func() { k.AdvanceTo(start) }, "past 2026-03-02T08:30:00Z already")
	})
}

// The schedule says the first of the month, and was meant to be each Monday.
func TestWrongSchedule(t *testing.T) {
	job := chronos.Job{Schedule: chronos.Cron("0 9 1 * *")}
	observed(t, chronostest.Options{Start: start, Declare: declare(succeed, job)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		k.Advance(24 * time.Hour)
		f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T09:00:00Z")) },
			"it was not due then: it is due at 2026-03-01T09:00:00Z, and next at 2026-04-01T09:00:00Z", "its ledger around then\n\t\tnothing")
	})
}

func TestOverlapSkip(t *testing.T) {
	job := chronos.Job{Schedule: chronos.Cron("*/5 * * * *")}
	observed(t, chronostest.Options{Start: start, Declare: declare(busy(7*time.Minute), job)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		k.AdvanceTo(at(t, "2026-03-02T08:46:00Z"))
		f.passes(t, func() {
			k.AssertStatus("job", at(t, "2026-03-02T08:40:00Z"), chronos.StatusSkipped, chronos.ReasonOverlap)
			k.AssertLedger("job", "2026-03-02T08:35:00Z succeeded", "2026-03-02T08:40:00Z skipped(overlap)", "2026-03-02T08:45:00Z running")
		})
		f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T08:40:00Z")) },
			"want succeeded, got skipped(overlap): it was due while another execution of the job was unfinished")
		f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T08:45:00Z")) }, "got running: it is still running; AdvanceToEnd lets it end")
		f.passes(t, func() {
			if x := k.AdvanceToEnd("job"); x.Status != chronos.StatusSucceeded || !time.Now().Equal(at(t, "2026-03-02T08:52:00Z")) {
				t.Errorf("it ended as %s at %s", x.Status, time.Now())
			}
			k.AssertRan("job", at(t, "2026-03-02T08:45:00Z"))
		})
	})
}

func TestPaused(t *testing.T) {
	job := chronos.Job{Schedule: chronos.Cron("*/5 * * * *")}
	observed(t, chronostest.Options{Start: start, Declare: declare(succeed, job)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		if err := k.Scheduler().Pause(t.Context(), "job", "migration"); err != nil {
			t.Fatal(err)
		}
		k.Advance(11 * time.Minute)
		f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T08:35:00Z")) }, `it is paused since 2026-03-02T08:30:00Z ("migration")`)
		f.fails(t, func() { k.AdvanceToDue() }, `nothing is due any more: job is paused ("migration")`)
		if err := k.Scheduler().Resume(t.Context(), "job"); err != nil {
			t.Fatal(err)
		}
		f.passes(t, func() {
			k.AssertStatus("job", at(t, "2026-03-02T08:40:00Z"), chronos.StatusSkipped, chronos.ReasonPaused)
			k.AssertRan("job", k.AdvanceToDue("job"))
			k.AssertLedger("job", "2026-03-02T08:35:00Z to 2026-03-02T08:40:00Z, 2 instants skipped(paused)", "2026-03-02T08:45:00Z succeeded")
		})
		f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T08:40:00Z")) }, "2 instants skipped(paused): the job was paused then")
	})
}

// The program does not run from 08:36 to 09:02: by the default policy only the last
// instant is made up for.
func TestMissedWhileStopped(t *testing.T) {
	for _, onDisk := range []bool{false, true} {
		for _, kill := range []bool{false, true} {
			if kill && !onDisk {
				continue
			}
			job := chronos.Job{Schedule: chronos.Cron("*/5 * * * *"), CatchUpWindow: 20 * time.Minute}
			observed(t, chronostest.Options{Start: start, OnDisk: onDisk, Declare: declare(succeed, job)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
				k.Advance(6 * time.Minute)
				if kill {
					k.Kill("node-1")
				} else {
					k.Stop("node-1")
				}
				if onDisk {
					f.fails(t, func() { k.Node("node-1") }, "node-1 is down; Restart it first")
					f.fails(t, func() { k.AssertRan("job", time.Now()) }, "every node is down")
				} else {
					k.Advance(25 * time.Minute)
					f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T08:40:00Z")) }, "nobody has fired it: 0 of 1 are in touch, node-1 is down")
				}
				k.AdvanceTo(at(t, "2026-03-02T09:02:00Z"))
				k.RestartAll()
				f.passes(t, func() {
					k.AssertStatus("job", at(t, "2026-03-02T08:50:00Z"), chronos.StatusMissed, chronos.ReasonCatchUp)
					k.AssertRan("job", at(t, "2026-03-02T09:00:00Z"))
					k.AssertLedger("job", "2026-03-02T08:35:00Z succeeded",
						"2026-03-02T08:40:00Z missed(window)",
						"2026-03-02T08:45:00Z to 2026-03-02T08:55:00Z, 3 instants missed(catch_up)", "2026-03-02T09:00:00Z succeeded")
				})
				f.fails(t, func() { k.AssertRan("job", at(t, "2026-03-02T08:40:00Z")) }, "got missed(window)", "older than Job.CatchUpWindow")
				f.fails(t, func() { k.Restart("node-1") }, "node-1 is up; Stop or Kill it first")
			})
		}
	}
}

// A handler that works at its fourth attempt.
func TestRetryTillSuccess(t *testing.T) {
	var calls atomic.Int32
	flaky := func(context.Context, chronos.Execution) error {
		if calls.Add(1) < 4 {
			return errBoom
		}
		return nil
	}
	job := chronos.Job{Schedule: chronos.Cron("0 9 * * *"), Retry: chronos.Retry{MaxAttempts: 5, Initial: time.Minute, NoJitter: true}}
	observed(t, chronostest.Options{Start: start, Declare: declare(flaky, job)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		f.fails(t, func() { k.AdvanceToEnd("job") }, "no execution of job has come due yet")
		due := k.AdvanceToDue()
		f.fails(t, func() { k.AssertRan("job", due) }, "got pending(instant): it waits for its next attempt, at 2026-03-02T09:01:00Z; AdvanceToEnd gets there", "(boom)")
		f.passes(t, func() {
			x := k.AdvanceToEnd("job")
			if x.Attempt != 4 || !time.Now().Equal(at(t, "2026-03-02T09:07:00Z")) {
				t.Errorf("attempt %d, at %s", x.Attempt, time.Now())
			}
			k.AssertRan("job", due)
			k.AssertLedger("job", "2026-03-02T09:00:00Z succeeded after 4 attempts")
		})
		calls.Store(-100)
		k.AdvanceToDue()
		k.AdvanceToEnd("job")
		f.passes(t, func() { k.AssertStatus("job", due.Add(24*time.Hour), chronos.StatusFailed, chronos.ReasonNone) })
		f.fails(t, func() { k.AssertRan("job", due.Add(24*time.Hour)) }, "want succeeded, got failed after 5 attempts: boom")
	})
}

// A line counts the attempts that there were. The next one is assigned up to a second
// before it may start, and is none yet.
func TestAttemptsCounted(t *testing.T) {
	flaky := func(ctx context.Context, x chronos.Execution) error {
		if x.Attempt < 3 {
			return errBoom
		}
		return busy(time.Minute)(ctx, x)
	}
	job := chronos.Job{Schedule: chronos.Cron("0 9 * * *"), Retry: chronos.Retry{MaxAttempts: 5, Initial: time.Minute, NoJitter: true}}
	observed(t, chronostest.Options{Start: start, Declare: declare(flaky, job)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		due := k.AdvanceToDue()
		const instant = "2026-03-02T09:00:00Z "
		f.passes(t, func() {
			k.AssertLedger("job", instant+"pending(instant)")
			k.AdvanceTo(due.Add(time.Minute - 500*time.Millisecond)) // the second one is assigned
			if x := k.Executions("job")[0]; x.Attempt != 2 {
				t.Errorf("attempt %d", x.Attempt)
			}
			k.AssertLedger("job", instant+"pending(instant)")
			k.AdvanceTo(due.Add(2 * time.Minute))
			k.AssertLedger("job", instant+"pending(instant) after 2 attempts")
			k.AdvanceTo(due.Add(3*time.Minute - 500*time.Millisecond))
			k.AssertLedger("job", instant+"pending(instant) after 2 attempts")
			k.AdvanceTo(due.Add(3 * time.Minute))
			k.AssertLedger("job", instant+"running, attempt 3")
			k.Advance(time.Minute)
			k.AssertLedger("job", instant+"succeeded after 3 attempts")
		})
	})
}

func TestBadOptions(t *testing.T) {
	f := &fake{TB: t}
	f.fails(t, func() { chronostest.New(f, chronostest.Options{Declare: declare(succeed)}) }, "New has to be called inside a bubble")
	observed(t, chronostest.Options{Declare: declare(succeed)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		f.fails(t, func() { chronostest.New(f, chronostest.Options{}) }, "Options.Declare is required")
		f.fails(t, func() { chronostest.New(f, chronostest.Options{Declare: declare(succeed), Nodes: 8}) }, "Options.Nodes is 8; at most 7")
		f.fails(t, func() {
			chronostest.New(f, chronostest.Options{Declare: declare(succeed), Start: time.Now().Add(-time.Hour)})
		}, "Options.Start is 1999-12-31T23:00:00Z")
		f.fails(t, func() {
			chronostest.New(f, chronostest.Options{Declare: declare(succeed, chronos.Job{Schedule: chronos.Cron("0 25 * * *")})})
		}, "Options.Declare on node-1", "25 is not between 0 and 23")
		f.fails(t, func() { k.Kill("node-1") }, "set Options.OnDisk")
		f.fails(t, func() { k.CutOff("node-1") }, "has no network; set Options.Nodes")
		f.fails(t, func() { k.Node("node-2") }, `there is no node "node-2"`)
		f.fails(t, func() { k.AdvanceToDue() }, "there are no jobs")
	})
}
