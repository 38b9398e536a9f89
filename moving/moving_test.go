package moving

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/hibiken/asynq"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/robfig/cron/v3"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

// noLocker lets everything run.
type noLocker struct{}

func (noLocker) Lock(context.Context, string) (gocron.Lock, error) { return noLocker{}, nil }
func (noLocker) Unlock(context.Context) error                      { return nil }

// Before: what needs no database runs, and what needs one is accepted by its library.
func TestBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls.Store(0)
		c, err := robfigBefore(cron.DiscardLogger)
		if err != nil {
			t.Fatal(err)
		}
		c.Start()
		time.Sleep(200 * time.Second)
		<-c.Stop().Done()
		if polls.Load() != 2 {
			t.Errorf("robfig/cron polled %d times", polls.Load())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		polls.Store(0)
		s, err := gocronBefore(t.Context(), noLocker{})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		time.Sleep(200 * time.Second)
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		if polls.Load() != 2 {
			t.Errorf("gocron polled %d times", polls.Load())
		}
	})
	config, err := riverBefore()
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Queues) != 1 || len(config.PeriodicJobs) != 1 {
		t.Errorf("%+v", config)
	}
	config.Queues = nil // without a database nobody works
	if _, err := river.NewClient(riverpgxv5.New(nil), config); err != nil {
		t.Error(err)
	}
	scheduler, mux, err := asynqBefore(asynq.RedisClientOpt{Addr: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	_ = scheduler // it would look for Redis
	reports.Store(0)
	if err := mux.ProcessTask(t.Context(), asynq.NewTask("report", []byte(`{}`))); err != nil || reports.Load() != 1 {
		t.Errorf("%v, %d reports", err, reports.Load())
	}
}

// After: the jobs run, in a week of virtual time, as often as they have to.
func TestAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		declare        func(ctx context.Context, s *chronos.Scheduler) error
		reports, polls int64
	}{
		"robfig": {robfigAfter, 1, 960},
		"gocron": {gocronAfter, 0, 960},
		"river":  {riverAfter, 2, 0}, // one of them at once
		"asynq":  {asynqAfter, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reports.Store(0)
				polls.Store(0)
				k := chronostest.New(t, chronostest.Options{
					Start:   time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), // a Thursday
					Declare: func(s *chronos.Scheduler) error { return tc.declare(t.Context(), s) },
				})
				k.Advance(24*time.Hour - time.Second)
				if reports.Load() != tc.reports || polls.Load() < tc.polls-1 || polls.Load() > tc.polls {
					t.Errorf("%d reports, want %d; %d polls, want %d", reports.Load(), tc.reports, polls.Load(), tc.polls)
				}
			})
		})
	}
}

