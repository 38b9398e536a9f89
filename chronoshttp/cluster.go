package chronoshttp

import (
	"time"
)

func clusterStatus(c *call) error { return c.send(showStatus(c.sched().Status())) }

// sessionJSON is who asks, and what the dashboard may offer.
type sessionJSON struct {
	Actor   string    `json:"actor" doc:"who asks, as the host knows it"`
	Actions []Action  `json:"actions" doc:"what the caller may do with some job; a call may be refused all the same"`
	Node    string    `json:"node" doc:"who answers"`
	Now     time.Time `json:"now" doc:"the clock of the node that answers"`
}

func session(c *call) error {
	out := sessionJSON{Actor: c.actor, Actions: []Action{}, Node: c.sched().Status().Node, Now: time.Now().UTC()}
	for _, action := range actions {
		if _, refused := c.h.allow(c.r, Access{Action: action, Probe: true}); refused == nil {
			out.Actions = append(out.Actions, action)
		}
	}
	return c.send(out)
}

func openAPI(c *call) error {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(c.route.status)
	_, _ = c.w.Write(openAPIFile)
	return nil
}

// statusMark is what of the status a stream reports when it changes.
type statusMark struct {
	leader  string
	term    uint64
	ready   bool
	running bool
	members string
}

func (c *call) mark() statusMark {
	st := c.sched().Status()
	m := statusMark{leader: st.Leader, term: st.Term, ready: st.Ready, running: st.Running}
	for _, n := range st.Members {
		m.members += n.Node
		for _, is := range []bool{n.Voter, n.Removed, n.Held, n.Expired, n.Differs, n.Capacity > 0} {
			if is {
				m.members += "1"
			} else {
				m.members += "0"
			}
		}
	}
	return m
}
