// Command node is one process of a cluster, for the test of rolling upgrades. It
// is built with this tree and with an older one, so it uses only what both have.
// It takes orders on its standard input, one JSON object a line, and writes what
// happens to its standard output.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chronos-go/chronos"
)

type order struct {
	N   int         `json:"n"`
	Op  string      `json:"op"` // put, ledger or status
	Job chronos.Job `json:"job"`
}

// line is what the node says: that it is ready, that a handler starts or has
// ended, or the answer to an order.
type line struct {
	Kind   string              `json:"kind"`
	N      int                 `json:"n,omitempty"`
	Err    string              `json:"err,omitempty"`
	Job    string              `json:"job,omitempty"`
	Due    time.Time           `json:"due"`
	Token  uint64              `json:"token,omitempty"`
	Rows   []chronos.Execution `json:"rows,omitempty"`
	Status *chronos.NodeStatus `json:"status,omitempty"`
}

var out struct {
	sync.Mutex
	*json.Encoder
}

func say(l line) {
	out.Lock()
	defer out.Unlock()
	_ = out.Encode(l)
}

func main() {
	node := flag.String("node", "", "name of this node")
	dir := flag.String("dir", "", "its directory")
	peers := flag.String("peers", "", "name=address of all, with commas")
	flag.Parse()
	out.Encoder = json.NewEncoder(os.Stdout)
	if err := run(*node, *dir, *peers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a program
	}
}

func run(node, dir, peers string) error {
	c := &chronos.Cluster{ID: "upgrade", Lease: 3 * time.Second}
	for _, one := range strings.Split(peers, ",") {
		name, addr, _ := strings.Cut(one, "=")
		c.Peers = append(c.Peers, chronos.Peer{Node: name, Addr: addr})
		if name != node {
			continue
		}
		var err error
		if c.Listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", addr); err != nil {
			return err
		}
	}
	s, err := chronos.New(chronos.Options{
		Dir: dir, Node: node, Cluster: c, Retention: chronos.Retention{Age: -1, Count: -1},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	if err := s.Handle("work", work); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go obeyAll(ctx, s)
	say(line{Kind: "ready"})
	err = s.Run(ctx)
	if closed := s.Close(); err == nil {
		err = closed
	}
	return err
}

// work takes a fifth of a second.
func work(ctx context.Context, x chronos.Execution) error {
	say(line{Kind: "start", Job: x.Job, Due: x.Due, Token: x.FencingToken})
	defer say(line{Kind: "end", Job: x.Job, Due: x.Due, Token: x.FencingToken})
	select {
	case <-time.After(200 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func obeyAll(ctx context.Context, s *chronos.Scheduler) {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var o order
		err := json.Unmarshal(in.Bytes(), &o)
		a := line{Kind: "answer", N: o.N}
		if err == nil {
			err = obey(ctx, s, o, &a)
		}
		if err != nil {
			a.Err = err.Error()
		}
		say(a)
	}
}

func obey(ctx context.Context, s *chronos.Scheduler, o order, a *line) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	switch o.Op {
	case "put":
		_, err := s.Put(ctx, o.Job)
		return err
	case "status":
		st := s.Status()
		if st.Err != nil {
			return st.Err
		}
		a.Status = &st
		return nil
	case "ledger":
		if err := s.Sync(ctx); err != nil {
			return err
		}
		for x, err := range s.Executions(ctx, chronos.Query{Job: o.Job.ID}) {
			if err != nil {
				return err
			}
			x.Attempts = nil
			a.Rows = append(a.Rows, x)
		}
		return nil
	}
	return fmt.Errorf("no such order: %q", o.Op)
}
