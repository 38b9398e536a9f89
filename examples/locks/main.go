// Locks shows work that only one node of a cluster does at a time: a lock with its
// fencing token, and what happens when the node that has it is cut off from the
// others, and when it is closed. Work that comes due needs nothing of this: a job
// runs once in the whole cluster anyway.
//
//	go run ./examples/locks
//
// The three nodes are in this one process, on the loopback interface; it ends by
// itself. leader.go is what a program of yours needs. A real cluster has TLS: see
// examples/tls.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := show(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func show(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "chronos-locks-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t, err := form(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	books := newLedger(out)
	for _, n := range t {
		n.leading.Go(func() { n.led = lead(context.WithoutCancel(ctx), n.s, "books", books.work) }) // until the node is closed
	}
	first, err := books.next(ctx)
	if err != nil {
		return err
	}

	fmt.Fprintf(out, "-- %s is cut off: it stops on its own, before another node has the lock.\n", first)
	t.node(first).cable.cut(true)
	second, err := books.next(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "-- Somebody comes with the token of %s, as if it had slept all the time:\n", first)
	if err := books.write(first, books.token(first)); !errors.Is(err, errStale) {
		return fmt.Errorf("the ledger took an old token, which is lower than that of %s: %w", second, err)
	} else {
		fmt.Fprintf(out, "  refused: %v\n", err)
	}
	t.node(first).cable.cut(false)

	fmt.Fprintf(out, "-- %s is closed: it gives the lock back, and another node has it at once.\n", second)
	if err := t.node(second).close(); err != nil {
		return err
	}
	if _, err := books.next(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "-- All are closed.")
	return nil
}
