package chronos

import (
	"context"
	"net"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
)

// Cluster makes a scheduler one of several that share one log: each due instant
// is run once in the whole cluster, on any node that runs and has the handler,
// and what a node was running when it died is found and resolved. Options.Node
// names this one.
//
// Three nodes go on when one of them is lost, five when two are. Writes may be
// made on every node, and are on that node when the call returns.
type Cluster struct {
	// ID names the cluster, so that two never mix. Required, at most 128 bytes.
	ID string
	// Listener takes connections of the other nodes. Required. The scheduler
	// closes it. Whoever can connect and knows the ID can take part: use a TLS
	// listener that asks for certificates of the cluster's own authority
	// (tls.RequireAndVerifyClientCert), or a network that nobody else reaches.
	Listener net.Listener
	// Dial connects to another node's address. Default: plain TCP, which goes
	// with a plain TCP listener; with TLS, call the DialContext of a tls.Dialer
	// that presents this node's certificate (docs/cluster.md has it).
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Peers are the members of a new cluster, this node included, the same list
	// on every node; it begins when all of them are there. Required. A node that has state takes only the addresses
	// from it: addresses may change with every start. A node that the cluster has
	// not got yet joins it; of its list only addresses matter, its own among
	// them. It gets a vote when it has caught up, unless it is a Worker.
	Peers []Peer
	// Worker makes this node one that never votes: it runs jobs and holds a
	// replica, so that many processes can share the work of a few voters. It joins
	// a cluster that others have formed.
	Worker bool
	// Heartbeat is how long a node waits for its leader before it calls an
	// election. Default 300 ms, for a local network; from 100 ms to 10 s. A
	// leader that dies is replaced within about two of it.
	Heartbeat time.Duration
	// Lease is how long a node that nobody hears of keeps what it runs. It cancels
	// it on its own somewhat sooner. Default 5 s; from ten times Heartbeat to 10
	// minutes.
	Lease time.Duration
	// RemoveDeadAfter has the leader take a member out that it has not heard of for
	// so long, a Worker too; it counts from when it began to lead at the earliest.
	// Voters are taken out only while the others can do without, and never so
	// that fewer than three are left: of three, a dead one stays until another one
	// has joined in its place. Who was taken out joins again with an empty
	// directory. Default: never; at least 1 minute, and twice Lease. Give all
	// members the same.
	RemoveDeadAfter time.Duration
	// JoinTimeout is how long New waits for the cluster. Default 1 minute.
	JoinTimeout time.Duration
}

// Peer is a node by its name (its Options.Node), and where it is.
type Peer struct{ Node, Addr string }

const (
	defaultHeartbeat = 300 * time.Millisecond
	defaultLease     = 5 * time.Second
	defaultJoin      = time.Minute
	leastDead        = time.Minute
)

// withDefaults checks the cluster options of a node.
func (c Cluster) withDefaults(o *Options) (Cluster, error) {
	c.Heartbeat = orDefault(c.Heartbeat, defaultHeartbeat)
	c.Lease = orDefault(c.Lease, max(defaultLease, 10*c.Heartbeat))
	c.JoinTimeout = orDefault(c.JoinTimeout, defaultJoin)
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	switch {
	case o.Node == "":
		return c, invalid("Options.Node", "is required in a cluster: it is who this node is, whatever its address")
	case o.TrustView:
		return c, invalid("Options.TrustView", "is for a scheduler without a cluster: what this node lost, the others have")
	case c.Listener == nil:
		return c, invalid("Options.Cluster.Listener", "is required: the other nodes connect to it")
	case c.Heartbeat < 100*time.Millisecond || c.Heartbeat > 10*time.Second:
		return c, invalid("Options.Cluster.Heartbeat", "%v is not between 100ms and 10s", c.Heartbeat)
	case c.Lease < 10*c.Heartbeat || c.Lease > 10*time.Minute:
		return c, invalid("Options.Cluster.Lease", "%v is not between ten times Heartbeat (%v) and 10m", c.Lease, 10*c.Heartbeat)
	case c.RemoveDeadAfter != 0 && c.RemoveDeadAfter < max(leastDead, 2*c.Lease):
		return c, invalid("Options.Cluster.RemoveDeadAfter", "%v is below %v: a member that is only restarted must not be taken out", c.RemoveDeadAfter, max(leastDead, 2*c.Lease))
	case c.JoinTimeout < 0:
		return c, invalid("Options.Cluster.JoinTimeout", "is negative")
	}
	if err := checkID("Options.Cluster.ID", c.ID); err != nil {
		return c, err
	}
	return c, c.checkPeers(o.Node)
}

func (c Cluster) checkPeers(node string) error {
	seen := map[string]bool{}
	for _, p := range c.Peers {
		switch {
		case checkID("Options.Cluster.Peers", p.Node) != nil:
			return checkID("Options.Cluster.Peers", p.Node)
		case seen[p.Node]:
			return invalid("Options.Cluster.Peers", "%q is named twice", p.Node)
		case p.Addr == "" || len(p.Addr) > 255:
			return invalid("Options.Cluster.Peers", "the address of %q has %d bytes; 1 to 255 are allowed", p.Node, len(p.Addr))
		}
		seen[p.Node] = true
	}
	if !seen[node] {
		return invalid("Options.Cluster.Peers", "does not name this node (Options.Node is %q)", node)
	}
	return nil
}

// addr is where the others reach this node.
func (c *Cluster) addr(node string) string {
	for _, p := range c.Peers {
		if p.Node == node {
			return p.Addr
		}
	}
	return ""
}

// raftCluster is what the node's log is to know of it.
func (c *Cluster) raftCluster() *raftfsm.Cluster {
	out := &raftfsm.Cluster{ID: c.ID, Listener: c.Listener, Dial: c.Dial, HeartbeatTimeout: c.Heartbeat, Lease: c.Lease, Worker: c.Worker}
	for _, p := range c.Peers {
		out.Peers = append(out.Peers, raftfsm.Peer{ID: p.Node, Addr: p.Addr})
	}
	return out
}
