package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/raftfsm/mesh"
)

// epochs knows which epoch a node is at: from its files while it opens, from
// Raft's configuration afterwards.
type epochs struct {
	first atomic.Pointer[mesh.Epoch]
	raft  atomic.Pointer[raft.Raft]

	mu     sync.Mutex
	warned map[string]mesh.Epoch // nodes that were complained about
	behind error                 // a node of a later epoch was met
}

func (e *epochs) begin(at mesh.Epoch) { e.first.Store(&at) }

func (e *epochs) follow(r *raft.Raft) { e.raft.Store(r) }

// now is the epoch, and whether it is known yet.
func (e *epochs) now() (mesh.Epoch, bool) {
	if r := e.raft.Load(); r != nil {
		if f := r.GetConfiguration(); f.Error() == nil {
			return epochOf(f.Configuration()), true
		}
	}
	if at := e.first.Load(); at != nil {
		return *at, true
	}
	return "", false
}

// differs hears of a node of another epoch, which was refused. It is said once.
func (n *Node) differs(node string, theirs mesh.Epoch) {
	e := &n.epoch
	ours, _ := e.now()
	relation := ours.Compare(theirs)
	e.mu.Lock()
	defer e.mu.Unlock()
	if relation != mesh.Older && relation != mesh.Same && e.behind == nil {
		e.behind = leftBehind(n.cfg.ID, ours, node, theirs, relation)
	}
	if e.warned[node] == theirs {
		return
	}
	if e.warned == nil {
		e.warned = map[string]mesh.Epoch{}
	}
	e.warned[node] = theirs
	what := "is there that was left behind when the cluster was recovered; stop it, it may start again with an empty directory only"
	if relation != mesh.Older {
		what = "is of another recovery of the cluster than this one; one of the two has to be stopped"
	}
	n.log.Error("chronos: a node "+what, "node", node, "its epoch", theirs, "epoch", ours)
}

func leftBehind(self string, ours mesh.Epoch, node string, theirs mesh.Epoch, relation mesh.Relation) error {
	if relation == mesh.Apart {
		return fmt.Errorf("%w: node %q is at epoch %s and this one at %s: the cluster was recovered twice, by different lists; "+
			"stop the nodes of one of them, and start these with empty directories", ErrLeftBehind, node, theirs, ours)
	}
	return fmt.Errorf("%w: node %q is at epoch %s and this one at %s; start node %q with an empty directory to join again, "+
		"or, if it is one of the survivors, with the same %s as the others", ErrLeftBehind, node, theirs, ours, self, peersName)
}

// leftBehind is what a node that opens has met, nil if nothing. A node that has no
// state is never left behind.
func (e *epochs) leftBehind() error {
	if ours, _ := e.now(); ours == "" {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.behind
}

// greet calls the other nodes before this one takes part, so that a directory that
// was left behind is found out. A node that does not answer within a heartbeat
// says nothing.
func (n *Node) greet() {
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.Cluster.heartbeat())
	defer cancel()
	var calls sync.WaitGroup
	for _, node := range n.others() {
		calls.Go(func() { _ = n.call(ctx, node) })
	}
	calls.Wait()
}

// call tries a node's hello.
func (n *Node) call(ctx context.Context, node string) error {
	conn, err := n.mesh.Dial(ctx, mesh.Commands, node)
	if err != nil {
		return err
	}
	return conn.Close()
}

// answers tells if a process of a node's name is there that has state, of whatever
// epoch.
func (n *Node) answers(node string) bool {
	if n.mesh == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := n.call(ctx, node); err != nil {
		return errors.Is(err, mesh.ErrEpoch)
	}
	said, _, err := n.pulse.ask(ctx, node, askStage, nil)
	empty := err == nil && said.code == saidStage && len(said.body) == 1 && stage(said.body[0]) == stageNew
	return !empty // it waits to join
}

func (n *Node) learn(node, addr string) {
	if n.mesh != nil && n.mesh.Addr(node) == "" {
		n.mesh.Learn(node, addr)
	}
}

// others are the nodes that this one can ask: those in the host's list, and who
// votes as far as it knows.
func (n *Node) others() (names []string) {
	seen := map[string]bool{n.cfg.ID: true}
	for _, p := range n.cfg.Cluster.Peers {
		if !seen[p.ID] {
			seen[p.ID] = true
			names = append(names, p.ID)
		}
	}
	r := n.epoch.raft.Load()
	if r == nil {
		return names
	}
	f := r.GetConfiguration()
	if f.Error() != nil {
		return names
	}
	for _, s := range f.Configuration().Servers {
		if name := string(s.ID); s.Suffrage == raft.Voter && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}
