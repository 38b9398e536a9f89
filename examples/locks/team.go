package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// node is one member of the cluster.
type node struct {
	name    string
	cable   *cable
	s       *chronos.Scheduler
	leading sync.WaitGroup
	led     error // how lead ended
}

type team []*node

// form makes a cluster of three. Locks need no Run: only jobs do.
func form(ctx context.Context, dir string) (team, error) {
	var t team
	var peers []chronos.Peer
	for _, name := range []string{"a", "b", "c"} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		t = append(t, &node{name: name, cable: &cable{Listener: l}})
		peers = append(peers, chronos.Peer{Node: name, Addr: l.Addr().String()})
	}
	var opening sync.WaitGroup // each waits for the others
	errs := make([]error, len(t))
	for i, n := range t {
		opening.Go(func() {
			n.s, errs[i] = chronos.New(chronos.Options{
				Dir: filepath.Join(dir, n.name), Node: n.name,
				Cluster: &chronos.Cluster{ID: "locks-example", Listener: n.cable, Dial: n.cable.dial, Peers: peers, Lease: 3 * time.Second},
				Logger:  slog.New(slog.DiscardHandler), // it says what was cut off; a host keeps its log
			})
		})
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t team) node(name string) *node {
	for _, n := range t {
		if n.name == name {
			return n
		}
	}
	return nil
}

func (t team) close() error {
	var errs []error
	for _, n := range t {
		errs = append(errs, n.close())
	}
	return errors.Join(errs...)
}

// close may be called more than once.
func (n *node) close() error {
	if n.s == nil {
		return n.cable.Close()
	}
	err := n.s.Close()
	n.leading.Wait()
	return errors.Join(err, n.led)
}

// cable is what connects a node to the others. It can be cut.
type cable struct {
	net.Listener

	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func (c *cable) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.plug(conn)
	}
	return conn, err
}

func (c *cable) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", addr)
	if err == nil {
		c.plug(conn)
	}
	return conn, err
}

func (c *cable) plug(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isCut {
		conn.Close()
		return
	}
	c.conns = append(c.conns, conn)
}

func (c *cable) cut(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = yes
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}
