package raftfsm

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// narrow is a connection that takes its time to send, once its network is slow.
type narrow struct {
	net.Conn
	slow *atomic.Bool
}

const narrowRate = 1_500_000 // bytes a second

// Write implements net.Conn.
func (c narrow) Write(b []byte) (int, error) {
	sent := 0
	for sent < len(b) {
		n := min(len(b)-sent, 20_000)
		if c.slow.Load() {
			time.Sleep(time.Duration(n) * time.Second / narrowRate)
		}
		k, err := c.Conn.Write(b[sent : sent+n])
		if sent += k; err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// A follower that is behind by more than a slow link carries within one call's
// time catches up all the same, in steps.
func TestClusterSlowLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		var slow atomic.Bool
		c.change = func(cfg *Config) {
			dial := cfg.Cluster.Dial
			cfg.Cluster.Dial = func(ctx context.Context, to string) (net.Conn, error) {
				conn, err := dial(ctx, to)
				if err != nil {
					return nil, err
				}
				return narrow{conn, &slow}, nil
			}
		}
		c.start("a", "b", "c")
		defer c.close()
		behind := c.other(c.leader())
		c.stop(behind)
		for i := range 80 { // 20 MB
			big := put(fmt.Sprintf("job-%04d", i))
			big.GetPut().Definition.Payload = bytes.Repeat([]byte{byte(i)}, 250<<10)
			if _, err := c.nodes[c.leader()].Propose(t.Context(), []*Command{big}); err != nil {
				t.Fatal(err)
			}
		}
		slow.Store(true)
		begun := time.Now()
		c.start(behind)
		if took := time.Since(begun); took < 12*time.Second || took > 40*time.Second {
			t.Errorf("it was ready after %v", took)
		}
		slow.Store(false)
		c.same()
	})
}
