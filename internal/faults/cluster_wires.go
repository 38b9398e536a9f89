package faults

import (
	"errors"
	"io"
	"net"
	"sync"

	"github.com/chronos-go/chronos"
)

// wires carry the connections between the nodes of a cluster, each direction by
// itself, and can be cut as a network is: what was sent is not lost, and comes
// when the cut has healed, as TCP would have sent it again by then.
type wires struct {
	mu      sync.Mutex
	changed *sync.Cond
	cuts    map[way]bool
	passing map[way]int // what is on its way
	closed  bool
	ends    map[net.Conn]bool

	ports []net.Listener
	owned sync.WaitGroup
}

// way is a direction from one node to another.
type way struct{ from, to string }

// newWires opens a port for every way there is.
func newWires(peers []chronos.Peer) (w *wires, via map[way]string, err error) {
	w, via = &wires{cuts: map[way]bool{}, passing: map[way]int{}, ends: map[net.Conn]bool{}}, map[way]string{}
	w.changed = sync.NewCond(&w.mu)
	for _, from := range peers {
		for _, to := range peers {
			if from == to {
				continue
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, errors.Join(err, w.close())
			}
			w.ports = append(w.ports, l)
			via[way{from.Node, to.Node}] = l.Addr().String()
			w.owned.Go(func() { w.accept(l, way{from.Node, to.Node}, to.Addr) })
		}
	}
	return w, via, nil
}

func (w *wires) close() error {
	var errs []error
	for _, l := range w.ports {
		errs = append(errs, l.Close())
	}
	w.mu.Lock()
	w.closed = true
	for conn := range w.ends {
		conn.Close()
	}
	w.changed.Broadcast()
	w.mu.Unlock()
	w.owned.Wait()
	return errors.Join(errs...)
}

// set cuts these ways, and no others. When it returns, nothing passes there.
func (w *wires) set(ways ...way) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cuts)
	for _, one := range ways {
		w.cuts[one] = true
	}
	w.changed.Broadcast()
	for _, one := range ways {
		for w.passing[one] > 0 && !w.closed {
			w.changed.Wait()
		}
	}
}

func (w *wires) accept(l net.Listener, on way, addr string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		w.owned.Go(func() { w.join(conn, on, addr) })
	}
}

// join connects two nodes until one of them has enough.
func (w *wires) join(near net.Conn, on way, addr string) {
	defer near.Close()
	back := way{on.to, on.from}
	if !w.keep(near) || !w.pass(on, nil) || !w.pass(back, nil) {
		return
	}
	defer w.forget(near)
	far, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer far.Close()
	if !w.keep(far) {
		return
	}
	defer w.forget(far)
	var both sync.WaitGroup
	both.Go(func() { w.copy(on, near, far) })
	both.Go(func() { w.copy(back, far, near) })
	both.Wait()
}

// copy carries one direction. Its end is news, too, and does not pass a cut.
func (w *wires) copy(on way, from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		passed := w.pass(on, func() error {
			_, err := to.Write(buf[:n])
			return err
		})
		if err != nil || !passed {
			_ = to.(*net.TCPConn).CloseWrite()
			if !errors.Is(err, io.EOF) {
				to.Close()
			}
			return
		}
	}
}

// pass waits until a way is open, and does something before it is cut. It is
// false when that failed.
func (w *wires) pass(on way, do func() error) bool {
	w.mu.Lock()
	for w.cuts[on] && !w.closed {
		w.changed.Wait()
	}
	closed := w.closed
	w.passing[on]++
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.passing[on]--
		w.changed.Broadcast()
		w.mu.Unlock()
	}()
	return !closed && (do == nil || do() == nil)
}

func (w *wires) keep(conn net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.ends[conn] = true
	return true
}

func (w *wires) forget(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ends, conn)
}
