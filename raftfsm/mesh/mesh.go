package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// Config says who a node is and how it reaches the others.
type Config struct {
	Cluster  string // shared by all nodes
	Node     string // name of this one, unique in the cluster
	Listener net.Listener
	Dial     func(ctx context.Context, addr string) (net.Conn, error)
	Peers    map[string]string // addresses of nodes, this one's included
	Logger   *slog.Logger
	// Epoch tells the node's own, false while it is not known: then Raft's
	// connections have to wait. nil: Unrecovered.
	Epoch func() (Epoch, bool)
	// OnEpoch hears of nodes that were refused because of theirs. It may be nil.
	OnEpoch func(node string, theirs Epoch)
}

const (
	helloTimeout = 5 * time.Second
	// strangersMax is how many connections may be at their hello at once. Who has
	// been at it for longest gives way: a node says it at once.
	strangersMax = 128
	// heardMax is how many nodes are known from nothing but their own hello.
	heardMax    = 1024
	partTimeout = 500 * time.Millisecond
)

// Mesh is one node's end of all connections.
type Mesh struct {
	cfg     Config
	serve   map[Kind]func(node string, conn net.Conn)
	closing chan struct{}
	owned   sync.WaitGroup

	mu        sync.Mutex
	book      map[string]string
	heard     []string // nodes in the book of which only their hello told, oldest first
	conns     map[net.Conn]struct{}
	strangers []net.Conn // those that are at their hello, oldest first
	guests    guests
	off       bool // suspended
	down      bool
}

// New makes a mesh. serve says who takes incoming connections of a kind; each
// runs in a goroutine of its own, which Close waits for, and ends when its
// connection does. Nothing is accepted before Start.
func New(cfg Config, serve map[Kind]func(node string, conn net.Conn)) *Mesh {
	return &Mesh{
		cfg: cfg, serve: serve, closing: make(chan struct{}),
		book: maps.Clone(cfg.Peers), conns: map[net.Conn]struct{}{}, guests: newGuests(),
	}
}

// Start accepts connections until Close.
func (m *Mesh) Start() { m.owned.Go(m.accept) }

func (m *Mesh) accept() {
	for wait := 5 * time.Millisecond; ; {
		conn, err := m.cfg.Listener.Accept()
		if err == nil {
			wait = 5 * time.Millisecond
			m.greet(conn)
			continue
		}
		if m.closed() || errors.Is(err, net.ErrClosed) {
			return
		}
		m.cfg.Logger.Warn("chronos: the cluster port accepts nothing for a moment", "error", err)
		select { // out of file descriptors, for example
		case <-time.After(wait):
			wait = min(2*wait, time.Second)
		case <-m.closing:
			return
		}
	}
}

// greet hears a new connection's hello. If too many are at theirs, the one that
// takes longest has had its time.
func (m *Mesh) greet(conn net.Conn) {
	if !m.track(conn) {
		return
	}
	m.line(conn)
	m.owned.Go(func() {
		serve, node, err := m.hear(conn)
		m.leaveLine(conn)
		m.complain(node, conn.RemoteAddr())
		if err != nil {
			m.cfg.Logger.Debug("chronos: connection to the cluster port refused", "from", conn.RemoteAddr(), "error", err)
			m.drop(conn)
			return
		}
		serve(node, &tracked{conn, m})
	})
}

// line puts a connection with the others that are at their hello.
func (m *Mesh) line(conn net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.strangers) >= strangersMax {
		m.dropLocked(m.strangers[0])
		m.strangers = m.strangers[1:]
	}
	m.strangers = append(m.strangers, conn)
}

func (m *Mesh) leaveLine(conn net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.strangers = slices.DeleteFunc(m.strangers, func(c net.Conn) bool { return c == conn })
}

// hear reads the hello and answers it.
func (m *Mesh) hear(conn net.Conn) (serve func(string, net.Conn), node string, err error) {
	if err := conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return nil, "", err
	}
	h, err := readHello(conn)
	if err == nil && h.node == "" {
		err = fmt.Errorf("%w: it has no name", errStranger)
	}
	if err != nil {
		return nil, "", err
	}
	answer := welcome
	serve = m.serve[h.kind]
	ours, known := m.epoch()
	switch {
	case h.cluster != m.cfg.Cluster:
		answer, err = wrongCluster, fmt.Errorf("%w: %q", ErrCluster, h.cluster)
	case h.node == m.cfg.Node:
		answer, err = itself, fmt.Errorf("mesh: another process says that it is %q, too", h.node)
		m.cfg.Logger.Error("chronos: two processes have the same node name", "node", h.node, "from", conn.RemoteAddr())
	case serve == nil:
		answer, err = unknownKind, fmt.Errorf("mesh: unknown kind %q", byte(h.kind))
	case ours.Compare(h.epoch) != Same:
		answer, err = wrongEpoch, fmt.Errorf("%w: node %q is at %s, this one at %s", ErrEpoch, h.node, h.epoch, ours)
		m.differs(h.node, h.epoch)
	case h.kind == Raft && !known:
		answer, err = notYet, ErrNotYet
	}
	if err == nil {
		if err := m.admit(h.node, conn); err != nil {
			return nil, h.node, err
		}
	}
	b, frameErr := frame(byte(answer), withEpoch(ours, m.cfg.Node)...)
	if frameErr != nil {
		return nil, "", frameErr
	}
	if _, writeErr := conn.Write(b); err != nil || writeErr != nil {
		return nil, "", errors.Join(err, writeErr)
	}
	m.hearOf(h.node, h.addr)
	return serve, h.node, conn.SetDeadline(time.Time{})
}

