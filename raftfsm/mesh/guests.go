package mesh

import (
	"errors"
	"net"
	"slices"
	"time"
)

// A node with a certificate is heard, but need not be honest, or whole: so many
// connections one has at most, and so many all of them together. An honest node
// has fewer than ten.
const (
	guestsPerNode = 32
	guestsMax     = 1024
	// guestsQuiet is how long nothing more is said of connections that were too many.
	guestsQuiet = time.Minute
)

var errCrowd = errors.New("mesh: too many connections are open already")

// guests are the connections that others made and that are served.
type guests struct {
	byNode map[string][]net.Conn // oldest first
	of     map[net.Conn]string
	said   time.Time // when that there were too many
	unsaid int       // how many were too many since
}

func newGuests() guests {
	return guests{byNode: map[string][]net.Conn{}, of: map[net.Conn]string{}}
}

func (g *guests) add(node string, conn net.Conn) {
	g.byNode[node] = append(g.byNode[node], conn)
	g.of[conn] = node
}

func (g *guests) remove(conn net.Conn) {
	node, ok := g.of[conn]
	if !ok {
		return
	}
	delete(g.of, conn)
	left := slices.DeleteFunc(g.byNode[node], func(c net.Conn) bool { return c == conn })
	g.byNode[node] = left
	if len(left) == 0 {
		delete(g.byNode, node)
	}
}

// full tells whether a node's next connection is one too many, and which of its own
// has to go for it; nil if it has none.
func (g *guests) full(node string) (yes bool, oldest net.Conn) {
	have := g.byNode[node]
	if len(have) < guestsPerNode && len(g.of) < guestsMax {
		return false, nil
	}
	if len(have) == 0 {
		return true, nil
	}
	return true, have[0]
}

// admit takes in a connection whose hello was heard. A node that has too many
// loses its oldest: after a cut of the network that is one whose other end is gone.
// When all have too many together, who has none gets none, and the others go on.
func (m *Mesh) admit(node string, conn net.Conn) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.conns[conn]; !ok {
		return ErrClosed // it had to go while it was heard
	}
	full, oldest := m.guests.full(node)
	switch {
	case full && oldest == nil:
		m.guests.unsaid++
		return errCrowd
	case full:
		m.guests.unsaid++
		m.dropLocked(oldest)
	}
	m.guests.add(node, conn)
	return nil
}

// complain says, now and then, that there were too many connections.
func (m *Mesh) complain(node string, from net.Addr) {
	m.mu.Lock()
	n, now := m.guests.unsaid, time.Now()
	if n == 0 || !m.guests.said.IsZero() && now.Sub(m.guests.said) < guestsQuiet {
		m.mu.Unlock()
		return
	}
	m.guests.said, m.guests.unsaid = now, 0
	m.mu.Unlock()
	m.cfg.Logger.Warn("chronos: too many connections to the cluster port; some were closed",
		"node", node, "from", from, "closed", n, "allowed", guestsPerNode, "allowed_in_all", guestsMax)
}
