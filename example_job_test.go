package chronos_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

// Every start of a program may declare its jobs: what is unchanged makes no new
// version. With Version set, Put is a compare and swap.
func ExampleScheduler_Put() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx := context.Background()

	job := chronos.Job{
		ID:       "billing/close-month",
		Schedule: chronos.Cron("0 6 1 * *"),
		Handler:  "close-month",
		Overlap:  chronos.OverlapBufferOne,
		Retry:    chronos.Retry{MaxAttempts: 5},
		Labels:   map[string]string{"team": "billing"},
	}
	for range 2 {
		stored, err := s.Put(ctx, job)
		check(err)
		fmt.Println("version", stored.Version)
	}

	job.Timeout = time.Hour
	job.Version = 1 // what we saw last
	stored, err := s.Put(ctx, job)
	check(err)
	fmt.Println("version", stored.Version)

	_, err = s.Put(ctx, job) // still says 1
	fmt.Println(errors.Is(err, chronos.ErrConflict), err)

	job.Version, job.Schedule = 0, chronos.Cron("0 6 31 2 *")
	_, err = s.Put(ctx, job)
	var field *chronos.FieldError
	fmt.Println(errors.As(err, &field), field.Field)
	// Output:
	// version 1
	// version 1
	// version 2
	// true chronos: conflict: job "billing/close-month" is at version 2, not 1
	// true Job.Schedule
}

func ExampleScheduler_Jobs() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx := context.Background()

	changed, err := s.PutAll(ctx, []chronos.Job{
		{ID: "close-month", Handler: "h", Labels: map[string]string{"team": "billing"}},
		{ID: "dunning", Handler: "h", Labels: map[string]string{"team": "billing"}},
		{ID: "vacuum", Handler: "h", Labels: map[string]string{"team": "data"}},
	})
	check(err)
	fmt.Println(changed, "put")
	for job, err := range s.Jobs(ctx, chronos.Selector{"team": "billing"}) {
		check(err)
		fmt.Println(job.ID)
	}
	// Output:
	// 3 put
	// close-month
	// dunning
}

// A paused job is not due, but can be triggered.
func ExampleScheduler_Pause() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx := chronos.WithActor(context.Background(), "alice")
	_, err = s.Put(ctx, chronos.Job{ID: "sync", Schedule: chronos.Every(time.Hour), Handler: "sync"})
	check(err)

	check(s.Pause(ctx, "sync", "the other side is down"))
	job, err := s.Get(ctx, "sync")
	check(err)
	fmt.Printf("paused by %s: %s; due: %t\n", job.State.PausedBy, job.State.PauseNote, !job.State.NextDue.IsZero())

	check(s.Resume(ctx, "sync"))
	job, err = s.Get(ctx, "sync")
	check(err)
	fmt.Printf("paused: %t; due: %t\n", job.State.Paused, !job.State.NextDue.IsZero())
	// Output:
	// paused by alice: the other side is down; due: false
	// paused: false; due: true
}

// Every definition a job ever had is kept, with who put it and why.
func ExampleScheduler_Rollback() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx := chronos.WithActor(context.Background(), "alice")

	job := chronos.Job{ID: "sync", Schedule: chronos.Every(time.Hour), Handler: "sync"}
	_, err = s.Put(ctx, job)
	check(err)
	job.Schedule, job.Note = chronos.Every(time.Minute), "customers wait"
	_, err = s.Put(ctx, job)
	check(err)
	now, err := s.Rollback(chronos.WithActor(ctx, "bob"), "sync", 1)
	check(err)
	fmt.Println("now", now.Schedule)

	for v, err := range s.Versions(ctx, "sync") {
		check(err)
		fmt.Printf("%d %s %s rolled back to %d %q\n", v.Number, v.Actor, v.Job.Schedule, v.RolledBackTo, v.Note)
	}
	// Output:
	// now @every 1h0m0s
	// 1 alice @every 1h0m0s rolled back to 0 ""
	// 2 alice @every 1m0s rolled back to 0 "customers wait"
	// 3 bob @every 1h0m0s rolled back to 1 ""
}

// Jobs with the same concurrency key share its places, over all nodes: here no
// more than two of a tenant's run at once.
func ExampleConcurrency() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx := context.Background()

	for _, report := range []string{"daily", "weekly", "monthly"} {
		_, err := s.Put(ctx, chronos.Job{
			ID:          "tenant-7/" + report,
			Handler:     "report",
			Concurrency: chronos.Concurrency{Key: "tenant-7", Limit: 2},
		})
		check(err)
		x, err := s.Trigger(ctx, "tenant-7/"+report, chronos.TriggerRequest{})
		check(err)
		fmt.Println(x.Job, x.Status, x.Waiting)
	}
	// Output:
	// tenant-7/daily pending room
	// tenant-7/weekly pending room
	// tenant-7/monthly pending key
}

// A node says what it is, and a job where it may run.
func ExamplePlacement() {
	s, err := chronos.New(chronos.Options{InMemory: true, Labels: map[string]string{"zone": "eu-1"}})
	check(err)
	defer s.Close()
	check(s.Handle("sweep", func(context.Context, chronos.Execution) error { return nil }))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()

	for _, zone := range []string{"eu-1", "us-2"} {
		_, err := s.Put(ctx, chronos.Job{
			ID:        "sweep-" + zone,
			Handler:   "sweep",
			Placement: chronos.Placement{Labels: map[string]string{"zone": zone}},
		})
		check(err)
	}
	here, err := s.Trigger(ctx, "sweep-eu-1", chronos.TriggerRequest{})
	check(err)
	here, err = s.Wait(ctx, here.ID)
	check(err)
	there, err := s.Trigger(ctx, "sweep-us-2", chronos.TriggerRequest{})
	check(err)
	fmt.Println(here.Job, here.Status, "on", here.Node)
	fmt.Println(there.Job, there.Status, there.Waiting)

	stop()
	check(<-done)
	// Output:
	// sweep-eu-1 succeeded on local
	// sweep-us-2 pending room
}
