package chronos_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// dayJob is a job of the simulated day, with a predicate that knows on its own
// which seconds are due. Nothing of the schedule package is asked.
type dayJob struct {
	job chronos.Job
	due func(t time.Time) bool
}

// cronDue reads the simple cron expressions of the test: numbers, '*', '*/n',
// lists and ranges, in UTC.
func cronDue(expr string) func(time.Time) bool {
	fields := strings.Fields(expr)
	if len(fields) == 5 {
		fields = append([]string{"0"}, fields...)
	}
	match := func(field string, v, first int) bool {
		for part := range strings.SplitSeq(field, ",") {
			part, step, _ := strings.Cut(part, "/")
			n := 1
			if step != "" {
				n, _ = strconv.Atoi(step)
			}
			lo, hi := first, 99
			if part != "*" {
				from, to, ranged := strings.Cut(part, "-")
				lo, _ = strconv.Atoi(from)
				if hi = lo; ranged {
					hi, _ = strconv.Atoi(to)
				}
			}
			if v >= lo && v <= hi && (v-lo)%n == 0 {
				return true
			}
		}
		return false
	}
	return func(t time.Time) bool {
		t = t.UTC()
		dom, dow := match(fields[3], t.Day(), 1), match(fields[5], int(t.Weekday()), 0)
		day := dom && dow
		if !strings.HasPrefix(fields[3], "*") && !strings.HasPrefix(fields[5], "*") {
			day = dom || dow
		}
		return day && match(fields[0], t.Second(), 0) && match(fields[1], t.Minute(), 0) &&
			match(fields[2], t.Hour(), 0) && match(fields[4], int(t.Month()), 1)
	}
}

func dayJobs() []dayJob {
	var out []dayJob
	add := func(sched chronos.Schedule, due func(time.Time) bool) {
		out = append(out, dayJob{chronos.Job{ID: fmt.Sprintf("job-%03d", len(out)), Schedule: sched}, due})
	}
	cron := func(expr string) { add(chronos.Cron(expr), cronDue(expr)) }
	for i := range 30 {
		cron(fmt.Sprintf("%d * * * *", i*2))
		cron(fmt.Sprintf("%d %d * * *", i, i%24))
	}
	for _, expr := range []string{
		"*/5 * * * *", "*/7 * * * *", "0,15,30,45 8-18 * * *", "0 0 1 1 *", "30 12 1-5 * 6", "0 6 15 * 6", "0 6 15 * 0", "*/10 * * * * *", "59 59 23 * * *",
		"0 */2 * * *", "* 3 * * *", "*/13 */5 * * *",
	} {
		cron(expr)
	}
	for i := range 14 {
		d := time.Duration(i*i*31+17) * time.Second
		anchor := epoch.Add(-time.Duration(i) * 1013 * time.Second)
		add(chronos.Every(d).Anchor(anchor), func(t time.Time) bool { return t.Sub(anchor)%d == 0 })
	}
	for i := range 10 {
		when := epoch.Add(time.Duration(i*8000+1) * time.Second)
		add(chronos.At(when), func(t time.Time) bool { return t.Equal(when) })
	}
	for i := range 4 {
		from, until := at("05:00:00"), at("06:00:00")
		expr := fmt.Sprintf("%d-59/10 * * * *", i)
		inner := cronDue(expr)
		add(chronos.Cron(expr).From(from).Until(until), func(t time.Time) bool { return inner(t) && !t.Before(from) && !t.After(until) })
	}
	return out
}

