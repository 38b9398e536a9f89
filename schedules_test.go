package chronos_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// What a schedule comes to when it is run.
func TestSchedulesRun(t *testing.T) {
	for _, tc := range []struct {
		name    string
		job     chronos.Job
		handler chronos.Handler
		starts  string // up to 00:10:30
		over    bool   // no further instant
		gone    bool   // removed
	}{
		{"every", chronos.Job{Schedule: chronos.Every(4 * time.Minute)}, succeed, "00:04:00 00:08:00", false, false},
		{"every, anchored", chronos.Job{Schedule: chronos.Every(4 * time.Minute).Anchor(at("00:01:00"))}, succeed, "00:01:00 00:05:00 00:09:00", false, false},
		{"every, anchored in the future", chronos.Job{Schedule: chronos.Every(4 * time.Minute).Anchor(at("05:01:00"))}, succeed, "00:01:00 00:05:00 00:09:00", false, false},
		{"bounds are inclusive", chronos.Job{Schedule: chronos.Every(time.Minute).From(at("00:03:00")).Until(at("00:05:00"))}, succeed, "00:03:00 00:04:00 00:05:00", true, false},
		{"seconds", chronos.Job{Schedule: chronos.Cron("*/20 9 * * * *")}, succeed, "00:09:00 00:09:20 00:09:40", false, false},
		{"zone", chronos.Job{Schedule: chronos.Cron("5 1 * * *").In(zone("Europe/Berlin"))}, succeed, "00:05:00", false, false},
		{"union", chronos.Job{Schedule: chronos.Union(chronos.Cron("2-59/4 * * * *"), chronos.Every(5*time.Minute))}, succeed, "00:02:00 00:05:00 00:06:00 00:10:00", false, false},
		{"union that ends", chronos.Job{Schedule: chronos.Union(chronos.At(at("00:03:00")), chronos.At(at("00:03:00")), chronos.At(at("00:07:00")))}, succeed, "00:03:00 00:07:00", true, false},
		{"except times", chronos.Job{Schedule: chronos.Cron("*/2 * * * *").Except(chronos.Cron("4-6 * * * *"))}, succeed, "00:02:00 00:08:00 00:10:00", false, false},
		{"except the day it is", chronos.Job{Schedule: chronos.Union(chronos.Every(time.Minute).ExceptDays(epoch.Format(time.DateOnly)), chronos.Cron("9 * * * *"))}, succeed, "00:09:00", false, false},
		{"once", chronos.Job{Schedule: chronos.At(at("00:07:00"))}, succeed, "00:07:00", true, false},
		{"once, removed", chronos.Job{Schedule: chronos.At(at("00:07:00")), RemoveAfter: true}, succeed, "00:07:00", true, true},
		{"once, removed after its retries", chronos.Job{Schedule: chronos.At(at("00:07:00")), RemoveAfter: true,
			Retry: chronos.Retry{MaxAttempts: 2, Initial: time.Minute, NoJitter: true}}, fail, "00:07:00 00:08:00", true, true},
		{"bounded, removed", chronos.Job{Schedule: chronos.Every(time.Minute).Until(at("00:02:00")), RemoveAfter: true}, busy(3 * time.Minute), "00:01:00", true, true},
		{"after the end", chronos.Job{Schedule: chronos.After(2 * time.Minute)}, busy(30 * time.Second), "00:02:00 00:04:30 00:07:00 00:09:30", false, false},
		{"after the end of a failure", chronos.Job{Schedule: chronos.After(2 * time.Minute), Retry: chronos.Retry{MaxAttempts: 2, Initial: time.Minute, NoJitter: true}}, fail,
			"00:02:00 00:03:00 00:05:00 00:06:00 00:08:00 00:09:00", false, false},
		{"after, until", chronos.Job{Schedule: chronos.After(2 * time.Minute).Until(at("00:05:00"))}, succeed, "00:02:00 00:04:00", true, false},
		{"after, twice, removed", chronos.Job{Schedule: chronos.After(2 * time.Minute), MaxRuns: 2, RemoveAfter: true}, busy(30 * time.Second), "00:02:00 00:04:30", true, true},
		{"max runs", chronos.Job{Schedule: chronos.Every(time.Minute), MaxRuns: 3}, succeed, "00:01:00 00:02:00 00:03:00", true, false},
		{"max runs, removed", chronos.Job{Schedule: chronos.Every(time.Minute), MaxRuns: 3, RemoveAfter: true}, succeed, "00:01:00 00:02:00 00:03:00", true, true},
		{"max runs does not count what was skipped", chronos.Job{Schedule: chronos.Every(time.Minute), MaxRuns: 3}, busy(90 * time.Second), "00:01:00 00:03:00 00:05:00", true, false},
		{"max runs counts what is buffered", chronos.Job{Schedule: chronos.Every(time.Minute), MaxRuns: 3, Overlap: chronos.OverlapBufferAll}, busy(2 * time.Minute), "00:01:00 00:03:00 00:05:00", true, false},
		{"max runs does not count retries", chronos.Job{Schedule: chronos.Every(time.Minute), MaxRuns: 2, Retry: chronos.Retry{MaxAttempts: 2, NoJitter: true}}, fail, "00:01:00 00:01:01 00:02:00 00:02:01", true, false},
		{"a start deadline that never holds", chronos.Job{Schedule: chronos.Every(5 * time.Minute), StartDeadline: time.Nanosecond}, succeed, "00:05:00 00:10:00", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, chronos.Options{}, func(r *rig) {
				r.handle(tc.handler)
				r.put(tc.job)
				r.start()
				r.until("00:10:30")
				r.wantStarts(tc.starts)
				job, err := r.Get(r.ctx, "job")
				if (err != nil) != tc.gone {
					t.Fatalf("Get: %v", err)
				}
				if !tc.gone && job.State.Exhausted != tc.over || job.State.NextDue.IsZero() != (tc.over || tc.gone || job.State.Unfinished > 0 && job.Schedule.String()[:6] == "@after") {
					t.Errorf("state %+v", job.State)
				}
			})
		})
	}
}