// A crontab is taken over, with its environment and what its commands read.
func TestCrontab(t *testing.T) {
	s, err := chronos.New(chronos.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	file, err := os.Open("testdata/crontab")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	notes, err := crontabAfter(t.Context(), s, file)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0].String(), "line 2: MAILTO is not carried over") {
		t.Errorf("%v, %v", notes, err)
	}
	n := 0
	for job, err := range s.Jobs(t.Context(), nil) {
		if err != nil || !strings.HasPrefix(job.ID, "cron/") || !strings.Contains(string(job.Payload), `"PATH":"/usr/local/bin:/usr/bin:/bin"`) {
			t.Errorf("%+v, %v", job, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d jobs", n)
	}
}

// TestShell runs what the handler of the page does.
func TestShell(t *testing.T) {
	s, err := chronos.New(chronos.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	t.Setenv("HOME", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := crontabAfter(ctx, s, strings.NewReader("X=is\n0 0 1 1 * test $HOME && echo $X; cat%said%twice\n")); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	for job, err := range s.Jobs(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		x, err := s.Trigger(ctx, job.ID, chronos.TriggerRequest{})
		if err == nil {
			x, err = s.Wait(ctx, x.ID)
		}
		if err != nil || string(x.Output) != "is\nsaid\ntwice\n" {
			t.Errorf("%q, %s, %v", x.Output, x.Error, err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// An expression that robfig/cron takes is due at the same instants here, but for daylight
// saving: UTC has none. asynq uses robfig/cron, and so do River's examples and gocron.
func TestSameInstants(t *testing.T) {
	from := time.Date(2026, 2, 27, 23, 58, 30, 0, time.UTC)
	for _, expr := range []string{
		"* * * * *", "*/7 * * * *", "30 2 * * *", "0 9-17/2 * * MON-FRI", "15,45 8,20 1,15 * *", "0 0 13 * FRI", "0 0 1-31/2 * 1", "5 4 ? jan,Mar SUN",
		"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "TZ=Asia/Tokyo 0 6 * * *", "CRON_TZ=Asia/Tokyo 0 6 * * 0",
	} {
		theirs, err := cron.ParseStandard(expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		ours := chronos.Cron(expr)
		at := from
		for i, got := range ours.NextN(from, 50) {
			if at = theirs.Next(at); !got.Equal(at) {
				t.Errorf("%s, %d: %s here, %s there", expr, i, got, at.UTC())
				break
			}
		}
		if ours.Err() != nil {
			t.Errorf("%s: %v", expr, ours.Err())
		}
	}
}

// What the page says is different.
func TestOtherInstants(t *testing.T) {
	from := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct{ expr, theirs, ours string }{
		{"0 0 */2 * 1", "2026-03-02", "2026-03-09"}, // every second day or every Monday; Mondays on odd days
	} {
		theirs, err := cron.ParseStandard(tc.expr)
		if err != nil {
			t.Fatal(err)
		}
		ours, _ := chronos.Cron(tc.expr).Next(from)
		if a, b := theirs.Next(from).UTC().Format(time.DateOnly), ours.Format(time.DateOnly); a != tc.theirs || b != tc.ours {
			t.Errorf("%s: %s there, %s here", tc.expr, a, b)
		}
	}
	leap, err := cron.ParseStandard("0 0 29 2 *") // it looks five years ahead
	if err != nil {
		t.Fatal(err)
	}
	in2096 := time.Date(2096, 3, 1, 0, 0, 0, 0, time.UTC)
	if next, ok := chronos.Cron("0 0 29 2 *").Next(in2096); !leap.Next(in2096).IsZero() || !ok || next.Year() != 2104 {
		t.Errorf("%s there, %s here", leap.Next(in2096), next)
	}
	for _, refused := range []string{"*/90 * * * *", "0 0 30 2 *"} { // there: once an hour, and never
		if _, err := cron.ParseStandard(refused); err != nil || chronos.Cron(refused).Err() == nil {
			t.Errorf("%s: %v there, %v here", refused, err, chronos.Cron(refused).Err())
		}
	}
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	gap := time.Date(2026, 3, 8, 0, 0, 0, 0, newYork) // 02:30 does not exist on this day
	skips, err := cron.ParseStandard("CRON_TZ=America/New_York 30 2 * * *")
	if err != nil {
		t.Fatal(err)
	}
	next, _ := chronos.Cron("CRON_TZ=America/New_York 30 2 * * *").Next(gap)
	if skips.Next(gap).Day() != 9 || !next.Equal(time.Date(2026, 3, 8, 3, 0, 0, 0, newYork)) {
		t.Errorf("%s there, %s here", skips.Next(gap), next)
	}
}

// Every schedule that the tables name is one.
func TestTables(t *testing.T) {
	page := read(t, "../docs/moving.md")
	found := regexp.MustCompile("`Cron\\(\"([^\"]+)\"\\)`").FindAllStringSubmatch(page, -1)
	if len(found) < 4 {
		t.Errorf("%d schedules", len(found))
	}
	for _, m := range append(found, []string{"", "0 0 1 1/2 *"}) {
		if err := chronos.Cron(m[1]).Err(); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
}
