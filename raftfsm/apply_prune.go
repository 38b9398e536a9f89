package raftfsm

import "github.com/chronos-go/chronos/store"

// prune removes ended rows from the old end of a job's ledger: those that
// ended before an instant, and those beyond a number. A deleted job's record
// goes with its last row.
func (e *entry) prune(c *Prune) (*Result, error) {
	s, err := e.load(c.Job)
	if err != nil {
		return nil, err
	}
	if s.rec == nil {
		return notFound("job", c.Job), nil
	}
	old, err := e.prunable(s, c)
	if err != nil {
		return nil, err
	}
	for _, one := range old {
		if err := e.dropRow(s, one); err != nil {
			return nil, err
		}
	}
	res := &Result{Count: uint64(len(old)), Changed: len(old) > 0}
	if s.job == nil && s.st.Rows == 0 && s.st.Active == 0 && c.Before > s.rec.UpdatedAt {
		return res, e.forget(s)
	}
	return res, e.save(s)
}

func (e *entry) prunable(s *subject, c *Prune) ([]row, error) {
	limit := sweepMax
	if c.Limit > 0 {
		limit = min(limit, int(c.Limit))
	}
	excess := uint64(0)
	if ended := s.st.Rows - min(s.st.Rows, s.unfinished()); c.Keep > 0 && ended > c.Keep {
		excess = ended - c.Keep
	}
	var out []row
	err := e.tx.Executions(s.id, "", func(exec string, x *store.Execution) (bool, error) {
		if x.Status == store.Status_STATUS_PENDING {
			return true, nil
		}
		aged := c.Before > 0 && x.EndedAt < c.Before
		if !aged && uint64(len(out)) >= excess {
			return false, nil
		}
		out = append(out, row{exec, x})
		return len(out) < limit, nil
	})
	return out, err
}

func (e *entry) dropRow(s *subject, one row) error {
	s.st.Rows--
	if s.st.LastRange == one.exec {
		s.st.LastRange = ""
	}
	if one.x.Key != "" {
		ref, err := e.tx.TriggerKey(s.id, one.x.Key)
		if err != nil {
			return err
		}
		if ref != nil && ref.Execution == one.exec {
			if err := e.tx.DeleteTriggerKey(s.id, one.x.Key); err != nil {
				return err
			}
		}
	}
	return e.tx.DeleteExecution(s.id, one.exec)
}

// forget removes what is left of a deleted job, its versions oldest first and
// no more than one entry may touch; the record goes last.
func (e *entry) forget(s *subject) error {
	var versions []uint64
	err := e.tx.Versions(s.id, 0, func(n uint64, _ *store.Version) (bool, error) {
		versions = append(versions, n)
		return len(versions) <= sweepMax, nil
	})
	if err != nil {
		return err
	}
	for i, n := range versions {
		if i == sweepMax {
			return e.save(s)
		}
		if err := e.tx.DeleteVersion(s.id, n); err != nil {
			return err
		}
	}
	if err := e.tx.DeleteSchedule(s.id); err != nil {
		return err
	}
	return e.tx.DeleteJob(s.id)
}
