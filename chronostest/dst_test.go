package chronostest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

// Would this have run on the DST Sunday? A fixed time in the gap, the same one left
// out, one in the hour that comes twice, and one that goes by the clock's face.
func TestDaylightSaving(t *testing.T) {
	for _, c := range []struct {
		zone, from, until string
		want              map[string][]string
	}{
		{"Europe/Berlin", "2026-03-29T00:00:00+01:00", "2026-03-29T04:00:00+02:00", map[string][]string{
			"fixed":  {"2026-03-29T03:00:00+02:00 succeeded"},
			"skips":  nil,
			"hourly": {"2026-03-29T01:00:00+01:00 succeeded", "2026-03-29T03:00:00+02:00 succeeded", "2026-03-29T04:00:00+02:00 succeeded"},
		}},
		{"Europe/Berlin", "2026-10-25T00:00:00+02:00", "2026-10-25T04:00:00+01:00", map[string][]string{
			"fixed": {"2026-10-25T02:30:00+02:00 succeeded"},
			"both":  {"2026-10-25T02:30:00+02:00 succeeded", "2026-10-25T02:30:00+01:00 succeeded"},
			"last":  {"2026-10-25T02:30:00+01:00 succeeded"},
			"hourly": {"2026-10-25T01:00:00+02:00 succeeded", "2026-10-25T02:00:00+02:00 succeeded", "2026-10-25T02:00:00+01:00 succeeded",
				"2026-10-25T03:00:00+01:00 succeeded", "2026-10-25T04:00:00+01:00 succeeded"},
		}},
		{"America/New_York", "2026-03-08T00:00:00-05:00", "2026-03-08T04:00:00-04:00", map[string][]string{
			"fixed": {"2026-03-08T03:00:00-04:00 succeeded"},
			"skips": nil,
		}},
		{"America/New_York", "2026-11-01T00:00:00-04:00", "2026-11-01T04:00:00-05:00", map[string][]string{
			"one":     {"2026-11-01T01:30:00-04:00 succeeded"},
			"onelast": {"2026-11-01T01:30:00-05:00 succeeded"},
		}},
	} {
		t.Run(c.zone+" "+c.from, func(t *testing.T) {
			loc := zone(t, c.zone)
			half := chronos.Cron("30 2 * * *").In(loc)
			one := chronos.Cron("30 1 * * *").In(loc)
			jobs := []chronos.Job{
				{ID: "fixed", Schedule: half}, {ID: "skips", Schedule: half.SkipGap()}, {ID: "both", Schedule: half.RepeatBoth()},
				{ID: "last", Schedule: half.RepeatLast()}, {ID: "hourly", Schedule: chronos.Cron("0 * * * *").In(loc)},
				{ID: "one", Schedule: one}, {ID: "onelast", Schedule: one.RepeatLast()},
			}
			o := chronostest.Options{Start: at(t, c.from), Zone: loc, Declare: declare(succeed, jobs...)}
			bubble(t, o, func(t *testing.T, k *chronostest.Kit) {
				k.AdvanceTo(at(t, c.until))
				for job, want := range c.want {
					k.AssertLedger(job, want...)
				}
			})
		})
	}
}

// The message of an assertion on a DST Sunday names the instant that took its place.
func TestDaylightSavingMessage(t *testing.T) {
	loc := zone(t, "Europe/Berlin")
	job := chronos.Job{Schedule: chronos.Cron("30 2 * * *").In(loc)}
	o := chronostest.Options{Start: at(t, "2026-03-28T12:00:00+01:00"), Zone: loc, Declare: declare(succeed, job)}
	observed(t, o, func(t *testing.T, f *fake, k *chronostest.Kit) {
		k.Advance(24 * time.Hour)
		f.fails(t, func() { k.AssertRan("job", time.Date(2026, 3, 29, 2, 30, 0, 0, loc)) },
			"want succeeded, but it was not due then: it is due at 2026-03-29T03:00:00+02:00, and next at 2026-03-30T02:30:00+02:00")
		f.passes(t, func() { k.AssertRan("job", at(t, "2026-03-29T03:00:00+02:00")) })
	})
}