// Dial connects to a node, wherever it was last heard of.
func (m *Mesh) Dial(ctx context.Context, kind Kind, node string) (net.Conn, error) {
	addr := m.Addr(node)
	if addr == "" {
		return nil, fmt.Errorf("%w: node %q", ErrUnknown, node)
	}
	conn, err := m.cfg.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if !m.track(conn) {
		return nil, ErrClosed
	}
	if err := m.introduce(ctx, conn, kind, node); err != nil {
		m.drop(conn)
		return nil, fmt.Errorf("node %q at %s: %w", node, addr, err)
	}
	return &tracked{conn, m}, nil
}

func (m *Mesh) introduce(ctx context.Context, conn net.Conn, kind Kind, node string) error {
	deadline := time.Now().Add(helloTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	ours, _ := m.epoch()
	b, err := hello{kind, m.cfg.Cluster, m.cfg.Node, m.Addr(m.cfg.Node), ours}.encode()
	if err != nil {
		return err
	}
	if _, err := conn.Write(b); err != nil {
		return err
	}
	name, theirs, err := readAnswer(conn)
	if errors.Is(err, ErrEpoch) && name == node {
		m.differs(node, theirs)
	}
	if err != nil {
		return err
	}
	if name != node {
		return fmt.Errorf("%w: %q", ErrNode, name)
	}
	return conn.SetDeadline(time.Time{})
}

// epoch is the node's own, and whether it is known yet.
func (m *Mesh) epoch() (Epoch, bool) {
	if m.cfg.Epoch == nil {
		return Unrecovered, true
	}
	return m.cfg.Epoch()
}

func (m *Mesh) differs(node string, theirs Epoch) {
	if m.cfg.OnEpoch != nil {
		m.cfg.OnEpoch(node, theirs)
	}
}

// Addr is where a node was last heard of, "" if nowhere.
func (m *Mesh) Addr(node string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.book[node]
}

// Learn notes where a node is.
func (m *Mesh) Learn(node, addr string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if addr != "" {
		m.book[node] = addr
		m.heard = slices.DeleteFunc(m.heard, func(n string) bool { return n == node })
	}
}

// hearOf notes where a node says that it is. Of those whom nobody else knows the
// newest are remembered.
func (m *Mesh) hearOf(node, addr string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if addr == "" {
		return
	}
	if _, known := m.book[node]; !known {
		if m.heard = append(m.heard, node); len(m.heard) > heardMax {
			delete(m.book, m.heard[0])
			m.heard = m.heard[1:]
		}
	}
	m.book[node] = addr
}

// Suspend takes the node off the network, or brings it back: every connection is
// closed, and none is accepted or made. It returns what was before.
func (m *Mesh) Suspend(off bool) (before bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, m.off = m.off, off
	if off && !before && !m.down {
		m.disconnectLocked()
	}
	return before
}

func (m *Mesh) disconnectLocked() {
	for conn := range m.conns {
		m.dropLocked(conn)
	}
}

// dropLocked lets go of a connection, and has it closed. Nobody waits for it but
// Close of the mesh.
func (m *Mesh) dropLocked(conn net.Conn) {
	if _, ok := m.conns[conn]; ok {
		delete(m.conns, conn)
		m.guests.remove(conn)
		m.owned.Go(func() { part(conn) })
	}
}

// part closes a connection. TLS takes leave, and gives the other side, which may
// not read, five seconds to hear it; here it has fewer.
func part(conn net.Conn) {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		t := time.AfterFunc(partTimeout, func() { secure.NetConn().Close() })
		defer t.Stop()
	}
	conn.Close()
}

// Close ends it: nothing is accepted any more, every connection is closed, and
// who serves one has returned.
func (m *Mesh) Close() error {
	m.mu.Lock()
	if m.down {
		m.mu.Unlock()
		return nil
	}
	m.down = true
	close(m.closing)
	m.disconnectLocked()
	m.mu.Unlock()
	err := m.cfg.Listener.Close()
	m.owned.Wait()
	return err
}

func (m *Mesh) closed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.down
}

// track takes a connection into care; it is closed at once, and false, while the
// mesh is suspended and after Close.
func (m *Mesh) track(conn net.Conn) bool {
	m.mu.Lock()
	taken := !m.down && !m.off
	if taken {
		m.conns[conn] = struct{}{}
	}
	m.mu.Unlock()
	if !taken {
		conn.Close()
	}
	return taken
}

func (m *Mesh) drop(conn net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropLocked(conn)
}

// tracked is a connection that Close of the mesh closes, too.
type tracked struct {
	net.Conn
	mesh *Mesh
}

// Close implements net.Conn. It does not wait for the other side.
func (t *tracked) Close() error {
	t.mesh.drop(t.Conn)
	return nil
}
