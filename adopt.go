package chronos

import (
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// adopt finds what the state says that this node shall run, after the state was
// replaced as a whole: what led to it has not been seen here. What runs here and
// is not in the state any more is revoked.
func (s *Scheduler) adopt() *raftfsm.Effects {
	live := s.dispatcher.Live()
	eff := &raftfsm.Effects{}
	err := s.node.Store().View(func(r *store.Reader) error {
		return r.Active("", "", "", func(job, exec string, a *store.Active) (bool, error) {
			if a.Node != s.options.Node || a.Incarnation != s.incarnation.Load() {
				return true, nil
			}
			found, err := raftfsm.ReadAssignment(r, job, exec)
			if err != nil || found == nil {
				return true, err
			}
			s.adoptOne(eff, *found, live)
			return true, nil
		})
	})
	if err != nil {
		s.log.Error("chronos: what this node shall run cannot be read; it is given up", "error", err)
		if s.member != nil {
			s.member.lapse()
		}
		return &raftfsm.Effects{}
	}
	for id, token := range live {
		job, exec, _ := store.SplitID(id)
		eff.Revoked = append(eff.Revoked, raftfsm.Holding{
			Job: job, Exec: exec, Node: s.options.Node, Incarnation: s.incarnation.Load(), Token: token,
		})
	}
	return eff
}

// adoptOne takes one attempt in; what is known already is taken off live.
func (s *Scheduler) adoptOne(eff *raftfsm.Effects, a raftfsm.Assignment, live map[string]uint64) {
	x, id := a.Execution, store.JoinID(a.Job, a.Exec)
	if live[id] == x.Token {
		delete(live, id)
	} else {
		eff.Assigned = append(eff.Assigned, a)
	}
	held := raftfsm.Holding{Job: a.Job, Exec: a.Exec, Node: x.Node, Incarnation: x.Incarnation, Token: x.Token}
	if x.RecallAt != 0 {
		eff.Recalled = append(eff.Recalled, held)
	}
	if x.Cancel {
		eff.Canceled = append(eff.Canceled, held)
	}
}
