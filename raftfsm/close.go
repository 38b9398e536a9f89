package raftfsm

import (
	"errors"
	"fmt"
	"time"

	"github.com/chronos-go/chronos/store"
)

// Close ends the node: nothing more is accepted, what is under way gets a
// bounded time, and Raft, log, state and lock are closed in that order. It is
// idempotent, and leaves no goroutine behind unless a system call hangs; then
// it says so and leaves the files locked, because who hangs may still write.
//
// When the disk has no room for what the state must still write, Close answers
// store.ErrDiskFull, and can be called again.
func (n *Node) Close() error {
	n.closeMu.Lock()
	defer n.closeMu.Unlock()
	if !n.down {
		n.down = true
		n.closeErr = n.closeRaft()
	}
	if n.closeErr != nil || n.closed {
		return n.closeErr
	}
	if err := n.st.Close(); err != nil {
		if !errors.Is(err, store.ErrDiskFull) {
			n.closeErr = err
			n.unlock()
		}
		return err
	}
	n.closed = true
	if n.starts != nil && !n.spoiled.Load() {
		n.starts.ended()
	}
	n.unlock()
	return nil
}

func (n *Node) unlock() {
	if n.lock != nil {
		n.lock.Unlock()
	}
}

// closeRaft closes everything above the state.
func (n *Node) closeRaft() error {
	n.open.Store(false)
	close(n.closing)
	wait := n.cfg.CloseTimeout
	if n.prop != nil {
		n.prop.close(wait / 2)
	}
	if n.fsm != nil {
		if err := n.fsm.stopped(); errors.Is(err, store.ErrCorrupt) {
			n.spoil(err)
		}
		n.fsm.close()
	}
	if !within(wait/2, n.endRaft) {
		return fmt.Errorf("raftfsm: %q: Raft did not end within %v; its files stay locked until the process ends", n.cfg.Dir, wait)
	}
	if n.prop != nil && !within(wait/2, n.prop.waiting.Wait) {
		n.log.Warn("chronos: Raft left proposals unanswered", "dir", n.cfg.Dir)
	}
	if err := n.logs.close(); err != nil {
		n.log.Warn("chronos: closing the log", "dir", n.cfg.Dir, "error", err)
	}
	return nil
}

// endRaft ends Raft and what talks to it.
func (n *Node) endRaft() {
	if n.raft == nil {
		n.closeNet()
		return
	}
	n.lead.close()
	within(answerMax, n.lead.settle)
	n.logs.release()
	down := n.raft.Shutdown()
	n.closeNet() // before the wait: a peer that stands still would hold it up for as long as a question may take
	_ = down.Error()
	n.owned.Wait()
	if !within(answerMax, n.lead.settle) {
		n.log.Warn("chronos: Raft left a question unanswered", "dir", n.cfg.Dir)
	}
}

// answerMax bounds what a leader that ends waits for the answer whether it has all
// that was committed. One without a majority gets none as long as it leads, which
// with slow timers is longer than Close may take.
const answerMax = time.Second

// within runs fn and waits for it, but not for ever.
func within(limit time.Duration, fn func()) bool {
	done := make(chan struct{})
	go func() {
		fn()
		close(done)
	}()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}
