package chronos_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func simulate(t *testing.T, jobs []chronos.Job, from, to time.Time, past ...chronos.Execution) chronos.Simulation {
	t.Helper()
	sim, err := chronos.Simulate(jobs, from, to, past...)
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

// took is a past execution.
func took(job string, d time.Duration, status chronos.Status) chronos.Execution {
	begin := monday.AddDate(0, 0, -7)
	return chronos.Execution{Job: job, Status: status, EndedAt: begin.Add(d), Attempts: []chronos.Attempt{{Number: 1, Started: begin}}}
}

func fireText(sim chronos.Simulation) (out []string) {
	for _, f := range sim.Fires {
		text := f.Job + " " + f.Due.Format("15:04")
		if !f.Start.Equal(f.Due) && !f.Start.IsZero() {
			text += " at " + f.Start.Format("15:04")
		}
		if f.Overlap {
			text += " overlaps"
		}
		if f.Status != "" {
			text += fmt.Sprintf(" %s(%s)", f.Status, f.Reason)
		}
		out = append(out, text)
	}
	return out
}

func TestSimulate(t *testing.T) {
	jobs := []chronos.Job{
		{ID: "b", Schedule: chronos.Cron("*/30 * * * *")},
		{ID: "a", Schedule: chronos.Cron("0 * * * *")},
		{ID: "idle"},
		{ID: "paused", Schedule: chronos.Cron("* * * * *"), State: chronos.JobState{Paused: true}},
		{ID: "twice", Schedule: chronos.Every(time.Hour), MaxRuns: 5, State: chronos.JobState{Runs: 3}},
		{ID: "over", Schedule: chronos.At(monday.Add(-time.Hour))},
	}
	sim := simulate(t, jobs, monday, monday.Add(2*time.Hour))
	same(t, "fires", fireText(sim), []string{"a 00:00", "b 00:00", "twice 00:00", "b 00:30", "a 01:00", "b 01:00", "twice 01:00", "b 01:30", "a 02:00", "b 02:00"})
	counts := map[string]int{}
	for _, j := range sim.Jobs {
		counts[j.Job] = j.Instants
	}
	if want := map[string]int{"a": 3, "b": 5, "idle": 0, "paused": 0, "twice": 2, "over": 0}; !reflect.DeepEqual(counts, want) {
		t.Errorf("%v", counts)
	}
	if sim.Jobs[2].Note == "" || !strings.Contains(sim.Jobs[3].Note, "paused") {
		t.Errorf("notes %q and %q", sim.Jobs[2].Note, sim.Jobs[3].Note)
	}
	if b := sim.Jobs[0]; !b.First.Equal(monday) || !b.Last.Equal(monday.Add(2*time.Hour)) || b.Samples != 0 || b.Overlaps != 0 {
		t.Errorf("%+v", b)
	}
	want := []chronos.SimulatedMinute{{At: monday, Due: 3, Starts: 3, Unfinished: 3}, {At: monday.Add(30 * time.Minute), Due: 1, Starts: 1, Unfinished: 1}}
	if len(sim.Load) != 5 || !reflect.DeepEqual(sim.Load[:2], want) || sim.Peak != want[0] {
		t.Errorf("load %+v, peak %+v", sim.Load, sim.Peak)
	}
	if sim.Instants != 10 || !sim.Until.Equal(sim.To) || sim.Cut != nil {
		t.Errorf("%d instants until %s, cut %q", sim.Instants, sim.Until, sim.Cut)
	}
}

// What is due while the one before is still unfinished, by each overlap policy. It
// takes 25 minutes and is due every ten.
func TestSimulateOverlap(t *testing.T) {
	past := []chronos.Execution{took("job", 25*time.Minute, chronos.StatusSucceeded)}
	for policy, want := range map[chronos.Overlap][]string{
		"":                            {"job 00:00", "job 00:10 overlaps skipped(overlap)", "job 00:20 overlaps skipped(overlap)", "job 00:30", "job 00:40 overlaps skipped(overlap)"},
		chronos.OverlapBufferOne:      {"job 00:00", "job 00:10 at 00:25 overlaps", "job 00:20 overlaps skipped(overlap)", "job 00:30 at 00:50 overlaps", "job 00:40 overlaps skipped(overlap)"},
		chronos.OverlapBufferAll:      {"job 00:00", "job 00:10 at 00:25 overlaps", "job 00:20 at 00:50 overlaps", "job 00:30 at 01:15 overlaps", "job 00:40 overlaps dropped(buffer)"},
		chronos.OverlapAllowAll:       {"job 00:00", "job 00:10 overlaps", "job 00:20 overlaps", "job 00:30 overlaps", "job 00:40 overlaps"},
		chronos.OverlapTerminateOther: {"job 00:00", "job 00:10 overlaps", "job 00:20 overlaps", "job 00:30 overlaps", "job 00:40 overlaps"},
		chronos.OverlapCancelOther:    {"job 00:00", "job 00:10 overlaps", "job 00:20 overlaps", "job 00:30 overlaps", "job 00:40 overlaps"},
	} {
		job := chronos.Job{ID: "job", Schedule: chronos.Cron("*/10 * * * *"), Overlap: policy, BufferMax: 2}
		sim := simulate(t, []chronos.Job{job}, monday, monday.Add(40*time.Minute), past...)
		same(t, string(policy), fireText(sim), want)
		row, most := sim.Jobs[0], 0
		for _, m := range sim.Load {
			most = max(most, m.Unfinished)
		}
		if overlaps := strings.Count(strings.Join(want, " "), "overlaps"); row.Overlaps != overlaps || row.SlowOverlaps != overlaps {
			t.Errorf("%s: %+v", policy, row)
		}
		if wantMost := map[chronos.Overlap]int{chronos.OverlapAllowAll: 3}[policy]; most != max(wantMost, 1) {
			t.Errorf("%s: %d unfinished at once", policy, most)
		}
	}
}

// The past: the newest hundred that ran to their end count, by job.
func TestSimulatePast(t *testing.T) {
	var past []chronos.Execution
	for i := range 120 { // 1 to 100 minutes, then ones that are too old to count
		d := time.Duration(i+1) * time.Minute
		if i >= 100 {
			d = time.Hour * 24
		}
		past = append(past, took("job", d, chronos.StatusSucceeded), took("job", time.Hour*48, chronos.StatusCanceled), took("other", time.Second, chronos.StatusFailed))
	}
	past = append(past, chronos.Execution{Job: "third", Status: chronos.StatusSkipped}, chronos.Execution{Job: "third", Status: chronos.StatusSucceeded})
	jobs := []chronos.Job{{ID: "job", Schedule: chronos.Cron("0 * * * *")}, {ID: "other", Schedule: chronos.Cron("0 * * * *")}, {ID: "third", Schedule: chronos.Cron("0 * * * *")}}
	sim := simulate(t, jobs, monday, monday.Add(10*time.Hour), past...)
	if r := sim.Jobs[0]; r.Samples != 100 || r.Typical != 50*time.Minute || r.Slow != 95*time.Minute || r.Overlaps != 0 || r.SlowOverlaps != 5 || r.Lost != 0 {
		t.Errorf("%+v", r)
	}
	if r := sim.Jobs[1]; r.Samples != 100 || r.Typical != time.Second {
		t.Errorf("%+v", r)
	}
	if r := sim.Jobs[2]; r.Samples != 0 || r.Slow != 0 {
		t.Errorf("%+v", r)
	}
}

// A fixed delay counts from the ends.
func TestSimulateAfter(t *testing.T) {
	job := chronos.Job{ID: "job", Schedule: chronos.After(20 * time.Minute)}
	same(t, "without a past", fireText(simulate(t, []chronos.Job{job}, monday, monday.Add(time.Hour))), []string{"job 00:20", "job 00:40", "job 01:00"})
	past := took("job", 10*time.Minute, chronos.StatusSucceeded)
	same(t, "with one", fireText(simulate(t, []chronos.Job{job}, monday, monday.Add(time.Hour), past)), []string{"job 00:20", "job 00:50"})
	job.State.NextDue = monday.Add(5 * time.Minute)
	same(t, "stored", fireText(simulate(t, []chronos.Job{job}, monday, monday.Add(time.Hour), past)), []string{"job 00:05", "job 00:35"})
}

// H is the hash of the job's ID, and jitter that of the job: as when it is put.
func TestSimulateHashAndJitter(t *testing.T) {
	job := chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Cron("H H * * *").Jitter(10 * time.Minute)}
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		sim := simulate(t, []chronos.Job{job}, epoch, at("2 00:00:00"))
		stored := simulate(t, []chronos.Job{r.put(job)}, epoch, at("2 00:00:00"))
		if !reflect.DeepEqual(sim, stored) || len(sim.Fires) != 1 {
			t.Fatalf("%+v\n%+v", sim, stored)
		}
		r.start()
		r.until("2 00:00:00")
		if got, want := r.starts(), clockText(sim.Fires[0].Start); got != want || sim.Fires[0].Start.Equal(sim.Fires[0].Due) {
			t.Errorf("it started at %s, and was to at %s", got, want)
		}
	})
}

func TestSimulateClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	half := chronos.Cron("30 2 * * *").In(berlin)
	jobs := []chronos.Job{
		{ID: "fixed", Schedule: half}, {ID: "skips", Schedule: half.SkipGap().RepeatBoth()}, {ID: "last", Schedule: half.RepeatLast()},
		{ID: "face", Schedule: chronos.Cron("*/20 * * * *").In(berlin)}, {ID: "noon", Schedule: chronos.Cron("0 12 * * *").In(berlin)}, {ID: "utc", Schedule: chronos.Cron("30 1 * * *")},
	}
	sim := simulate(t, jobs, time.Date(2026, 1, 1, 0, 0, 0, 0, berlin), time.Date(2026, 12, 31, 0, 0, 0, 0, berlin))
	var got []string
	for _, c := range sim.Clock {
		got = append(got, fmt.Sprintf("%s %s %v: %s", c.Job, c.At.Format(time.RFC3339), c.By, c.What))
	}
	same(t, "shifts", got, []string{
		"fixed 2026-03-29T03:00:00+02:00 1h0m0s: 02:30:00 is missing: it is due once, right after the gap, at 2026-03-29T03:00:00+02:00",
		"skips 2026-03-29T03:00:00+02:00 1h0m0s: 02:30:00 is missing: left out (SkipGap)",
		"last 2026-03-29T03:00:00+02:00 1h0m0s: 02:30:00 is missing: it is due once, right after the gap, at 2026-03-29T03:00:00+02:00",
		"face 2026-03-29T03:00:00+02:00 1h0m0s: 3 times from 02:00:00 on are missing: nothing takes the place, because it is due by the clock's face",
		"fixed 2026-10-25T02:00:00+01:00 -1h0m0s: 02:30:00 comes twice: it is due in the first pass only",
		"skips 2026-10-25T02:00:00+01:00 -1h0m0s: 02:30:00 comes twice: it is due in both passes",
		"last 2026-10-25T02:00:00+01:00 -1h0m0s: 02:30:00 comes twice: it is due in the second pass only, from 2026-10-25T02:00:00+01:00 on",
		"face 2026-10-25T02:00:00+01:00 -1h0m0s: 3 times from 02:00:00 on come twice: it is due in both passes",
	})
	// What is said is what the schedules do.
	spring, autumn := time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), time.Date(2026, 10, 25, 0, 0, 0, 0, berlin)
	for i, want := range []string{"1+1", "0+2", "1+1"} {
		n := func(day time.Time) (n int) {
			for range jobs[i].Schedule.Between(day, day.AddDate(0, 0, 1)) {
				n++
			}
			return n
		}
		if got := fmt.Sprintf("%d+%d", n(spring), n(autumn)); got != want {
			t.Errorf("%s: due %s times, want %s", jobs[i].ID, got, want)
		}
	}
}