// A simulated day of a hundred jobs, with handlers that fail and take their
// time, edits, pauses and two restarts of Run: every due instant stands in the
// ledger exactly once, and nothing else does.
func TestADayOfAHundredJobs(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and its scheduler is under the race detector in other tests, too")
	}
	bubble(t, chronos.Options{Retention: chronos.Retention{Age: -1, Count: -1}}, func(r *rig) {
		jobs := dayJobs()
		if len(jobs) != 100 {
			t.Fatalf("%d jobs", len(jobs))
		}
		started := map[string]int{}
		r.handle(func(ctx context.Context, x chronos.Execution) error {
			r.mu.Lock()
			started[x.ID]++
			r.mu.Unlock()
			if x.Due.Minute()%10 == 3 {
				time.Sleep(90 * time.Second)
			}
			if x.Due.Minute()%10 == 4 && x.Attempt == 1 {
				return errBoom
			}
			return nil
		})
		overlaps := []chronos.Overlap{chronos.OverlapSkip, chronos.OverlapBufferAll, chronos.OverlapAllowAll, chronos.OverlapBufferOne, chronos.OverlapTerminateOther}
		misfires := []chronos.Misfire{chronos.MisfireLatest, chronos.MisfireAll, chronos.MisfireSkip, chronos.MisfireEarliest}
		for i, j := range jobs {
			job := j.job
			job.Overlap, job.Misfire = overlaps[i%5], misfires[i%4]
			job.Retry = chronos.Retry{MaxAttempts: 2, Initial: 5 * time.Second}
			r.put(job)
		}
		r.start()
		for hour := range 24 {
			until := at("00:00:00").Add(time.Duration(hour)*time.Hour + 59*time.Minute + 59*time.Second + 500*time.Millisecond)
			time.Sleep(time.Until(until))
			i := hour * 4
			edited := r.get(jobs[i].job.ID)
			edited.Description, edited.Version = fmt.Sprint("edited at ", hour), 0
			if !edited.State.Exhausted {
				r.put(edited)
			}
			paused := jobs[i+1].job.ID
			r.must(r.Pause(r.ctx, paused, ""))
			time.Sleep(700 * time.Millisecond)
			r.must(r.Resume(r.ctx, paused))
			if hour%8 == 5 {
				r.halt()
				time.Sleep(11 * time.Minute)
				r.start()
			}
		}
		end := at("2 00:30:00")
		time.Sleep(time.Until(end.Add(500 * time.Millisecond)))
		total := 0
		for i, j := range jobs {
			total += checkDay(t, r, j, end, overlaps[i%5])
		}
		if total < 18_000 {
			t.Errorf("only %d instants", total)
		}
		for id, n := range started {
			if x := r.execution(id); n != x.Attempt && x.Final() && x.Status != chronos.StatusTerminated {
				t.Errorf("%s was called %d times in %d attempts", id, n, x.Attempt)
			}
		}
		t.Logf("%d instants, %d executions", total, len(started))
	})
}

// checkDay compares a job's rows with what the predicate says.
func checkDay(t *testing.T, r *rig, j dayJob, end time.Time, overlap chronos.Overlap) (total int) {
	t.Helper()
	covered := map[time.Time]int{}
	for _, x := range r.rows(j.job.ID) {
		if x.Due.After(end) {
			continue // fired ahead
		}
		to := x.Due
		if x.Count > 1 {
			to = x.RangeTo
		}
		n := 0
		for at := x.Due; !at.After(to); at = at.Add(time.Second) {
			if j.due(at) {
				covered[at]++
				n++
			}
		}
		if n != x.Count {
			t.Errorf("%s: row %s covers %d instants", j.job.ID, rowText(x), n)
		}
		switch {
		case x.Ran() && x.Attempts != nil && x.Attempts[0].Started.Before(x.Due):
			t.Errorf("%s: row %s began early, at %s", j.job.ID, rowText(x), clockText(x.Attempts[0].Started))
		case x.Status == chronos.StatusFailed:
			t.Errorf("%s: row %s", j.job.ID, rowText(x))
		}
	}
	for at := epoch.Add(time.Second); !at.After(end); at = at.Add(time.Second) {
		want := 0
		if j.due(at) {
			want = 1
			total++
		}
		if covered[at] != want {
			t.Errorf("%s (%s, %s): %s stands in %d rows, want %d", j.job.ID, j.job.Schedule, overlap, clockText(at), covered[at], want)
			return total
		}
	}
	return total
}
