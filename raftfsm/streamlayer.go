package raftfsm

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/raftfsm/mesh"
)

// streamLayer is Raft's way into the mesh: an address is the name of a node.
type streamLayer struct {
	mesh *mesh.Mesh
	self string
	in   chan net.Conn
	done chan struct{}
	once sync.Once
}

func newStreamLayer(self string) *streamLayer {
	return &streamLayer{self: self, in: make(chan net.Conn), done: make(chan struct{})}
}

// take hands an incoming connection to Raft, which owns it from then on.
func (l *streamLayer) take(_ string, conn net.Conn) {
	select {
	case l.in <- conn:
	case <-l.done:
		conn.Close()
	}
}

// Accept implements net.Listener.
func (l *streamLayer) Accept() (net.Conn, error) {
	select {
	case conn := <-l.in:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *streamLayer) close() { l.once.Do(func() { close(l.done) }) }

// Close implements net.Listener.
func (l *streamLayer) Close() error {
	l.close()
	return nil
}

// Addr implements net.Listener.
func (l *streamLayer) Addr() net.Addr { return nodeAddr(l.self) }

// Raft puts its next attempt at a follower off by up to ten seconds, the longer
// the more have failed. So a call to a node that is not there takes its time, and
// is through as soon as the node is back.
const (
	dialOnce  = time.Second
	dialPause = 100 * time.Millisecond
)

// Dial implements raft.StreamLayer.
func (l *streamLayer) Dial(node raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for {
		conn, err := l.dialOnce(ctx, string(node))
		if err == nil {
			return conn, nil
		}
		select {
		case <-time.After(dialPause):
		case <-l.done:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (l *streamLayer) dialOnce(ctx context.Context, node string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialOnce)
	defer cancel()
	go func() { // not to be waited for when the node closes
		select {
		case <-l.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return l.mesh.Dial(ctx, mesh.Raft, node)
}

// nodeAddr is a node's name where an address is wanted.
type nodeAddr string

// Network implements net.Addr.
func (nodeAddr) Network() string { return "chronos" }

// String implements net.Addr.
func (a nodeAddr) String() string { return string(a) }
