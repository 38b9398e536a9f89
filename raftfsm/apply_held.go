package raftfsm

import "github.com/chronos-go/chronos/store"

// acquire gives a lock to who asks, unless somebody alive has it. The session that
// holds it has to be alive, too: a node that was given up gets nothing.
func (e *entry) acquire(c *Acquire) (*Result, error) {
	if !e.lives(c.Node, c.Incarnation) {
		return &Result{Code: Code_CODE_FENCED, Text: "the node's session has ended"}, nil
	}
	held, err := e.tx.Held(c.Name)
	if err != nil {
		return nil, err
	}
	if held != nil && e.lives(held.Node, held.Incarnation) {
		if held.Holder == c.Holder {
			return &Result{Token: held.Token}, nil
		}
		return &Result{Code: Code_CODE_BUSY, Text: held.Node}, nil
	}
	token := e.sequence()
	rec := &store.Held{Node: c.Node, Incarnation: c.Incarnation, Token: token, Holder: c.Holder, At: e.now}
	return &Result{Token: token, Changed: true}, e.tx.PutHeld(c.Name, rec)
}

// releaseHeld gives a lock back. A token that is not the newest changes nothing.
func (e *entry) releaseHeld(c *Release) (*Result, error) {
	held, err := e.tx.Held(c.Name)
	if err != nil {
		return nil, err
	}
	if held == nil || held.Token != c.Token {
		return &Result{Code: Code_CODE_FENCED, Text: "the lock is somebody else's by now"}, nil
	}
	e.eff.Unlocked = true
	return &Result{Changed: true}, e.tx.DeleteHeld(c.Name)
}

// lives tells if a session is the newest of its node, and has not ended.
func (e *entry) lives(node string, incarnation uint64) bool {
	sess := e.f.sessions[node]
	return sess != nil && sess.Incarnation == incarnation && !sess.Expired
}
