package chronostest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

// What Simulate says comes true: for a day of each overlap policy, with jobs that
// take a known time, across the day on which the clock is put back.
func TestSimulationComesTrue(t *testing.T) {
	loc := zone(t, "Europe/Berlin")
	from := at(t, "2026-10-25T00:00:00+02:00")
	takes := map[string]time.Duration{}
	var jobs []chronos.Job
	var past []chronos.Execution
	add := func(j chronos.Job, d time.Duration) {
		j.ID = fmt.Sprintf("job-%d", len(jobs))
		takes[j.ID] = d
		jobs = append(jobs, j)
		past = append(past, chronos.Execution{Job: j.ID, Status: chronos.StatusSucceeded, EndedAt: from, Attempts: []chronos.Attempt{{Started: from.Add(-d)}}})
	}
	for _, policy := range []chronos.Overlap{"", chronos.OverlapBufferOne, chronos.OverlapBufferAll, chronos.OverlapAllowAll, chronos.OverlapTerminateOther, chronos.OverlapCancelOther} {
		add(chronos.Job{Schedule: chronos.Cron("*/20 * * * *").In(loc), Overlap: policy, BufferMax: 5}, 47*time.Minute+13*time.Second) // no end falls on an instant
		add(chronos.Job{Schedule: chronos.Cron("30 2,3,5 * * *").In(loc).RepeatBoth(), Overlap: policy}, 71*time.Minute+17*time.Second)
	}
	add(chronos.Job{Schedule: chronos.After(20 * time.Minute)}, 13*time.Minute)
	add(chronos.Job{Schedule: chronos.Every(time.Hour).Jitter(30 * time.Minute), MaxRuns: 7}, 0)

	work := func(ctx chronos.Execution) time.Duration { return takes[ctx.Job] }
	o := chronostest.Options{Start: from.Add(-time.Second), Zone: loc, Declare: declare(timed(work), jobs...)}
	bubble(t, o, func(t *testing.T, k *chronostest.Kit) {
		to := from.Add(24 * time.Hour)
		sim, err := chronos.Simulate(k.Jobs(), from.Add(-time.Second), to, past...)
		if err != nil {
			t.Fatal(err)
		}
		k.AdvanceTo(to.Add(24 * time.Hour)) // what was buffered has an end
		type key struct {
			job string
			due int64
		}
		rows := map[key]chronos.Execution{}
		for _, j := range jobs {
			for _, x := range k.Executions(j.ID) {
				if !x.Due.After(to) {
					rows[key{x.Job, x.Due.UnixNano()}] = x
				}
			}
		}
		for _, f := range sim.Fires {
			x, ok := rows[key{f.Job, f.Due.UnixNano()}]
			delete(rows, key{f.Job, f.Due.UnixNano()})
			switch {
			case !ok:
				t.Errorf("%s at %s is not in the ledger", f.Job, f.Due)
			case f.Start.IsZero() && (x.Status != f.Status || x.Reason != f.Reason):
				t.Errorf("%s at %s: %s(%s), expected %s(%s)", f.Job, f.Due, x.Status, x.Reason, f.Status, f.Reason)
			case !f.Start.IsZero() && (!x.Ran() || x.Attempts[0].Started.Sub(f.Start).Abs() > time.Second):
				t.Errorf("%s at %s: %s(%s), expected to start at %s: %+v", f.Job, f.Due, x.Status, x.Reason, f.Start, x.Attempts)
			}
		}
		for _, x := range rows {
			t.Errorf("%s at %s was not expected: %s(%s)", x.Job, x.Due, x.Status, x.Reason)
		}
		if sim.Instants < 500 || sim.Cut != nil {
			t.Errorf("%d instants, cut %q", sim.Instants, sim.Cut)
		}
	})
}
