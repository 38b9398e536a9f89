package chronos_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/chronos-go/chronos"
)

// page stands for whatever wakes somebody. The key tells alarms apart.
func page(key, text string) { fmt.Println(text, "("+key+")") }

// watch pages somebody for jobs that have not succeeded in time.
func watch(ctx context.Context, s *chronos.Scheduler) {
	for ev := range s.Events(ctx) {
		if ev.Kind == chronos.EventJobOverdue {
			// The same on all nodes and after a crash: who is paged by several is paged once.
			page(ev.Job+" "+ev.At.Format(time.RFC3339), ev.Job+" has not succeeded in time")
		}
	}
}

// A job that says how long it may go without a success.
func Example_overdue() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	check(err)
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
	check(err)
	defer s.Close()
	ctx := context.Background()
	go watch(ctx, s)

	_, err = s.Put(ctx, chronos.Job{
		ID:            "backup",
		Handler:       "backup",
		Schedule:      chronos.Cron("0 3 * * *").In(berlin),
		SucceedWithin: 25 * time.Hour, // a day, and as long as it may take
	})
	check(err)
	j, err := s.Get(ctx, "backup")
	check(err)
	fmt.Println(j.State.Overdue, j.State.SucceedBy.Sub(j.State.CreatedAt))
	// Output: false 25h0m0s
}

// Who wants to see every attempt on a node begin and end.
func ExampleOptions_around() {
	dir, err := os.MkdirTemp("", "chronos")
	check(err)
	defer os.RemoveAll(dir)
	around := func(ctx context.Context, c chronos.Call) (context.Context, func(chronos.Attempt)) {
		began := time.Now()
		return ctx, func(a chronos.Attempt) {
			fmt.Printf("%s #%d: %s, late: %v\n", c.Execution.Job, a.Number, a.Status, began.Sub(c.Execution.ReadyAt) > time.Second)
		}
	}
	s, err := chronos.New(chronos.Options{Dir: dir, Around: []chronos.Around{around}})
	check(err)
	defer s.Close()

	ctx, cancel := context.WithCancel(context.Background())
	check(s.Handle("mail", func(context.Context, chronos.Execution) error { return nil }))
	_, err = s.Put(ctx, chronos.Job{ID: "report", Handler: "mail"})
	check(err)
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	x, err := s.Trigger(ctx, "report", chronos.TriggerRequest{})
	check(err)
	_, err = s.Wait(ctx, x.ID)
	check(err)
	cancel()
	check(<-done)
	// Output: report #1: succeeded, late: false
}
