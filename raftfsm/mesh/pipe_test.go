package mesh

import (
	"context"
	"errors"
	"net"
	"sync"
)

// pipes is a network of net.Pipe, which works on a fake clock.
type pipes struct {
	mu   sync.Mutex
	open map[string]*pipeListener
}

type pipeListener struct {
	net  *pipes
	addr string
	in   chan net.Conn
	once sync.Once
	done chan struct{}
}

func (p *pipes) listen(addr string) *pipeListener {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = map[string]*pipeListener{}
	}
	l := &pipeListener{net: p, addr: addr, in: make(chan net.Conn), done: make(chan struct{})}
	p.open[addr] = l
	return l
}

func (p *pipes) dial(ctx context.Context, addr string) (net.Conn, error) {
	p.mu.Lock()
	l := p.open[addr]
	p.mu.Unlock()
	if l == nil {
		return nil, errors.New("nobody listens")
	}
	ours, theirs := net.Pipe()
	select {
	case l.in <- theirs:
		return ours, nil
	case <-l.done:
		return nil, errors.New("nobody listens any more")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr(l.addr) }

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }
