package raftfsm

import (
	"slices"
	"strings"

	"github.com/chronos-go/chronos/store"
)

// A class is what an execution asks of the node that runs it, as the name of the
// queue that it waits in: a handler or webhooks, and what its job's placement
// adds. Names are on disk.
const (
	webhookClass  = "webhook" // every node can call them
	handlerPrefix = "handler:"
	gatePrefix    = "key:" // a queue for a place of a concurrency key, not for a node

	classMark  = "\x01" // begins a demand; names and labels hold no control characters
	labelEqual = "\x02"
	demandNode = 'n'
	demandHas  = 'l'
)

// class is such a name, read.
type class struct {
	webhook bool
	handler string
	node    string // "" = any
	labels  []label
}

type label struct{ key, value string }

// classOf is the queue of an execution of a job. One that is for a node asks
// for nothing but that: it was chosen by the job's labels.
func classOf(def *store.Definition, x *store.Execution) string {
	name := webhookClass
	if def.Webhook == nil {
		name = handlerPrefix + def.Handler
	}
	if x.GetTarget() != "" {
		return name + classMark + string(demandNode) + x.Target
	}
	for _, l := range def.NodeLabels {
		name += classMark + string(demandHas) + l.Key + labelEqual + l.Value
	}
	return name
}

func gateOf(key string) string { return gatePrefix + key }

func parseClass(name string) class {
	base, demands, more := strings.Cut(name, classMark)
	c := class{webhook: base == webhookClass, handler: strings.TrimPrefix(base, handlerPrefix)}
	for more {
		var one string
		one, demands, more = strings.Cut(demands, classMark)
		switch one[0] {
		case demandNode:
			c.node = one[1:]
		case demandHas:
			key, value, _ := strings.Cut(one[1:], labelEqual)
			c.labels = append(c.labels, label{key, value})
		}
	}
	return c
}

// runs tells if a node can run executions of a class, room aside.
func (s *session) runs(node string, c class) bool {
	if c.node != "" && c.node != node || !c.webhook && !s.handlers[c.handler] {
		return false
	}
	for _, want := range c.labels {
		has := func(l *store.Label) bool { return l.Key == want.key && l.Value == want.value }
		if !slices.ContainsFunc(s.Labels, has) {
			return false
		}
	}
	return true
}

func (s *session) hasRoom() bool { return !s.Held && s.load < s.Capacity }

// pick is the node with room that gets an execution of the class: the preferred
// one, or else the least loaded.
func (e *entry) pick(name, prefer string) string {
	c := parseClass(name)
	if sess := e.f.sessions[prefer]; sess != nil && sess.hasRoom() && sess.runs(prefer, c) {
		return prefer
	}
	best, load := "", int64(0)
	for node, sess := range e.f.sessions {
		if !sess.hasRoom() || !sess.runs(node, c) {
			continue
		}
		if best == "" || sess.load < load || sess.load == load && node < best {
			best, load = node, sess.load
		}
	}
	return best
}

// room is how many executions of a class could be given out now.
func (e *entry) room(name string) int64 {
	c, room := parseClass(name), int64(0)
	for node, sess := range e.f.sessions {
		if sess.hasRoom() && sess.runs(node, c) {
			room += sess.Capacity - sess.load
		}
	}
	return room
}
