package raftfsm

// Stopped is closed when the state machine applies nothing any more: because
// it met something that it must not pass over, or because the node closes.
func (n *Node) Stopped() <-chan struct{} { return n.fsm.stopCh }

// Err says why, nil while it applies. It matches ErrStopped, or ErrClosed.
func (n *Node) Err() error {
	if err := n.fsm.stopped(); err != nil {
		return stoppedBy(err)
	}
	return nil
}
