package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos"
)

// node is the life of the process.
type node struct {
	config
	notice time.Duration
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)

	scheduler atomic.Pointer[chronos.Scheduler]
	stopping  atomic.Bool
}

// run answers probes from the beginning to the end: who waits for the others is
// alive, and not ready.
func (n *node) run(ctx context.Context, web, port net.Listener) (err error) {
	server := &http.Server{Handler: n.probes(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(web) }()
	defer func() {
		err = errors.Join(err, server.Close())
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}()
	s, err := chronos.New(chronos.Options{
		Dir: n.dir, Node: n.name, DrainTimeout: drain, StuckAfter: stuck,
		Cluster: &chronos.Cluster{
			ID: n.cluster, Peers: n.peers, JoinTimeout: 5 * time.Minute, // volumes and images take their time
			Listener: tls.NewListener(port, n.tls.listening()),
			Dial: func(ctx context.Context, addr string) (net.Conn, error) {
				conn, err := n.dial(ctx, "tcp", addr)
				if err != nil {
					return nil, err
				}
				return n.tls.dialed(ctx, conn)
			},
		},
	})
	if err != nil {
		return errors.Join(err, port.Close())
	}
	defer func() { err = errors.Join(err, s.Close()) }() // hands leadership over, if it leads
	if err := declare(ctx, s); err != nil {
		return err
	}
	n.scheduler.Store(s)
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { // the pod is deleted, or replaced
		n.stopping.Store(true)
		time.Sleep(n.notice)
		end()
	})()
	return s.Run(running)
}

// probes are what the kubelet asks. A node without a leader is not ready: a
// restart would not help it. One that has stopped for good is not alive: opening
// the directory again is the way on.
func (n *node) probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		if s := n.scheduler.Load(); s != nil && s.Status().Err != nil {
			http.Error(w, s.Status().Err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		s := n.scheduler.Load()
		switch {
		case n.stopping.Load():
			http.Error(w, "stopping", http.StatusServiceUnavailable)
		case s == nil:
			http.Error(w, "waiting for the others", http.StatusServiceUnavailable)
		case !s.Status().Ready || !s.Status().Running:
			http.Error(w, "no leader, no room, or not running", http.StatusServiceUnavailable)
		}
	})
	return mux
}

// declare is the same on every node, and at each start.
func declare(ctx context.Context, s *chronos.Scheduler) error {
	err := s.Handle("report", func(_ context.Context, x chronos.Execution) error {
		slog.Info("report", "execution", x.ID, "attempt", x.Attempt)
		return nil
	})
	if err != nil {
		return err
	}
	if _, err = s.Put(ctx, chronos.Job{ID: "report", Handler: "report", Schedule: chronos.Every(time.Minute)}); err != nil {
		return fmt.Errorf("the job: %w", err)
	}
	return nil
}
