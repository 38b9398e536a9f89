package raftfsm

import (
	"maps"
	"slices"

	"github.com/chronos-go/chronos/store"
)

// occupancy is who runs how much and how much waits, as of one commit. It is a copy,
// for who asks while the state machine goes on.
type occupancy struct {
	load    map[holder]int64
	waiting map[string]int // by class
	gated   map[string]int // by concurrency key
}

// holder is one incarnation of a node.
type holder struct {
	node        string
	incarnation uint64
}

func (f *fsm) occupancy() *occupancy {
	o := &occupancy{load: make(map[holder]int64, len(f.sessions)), waiting: maps.Clone(f.waiting), gated: maps.Clone(f.gated)}
	for node, sess := range f.sessions {
		if sess.load > 0 {
			o.load[holder{node, sess.Incarnation}] = sess.load
		}
	}
	return o
}

// Load is how many attempts are assigned to an incarnation of a node.
func (n *Node) Load(node string, incarnation uint64) int {
	return int(n.fsm.shown.Load().load[holder{node, incarnation}])
}

// Backlog is how many executions wait for the same: a place of a concurrency key, or
// room on a node that can run them.
type Backlog struct {
	Key     string // "" = room
	Handler string // "" = webhooks
	Node    string // only this one may; "" = any
	Labels  []*store.Label
	Count   int
	Nobody  bool // no node that runs can run them
}

// Backlog lists what waits, given the sessions of the nodes: first by key, then by
// what a node has to have.
func (n *Node) Backlog(sessions map[string]*store.Session) (out []Backlog) {
	o := n.fsm.shown.Load()
	for _, key := range slices.Sorted(maps.Keys(o.gated)) {
		if o.gated[key] > 0 {
			out = append(out, Backlog{Key: key, Count: o.gated[key]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.waiting)) {
		c := parseClass(name)
		b := Backlog{Node: c.node, Count: o.waiting[name], Nobody: true}
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
	}
	return out
}