// A job that is due all the time is cut off, and that is told; it does not hide the
// others.
func TestSimulateShares(t *testing.T) {
	jobs := []chronos.Job{
		{ID: "second", Schedule: chronos.Cron("* * * * * *")}, {ID: "half", Schedule: chronos.Every(500 * time.Millisecond)},
		{ID: "hourly", Schedule: chronos.Cron("0 * * * *")}, {ID: "last", Schedule: chronos.At(monday.AddDate(0, 1, 0))}, {ID: "idle"},
	}
	sim := simulate(t, jobs, monday, monday.AddDate(0, 1, 0))
	if sim.Instants < 1_000_000 || sim.Instants > 2_000_000 || len(sim.Fires) != 10_000 {
		t.Errorf("%d instants, %d fires", sim.Instants, len(sim.Fires))
	}
	sum := 0
	for i, per := range []time.Duration{time.Second, 500 * time.Millisecond} {
		row := sim.Jobs[i]
		sum += row.Instants
		if want := int(row.Until.Sub(monday)/per) + 1; row.Instants != want || row.Instants < 250_000 || row.Until.Before(sim.Until) {
			t.Errorf("%s has %d instants until %s, want %d", row.Job, row.Instants, row.Until, want)
		}
		if text := fmt.Sprintf("instants of job %q from %s on are not counted", row.Job, row.Until.Add(1).Format(time.RFC3339Nano)); !strings.Contains(sim.Cut[1-i], text) {
			t.Errorf("%q is not in %q", text, sim.Cut)
		}
	}
	if !sim.Until.Equal(sim.Jobs[1].Until) || len(sim.Cut) != 3 || !strings.Contains(sim.Cut[2], "the first 10000 of ") {
		t.Errorf("until %s, cut %q", sim.Until, sim.Cut)
	}
	for i, want := range []int{31*24 + 1, 1, 0} {
		if row := sim.Jobs[2+i]; row.Instants != want || !row.Until.Equal(sim.To) {
			t.Errorf("%+v", row)
		}
		sum += sim.Jobs[2+i].Instants
	}
	if end := sim.Load[len(sim.Load)-1]; sum != sim.Instants || !end.At.Equal(sim.To) || end.Due != 2 {
		t.Errorf("the rows have %d instants of %d, and the load ends with %+v", sum, sim.Instants, end)
	}

	// What is due less often goes on until it has had its share.
	sim = simulate(t, jobs[:2], monday, monday.AddDate(0, 1, 0))
	if second, half := sim.Jobs[0], sim.Jobs[1]; second.Instants != 500_000 || half.Instants < 600_000 || !second.Until.After(half.Until) || !sim.Until.Equal(half.Until) {
		t.Errorf("%+v\n%+v\nuntil %s", second, half, sim.Until)
	}
}

