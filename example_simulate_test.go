package chronos_test

import (
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

// Before it is deployed: what would these jobs do in the last week of October?
func ExampleSimulate() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	check(err)
	jobs := []chronos.Job{
		{ID: "nightly", Schedule: chronos.Cron("30 2 * * *").In(berlin)},
		{ID: "often", Schedule: chronos.Cron("*/10 * * * *")},
	}
	from := time.Date(2026, 10, 19, 0, 0, 0, 0, berlin)
	begin := from.AddDate(0, 0, -1)
	past := chronos.Execution{ // of the ledger: Scheduler.Executions
		Job: "often", Status: chronos.StatusSucceeded, EndedAt: begin.Add(12 * time.Minute),
		Attempts: []chronos.Attempt{{Number: 1, Started: begin}},
	}
	sim, err := chronos.Simulate(jobs, from, from.AddDate(0, 0, 7).Add(-1), past)
	check(err)
	for _, j := range sim.Jobs {
		fmt.Printf("%s: due %d times, %d of them while it still runs\n", j.Job, j.Instants, j.Overlaps)
	}
	fmt.Println("at most", sim.Peak.Starts, "start in a minute")
	for _, c := range sim.Clock {
		fmt.Println(c.Job, c.What)
	}
	// Output:
	// nightly: due 7 times, 0 of them while it still runs
	// often: due 1014 times, 507 of them while it still runs
	// at most 1 start in a minute
	// nightly 02:30:00 comes twice: it is due in the first pass only
}
