package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if text := os.Getenv(taskEnv); text != "" {
		exit(childMain(ctx, text))
	}
	settings, err := parse(os.Args[1:])
	if err == nil {
		err = measure(ctx, settings, os.Stdout)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1) //nolint:forbidigo // a program, not the library
	}
	os.Exit(0) //nolint:forbidigo // a program, not the library
}
