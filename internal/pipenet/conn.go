package pipenet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// window is how much may be on the way before a writer has to wait.
const window = 1 << 20

// conn is a connection: two lanes, one for each direction, and two ends.
type conn struct {
	net    *Network
	mu     sync.Mutex
	moved  *sync.Cond // whenever anything has changed
	lanes  [2]*lane
	ends   [2]*end
	broken bool
}

// lane is one direction of a connection.
type lane struct {
	way
	held   bool // the link is cut
	delay  time.Duration
	chunks []chunk
	size   int
	ended  bool      // by its writer
	last   time.Time // when the newest chunk, or the end, is there
}

type chunk struct {
	at time.Time // when it is there; zero: at once
	b  []byte
}

func newConn(n *Network, from, to string) *conn {
	c := &conn{net: n}
	c.moved = sync.NewCond(&c.mu)
	c.lanes = [2]*lane{{way: way{from, to}}, {way: way{to, from}}}
	c.ends = [2]*end{{conn: c, out: c.lanes[0], in: c.lanes[1]}, {conn: c, out: c.lanes[1], in: c.lanes[0]}}
	return c
}

func (c *conn) set(w way, held bool, delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lanes {
		if l.way == w {
			l.held, l.delay = held, delay
		}
	}
	c.moved.Broadcast()
}

func (c *conn) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = true
	c.moved.Broadcast()
}

// wake lets everybody look again.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved.Broadcast()
}

// send says when what is sent now will be there, and sees to it that the reader
// looks then.
func (c *conn) send(l *lane) time.Time {
	if l.delay == 0 && !l.last.After(time.Now()) {
		return time.Time{}
	}
	at := time.Now().Add(l.delay)
	if at.Before(l.last) {
		at = l.last
	}
	l.last = at
	time.AfterFunc(time.Until(at), c.wake)
	return at
}

// arrived tells if something sent to be there at an instant is there.
func (l *lane) arrived(at time.Time) bool {
	return !l.held && (at.IsZero() || !at.After(time.Now()))
}

// end is one of the two ends.
type end struct {
	conn    *conn
	in, out *lane
	closed  bool
	read    deadline
	write   deadline
}

type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !d.at.After(time.Now()) }

func (d *deadline) set(at time.Time, wake func()) {
	d.at = at
	if d.timer != nil {
		d.timer.Stop()
	}
	switch {
	case at.IsZero():
	case d.timer == nil:
		d.timer = time.AfterFunc(time.Until(at), wake)
	default:
		d.timer.Reset(time.Until(at))
	}
}

// Read implements net.Conn.
func (e *end) Read(b []byte) (int, error) {
	c := e.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case e.closed:
			return 0, net.ErrClosed
		case c.broken:
			return 0, errReset
		case e.read.passed():
			return 0, os.ErrDeadlineExceeded
		case len(e.in.chunks) > 0 && e.in.arrived(e.in.chunks[0].at):
			return e.take(b), nil
		case len(e.in.chunks) == 0 && e.in.ended && e.in.arrived(e.in.last):
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		c.moved.Wait()
	}
}

func (e *end) take(b []byte) int {
	first := &e.in.chunks[0]
	n := copy(b, first.b)
	if first.b = first.b[n:]; len(first.b) == 0 {
		e.in.chunks = e.in.chunks[1:]
	}
	if e.in.size >= window {
		e.conn.moved.Broadcast()
	}
	e.in.size -= n
	return n
}

// Write implements net.Conn.
func (e *end) Write(b []byte) (int, error) {
	c := e.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case e.closed:
			return 0, net.ErrClosed
		case c.broken, e.in.ended && e.in.arrived(e.in.last):
			return 0, errReset
		case e.write.passed():
			return 0, os.ErrDeadlineExceeded
		case e.out.size < window:
			e.out.chunks = append(e.out.chunks, chunk{at: c.send(e.out), b: append([]byte(nil), b...)})
			e.out.size += len(b)
			c.moved.Broadcast()
			return len(b), nil
		}
		c.moved.Wait()
	}
}

// Close implements net.Conn.
func (e *end) Close() error {
	c := e.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.read.set(time.Time{}, nil)
	e.write.set(time.Time{}, nil)
	c.send(e.out)
	e.out.ended = true
	c.moved.Broadcast()
	if c.ends[0].closed && c.ends[1].closed {
		go c.net.forget(c) // the network's lock comes before a connection's
	}
	return nil
}

// LocalAddr implements net.Conn.
func (e *end) LocalAddr() net.Addr { return address(e.out.from) }

// RemoteAddr implements net.Conn.
func (e *end) RemoteAddr() net.Addr { return address(e.out.to) }

// SetDeadline implements net.Conn.
func (e *end) SetDeadline(t time.Time) error {
	_ = e.SetReadDeadline(t)
	return e.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(t time.Time) error {
	e.conn.mu.Lock()
	defer e.conn.mu.Unlock()
	e.read.set(t, e.conn.wake)
	e.conn.moved.Broadcast()
	return nil
}

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(t time.Time) error {
	e.conn.mu.Lock()
	defer e.conn.mu.Unlock()
	e.write.set(t, e.conn.wake)
	e.conn.moved.Broadcast()
	return nil
}
