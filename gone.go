package chronos

import (
	"time"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// What becomes of members that do not come back.

// forget has the state let go of nodes that are no members any more, when what they
// ran is resolved: where processes have random names they would pile up.
func (m *member) forget(sessions map[string]*store.Session) {
	voters := m.s.node.Voters()
	if _, known := voters[m.s.options.Node]; !known || m.s.node.Level() < raftfsm.Level2 {
		return
	}
	for node, sess := range sessions {
		if _, member := voters[node]; member || !sess.Expired {
			continue
		}
		if err := m.forgetOne(node, sess.Incarnation); err != nil {
			if m.ctx.Err() == nil {
				m.log.Warn("chronos: a removed node could not be forgotten yet", "node", node, "error", err)
			}
			return
		}
	}
}

func (m *member) forgetOne(node string, incarnation uint64) error {
	return m.inSteps(func(after string) *raftfsm.Command {
		body := &raftfsm.Forget{Node: node, Incarnation: incarnation, After: after}
		return &raftfsm.Command{Body: &raftfsm.Command_Forget{Forget: body}}
	})
}

// removeDead takes members out that this node, while it leads, has not heard of for
// too long, one at a time.
func (m *member) removeDead() {
	c := m.s.options.Cluster
	tick := time.NewTicker(c.Lease)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-m.ctx.Done():
			return
		}
		switch node, err := m.s.node.RemoveDead(c.RemoveDeadAfter); {
		case node == "":
		case err != nil:
			m.log.Warn("chronos: a dead member could not be removed yet", "node", node, "error", err)
		default:
			m.log.Warn("chronos: a member was not heard of for too long, and was removed from the cluster", "node", node, "after", c.RemoveDeadAfter)
		}
	}
}
