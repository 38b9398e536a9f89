package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos"
)

// member is a process that is a node of a cluster.
type member struct {
	c *child
	s *scheduler
	f feed
}

// node is one until its orders end.
func node(c *child) (err error) {
	m := &member{c: c, f: feed{lose: int64(c.Settings.Lose)}}
	if err := m.join(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.s.Close()) }()
	handle := m.f.handle
	if c.Args["starts"] != "" {
		handle = m.tell
	}
	stop, err := m.s.run(handle, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := c.say(message{Kind: "ready"}); err != nil {
		return err
	}
	for {
		order, ok := c.order()
		if !ok {
			return nil
		}
		if err := m.obey(order); err != nil {
			return err
		}
	}
}

func (m *member) join() error {
	var peers []chronos.Peer
	if err := json.Unmarshal([]byte(m.c.Args["peers"]), &peers); err != nil {
		return err
	}
	cluster := &chronos.Cluster{ID: "peers", Peers: peers}
	name := m.c.Args["node"]
	for _, p := range peers {
		if p.Node == name {
			l, err := new(net.ListenConfig).Listen(m.c.ctx, "tcp", p.Addr)
			if err != nil {
				return err
			}
			cluster.Listener = l
		}
	}
	for field, d := range map[string]*time.Duration{"heartbeat": &cluster.Heartbeat, "lease": &cluster.Lease} {
		if text := m.c.Args[field]; text != "" {
			v, err := time.ParseDuration(text)
			if err != nil {
				return err
			}
			*d = v
		}
	}
	s, err := m.c.open(chronos.Options{Dir: m.c.Dir, Node: name, Retention: unbounded, Cluster: cluster})
	m.s = s
	return err
}

// tell says that a handler was called.
func (m *member) tell(_ context.Context, x chronos.Execution) error {
	return m.c.say(message{Kind: "start", Text: x.Job, Values: map[string]int64{"due": x.Due.UnixNano(), "at": time.Now().UnixNano()}})
}

func (m *member) obey(order string) error {
	switch order {
	case "status":
		st := m.s.Status()
		v := map[string]int64{"ran": m.f.counted(), "leading": 0, "ready": 0}
		if st.Leading {
			v["leading"] = 1
		}
		if st.Ready && st.Running {
			v["ready"] = 1
		}
		return m.c.say(message{Kind: "status", Values: v})
	case "feed":
		return m.feed()
	case "jobs":
		var jobs []chronos.Job
		if err := json.Unmarshal([]byte(m.c.Args["jobs"]), &jobs); err != nil {
			return err
		}
		if _, err := m.s.PutAll(m.c.ctx, jobs); err != nil {
			return err
		}
		return m.c.say(message{Kind: "put"})
	}
	return fmt.Errorf("no order %q", order)
}

// feed backfills from this node, whoever runs it.
func (m *member) feed() error {
	jobs := onDemand(m.c.Settings.Sizes.Feeds)
	if _, err := m.s.PutAll(m.c.ctx, jobs); err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(m.c.ctx, m.c.Settings.Sizes.Rate)
	defer cancel()
	var given atomic.Int64
	go func() {
		for pause(ctx, 2*time.Millisecond) {
			n := 0
			st := m.s.Status()
			for _, x := range st.Members {
				n += x.Attempts
			}
			for _, w := range st.Waiting {
				n += w.Count
			}
			given.Store(int64(n))
		}
	}()
	if err := m.s.backfillWhile(ctx, &m.f, jobs, m.c.Settings.Sizes.Ahead, -1, given.Load); err != nil && ctx.Err() == nil {
		return err
	}
	if err := m.s.settle(m.c.ctx, jobs); err != nil {
		return err
	}
	took := time.Since(began)
	ended, err := m.s.succeeded(m.c.ctx)
	if err != nil {
		return err
	}
	return m.c.say(message{Kind: "fed", Values: map[string]int64{"took": int64(took), "ended": ended}})
}

// team are the processes of a cluster on this machine.
type team struct {
	c     *child
	args  map[string]string
	peers []chronos.Peer
	nodes []*process
}

func (c *child) newTeam(size int, args map[string]string) (*team, error) {
	t := &team{c: c, args: args, nodes: make([]*process, size)}
	for i := range size {
		l, err := new(net.ListenConfig).Listen(c.ctx, "tcp", "127.0.0.1:0") // a port that is free
		if err != nil {
			return nil, err
		}
		t.peers = append(t.peers, chronos.Peer{Node: fmt.Sprintf("node-%d", i), Addr: l.Addr().String()})
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	for i := range size {
		if err := t.launch(i); err != nil {
			t.end()
			return nil, err
		}
	}
	return t, nil
}

func (t *team) launch(i int) error {
	peers, err := json.Marshal(t.peers)
	if err != nil {
		return err
	}
	args := map[string]string{"node": t.peers[i].Node, "peers": string(peers)}
	for k, v := range t.args {
		args[k] = v
	}
	t.nodes[i], err = t.c.start("node", t.c.path(t.peers[i].Node), args)
	return err
}

func (t *team) ask(i int, order, answer string, limit time.Duration) (message, error) {
	if err := t.nodes[i].tell(order); err != nil {
		return message{}, err
	}
	return t.nodes[i].await(answer, limit)
}

// end stops all at the same time: each waits for the others a little.
func (t *team) end() {
	for _, p := range t.nodes {
		if p != nil {
			_ = p.stdin.Close() // it may be gone
		}
	}
	for _, p := range t.nodes {
		if p == nil {
			continue
		}
		if _, err := p.end(30 * time.Second); err != nil {
			p.kill()
		}
	}
}

// leader is who says that it leads.
func (t *team) leader() (int, error) {
	for range 200 {
		for i := range t.nodes {
			m, err := t.ask(i, "status", "status", 10*time.Second)
			if err != nil {
				return 0, err
			}
			if m.Values["leading"] == 1 && m.Values["ready"] == 1 {
				return i, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return 0, errors.New("nobody leads")
}

// nodesThree feeds the leader of three.
func nodesThree(c *child) error {
	t, err := c.newTeam(3, nil)
	if err != nil {
		return err
	}
	defer t.end()
	for i := range t.nodes {
		if _, err := t.nodes[i].await("ready", time.Minute); err != nil {
			return err
		}
	}
	leader, err := t.leader()
	if err != nil {
		return err
	}
	m, err := t.ask(leader, "feed", "fed", c.Settings.Sizes.Rate+5*time.Minute)
	if err != nil {
		return err
	}
	var ran int64
	for i := range t.nodes {
		st, err := t.ask(i, "status", "status", 10*time.Second)
		if err != nil {
			return err
		}
		ran += st.Values["ran"]
		c.note("%s ran %d", t.peers[i].Node, st.Values["ran"])
	}
	c.figure("rate", float64(m.Values["ended"])/time.Duration(m.Values["took"]).Seconds(), "/s")
	c.control("rows that succeeded, for as many starts on three nodes", ran, m.Values["ended"])
	return nil
}
