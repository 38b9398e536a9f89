package chronostest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"testing"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

// declareShop is a function of the program, which main calls between chronos.New and
// Run: it registers the handlers and puts the jobs.
func declareShop(s *chronos.Scheduler) error {
	if err := errors.Join(s.Handle("report", report), s.Handle("import", importOrders)); err != nil {
		return err
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return err
	}
	_, err = s.PutAll(context.Background(), []chronos.Job{
		{ID: "nightly", Handler: "report", Schedule: chronos.Cron("30 2 * * *").In(berlin)},
		{ID: "often", Handler: "import", Schedule: chronos.Cron("*/10 6-9 * * *").In(berlin)},
	})
	return err
}

// report and importOrders take a minute and a quarter of an hour, like the real ones.
func report(ctx context.Context, _ chronos.Execution) error { return work(ctx, time.Minute) }

func importOrders(ctx context.Context, _ chronos.Execution) error { return work(ctx, 15*time.Minute) }

func work(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// In a project this is
//
//	func TestNightly(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) { ... })
//	}
func ExampleNew() {
	inTest(func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: declareShop})
		due := k.AdvanceToDue("nightly")
		x := k.AdvanceToEnd("nightly")
		k.AssertRan("nightly", due)
		fmt.Println(x.Status, "after", time.Since(due))
	})
	// Output: succeeded after 1m0s
}

// Would this have run on the Sunday on which the clock is put forward?
func ExampleKit_AssertRan() {
	inTest(func(t *testing.T) {
		berlin, _ := time.LoadLocation("Europe/Berlin")
		k := chronostest.New(t, chronostest.Options{
			Declare: declareShop,
			Start:   time.Date(2026, 3, 28, 12, 0, 0, 0, berlin),
		})
		k.Advance(24 * time.Hour)
		x := k.AssertRan("nightly", time.Date(2026, 3, 29, 3, 0, 0, 0, berlin)) // 02:30 does not exist
		fmt.Println(x.Status)
	})
	// Output: succeeded
}

func ExampleKit_AssertStatus() {
	inTest(func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: declareShop})
		first := k.AdvanceToDue("often")
		k.Advance(time.Hour)
		k.AssertStatus("often", first.Add(10*time.Minute), chronos.StatusSkipped, chronos.ReasonOverlap)
		fmt.Println("it takes longer than ten minutes")
	})
	// Output: it takes longer than ten minutes
}

func ExampleKit_AssertNotDue() {
	inTest(func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: declareShop})
		k.AssertNotDue("often", time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))
		fmt.Println("not in the afternoon")
	})
	// Output: not in the afternoon
}

func ExampleKit_AssertLedger() {
	inTest(func(t *testing.T) {
		berlin, _ := time.LoadLocation("Europe/Berlin")
		k := chronostest.New(t, chronostest.Options{
			Declare: declareShop,
			Start:   time.Date(2026, 3, 2, 5, 59, 0, 0, berlin),
			Zone:    berlin,
		})
		k.Advance(30 * time.Minute)
		k.AssertLedger("often",
			"2026-03-02T06:00:00+01:00 succeeded",
			"2026-03-02T06:10:00+01:00 skipped(overlap)",
			"2026-03-02T06:20:00+01:00 running",
		)
		fmt.Println(k.Ledger("often")[1])
	})
	// Output: 2026-03-02T06:10:00+01:00 skipped(overlap)
}

// A month of a schedule, with the Sunday on which the clock is put back.
func ExampleKit_AdvanceTo() {
	inTest(func(t *testing.T) {
		berlin, _ := time.LoadLocation("Europe/Berlin")
		october := time.Date(2026, 10, 1, 0, 0, 0, 0, berlin)
		k := chronostest.New(t, chronostest.Options{Declare: declareShop, Start: october, Zone: berlin})
		k.AdvanceTo(october.AddDate(0, 1, 0))
		lines := k.Ledger("nightly")
		fmt.Println(len(lines))
		fmt.Println(lines[24])
		fmt.Println(lines[25])
	})
	// Output:
	// 31
	// 2026-10-25T02:30:00+02:00 succeeded
	// 2026-10-26T02:30:00+01:00 succeeded
}

