package chronos

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// silence is a leader's memory of nodes that it does not hear of. Long before the
// lease of one ends it gets nothing new: what is due goes to the others in time. A leader
// whose silence led to an election gets nothing from the one that was elected. What
// it has it keeps until its lease ends. With its next beat it is taken back,
// unless that has happened before: a node whose beats come late now and then has to
// beat steadily for some time first, longer from time to time.
type silence struct {
	looked time.Time // when the leader last looked
	since  time.Time // what is older may be its own silence
	nodes  map[string]*patience
}

type patience struct {
	holds  int       // since it was last steady for long
	held   time.Time // when it was held last
	steady time.Time // since when it has been heard of without a gap; zero: it is silent
}

const (
	// lateBeats is how many beats may be missing before a node counts as silent, in
	// halves: two, and half of one that is late.
	lateBeats = 5
	// looksPerLease is how often the leader looks.
	looksPerLease = 2 * beatsPerLease
	// patienceMost bounds how long a node has to be steady, in leases; one that was for
	// twice as long begins anew.
	patienceMost = 12
)

func (m *member) lookEvery() time.Duration { return m.s.options.Cluster.Lease / looksPerLease }

// hold looks whom to give nothing new, and whom to take back.
func (m *member) hold(s *silence, sessions map[string]*store.Session) {
	now := time.Now()
	if now.Sub(s.looked) > 2*m.lookEvery() {
		s.since = now // this node stood still, or did not lead
	}
	s.looked = now
	if m.s.node.Level() < raftfsm.Level2 {
		return
	}
	maps.DeleteFunc(s.nodes, func(node string, _ *patience) bool { return sessions[node] == nil })
	var cmds []*raftfsm.Command
	for _, node := range slices.Sorted(maps.Keys(sessions)) {
		sess := sessions[node]
		term, held, err := m.silent(s, node, sess, now)
		if err != nil || held == sess.Held || sess.Expired || held && sess.Capacity == 0 {
			continue
		}
		body := &raftfsm.Hold{Node: node, Incarnation: sess.Incarnation, Term: term, Held: held}
		cmds = append(cmds, &raftfsm.Command{Now: now.UnixNano(), Body: &raftfsm.Command_Hold{Hold: body}})
	}
	if len(cmds) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(m.ctx, m.s.options.Cluster.Lease/beatsPerLease)
	defer cancel()
	results, err := m.s.node.Propose(ctx, cmds)
	if err != nil { // the next look tries again
		m.log.Debug("chronos: which nodes get nothing new could not be committed yet", "error", err)
	}
	for i, res := range results {
		if res.Changed {
			m.sayHeld(cmds[i].GetHold())
		}
	}
}

func (m *member) sayHeld(h *raftfsm.Hold) {
	level, text := slog.LevelInfo, "chronos: a node is heard of again; it gets work"
	if h.Held {
		level, text = slog.LevelWarn, "chronos: a node is not heard of; it gets nothing new"
	}
	m.log.Log(m.ctx, level, text, "node", h.Node)
}

// silent tells if a node is to be held, and in which term that was found.
func (m *member) silent(s *silence, node string, sess *store.Session, now time.Time) (term uint64, held bool, err error) {
	heard, term, err := m.s.node.LastSign(node, sess.Incarnation)
	if err != nil {
		return 0, false, err
	}
	if s.since.After(heard) {
		heard = s.since
	}
	if sess.Held { // only a beat takes it back, not that there was no time for one to be missed
		heard = m.s.node.Sign(node, sess.Incarnation)
	}
	p, lease := s.of(node), m.s.options.Cluster.Lease
	if m.s.node.Deposed(node, sess.Incarnation) {
		p.depose(now)
		return term, true, nil
	}
	return term, p.judge(now, now.Sub(heard) > lease*lateBeats/2/beatsPerLease, sess.Held, lease), nil
}

// depose holds a node that led and fell silent. It counts for nothing later: what was
// missed is far less than two beats.
func (p *patience) depose(now time.Time) { p.held, p.steady = now, time.Time{} }

func (s *silence) of(node string) *patience {
	p := s.nodes[node]
	if p == nil {
		p = &patience{}
		if s.nodes == nil {
			s.nodes = map[string]*patience{}
		}
		s.nodes[node] = p
	}
	return p
}

// judge decides if a node is to be held now.
func (p *patience) judge(now time.Time, silent, held bool, lease time.Duration) bool {
	switch {
	case silent && !held && p.steady.IsZero() && !p.held.IsZero():
		return true // asked for before, and not committed yet
	case silent && !held:
		if now.Sub(p.held) > 2*patienceMost*lease {
			p.holds = 0
		}
		p.holds++
		p.held, p.steady = now, time.Time{}
		return true
	case silent:
		p.steady = time.Time{}
		return held
	}
	if p.steady.IsZero() {
		p.steady = now
	}
	return held && now.Sub(p.steady) < p.wait(lease)
}

// wait is how long a node has to be heard of before it is taken back.
func (p *patience) wait(lease time.Duration) time.Duration {
	if p.holds <= 1 {
		return 0
	}
	return min(lease<<min(p.holds-2, 4), patienceMost*lease)
}
