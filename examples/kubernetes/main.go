// Kubernetes is a node of a cluster that runs as a StatefulSet: who it is and who
// the others are follows from its pod's name, its certificates are in a secret,
// and it answers a liveness and a readiness probe. docs/kubernetes.md has how to
// start it and how to replace a pod's volume; the manifests are in manifests/.
//
//	go run . -secret | kubectl apply -f -     # certificates for a trial
//	kubectl apply -f manifests
//
// It reads its environment: see config.go.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// notice is how long the node goes on after it says that it is not ready: the time
// that it takes until nobody sends anything any more. With drain and stuck it has
// to be less than terminationGracePeriodSeconds.
const (
	notice = 5 * time.Second
	drain  = 20 * time.Second
	stuck  = 10 * time.Second
)

func main() {
	secret := flag.Bool("secret", false, "print a secret with new certificates, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *secret {
		err = printSecret(os.Stdout)
	} else {
		err = run(ctx)
	}
	stop()
	if err != nil {
		slog.Error("ended", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	c, err := configOf(os.Getenv)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	web, err := lc.Listen(ctx, "tcp", c.httpAddr)
	if err != nil {
		return err
	}
	port, err := lc.Listen(ctx, "tcp", c.clusterAddr)
	if err != nil {
		return errors.Join(err, web.Close())
	}
	n := &node{config: c, notice: notice, dial: (&net.Dialer{Timeout: 2 * time.Second}).DialContext}
	defer context.AfterFunc(ctx, n.leave)()
	return n.run(ctx, web, port)
}

// leave ends a process that still waits for the others, which may take minutes and cannot
// be interrupted otherwise. Nothing runs on it yet, and a directory needs no farewell.
func (n *node) leave() {
	if n.scheduler.Load() == nil {
		slog.Info("ends while it waits for the others")
		os.Exit(0)
	}
}
