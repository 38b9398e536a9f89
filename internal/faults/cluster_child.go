package faults

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/authority"
)

// nodeConfig says which node of a cluster a child is.
type nodeConfig struct {
	Node             string
	Peers            []chronos.Peer
	Heartbeat, Lease time.Duration
	Snapshot         uint64             // entries between snapshots
	Identity         authority.Identity // for mutual TLS
	Via              map[string]string  // where to reach other nodes' addresses, where that is not the address
}

// orderLimit bounds each call that a node is told to make. It is longer than any
// fail-over: a call that fails has a reason.
const orderLimit = 20 * time.Second

func (c *nodeConfig) addr() string {
	for _, p := range c.Peers {
		if p.Node == c.Node {
			return p.Addr
		}
	}
	return ""
}

// listen takes the node's port, which a stranger's connection may hold for a
// moment while the node is down.
func (c *nodeConfig) listen() (net.Listener, error) {
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		l, err := net.Listen("tcp", c.addr())
		if err == nil || time.Since(begun) > orderLimit {
			return l, err
		}
	}
}

// dialer reaches other nodes by TLS, by way of what carries the connection.
func (c *nodeConfig) dialer(config *tls.Config) func(context.Context, string) (net.Conn, error) {
	d := tls.Dialer{Config: config}
	return func(ctx context.Context, addr string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", cmp.Or(c.Via[addr], addr))
	}
}

func (c *child) openNode() error {
	n := c.cfg.Cluster
	config, err := n.Identity.TLS()
	if err != nil {
		return err
	}
	l, err := n.listen()
	if err != nil {
		return err
	}
	c.s, err = chronos.New(chronos.Options{
		Dir: c.cfg.Dir, Node: n.Node, Retention: chronos.Retention{Age: -1, Count: -1}, Logger: c.logger(), DrainTimeout: 2 * time.Second,
		Cluster: &chronos.Cluster{
			ID: "faults", Listener: tls.NewListener(l, config), Dial: n.dialer(config),
			Peers: n.Peers, Heartbeat: n.Heartbeat, Lease: n.Lease,
		},
	})
	return err
}

// runNode is a node of a cluster until its standard input ends.
func (c *child) runNode() int {
	if err := c.openNode(); err != nil {
		return refuse(err)
	}
	if err := errors.Join(c.s.Handle("work", c.handle), c.s.Handle("quiet", quiet)); err != nil {
		return fail("handle", err)
	}
	c.rec.write(event{Kind: "open"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	run := make(chan error, 1)
	go func() { run <- c.s.Run(ctx) }()
	fmt.Println("ready")
	if err := c.obeyAll(os.Stdin, os.Stdout); err != nil {
		return fail("orders", err)
	}
	cancel()
	if err := <-run; err != nil {
		return fail("run", err)
	}
	if err := c.s.Close(); err != nil {
		return fail("close", err)
	}
	return 0
}

func (c *child) obeyAll(in io.Reader, out io.Writer) error {
	var mu sync.Mutex
	var working sync.WaitGroup
	defer working.Wait()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		working.Go(func() {
			a := answer{N: o.N}
			if err := c.obey(o, &a); err != nil {
				a.Err = err.Error()
			}
			text, _ := json.Marshal(a) // cannot fail: strings and numbers
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(out, "%s\n", text)
		})
	}
	return lines.Err()
}
