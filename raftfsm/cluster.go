package raftfsm

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/raftfsm/mesh"
)

// Cluster says with whom a node shares its log. Every node of a new cluster is
// given the same list of peers; a node that has state takes only the addresses
// from it.
type Cluster struct {
	// ID names the cluster. A directory and a connection of another cluster
	// are refused.
	ID string
	// Listener takes the connections of the other nodes, and Dial makes ours.
	// Who may take part is theirs to decide.
	Listener net.Listener
	Dial     func(ctx context.Context, addr string) (net.Conn, error)
	// Peers are the voters of a new cluster, this node included.
	Peers []Peer
	// Worker makes the node one that never votes: it holds a replica and runs
	// jobs. It joins a cluster that others have formed.
	Worker bool
	// Lease is how long a node that is not heard of counts as alive: another one
	// of its name is refused as long. Default 5 s.
	Lease time.Duration
	// HeartbeatTimeout is how long a follower waits for its leader before it
	// calls an election. Default 300 ms.
	HeartbeatTimeout time.Duration
}

// Peer is a node by its name, and where it is.
type Peer struct{ ID, Addr string }

func (c *Cluster) lease() time.Duration { return cmp.Or(c.Lease, leaseDefault) }

func (c *Cluster) heartbeat() time.Duration { return cmp.Or(c.HeartbeatTimeout, heartbeatDefault) }

const (
	heartbeatDefault = 300 * time.Millisecond
	leaseDefault     = 5 * time.Second
)

func (c *Cluster) check(id string, trust bool) error {
	switch {
	case c.ID == "" || c.Listener == nil || c.Dial == nil:
		return errors.New("raftfsm: Cluster.ID, Listener and Dial are required")
	case !slices.ContainsFunc(c.Peers, func(p Peer) bool { return p.ID == id }):
		return fmt.Errorf("raftfsm: node %q is not among its peers", id)
	case trust:
		return errors.New("raftfsm: TrustView is for a node that has no peers: what this one lost, the others have")
	}
	return nil
}

// logID is the name of the cluster's log, the same on every node.
func (c *Cluster) logID() string {
	sum := sha256.Sum256([]byte("chronos cluster " + c.ID))
	return hex.EncodeToString(sum[:16])
}

// configuration is the first one, the same on every node. A server's address is
// its name: the mesh knows where that is. See epoch.go.
func (c *Cluster) configuration() (conf raft.Configuration) {
	peers := slices.SortedFunc(slices.Values(c.Peers), func(a, b Peer) int { return cmp.Compare(a.ID, b.ID) })
	for _, p := range peers {
		conf.Servers = append(conf.Servers, raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(p.ID), Address: raft.ServerAddress(p.ID)})
	}
	return conf
}

// firstConfiguration is that of a new directory.
func (c *Config) firstConfiguration(id string) raft.Configuration {
	if c.Cluster != nil {
		return c.Cluster.configuration()
	}
	return singleConfiguration(id)
}

// newLogID names the log of a new directory.
func (c *Config) newLogID() string {
	if c.Cluster != nil {
		return c.Cluster.logID()
	}
	return randomID()
}

// openMesh makes the node reachable. Before its log is open it answers one
// question only: whether there is a cluster already.
func (n *Node) openMesh() error {
	c := n.cfg.Cluster
	if err := c.check(n.cfg.ID, n.cfg.TrustView); err != nil {
		return err
	}
	book := map[string]string{}
	for _, p := range c.Peers {
		book[p.ID] = p.Addr
	}
	n.layer = newStreamLayer(n.cfg.ID)
	n.desk = newDesk(n)
	n.mesh = mesh.New(mesh.Config{
		Cluster: c.ID, Node: n.cfg.ID, Listener: c.Listener, Dial: c.Dial, Peers: book, Logger: n.log,
		Epoch: n.epoch.now, OnEpoch: n.differs,
	}, map[mesh.Kind]func(string, net.Conn){mesh.Raft: n.layer.take, mesh.Commands: n.desk.serve})
	n.layer.mesh = n.mesh
	n.links, n.pulse = newLinks(n.mesh), newLinks(n.mesh)
	n.mesh.Start()
	return nil
}

// openTransport gives Raft its way to the other nodes.
func (n *Node) openTransport() {
	if n.cfg.Cluster == nil {
		_, n.trans = raft.NewInmemTransport(raft.ServerAddress(n.id))
		return
	}
	n.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: n.layer, ServerAddressProvider: serverNames{}, MaxPool: 3, MaxRPCsInFlight: 1, // no pipelining: raft #612
		Timeout: transportTimeout, Logger: raftLogger(n.log), MsgpackUseNewTimeFormat: true,
	})
}

// closeNet ends what talks to other nodes. Raft is down.
func (n *Node) closeNet() {
	switch t := n.trans.(type) {
	case *raft.NetworkTransport:
		t.CloseStreams()
		_ = t.Close()
	case *raft.InmemTransport:
		_ = t.Close()
	}
	if n.mesh != nil {
		n.layer.close()
		n.links.close()
		n.pulse.close()
		_ = n.mesh.Close()
		n.desk.wait()
	}
}

// awaitCluster waits until this node has applied what was committed when it
// asked. It may take its time, as long as it gets on.
func (n *Node) awaitCluster() error {
	greeted := make(chan struct{})
	n.owned.Go(func() {
		defer close(greeted)
		n.greet()
	})
	last, since := n.st.Index(), time.Now()
	for asked := time.Now(); ; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := n.takePart(ctx)
		cancel()
		if err == nil {
			<-greeted
		}
		if behind := n.epoch.leftBehind(); behind != nil {
			return behind
		}
		if stopped := n.Err(); err == nil || stopped != nil {
			return stopped
		}
		if time.Since(asked) > time.Second && !errors.Is(err, ErrRemoved) {
			if n.wasRemoved() {
				err = ErrRemoved
			}
			asked = time.Now()
		}
		if errors.Is(err, ErrRemoved) {
			return n.removed()
		}
		if at := n.st.Index(); at != last {
			last, since = at, time.Now()
		}
		if time.Since(since) > n.cfg.StartTimeout {
			return fmt.Errorf("%w after %v: Raft is %s at entry %d, the state at %d (%w)",
				ErrNoLeader, n.cfg.StartTimeout, n.raft.State(), n.raft.LastIndex(), last, err)
		}
		select { // a proposal may fail at once
		case <-time.After(10 * time.Millisecond):
		case <-n.fsm.stopCh:
		}
	}
}
