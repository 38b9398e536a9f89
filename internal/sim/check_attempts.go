package sim

import (
	"slices"
	"time"

	"github.com/chronos-go/chronos"
)

// checkAttempts holds what really ran against the ledger and against the promises
// about it.
func (k *checker) checkAttempts(id string, j *jobDump) {
	rows := map[string]*chronos.Execution{}
	for i := range j.rows {
		rows[j.rows[i].ID] = &j.rows[i]
	}
	byExec, byToken := map[string][]*attempt{}, map[uint64]*attempt{}
	for _, a := range k.attempts[id] {
		k.log.count("starts checked", 1)
		if a.startPos == 0 {
			continue
		}
		if other := byToken[a.token]; other != nil && other.exec == a.exec {
			k.fault("double", id, a.start, "token %d started twice: %s, and %s", a.token, other, a)
		}
		byToken[a.token] = a
		byExec[a.exec] = append(byExec[a.exec], a)
		if rows[a.exec] == nil {
			k.fault("lost", id, a.start, "started without a row: %s", a)
		}
	}
	for exec, list := range byExec {
		if r := rows[exec]; r != nil {
			k.checkExecution(id, j, r, list)
		}
	}
	for _, r := range j.rows {
		if r.Status == chronos.StatusSucceeded && !succeeded(byExec[r.ID], r.FencingToken) {
			k.fault("ledger", id, nanos(r.Due), "succeeded, but its handler did not: %s", row(r))
		}
	}
	k.checkTokens(id, k.attempts[id])
	k.checkReports(id, j, byToken)
	k.checkEdits(id, j)
}

// checkReports: each attempt is reported once, by the node that ran it, and what it
// reported is in the ledger only after it had come to that.
func (k *checker) checkReports(id string, j *jobDump, byToken map[uint64]*attempt) {
	for _, r := range j.rows {
		seen := map[uint64]bool{}
		for _, h := range r.Attempts {
			if seen[h.FencingToken] {
				k.fault("fence", id, nanos(r.Due), "token %d is twice in the history: %s: %+v", h.FencingToken, row(r), r.Attempts)
			}
			seen[h.FencingToken] = true
			if a := byToken[h.FencingToken]; a != nil && a.exec == r.ID && a.node != h.Node {
				k.fault("fence", id, a.start, "the row has it on %s: %s: %s", h.Node, a, row(r))
			}
		}
		if a := byToken[r.FencingToken]; a != nil && r.Status == chronos.StatusSucceeded && a.endPos != 0 && a.end > nanos(r.EndedAt) {
			k.fault("fence", id, a.end, "succeeded before its handler had returned: %s: %s", row(r), a)
		}
	}
}

// checkEdits: nothing begins under a definition after the call that replaced it has
// returned: not on the node of that call, and on another one not for longer than its
// lease, in which it may not have heard of it.
func (k *checker) checkEdits(id string, j *jobDump) {
	for _, a := range k.attempts[id] {
		for _, v := range j.versions {
			c := k.calls[v.Actor]
			if v.Number <= a.version || c == nil || !c.acked() || c.endPos >= a.startPos || a.void {
				continue
			}
			if here := c.node == a.proc.String(); here && a.start > c.end || a.start-c.end > int64(k.w.pro.Lease) {
				k.fault("edit", id, a.start, "began under version %d, %s after %s had put version %d: %s", a.version, time.Duration(a.start-c.end), c.seq, v.Number, a)
			} else {
				k.log.count("starts under a definition just replaced", 1)
			}
		}
	}
}

// checkExecution looks at all attempts of one execution.
func (k *checker) checkExecution(id string, j *jobDump, r *chronos.Execution, list []*attempt) {
	p := k.planOf(j, r.Version)
	if r.Attempt == 0 {
		k.fault("ledger", id, nanos(r.Due), "never ran, but was started: %s: %s", row(*r), list[0])
	}
	last := (*attempt)(nil)
	for _, a := range list {
		if last != nil && a.token <= last.token && !a.void {
			k.fault("fence", id, a.start, "token %d comes after %d: %s", a.token, last.token, a)
		}
		if last != nil && p != nil && p.Delivery == chronos.AtMostOnce && !k.redriven[r.ID] && lost(last) {
			k.fault("double", id, a.start, "at most once, and repeated though it was lost: %s, then %s", last, a)
		}
		last = a
		if a.token > r.FencingToken {
			k.fault("lost", id, a.start, "token %d was given out, the row is at %d: %s", a.token, r.FencingToken, a)
		}
		if r.Elided == 0 && a.token != r.FencingToken && !slices.ContainsFunc(r.Attempts, func(h chronos.Attempt) bool { return h.FencingToken == a.token }) {
			k.fault("ledger", id, a.start, "attempt is not in the row's history: %s; %s", a, row(*r))
		}
		if at := nanos(r.CreatedAt); at > a.start {
			k.fault("early", id, a.start, "began before its row was made: %s; %s", a, row(*r))
		}
	}
	if last.token == r.FencingToken && last.how == "ok" && last.cause == "" {
		switch r.Status {
		case chronos.StatusSucceeded, chronos.StatusTerminated, chronos.StatusCanceled, chronos.StatusLost:
		default:
			k.fault("ledger", id, nanos(r.Due), "its handler succeeded: %s; %s", row(*r), last)
		}
	}
}

// lost tells if an attempt did not come to an end that its node could report: such
// a one is not repeated where at most one is wanted.
func lost(a *attempt) bool {
	if a.endPos == 0 {
		return true
	}
	return a.cause == chronos.ErrRevoked.Error() || a.cause == chronos.ErrStopping.Error()
}

func succeeded(list []*attempt, token uint64) bool {
	return slices.ContainsFunc(list, func(a *attempt) bool { return a.token == token && a.how == "ok" })
}

// checkTokens: the tokens of an exclusive job grow in the order in which attempts
// start.
func (k *checker) checkTokens(id string, list []*attempt) {
	type lane struct {
		gen    uint64
		target string
	}
	last := map[lane]uint64{}
	for _, a := range list {
		if !a.exclusive || a.void {
			continue
		}
		in := lane{a.gen, a.target}
		if a.token <= last[in] {
			k.fault("fence", id, a.start, "token %d started after %d: %s", a.token, last[in], a)
		}
		last[in] = a.token
	}
}