// Where everything is too much, all are cut off together, and not all are named.
func TestSimulateShareOfMany(t *testing.T) {
	var jobs []chronos.Job
	for i := range 2000 {
		jobs = append(jobs, chronos.Job{ID: fmt.Sprint("job-", i), Schedule: chronos.Every(time.Second)})
	}
	sim := simulate(t, jobs, monday, monday.AddDate(0, 1, 0))
	if until := monday.Add(500*time.Second - 1); sim.Instants != 1_000_000 || !sim.Until.Equal(until) || !sim.Jobs[1999].Until.Equal(until) {
		t.Errorf("%d until %s", sim.Instants, sim.Until)
	}
	if len(sim.Cut) != 12 || !strings.Contains(sim.Cut[10], "1990 more jobs") {
		t.Errorf("%q", sim.Cut)
	}
}

// What is due and what starts in a minute are not the same with jitter and a buffer.
func TestSimulateLoad(t *testing.T) {
	jobs := []chronos.Job{{ID: "job", Schedule: chronos.Cron("0,1,2 0 * * *"), Overlap: chronos.OverlapBufferOne}}
	sim := simulate(t, jobs, monday, monday.Add(time.Hour), took("job", 10*time.Minute, chronos.StatusSucceeded))
	want := []chronos.SimulatedMinute{
		{At: monday, Due: 1, Starts: 1, Unfinished: 1}, {At: monday.Add(time.Minute), Due: 1}, {At: monday.Add(2 * time.Minute), Due: 1},
		{At: monday.Add(10 * time.Minute), Starts: 1, Unfinished: 1},
	}
	if !reflect.DeepEqual(sim.Load, want) {
		t.Errorf("%+v", sim.Load)
	}
}

