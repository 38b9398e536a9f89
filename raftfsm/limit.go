package raftfsm

import "github.com/chronos-go/chronos/store"

// A job may have to succeed within some time (Definition.SucceedWithin). The state
// holds what that counts from; whether it has passed is for each node to see by its
// own clock (SucceedBy), so that it is also seen when nothing can be committed.

// limited tells if the job has to succeed within some time.
func (s *subject) limited() bool { return s.job != nil && s.job.Definition.SucceedWithin > 0 }

// recount has the time begin anew.
func (e *entry) recount(s *subject) {
	s.st.SucceedFrom = 0
	if s.limited() {
		s.st.SucceedFrom = e.now
	}
}

// recountEdit has it begin anew if an edit sets another time, or another schedule.
// Others leave it alone: whoever puts a job with each deployment would never hear
// that it does not succeed. Of a job that somebody has paused the resume begins it.
func (e *entry) recountEdit(s *subject, old *store.Definition) {
	def := s.job.Definition
	switch {
	case def.SucceedWithin == 0:
		s.st.SucceedFrom = 0
	case s.st.Paused && s.st.SucceedFrom == 0:
	case def.SucceedWithin != old.SucceedWithin || def.Schedule != old.Schedule:
		s.st.SucceedFrom = e.now
	}
}

// SucceedBy is the last instant at which a job may succeed without being overdue, 0
// if there is none: it has no such limit, somebody has paused it, or its schedule has
// no further instant and it has succeeded after the last one.
func SucceedBy(def *store.Definition, st *store.Schedule) int64 {
	if def.GetSucceedWithin() == 0 || st.GetSucceedFrom() == 0 ||
		st.Exhausted && st.LastSuccess != 0 && st.LastSuccess >= st.LastDue {
		return 0
	}
	return max(st.LastSuccess, st.SucceedFrom) + def.SucceedWithin
}