func TestLeapDay(t *testing.T) {
	jobs := []chronos.Job{{ID: "leap", Schedule: chronos.Cron("0 6 29 2 *")}, {ID: "last", Schedule: chronos.Cron("0 6 L 2 *")}, {ID: "month", Schedule: chronos.Cron("0 6 29 * *")}}
	for year, want := range map[int]string{2027: "", 2028: "2028-02-29T06:00:00Z succeeded"} {
		o := chronostest.Options{Start: time.Date(year, 2, 27, 0, 0, 0, 0, time.UTC), Declare: declare(succeed, jobs...)}
		bubble(t, o, func(t *testing.T, k *chronostest.Kit) {
			k.AdvanceTo(time.Date(year, 3, 1, 0, 0, 0, 0, time.UTC))
			if want == "" {
				k.AssertLedger("leap")
				k.AssertLedger("month")
				k.AssertLedger("last", "2027-02-28T06:00:00Z succeeded")
				return
			}
			for _, j := range jobs {
				k.AssertLedger(j.ID, want)
			}
		})
	}
}

// A year of ten jobs of a host, run by the real scheduler. How long that takes is
// told and not asserted.
func TestAYear(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("takes ten seconds, or a minute or two with the race detector")
	}
	loc := zone(t, "Europe/Berlin")
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, loc)
	var jobs []chronos.Job
	for i, s := range []chronos.Schedule{
		chronos.Cron("30 2 * * *"), chronos.Cron("0 3 * * *"), chronos.Cron("15 1 * * *"), chronos.Cron("0 9 * * MON-FRI"), chronos.Cron("0 8 1 * *"),
		chronos.Cron("0 18 L * *"), chronos.Cron("45 2 * * SUN"), chronos.Cron("0 */6 * * *"), chronos.Cron("0 7 29 2 *"), chronos.Cron("0 12 * * *").ExceptDays("12-24..01-02"),
	} {
		jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("job-%d", i), Schedule: s.In(loc)})
	}
	real := realClock()
	o := chronostest.Options{Start: from.Add(-time.Second), Zone: loc, Declare: declare(succeed, jobs...)}
	bubble(t, o, func(t *testing.T, k *chronostest.Kit) {
		k.AdvanceTo(from.AddDate(1, 0, 0).Add(-time.Second))
		total := 0
		for i, want := range []int{365, 365, 365, 261, 12, 12, 52, 1460, 0, 355} {
			rows := k.Executions(jobs[i].ID)
			total += len(rows)
			if len(rows) != want {
				t.Errorf("%s (%s) ran %d times, want %d", jobs[i].ID, jobs[i].Schedule, len(rows), want)
			}
			for _, x := range rows {
				if x.Status != chronos.StatusSucceeded {
					t.Errorf("%s at %s: %s", x.Job, x.Due, x.Status)
				}
			}
		}
		k.AssertRan("job-0", at(t, "2026-03-29T03:00:00+02:00"))
		k.AssertRan("job-6", at(t, "2026-03-29T03:00:00+02:00"))
		k.AssertRan("job-0", at(t, "2026-10-25T02:30:00+02:00"))
		k.AssertNotDue("job-0", at(t, "2026-10-25T02:30:00+01:00"))
		t.Logf("a year of %d jobs, with %d executions, took %v", len(jobs), total, real())
	})
}

// realClock measures real time, which a goroutine of a bubble does not see.
func realClock() (elapsed func() time.Duration) {
	ask, answer := make(chan struct{}), make(chan time.Duration)
	begin := time.Now()
	go func() {
		<-ask
		answer <- time.Since(begin)
	}()
	return func() time.Duration {
		ask <- struct{}{}
		return <-answer
	}
}