func zone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return loc
}

// Triggers do not count against MaxRuns, and raising it lets the job go on.
func TestMaxRunsRaised(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		job := chronos.Job{Schedule: chronos.Every(time.Minute), MaxRuns: 2}
		r.put(job)
		r.start()
		r.trigger("job", chronos.TriggerRequest{})
		r.until("00:05:30")
		r.wantLedger("trigger 00:00:00 succeeded", "00:01:00 succeeded", "00:02:00 succeeded")
		job.MaxRuns = 3
		r.put(job)
		r.until("00:09:30")
		r.wantLedger("trigger 00:00:00 succeeded", "00:01:00 succeeded", "00:02:00 succeeded", "00:06:00 succeeded")
		if st := r.get("job").State; st.Runs != 3 || !st.Exhausted {
			t.Errorf("state %+v", st)
		}
	})
}

// Jitter delays the start, by the same for the same job and instant, and never
// up to the next one. The due instant stays.
func TestJitter(t *testing.T) {
	record := func(id string, sched chronos.Schedule) (offsets []time.Duration) {
		bubble(t, chronos.Options{}, func(r *rig) {
			r.handle(func(_ context.Context, x chronos.Execution) error {
				offsets = append(offsets, time.Since(x.Due))
				return nil
			})
			r.put(chronos.Job{ID: id, Schedule: sched})
			r.start()
			r.until("01:00:59")
			for _, x := range r.rows(id) {
				if x.Due.Second() != 0 || x.Status == chronos.StatusSkipped {
					t.Errorf("row %s", rowText(x))
				}
			}
		})
		return offsets
	}
	wide := chronos.Every(time.Minute).Jitter(24 * time.Hour)
	one, again, other := record("job", wide), record("job", wide), record("job2", wide)
	narrow := record("job", chronos.Every(time.Minute).Jitter(10*time.Second))
	if len(one) < 59 || len(again) != len(one) {
		t.Fatalf("%d and %d starts", len(one), len(again))
	}
	distinct, equal := map[time.Duration]bool{}, 0
	for i, d := range one {
		if d < 0 || d >= time.Minute || again[i] != d {
			t.Errorf("offset %v, then %v", d, again[i])
		}
		if i < len(other) && other[i] == d {
			equal++
		}
		distinct[d] = true
	}
	if len(distinct) < 50 || equal > 5 {
		t.Errorf("%d different offsets, %d the same for another job", len(distinct), equal)
	}
	for _, d := range narrow {
		if d < 0 || d >= 10*time.Second {
			t.Errorf("offset %v of 10s", d)
		}
	}
}

