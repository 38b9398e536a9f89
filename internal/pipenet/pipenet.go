// Package pipenet is a network of net.Pipe between the nodes of a test. It works
// on the fake clock of testing/synctest, which a real socket would stop, and its
// ends can be cut off.
package pipenet

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Network connects addresses. The zero value is ready.
type Network struct {
	mu   sync.Mutex
	open map[string]*listener
	cut  map[string]bool
	live map[net.Conn][2]string
}

var (
	errNobody = errors.New("pipenet: nobody listens there")
	errClosed = errors.New("pipenet: the listener was closed")
)

// Listen takes connections to an address, in place of who did before.
func (n *Network) Listen(addr string) net.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{addr: address(addr), in: make(chan net.Conn), done: make(chan struct{})}
	if n.open == nil {
		n.open = map[string]*listener{}
	}
	n.open[addr] = l
	return l
}

// Dialer connects from an address to others. To and from an address that is cut
// off a call hangs until its context ends.
func (n *Network) Dialer(from string) func(ctx context.Context, to string) (net.Conn, error) {
	return func(ctx context.Context, to string) (net.Conn, error) {
		n.mu.Lock()
		l, cut := n.open[to], n.cut[from] || n.cut[to]
		n.mu.Unlock()
		if cut {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if l == nil {
			return nil, errNobody
		}
		ours, theirs := net.Pipe()
		select {
		case l.in <- theirs:
		case <-l.done:
			return nil, errClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.live == nil {
			n.live = map[net.Conn][2]string{}
		}
		n.live[ours] = [2]string{from, to}
		return ours, nil
	}
}

// Isolate cuts an address off, its open connections too.
func (n *Network) Isolate(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut == nil {
		n.cut = map[string]bool{}
	}
	n.cut[addr] = true
	for conn, ends := range n.live {
		if ends[0] == addr || ends[1] == addr {
			conn.Close()
			delete(n.live, conn)
		}
	}
}

// Join undoes Isolate.
func (n *Network) Join(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cut, addr)
}

type listener struct {
	addr address
	in   chan net.Conn
	once sync.Once
	done chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

type address string

// Network implements net.Addr.
func (address) Network() string { return "pipe" }

// String implements net.Addr.
func (a address) String() string { return string(a) }
