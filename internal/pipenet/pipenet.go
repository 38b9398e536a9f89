// Package pipenet is a network in memory between the nodes of a test. It works
// on the fake clock of testing/synctest, which a real socket would stop. Its
// connections behave like TCP's: what is written is buffered, arrives in order
// and after the link's delay, and waits at a link that is cut until that is
// mended. They can be lost, and whole addresses can be cut off.
package pipenet

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Network connects addresses. The zero value is ready.
type Network struct {
	mu   sync.Mutex
	open map[string]*listener
	away map[string]bool // isolated
	ways map[way]*state
	live map[*conn]struct{}
}

// way is one direction of a link.
type way struct{ from, to string }

// state is how a way is when it is not as usual.
type state struct {
	cut     bool
	delay   time.Duration
	changed chan struct{} // closed when it is mended
}

var (
	errNobody = errors.New("pipenet: nobody listens there")
	errClosed = errors.New("pipenet: the listener was closed")
	errReset  = errors.New("pipenet: connection reset")
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
// off, and over a link that is cut in either direction, a call hangs until its
// context ends.
func (n *Network) Dialer(from string) func(ctx context.Context, to string) (net.Conn, error) {
	return func(ctx context.Context, to string) (net.Conn, error) {
		if err := n.reach(ctx, from, to); err != nil {
			return nil, err
		}
		n.mu.Lock()
		l := n.open[to]
		n.mu.Unlock()
		if l == nil {
			return nil, errNobody
		}
		c := n.connect(from, to)
		select {
		case l.in <- c.ends[1]:
			return c.ends[0], nil
		case <-l.done:
			n.forget(c)
			return nil, errClosed
		case <-ctx.Done():
			n.forget(c)
			return nil, ctx.Err()
		}
	}
}

// reach waits until a first packet would be there and back.
func (n *Network) reach(ctx context.Context, from, to string) error {
	for {
		n.mu.Lock()
		there, back, away := n.ways[way{from, to}], n.ways[way{to, from}], n.away[from] || n.away[to]
		trip := there.lag() + back.lag()
		var mended chan struct{}
		for _, s := range []*state{there, back} {
			if s != nil && s.cut {
				mended = s.changed
			}
		}
		n.mu.Unlock()
		switch {
		case away:
			<-ctx.Done()
			return ctx.Err()
		case mended == nil && trip == 0:
			return nil
		case mended == nil:
			select {
			case <-time.After(trip):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		select {
		case <-mended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *state) lag() time.Duration {
	if s == nil {
		return 0
	}
	return s.delay
}

// connect makes the two ends of a connection.
func (n *Network) connect(from, to string) *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := newConn(n, from, to)
	for _, l := range c.lanes {
		if s := n.ways[l.way]; s != nil {
			l.held, l.delay = s.cut, s.delay
		}
	}
	if n.live == nil {
		n.live = map[*conn]struct{}{}
	}
	n.live[c] = struct{}{}
	return c
}

func (n *Network) forget(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.live, c)
}

// Isolate cuts an address off, its open connections too, which are lost.
func (n *Network) Isolate(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away == nil {
		n.away = map[string]bool{}
	}
	n.away[addr] = true
	n.reset(func(w way) bool { return w.from == addr || w.to == addr })
}

// Join undoes Isolate.
func (n *Network) Join(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.away, addr)
}

// Cut stops what is sent from one address to another, in this direction only.
// Connections stay: what is written to them waits, as TCP has it.
func (n *Network) Cut(from, to string) { n.change(from, to, func(s *state) { s.cut = true }) }

// Mend undoes Cut.
func (n *Network) Mend(from, to string) {
	n.change(from, to, func(s *state) {
		if s.cut {
			close(s.changed)
			s.changed = make(chan struct{})
		}
		s.cut = false
	})
}

// Delay lets what is sent from now on from one address to another take d.
func (n *Network) Delay(from, to string, d time.Duration) {
	n.change(from, to, func(s *state) { s.delay = d })
}

func (n *Network) change(from, to string, how func(*state)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ways == nil {
		n.ways = map[way]*state{}
	}
	s := n.ways[way{from, to}]
	if s == nil {
		s = &state{changed: make(chan struct{})}
		n.ways[way{from, to}] = s
	}
	how(s)
	for c := range n.live {
		c.set(way{from, to}, s.cut, s.delay)
	}
}

// Break loses the connections between two addresses. New ones can be made.
func (n *Network) Break(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reset(func(w way) bool { return w == way{a, b} || w == way{b, a} })
}

// Drop ends what an address listens to and is connected with, as the death of its
// process does.
func (n *Network) Drop(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.open[addr]; l != nil {
		_ = l.Close()
		delete(n.open, addr)
	}
	n.reset(func(w way) bool { return w.from == addr || w.to == addr })
}

// reset loses connections. The lock is held.
func (n *Network) reset(which func(way) bool) {
	for c := range n.live {
		if which(c.lanes[0].way) {
			c.reset()
			delete(n.live, c)
		}
	}
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
