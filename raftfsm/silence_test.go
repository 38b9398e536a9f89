package raftfsm

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// silent is a connection that, once its network is silent, swallows what is sent
// and brings nothing, as that to a process that stands still.
type silent struct {
	net.Conn
	hush func() bool
}

func (s *silent) Write(b []byte) (int, error) {
	if s.hush() {
		return len(b), nil
	}
	return s.Conn.Write(b)
}

func (s *silent) Read(b []byte) (int, error) {
	for {
		n, err := s.Conn.Read(b)
		if err != nil || !s.hush() {
			return n, err
		}
	}
}

// hushed are addresses that nobody hears of any more.
type hushed struct{ addr atomic.Pointer[string] }

func (h *hushed) wrap(from string, dial func(context.Context, string) (net.Conn, error)) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, to string) (net.Conn, error) {
		conn, err := dial(ctx, to)
		if err != nil {
			return nil, err
		}
		return &silent{conn, func() bool { a := h.addr.Load(); return a != nil && (*a == from || *a == to) }}, nil
	}
}

// A leader falls silent, and breaks no connection. Who waits for it, also the one
// that leads next, goes on as soon as it is known to lead no more.
func TestClusterSilentLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		hush := new(hushed)
		c.change = func(cfg *Config) { cfg.Cluster.Dial = hush.wrap(c.addrs[cfg.ID], cfg.Cluster.Dial) }
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 5)
		for _, n := range c.nodes {
			fill(t, n, 5, 7) // all have asked the leader before
		}
		old := c.leader()
		addr := c.addrs[old]
		hush.addr.Store(&addr)
		begun := time.Now()
		var wg sync.WaitGroup
		for _, name := range c.names {
			for i := range 4 {
				if name == old {
					continue
				}
				time.Sleep(time.Millisecond)
				wg.Go(func() {
					if _, err := c.nodes[name].Propose(t.Context(), []*Command{barrier()}); err != nil {
						t.Errorf("%d of %s: %v", i, name, err)
					}
				})
			}
		}
		wg.Wait()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("the others went on after %v", took)
		}
		hush.addr.Store(nil)
		time.Sleep(15 * time.Second) // what was asked meanwhile times out
		c.same()
	})
}

// A leader closes although a follower does not answer what it was asked.
func TestClusterCloseBesideSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		hush := new(hushed)
		c.change = func(cfg *Config) { cfg.Cluster.Dial = hush.wrap(c.addrs[cfg.ID], cfg.Cluster.Dial) }
		c.start("a", "b", "c")
		defer c.close()
		fill(t, c.nodes["a"], 0, 5)
		lead := c.leader()
		addr := c.addrs[c.other(lead)]
		hush.addr.Store(&addr)
		time.Sleep(time.Second)
		c.stop(lead)
	})
}