// What is not there yet: a schedule beyond the range of instants is refused.
func TestSchedulesRefused(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		for name, s := range map[string]chronos.Schedule{
			"past":             chronos.At(epoch.Add(-time.Second)),
			"now":              chronos.At(epoch),
			"year 1":           chronos.At(time.Time{}),
			"year 3000":        chronos.At(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)),
			"too often":        chronos.Every(time.Microsecond),
			"no period":        chronos.Every(0),
			"negative":         chronos.After(-time.Second),
			"over":             chronos.Every(time.Hour).Until(epoch.Add(-time.Hour)),
			"bounds":           chronos.Every(time.Hour).From(at("02:00:00")).Until(at("01:00:00")),
			"between":          chronos.Cron("@yearly").From(at("02:00:00")).Until(at("03:00:00")),
			"30 February":      chronos.Cron("0 0 30 2 *"),
			"year that is by":  chronos.Cron("0 0 0 1 1 * 1999"),
			"garbage":          chronos.Cron("often"),
			"empty":            chronos.Cron(""),
			"local":            chronos.Cron("* * * * *").In(time.Local),
			"zone of its own":  chronos.Cron("* * * * *").In(time.FixedZone("mine", 3600)),
			"zone for every":   chronos.Every(time.Hour).SkipGap(),
			"jitter too large": chronos.Every(time.Hour).Jitter(25 * time.Hour),
			"negative jitter":  chronos.Every(time.Hour).Jitter(-1),
			"union of none":    chronos.Union(),
			"union with After": chronos.Union(chronos.Cron("@daily"), chronos.After(time.Hour)),
			"union with wrong": chronos.Union(chronos.Cron("@daily"), chronos.Cron("0 25 * * *")),
			"never in a union": chronos.Union(chronos.Cron("@daily"), chronos.Cron("0 0 30 2 *")),
			"no such day":      chronos.Cron("@daily").ExceptDays("2026-02-30"),
			"every day":        chronos.Cron("@daily").ExceptDays("MON..SUN"),
			"except itself":    chronos.Cron("@daily").Except(chronos.Cron("@daily")),
			"except wrong":     chronos.Cron("@daily").Except(chronos.Cron("0 25 * * *")),
			"except garbage":   chronos.Cron("@daily").Except(chronos.Cron("@often")),
			"except a rate":    chronos.Cron("@daily").Except(chronos.Every(time.Hour)),
			"except bounded":   chronos.Cron("@daily").Except(chronos.Cron("0 3 * * *").Until(at("03:00:00"))),
			"except elsewhere": chronos.Cron("@daily").Except(chronos.Cron("0 3 * * *").In(zone("Europe/Berlin"))),
			"rate except":      chronos.Every(time.Hour).Except(chronos.Cron("0 3 * * *")),
			"no convention":    chronos.Cron("@daily").OnBusinessDays("sideways"),
			"no business":      chronos.Cron("@daily").OnBusinessDays(chronos.RollFollowing, "01-01..12-31"),
			"rate on business": chronos.Every(time.Hour).OnBusinessDays(chronos.RollFollowing),
			"hash of a year":   chronos.Cron("0 0 0 1 1 * H"),
		} {
			_, err := r.Put(r.ctx, chronos.Job{ID: "job", Handler: "h", Schedule: s})
			if err == nil {
				t.Errorf("%s: accepted", name)
				continue
			}
			wantField(t, err, "Job.Schedule")
		}
		_, err := r.Get(r.ctx, "job")
		wantError(t, err, chronos.ErrNotFound)
	})
}

