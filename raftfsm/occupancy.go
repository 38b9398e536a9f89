package raftfsm

import (
	"maps"
	"slices"

	"github.com/chronos-go/chronos/store"
)

// Load is how many attempts are assigned to an incarnation of a node.
func (n *Node) Load(node string, incarnation uint64) int {
	n.fsm.mu.Lock()
	defer n.fsm.mu.Unlock()
	if sess := n.fsm.sessions[node]; sess != nil && sess.Incarnation == incarnation {
		return int(sess.load)
	}
	return 0
}

// queues is how much waits now, by class and by concurrency key.
func (f *fsm) queues() (waiting, gated map[string]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.waiting), maps.Clone(f.gated)
}

// Backlog is how many executions wait for the same: a place of a concurrency key, or
// room on a node that can run them.
type Backlog struct {
	Key     string // "" = room
	Handler string // "" = webhooks
	Node    string // only this one may; "" = any
	Labels  []*store.Label
	Count   int
	Nobody  bool  // no node that runs can run them
	Since   int64 // when the first in line could have started, 0 if that is not known
}

// Backlog lists what waits, given the sessions of the nodes: first by key, then by
// what a node has to have.
func (n *Node) Backlog(sessions map[string]*store.Session) (out []Backlog) {
	waiting, gated := n.fsm.queues()
	var queues []string
	for _, key := range slices.Sorted(maps.Keys(gated)) {
		out = append(out, Backlog{Key: key, Count: gated[key]})
		queues = append(queues, gateOf(key))
	}
	for _, name := range slices.Sorted(maps.Keys(waiting)) {
		c := parseClass(name)
		b := Backlog{Node: c.node, Count: waiting[name], Nobody: true}
		if !c.webhook {
			b.Handler = c.handler
		}
		for _, l := range c.labels {
			b.Labels = append(b.Labels, &store.Label{Key: l.key, Value: l.value})
		}
		for node, sess := range sessions {
			if sess.Capacity > 0 && !sess.Expired && newSession(sess).runs(node, c) {
				b.Nobody = false
			}
		}
		out = append(out, b)
		queues = append(queues, name)
	}
	if err := n.st.View(func(r *store.Reader) error { return since(r, queues, out) }); err != nil {
		n.log.Debug("chronos: what waits cannot be read", "error", err)
	}
	return out
}

// since finds who is first in each queue, and since when it could run.
func since(r *store.Reader, queues []string, out []Backlog) error {
	for i, queue := range queues {
		var head *store.WaitingEntry
		err := r.Waiting(queue, func(w store.WaitingEntry) (bool, error) {
			head = &w
			return false, nil
		})
		if err != nil {
			return err
		}
		if head == nil {
			continue // it was just given out
		}
		x, err := r.Execution(head.Job, head.Exec)
		if err != nil {
			return err
		}
		out[i].Since = x.GetReadyAt()
	}
	return nil
}
