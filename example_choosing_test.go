package chronos_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

var errDeclined = errors.New("declined")

// What docs/choosing.md advises for a report that has to exist for each day.
func Example_everyInstantMatters() {
	report := chronos.Job{
		ID:            "report/daily",
		Schedule:      chronos.Cron("CRON_TZ=Europe/Berlin 0 6 * * *"),
		Handler:       "report",
		Overlap:       chronos.OverlapBufferAll, // a slow one does not cost the next one
		Misfire:       chronos.MisfireAll,       // after an outage each day is made up for
		CatchUpMax:    14,
		CatchUpWindow: 14 * 24 * time.Hour,
		Retry:         chronos.Retry{MaxAttempts: 5, Initial: time.Minute},
		Timeout:       time.Hour,
		SucceedWithin: 26 * time.Hour, // who is on call hears of a day without a report
	}
	sim, err := chronos.Simulate([]chronos.Job{report}, time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 30, 23, 0, 0, 0, time.UTC))
	fmt.Println(err)
	for _, f := range sim.Fires {
		fmt.Println(f.Due)
	}
	// Output:
	// <nil>
	// 2026-03-28 05:00:00 +0000 UTC
	// 2026-03-29 04:00:00 +0000 UTC
	// 2026-03-30 04:00:00 +0000 UTC
}

// What docs/choosing.md advises where twice is worse than never, and the other side
// takes an idempotency key.
func Example_notTwice() {
	pay := func(_ context.Context, key string) error { return errDeclined }
	charge := func(ctx context.Context, x chronos.Execution) error {
		err := pay(ctx, x.ID) // the same in each attempt: the other side knows what it has done
		if errors.Is(err, errDeclined) {
			return chronos.Permanent(err) // trying again changes nothing
		}
		return err
	}
	fmt.Println(charge(context.Background(), chronos.Execution{ID: "bill/7:1"}))
	// Output: declined
}