// H is the hash of the job's ID, for a job that is put and for a preview, and
// stays in the stored text.
func TestHashRuns(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		sched := chronos.Cron("H/10 * * * *")
		for _, id := range []string{"one", "two", "three"} {
			r.put(chronos.Job{ID: id, Schedule: sched})
		}
		if _, err := r.PutAll(r.ctx, []chronos.Job{{ID: "four", Handler: "h", Schedule: sched}, {ID: "as-one", Handler: "h", Schedule: sched.For("one")}}); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.until("01:00:59")
		firsts := map[time.Time]bool{}
		for id, seed := range map[string]string{"one": "one", "two": "two", "three": "three", "four": "four", "as-one": "one"} {
			var want []time.Time
			for due := range sched.For(seed).Between(epoch, epoch.Add(time.Hour)) {
				want = append(want, due)
			}
			rows := r.rows(id)
			if len(rows) != len(want) || len(want) != 6 {
				t.Errorf("%s: %d rows, want %d", id, len(rows), len(want))
				continue
			}
			for _, x := range rows {
				if !slices.ContainsFunc(want, x.Due.Equal) {
					t.Errorf("%s: row %s", id, rowText(x))
				}
			}
			firsts[want[0]] = true
		}
		if len(firsts) < 3 {
			t.Errorf("%d different times for four jobs", len(firsts))
		}
		if text := r.get("one").Schedule.String(); text != "H/10 * * * *" {
			t.Errorf("stored as %q", text)
		}
		r.put(chronos.Job{ID: "one", Schedule: sched}) // unchanged
		if v := r.get("one").Version; v != 1 {
			t.Errorf("version %d", v)
		}
		r.must(r.Pause(r.ctx, "one", ""))
		r.until("02:00:59")
		r.must(r.Resume(r.ctx, "one"))
		if next, _ := sched.For("one").Next(time.Now()); !r.get("one").State.NextDue.Equal(next) {
			t.Errorf("next due %v, want %v", r.get("one").State.NextDue, next)
		}
	})
}

// TestScheduleRefusedAsItIs: what is known of a schedule's text, because another job has it,
// is not taken for a schedule that only reads the same.
func TestScheduleRefusedAsItIs(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		for _, of := range []func() chronos.Schedule{
			func() chronos.Schedule { return chronos.Cron("0 9 * * *") },
			func() chronos.Schedule { return chronos.Cron("0 9 * * *").ExceptDays(" ") },
			func() chronos.Schedule { return chronos.Cron("H 9 * * *").For("x") },
			func() chronos.Schedule { return chronos.Cron("H 9 * * *").For("x | @every 1s") },
			func() chronos.Schedule { return chronos.Cron("H 9 * * *").For("x; jitter=1h") },
			func() chronos.Schedule { return chronos.Every(90 * time.Second) },
		} {
			read, err := chronos.ParseSchedule(of().String()) // what a text can say
			if err == nil {
				_, err = r.Put(r.ctx, chronos.Job{ID: "read", Handler: "work", Schedule: read})
			}
			if err != nil {
				t.Logf("%q cannot be read: %v", of(), err)
			}
			for n := range 2 {
				_, err := r.Put(r.ctx, chronos.Job{ID: fmt.Sprint("given", n), Handler: "work", Schedule: of()})
				if wrong := of().Err(); (err == nil) != (wrong == nil) || err != nil && !errors.Is(err, chronos.ErrInvalid) {
					t.Errorf("%q: %v, put: %v", of(), wrong, err)
				}
			}
		}
	})
}