// The leader of three is killed while it runs the report; another node repeats it.
func ExampleKit_Kill() {
	inTest(func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{
			Declare: declareShop,
			Nodes:   3,
			Start:   time.Date(2026, 7, 1, 0, 29, 50, 0, time.UTC), // 02:29:50 in Berlin
		})
		due := k.AdvanceToDue("nightly")
		k.Advance(20 * time.Second)
		ran := k.Executions("nightly")[0].Node
		k.Kill(ran)
		x := k.AdvanceToEnd("nightly")
		k.AssertRan("nightly", due)
		k.Restart(ran)
		fmt.Println("attempts:", x.Attempt, "on another node:", x.Node != ran)
	})
	// Output: attempts: 2 on another node: true
}

func ExampleKit_CutOff() {
	inTest(func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{
			Declare: declareShop,
			Nodes:   3,
			Start:   time.Date(2026, 7, 1, 0, 29, 0, 0, time.UTC),
		})
		cut := k.Leader()
		k.CutOff(cut)
		due := k.AdvanceToDue("nightly")
		fmt.Println("another one leads:", k.Leader() != cut)
		k.AssertStatus("nightly", due, chronos.StatusRunning, chronos.ReasonNone)
		k.Reconnect(cut)
	})
	// Output: another one leads: true
}

// The program is down for a night: the instant is made up for when it starts again.
func ExampleKit_Stop() {
	inTest(func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: declareShop})
		k.Stop("node-1")
		k.Advance(12 * time.Hour)
		k.Restart("node-1")
		k.AdvanceToEnd("nightly")
		fmt.Println(k.Ledger("nightly"))
	})
	// Output: [2000-01-01T01:30:00Z succeeded]
}

// One handler with one payload; no bubble is needed.
func ExampleRunNow() {
	inTest(func(t *testing.T) {
		type order struct{ Number int }
		ship := chronos.JSON(func(ctx context.Context, x chronos.Execution, o order) error {
			if o.Number == 0 {
				return errors.New("there is no order 0")
			}
			chronos.SetOutput(ctx, []byte("shipped"))
			return nil
		})
		x := chronostest.RunNow(t, chronos.Job{ID: "ship", Payload: []byte(`{"Number": 7}`)}, ship)
		fmt.Printf("%s: %s\n", x.Status, x.Output)
		x = chronostest.RunNow(t, chronos.Job{ID: "ship"}, ship)
		fmt.Printf("%s: %s\n", x.Status, x.Error)
	})
	// Output:
	// succeeded: shipped
	// failed: there is no order 0
}

// A job of the program, now.
func ExampleKit_RunNow() {
	inTest(func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: declareShop})
		x := k.RunNow("nightly", nil)
		fmt.Println(x.Origin, x.Status)
	})
	// Output: trigger succeeded
}

// What would the coming night look like, with the jobs as they are stored and the
// durations of the past?
func ExampleKit_Jobs() {
	inTest(func(t *testing.T) {
		k := chronostest.New(t, chronostest.Options{Declare: declareShop})
		k.Advance(24 * time.Hour)
		sim, err := chronos.Simulate(k.Jobs(), time.Now(), time.Now().Add(24*time.Hour), k.Executions("often")...)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range sim.Jobs {
			fmt.Printf("%s: due %d times, takes %v, and %d times it is not over then\n", j.Job, j.Instants, j.Typical, j.Overlaps)
		}
	})
	// Output:
	// nightly: due 1 times, takes 0s, and 0 times it is not over then
	// often: due 24 times, takes 15m0s, and 12 times it is not over then
}
