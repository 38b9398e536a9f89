package raftfsm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// A leader that ends while its disk hangs: Raft has not come to the questions whether it
// hands leadership over, and whether it still leads. Nobody waits for the answers any
// more; the bubble fails if somebody does, or Close.
func TestQuestionsWhileRaftEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		var hangs atomic.Pointer[Node]
		c.change = func(cfg *Config) {
			name := cfg.ID
			cfg.LogWrite = func() error {
				for n := hangs.Load(); n != nil && n.id == name && n.raft.State() != raft.Shutdown; {
					time.Sleep(10 * time.Millisecond)
				}
				return nil
			}
		}
		c.start("a", "b", "c")
		defer c.close()
		lead := c.nodes[c.leader()]
		hangs.Store(lead)
		var asked sync.WaitGroup
		asked.Go(func() { _, _ = lead.Propose(t.Context(), []*Command{barrier()}) }) // nobody knows what becomes of it
		time.Sleep(100 * time.Millisecond)
		for range 2 { // one that Raft has not read, and one that finds no place any more
			if err := lead.TransferLeadership(); !errors.Is(err, ErrNoLeader) {
				t.Errorf("while the disk hangs: %v", err)
			}
		}
		beat, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := lead.Beat(beat, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a beat while the disk hangs: %v", err)
		}
		c.stop(lead.id)
		asked.Wait()
	})
}

// One that Raft does answer is answered as ever. If this fails after an update of Raft,
// look whether its questions end with it by themselves now.
func TestTransferIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTrio(t, "a", "b", "c")
		c.start("a", "b", "c")
		defer c.close()
		old, never := c.leader(), make(chan struct{})
		f := c.nodes[old].raft.LeadershipTransfer()
		if !endsWith(f, never) {
			t.Errorf("a %T cannot be told when to end", f)
		}
		if err := f.Error(); err != nil {
			t.Error(err)
		}
		if f = c.nodes[old].raft.LeadershipTransfer(); !endsWith(f, never) || !errors.Is(f.Error(), raft.ErrNotLeader) {
			t.Errorf("who leads no more is answered %v", f.Error())
		}
	})
}