// Each bound cuts, and is told.
func TestSimulateBounds(t *testing.T) {
	minute := chronos.Job{ID: "minute", Schedule: chronos.Cron("* * * * *")}
	sim := simulate(t, []chronos.Job{minute, {ID: "busy", Schedule: chronos.Cron("30 12 1 6 *")}}, monday, monday.AddDate(0, 0, 500))
	if len(sim.Load) != 527_040 || len(sim.Cut) != 2 || !strings.Contains(sim.Cut[1], "the first 527040 of 720001 minutes") {
		t.Errorf("%d minutes, cut %q", len(sim.Load), sim.Cut)
	}
	if want := time.Date(2026, 6, 1, 12, 30, 0, 0, time.UTC); !sim.Peak.At.Equal(want) || sim.Peak.Starts != 2 {
		t.Errorf("the peak is %+v", sim.Peak)
	}
	sim = simulate(t, []chronos.Job{minute, {ID: "busy", Schedule: chronos.At(monday.AddDate(0, 0, 480))}}, monday, monday.AddDate(0, 0, 500))
	if !sim.Peak.At.Equal(monday.AddDate(0, 0, 480)) {
		t.Errorf("the peak, beyond the bound, is %+v", sim.Peak)
	}

	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var jobs []chronos.Job
	for i := range 100 {
		jobs = append(jobs, chronos.Job{ID: fmt.Sprint("job-", i), Schedule: chronos.Cron("30 2 29 3 *").In(berlin)})
	}
	sim = simulate(t, jobs, monday, monday.AddDate(300, 0, 0))
	if len(sim.Clock) != 1000 || !strings.Contains(strings.Join(sim.Cut, "\n"), "shifts of the clock are in Clock") {
		t.Errorf("%d shifts, cut %q", len(sim.Clock), sim.Cut)
	}
	if !sim.Clock[0].At.Equal(time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)) || sim.Clock[99].Job != "job-99" {
		t.Errorf("they begin with %+v", sim.Clock[0])
	}
}

func TestSimulateErrors(t *testing.T) {
	good := chronos.Job{ID: "good", Schedule: chronos.Cron("0 * * * *")}
	jobs := []chronos.Job{
		good, {ID: "bad", Schedule: chronos.Cron("0 25 * * *")}, good, {Schedule: chronos.Cron("0 * * * *")},
		{ID: "overlap", Overlap: "sometimes"}, {ID: "never", Schedule: chronos.Cron("0 0 30 2 *")},
	}
	sim, err := chronos.Simulate(jobs, monday, monday.Add(time.Hour))
	if !errors.Is(err, chronos.ErrInvalid) || len(sim.Jobs) != 1 || sim.Instants != 2 {
		t.Errorf("%v, %+v", err, sim)
	}
	for _, want := range []string{`job "bad": chronos: invalid Job.Schedule: hour`, `job "good": chronos: invalid Job.ID: is that of another job`, "Job.ID: is required", "Job.Overlap", `job "never"`} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if _, err := chronos.Simulate(nil, time.Time{}, monday); !errors.Is(err, chronos.ErrInvalid) {
		t.Error(err)
	}
	if _, err := chronos.Simulate(nil, monday, monday.Add(-1)); !errors.Is(err, chronos.ErrInvalid) {
		t.Error(err)
	}
}

// It is plain data, and comes back from JSON.
func TestSimulateJSON(t *testing.T) {
	jobs := []chronos.Job{{ID: "job", Schedule: chronos.Cron("30 */2 * * *")}}
	text, err := json.Marshal(simulate(t, jobs, monday, monday.Add(24*time.Hour), took("job", time.Minute, chronos.StatusSucceeded)))
	if err != nil {
		t.Fatal(err)
	}
	var back chronos.Simulation
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(back); err != nil || string(again) != string(text) || back.Instants != 12 {
		t.Errorf("%v\n%s\n%s", err, text, again)
	}
}
