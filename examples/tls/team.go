package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// node is one member of the cluster.
type node struct {
	name, addr string
	id         *identity
	s          *chronos.Scheduler

	end func()
	ran chan error // how Run ended
}

type team []*node

// form makes a cluster of three and lets it run.
func form(ctx context.Context, dir string, ca *authority) (team, error) {
	var t team
	var listeners []net.Listener
	var peers []chronos.Peer
	for _, name := range []string{"a", "b", "c"} {
		cert, err := ca.issue(name)
		if err != nil {
			return nil, err
		}
		n := &node{name: name, id: &identity{}}
		n.id.use(mutual(cert, ca))
		l, err := n.id.listen(ctx, "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		n.addr = l.Addr().String()
		t, listeners, peers = append(t, n), append(listeners, l), append(peers, chronos.Peer{Node: name, Addr: n.addr})
	}
	var opening sync.WaitGroup // each waits for the others
	errs := make([]error, len(t))
	for i, n := range t {
		opening.Go(func() { errs[i] = n.start(ctx, filepath.Join(dir, n.name), listeners[i], peers) })
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (n *node) start(ctx context.Context, dir string, l net.Listener, peers []chronos.Peer) error {
	s, err := chronos.New(chronos.Options{
		Dir: dir, Node: n.name,
		Cluster: &chronos.Cluster{ID: "tls-example", Listener: l, Dial: n.id.dial, Peers: peers},
		Logger:  slog.New(slog.DiscardHandler), // it says what is hung up on; a host keeps its log
	})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	n.s = s
	if err := s.Handle("work", func(context.Context, chronos.Execution) error { return nil }); err != nil {
		return err
	}
	if _, err := s.Put(ctx, chronos.Job{ID: "work", Handler: "work"}); err != nil {
		return err
	}
	run, end := context.WithCancel(ctx)
	n.end, n.ran = end, make(chan error, 1)
	go func() { n.ran <- s.Run(run) }()
	return nil
}

// work has each node run the job once: all of them reach who leads, and who leads
// reaches all of them.
func (t team) work(ctx context.Context, out io.Writer) error {
	for _, n := range t {
		x, err := n.trigger(ctx)
		if err != nil {
			return fmt.Errorf("node %s: %w", n.name, err)
		}
		fmt.Fprintf(out, "  node %s asked for work, which %s\n", n.name, x.Status)
	}
	return nil
}

// trigger is repeated where it is left open what came of it: with a key that is safe.
func (n *node) trigger(ctx context.Context) (chronos.Execution, error) {
	req := chronos.TriggerRequest{Key: fmt.Sprint(n.name, time.Now().UnixNano()), Overlap: chronos.OverlapAllowAll}
	for {
		x, err := n.s.Trigger(ctx, "work", req)
		if errors.Is(err, chronos.ErrNoLeader) && ctx.Err() == nil {
			continue // it has waited for one already
		}
		if err != nil {
			return x, err
		}
		return n.s.Wait(ctx, x.ID)
	}
}

// close lets Run end on all nodes before the first of them goes: the last ones
// would have no majority to tell what came of their work.
func (t team) close() error {
	var errs []error
	for _, n := range t {
		if n.ran != nil {
			n.end()
		}
	}
	for _, n := range t {
		if n.ran != nil {
			errs = append(errs, <-n.ran)
		}
	}
	for _, n := range t {
		if n.s != nil {
			errs = append(errs, n.s.Close())
		}
	}
	return errors.Join(errs...)
}
