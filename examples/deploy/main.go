// Deploy shows how a new version of a service takes over from the old one without
// losing or doubling work: on SIGTERM the old process says that it is not ready,
// takes nothing new, lets what runs finish for a while, hands the rest back and
// lets go of its directory; the new one, which has waited for that, goes on.
//
//	go run ./examples/deploy
//
// shows it with both of them in this one process, and ends by itself. To try it
// with two real ones, start the service, start it once more elsewhere, and end the
// first one with Ctrl-C:
//
//	go run ./examples/deploy -addr 127.0.0.1:8080 -dir /tmp/chronos-deploy
//	go run ./examples/deploy -addr 127.0.0.1:8081 -dir /tmp/chronos-deploy
//	curl -i http://127.0.0.1:8081/readyz
//
// service.go is what a program of yours needs. In a cluster each node has its own
// directory, and the others go on: nodes are restarted one by one, each when the
// one before is ready again, the leader last (examples/kubernetes leaves that to
// a StatefulSet; main_test.go here does it in virtual time).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "", "be the service, and answer probes there; without it: show a deployment")
	dir := flag.String("dir", "", "the directory of the scheduler")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *addr != "" {
		err = serve(ctx, *addr, *dir)
	} else {
		err = show(ctx, os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve is the service as it runs in production.
func serve(ctx context.Context, addr, dir string) error {
	if dir == "" {
		return errors.New("-dir is required: it is what the next process goes on with")
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	s := &service{
		name: addr, dir: dir, out: &printer{w: os.Stdout}, drain: 10 * time.Second, step: time.Second,
		notice: func() { time.Sleep(5 * time.Second) }, // so long a load balancer may take to ask again
	}
	return s.run(ctx, l)
}
