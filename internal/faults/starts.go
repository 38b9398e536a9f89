package faults

import "slices"

// attempt is what the journal says of one call of the handler.
type attempt struct {
	start event
	end   *event
}

// checkStarts holds what really ran against the ledger and against the
// promises about it.
func (k *checker) checkStarts(id string, j *jobDump) {
	var ran []*attempt
	open := map[uint64]*attempt{} // by token
	for i, e := range k.byJob[id] {
		switch e.Kind {
		case "start":
			if open[e.Token] != nil {
				k.fault("double", id, e.T, "token %d started twice: %s and %s", e.Token, open[e.Token].start, e)
			}
			a := &attempt{start: e}
			open[e.Token] = a
			ran = append(ran, a)
		case "end":
			if a := open[e.Token]; a != nil {
				a.end = &k.byJob[id][i]
			}
		}
	}
	rows := map[string]*rowDump{}
	for i := range j.Rows {
		rows[j.Rows[i].ID] = &j.Rows[i]
	}
	byExec := map[string][]*attempt{}
	for _, a := range ran {
		byExec[a.start.Exec] = append(byExec[a.start.Exec], a)
		if rows[a.start.Exec] == nil {
			k.fault("lost", id, a.start.T, "started without a row: %s", a.start)
		}
	}
	for exec, list := range byExec {
		if r := rows[exec]; r != nil {
			k.checkAttempts(id, j, r, list)
		}
	}
	for _, r := range j.Rows {
		if r.Status == "succeeded" && !succeeded(byExec[r.ID], r.Token) {
			k.fault("ledger", id, r.Due, "succeeded, but its handler did not: %s", r)
		}
	}
	k.checkExclusive(id, j, ran)
}

// checkAttempts looks at all attempts of one execution.
func (k *checker) checkAttempts(id string, j *jobDump, r *rowDump, list []*attempt) {
	if p := k.planOf(j, r.Version); p != nil && p.AtMostOnce && len(list) > 1 {
		k.fault("double", id, list[1].start.T, "at most once, and started %d times: %s", len(list), list[1].start)
	}
	if r.Attempt == 0 {
		k.fault("ledger", id, r.Due, "never ran, but was started: %s: %s", r, list[0].start)
	}
	last := uint64(0)
	for _, a := range list {
		e := a.start
		if e.Token <= last {
			k.fault("fence", id, e.T, "token %d comes after %d: %s", e.Token, last, e)
		}
		last = e.Token
		if e.Token > r.Token {
			k.fault("lost", id, e.T, "token %d was given out, the row is at %d: %s", e.Token, r.Token, e)
		}
		if r.Elided == 0 && e.Token != r.Token && !slices.Contains(r.Tokens, e.Token) {
			k.fault("ledger", id, e.T, "attempt is not in the history %v: %s", r.Tokens, e)
		}
	}
}

func succeeded(list []*attempt, token uint64) bool {
	return slices.ContainsFunc(list, func(a *attempt) bool {
		return a.start.Token == token && a.end != nil && a.end.Text == "ok"
	})
}

// checkExclusive: tokens grow in the order in which attempts start, and a job
// with an exclusive policy never has two of them live. One generation's
// handlers may still be at their end when the next one starts.
func (k *checker) checkExclusive(id string, j *jobDump, ran []*attempt) {
	live := map[uint64]*attempt{} // by generation
	last := map[uint64]uint64{}
	for _, a := range ran {
		if k.nodes != nil {
			k.nodes.enter(k, id, j, a)
		}
		p := k.planOf(j, a.start.Version)
		if p == nil || !p.exclusive() {
			continue
		}
		gen := a.start.Gen
		if a.start.Token <= last[gen] {
			k.fault("fence", id, a.start.T, "token %d started after %d", a.start.Token, last[gen])
		}
		last[gen] = a.start.Token
		if k.nodes != nil {
			k.nodes.live(k, id, j, a)
			continue
		}
		before := live[gen]
		if before != nil && before.start.PID == a.start.PID && (before.end == nil || before.end.T > a.start.T) {
			k.fault("double", id, a.start.T, "two live attempts: %s and %s", before.start, a.start)
		}
		live[gen] = a
	}
}
