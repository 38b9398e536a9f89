package chronos_test

import (
	"context"
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

// check keeps the examples short; a host handles its errors.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// The whole of it: open a directory, register handlers, put jobs, run.
func Example() {
	s, err := chronos.New(chronos.Options{InMemory: true}) // a host gives a Dir
	check(err)
	defer s.Close()

	greeted := make(chan bool)
	check(s.Handle("greet", func(_ context.Context, x chronos.Execution) error {
		fmt.Println("hello from", x.Job)
		close(greeted)
		return nil
	}))

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err = s.Put(ctx, chronos.Job{
		ID:       "greet",
		Schedule: chronos.Every(time.Second),
		Handler:  "greet",
		MaxRuns:  1,
	})
	check(err)

	go func() {
		<-greeted
		cancel()
	}()
	fmt.Println(s.Run(ctx)) // fires until ctx ends, then drains
	// Output:
	// hello from greet
	// <nil>
}

func ExampleNew() {
	_, err := chronos.New(chronos.Options{})
	fmt.Println(err)

	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	fmt.Println("ready:", s.Status().Ready, "running:", s.Status().Running)
	fmt.Println(s.Close(), s.Close())
	// Output:
	// chronos: invalid Options.Dir: is required; set InMemory to lose all jobs at the end
	// ready: true running: false
	// <nil> <nil>
}

// Run can be given to an errgroup, or stand at the end of main. What it does
// when its context ends is bounded by Options.DrainTimeout.
func ExampleScheduler_Run() {
	s, err := chronos.New(chronos.Options{InMemory: true, DrainTimeout: 50 * time.Millisecond})
	check(err)
	defer s.Close()
	started := make(chan bool)
	check(s.Handle("import", func(ctx context.Context, _ chronos.Execution) error {
		close(started)
		<-ctx.Done() // DrainTimeout is over
		fmt.Println(context.Cause(ctx) == chronos.ErrStopping)
		return ctx.Err()
	}))
	ctx, cancel := context.WithCancel(context.Background())
	_, err = s.Put(ctx, chronos.Job{ID: "import", Handler: "import"})
	check(err)
	x, err := s.Trigger(ctx, "import", chronos.TriggerRequest{})
	check(err)

	go func() {
		<-started
		cancel()
	}()
	check(s.Run(ctx))

	// The attempt was handed back. It does not count as a failure, and the next
	// Run starts the execution again.
	x, err = s.Execution(context.Background(), x.ID)
	check(err)
	fmt.Println(x.Status, x.Attempts[0].Status, x.Attempts[0].Reason)
	// Output:
	// true
	// pending canceled shutdown
}

// Committed changes, as they happen.
func ExampleScheduler_Events() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	events := s.Events(ctx)

	check(s.Handle("report", func(context.Context, chronos.Execution) error { return nil }))
	_, err = s.Put(ctx, chronos.Job{ID: "report", Handler: "report"})
	check(err)
	go s.Run(ctx)
	_, err = s.Trigger(ctx, "report", chronos.TriggerRequest{})
	check(err)

	for ev := range events {
		if ev.Execution == nil {
			fmt.Println(ev.Kind, ev.Job)
			continue
		}
		fmt.Println(ev.Kind, ev.Job, ev.Execution.Origin)
		if ev.Kind == chronos.EventExecutionEnded {
			fmt.Println(ev.Execution.Status)
			break
		}
	}
	// Output:
	// job.put report
	// execution.created report trigger
	// execution.assigned report trigger
	// execution.ended report trigger
	// succeeded
}
