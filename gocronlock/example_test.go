package gocronlock_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/gocronlock"
)

// A program that goes on with gocron, and needs no Redis for it any more. In production
// Options.Cluster names the other processes.
func ExampleNewLocker() {
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	check(err)
	defer s.Close()
	locker, err := gocronlock.NewLocker(s, gocronlock.Options{Prefix: "shop"})
	check(err)

	scheduler, err := gocron.NewScheduler(gocron.WithDistributedLocker(locker))
	check(err)
	done := make(chan struct{})
	_, err = scheduler.NewJob(
		gocron.OneTimeJob(gocron.OneTimeJobStartImmediately()),
		gocron.NewTask(func() { fmt.Println("runs on one of them"); close(done) }),
		gocron.WithName("report"),
	)
	check(err)
	scheduler.Start()
	<-done
	check(scheduler.Shutdown())
	// Output: runs on one of them
}

// One process does all the work, until it ends.
func ExampleNewElector() {
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	check(err)
	defer s.Close()
	elector, err := gocronlock.NewElector(s, gocronlock.Options{Prefix: "shop"})
	check(err)
	_, err = gocron.NewScheduler(gocron.WithDistributedElector(elector), gocron.WithStopTimeout(time.Second))
	check(err)
	fmt.Println(elector.IsLeader(context.Background()))
	// Output: <nil>
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
