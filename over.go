package chronos

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// over is a leader's memory of nodes whose lease is over: whose attempts are still to
// be resolved, by incarnation. That takes several entries if they are many, and the
// leader that began may not be there any more: a new one looks what is left.
type over struct {
	term uint64
	open map[string]uint64
}

// expire ends the sessions of nodes that were not heard of for the lease, and
// resolves what they held.
func (m *member) expire(o *over, sessions map[string]*store.Session) {
	_, term, err := m.s.node.LastBeat(m.s.options.Node, 0)
	if err != nil {
		return
	}
	if o.open == nil || o.term != term {
		if o.open, err = m.leftovers(sessions); err != nil {
			m.log.Warn("chronos: what nodes have left cannot be read; this is tried again", "error", err)
			o.open = nil
			return
		}
		o.term = term
	}
	for node, sess := range sessions {
		if node == m.s.options.Node {
			continue
		}
		if o.open[node] != sess.Incarnation {
			delete(o.open, node)
			if sess.Expired || !m.lapsedOf(node, sess, term) {
				continue
			}
			o.open[node] = sess.Incarnation
		}
		if err := m.expireOne(node, sess.Incarnation, term); err == nil {
			delete(o.open, node)
		} else if m.ctx.Err() == nil {
			m.log.Warn("chronos: the node's lease could not be ended yet", "node", node, "error", err)
		}
	}
}

// lapsedOf tells if a node was not heard of for its lease, in a term that this node leads.
func (m *member) lapsedOf(node string, sess *store.Session, term uint64) bool {
	heard, now, err := m.s.node.LastBeat(node, sess.Incarnation)
	if err != nil || now != term || time.Since(heard) < m.s.options.Cluster.Lease {
		return false
	}
	level := slog.LevelWarn
	if sess.Capacity == 0 {
		level = slog.LevelInfo // it had stopped in order
	}
	m.log.Log(m.ctx, level, "chronos: a node was not heard of for its lease; what it ran is resolved", "node", node)
	return true
}

// leftovers lists ended sessions of nodes that still hold attempts.
func (m *member) leftovers(sessions map[string]*store.Session) (map[string]uint64, error) {
	out, ended := map[string]uint64{}, 0
	for _, sess := range sessions {
		if sess.Expired {
			ended++
		}
	}
	if ended == 0 {
		return out, nil
	}
	err := m.s.node.Store().View(func(r *store.Reader) error {
		return r.Active("", "", "", func(_, _ string, a *store.Active) (bool, error) {
			if sess := sessions[a.Node]; sess != nil && sess.Expired {
				out[a.Node] = sess.Incarnation
			}
			return len(out) < ended, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("active executions: %w", err)
	}
	return out, nil
}

func (m *member) expireOne(node string, incarnation, term uint64) error {
	return m.inSteps(func(after string) *raftfsm.Command {
		body := &raftfsm.Expire{Node: node, Incarnation: incarnation, Term: term, After: after}
		return &raftfsm.Command{Body: &raftfsm.Command_Expire{Expire: body}}
	})
}

// inSteps commits a command that does a bounded part of its work, and again from where
// it came to, until all is done or it is refused.
func (m *member) inSteps(step func(after string) *raftfsm.Command) error {
	for after := ""; ; {
		res, err := m.s.propose(m.ctx, step(after))
		if err != nil {
			return err
		}
		if after = res.Cursor; after == "" || res.Code != raftfsm.Code_CODE_OK {
			return nil
		}
	}
}
