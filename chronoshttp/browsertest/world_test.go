package browsertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronoshttp"
	"github.com/chronos-go/chronos/internal/pipenet"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// world is a cluster of three nodes in this process, each of which serves the
// dashboard.
type world struct {
	t       *testing.T
	net     pipenet.Network
	nodes   map[string]*chronos.Scheduler
	servers map[string]*httptest.Server
	viewer  atomic.Bool // who asks may only look
}

var names = []string{"node-1", "node-2", "node-3"}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, nodes: map[string]*chronos.Scheduler{}, servers: map[string]*httptest.Server{}}
	dir := t.TempDir()
	var peers []chronos.Peer
	for _, n := range names {
		peers = append(peers, chronos.Peer{Node: n, Addr: n + ".internal:7000"})
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, p := range peers {
		wg.Go(func() {
			s, err := chronos.New(chronos.Options{
				Dir: filepath.Join(dir, p.Node), Node: p.Node, Logger: quiet, Concurrency: 20, DrainTimeout: 100 * time.Millisecond,
				Labels:  map[string]string{"zone": "z" + p.Node[5:]},
				Cluster: &chronos.Cluster{ID: "team", Listener: w.net.Listen(p.Addr), Dial: w.net.Dialer(p.Addr), Peers: peers, Lease: 3 * time.Second},
			})
			if err != nil {
				t.Errorf("New: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			w.nodes[p.Node] = s
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, n := range names {
		w.start(n)
	}
	t.Cleanup(w.close)
	return w
}

func (w *world) start(name string) {
	s := w.nodes[name]
	w.handlers(s)
	go func() { _ = s.Run(context.Background()) }()
	w.servers[name] = serve(w.t, s, func(_ *http.Request, a chronoshttp.Access) (string, error) {
		if w.viewer.Load() && a.Action != chronoshttp.ActionRead {
			return "", errors.New("no")
		}
		return "ann", nil
	})
}

// serve serves the dashboard under a prefix.
func serve(t *testing.T, s *chronos.Scheduler, authorize func(*http.Request, chronoshttp.Access) (string, error)) *httptest.Server {
	h, err := chronoshttp.New(chronoshttp.Config{Scheduler: s, Logger: quiet, Heartbeat: 2 * time.Second, Authorize: authorize})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ops/chronos/", http.StripPrefix("/ops/chronos", h))
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		h.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

func (w *world) handlers(s *chronos.Scheduler) {
	work := func(d time.Duration) chronos.Handler {
		return func(ctx context.Context, x chronos.Execution) error {
			select {
			case <-time.After(d):
				chronos.SetOutput(ctx, fmt.Appendf(nil, "done by attempt %d", x.Attempt))
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	flaky := func(ctx context.Context, x chronos.Execution) error {
		if x.Attempt < 2+int(x.Due.Unix()/7)%2 {
			return errors.New("the warehouse answered 503")
		}
		return work(400*time.Millisecond)(ctx, x)
	}
	for name, h := range map[string]chronos.Handler{
		"quick": work(120 * time.Millisecond), "work": work(700 * time.Millisecond), "slow": work(6 * time.Second), "endless": work(time.Hour),
		"flaky": flaky, "broken": func(context.Context, chronos.Execution) error { return errors.New("connection refused") },
	} {
		if err := s.Handle(name, h); err != nil {
			w.t.Fatal(err)
		}
	}
}

// declare puts jobs of every kind.
func (w *world) declare() {
	w.t.Helper()
	s := w.nodes[names[0]]
	ctx := chronos.WithActor(context.Background(), "deploy 41")
	check := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	_, err := s.PutAll(ctx, []chronos.Job{
		{ID: "billing/invoices", Description: "Sends what is due today", Schedule: chronos.Every(5 * time.Second), Handler: "work", Labels: map[string]string{"team": "billing"}, Note: "first"},
		{ID: "mail/reminders", Description: "Reminds of open invoices", Schedule: chronos.Every(3 * time.Second), Handler: "quick", Labels: map[string]string{"team": "billing"}},
		{ID: "sync/inventory", Description: "Stock levels of the warehouse", Schedule: chronos.Every(7 * time.Second), Handler: "flaky", Retry: chronos.Retry{MaxAttempts: 4, Initial: 1500 * time.Millisecond, NoJitter: true}, Labels: map[string]string{"team": "shop"}},
		{ID: "cleanup/sessions", Schedule: chronos.Every(4 * time.Second), Handler: "slow"},
		{ID: "feed/partner", Description: "Prices of a partner who has moved", Schedule: chronos.Every(11 * time.Second), Handler: "broken", Labels: map[string]string{"team": "shop"}},
		{ID: "cache/warm", Schedule: chronos.Every(10 * time.Second), Handler: "quick", Placement: chronos.Placement{EveryNode: true}},
		{ID: "legacy/export", Description: "Its handler is gone", Schedule: chronos.Every(9 * time.Second), Handler: "export", StartDeadline: 2 * time.Second, Overlap: chronos.OverlapAllowAll},
		{ID: "report/nightly", Schedule: chronos.Cron("CRON_TZ=Europe/Berlin 30 2 * * MON-FRI"), Handler: "work"},
		{ID: "report/hourly", Schedule: chronos.Cron("*/10 8-18 * * MON-FRI"), Handler: "work"},
		{ID: "report/evening", Schedule: chronos.Cron("*/15 17-21 * * *"), Handler: "work"},
		{ID: "backup", Schedule: chronos.Cron("0 */3 * * *"), Handler: "work"},
		{ID: "newsletter", Schedule: chronos.Cron("0 9 * * TUE"), Handler: "work"},
		{ID: "index/rebuild", Description: "By hand only", Handler: "endless"},
	})
	check(err)
	for i, note := range []string{"retries, after the outage", "longer time-out"} {
		j := chronos.Job{ID: "billing/invoices", Description: "Sends what is due today", Schedule: chronos.Every(5 * time.Second), Handler: "work",
			Labels: map[string]string{"team": "billing"}, Retry: chronos.Retry{MaxAttempts: 3}, Note: note}
		if i == 1 {
			j.Timeout = time.Minute
		}
		_, err := s.Put(chronos.WithActor(ctx, "bob"), j)
		check(err)
	}
	check(s.Pause(chronos.WithActor(ctx, "bob"), "newsletter", "the list is being cleaned"))
}

func (w *world) leader() string {
	for name, s := range w.nodes {
		if s.Status().Leading {
			return name
		}
	}
	return ""
}

// follower is a node that is up and does not lead.
func (w *world) follower() string {
	leader := w.leader()
	for _, name := range names {
		if name != leader && w.nodes[name] != nil {
			return name
		}
	}
	w.t.Fatal("no follower")
	return ""
}

func (w *world) url(name string) string { return w.servers[name].URL + "/ops/chronos/" }

// kill cuts a node off from one moment to the next, as a power cut does.
func (w *world) kill(name string) {
	w.net.Isolate(name + ".internal:7000")
	s := w.nodes[name]
	delete(w.nodes, name)
	w.t.Cleanup(func() { _ = s.Close() })
}

func (w *world) close() {
	var wg sync.WaitGroup
	for _, s := range w.nodes {
		wg.Go(func() { _ = s.Close() })
	}
	wg.Wait()
}
