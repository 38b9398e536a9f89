// Cluster shows one scheduler that is replicated over three processes, in about
// twenty seconds. It starts them itself, on this machine, with TLS on both sides
// of every connection. They share the work; the one that leads is killed with
// SIGKILL, the others go on; it is started again and takes part again. In the end
// the ledger is compared with what was seen: every due instant has to be there,
// and none twice.
//
//	go run ./examples/cluster
//
// node.go is what a program needs to be a node of a cluster, certs.go has the
// certificates. The rest is the show: it starts, kills and watches the nodes.
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
	if dir := os.Getenv(nodeEnv); dir != "" {
		os.Exit(nodeMain(dir, os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := show(ctx, os.Stdout, 3500*time.Millisecond)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// show is the whole of it; between two events there is so much to watch.
func show(ctx context.Context, w io.Writer, pause time.Duration) (err error) {
	dir, err := os.MkdirTemp("", "chronos-cluster-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := makeCerts(dir, nodes); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	t := newTeam(w, dir)
	defer t.end() // before the directory is removed
	if err := t.form(ctx); err != nil {
		return err
	}
	if err := t.refuse(ctx); err != nil {
		return err
	}
	if err := t.watch(ctx, pause); err != nil {
		return err
	}
	over, err := t.failOver(ctx)
	if err != nil {
		return err
	}
	if err := t.watch(ctx, pause); err != nil {
		return err
	}
	if err := t.restart(ctx, over.killed); err != nil {
		return err
	}
	if err := t.watch(ctx, pause); err != nil {
		return err
	}
	found, err := t.audit(ctx, over)
	if err != nil {
		return err
	}
	t.summary(over, found)
	return t.stop(ctx)
}
