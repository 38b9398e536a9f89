package chronos

import (
	"errors"
	"time"

	"github.com/chronos-go/chronos/dispatch"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// Causes that a handler sees (context.Cause) when its attempt is ended.
var (
	// ErrCanceled: somebody, or the overlap policy, asked for the end.
	ErrCanceled = errors.New("chronos: execution was canceled")
	// ErrRevoked: the ledger says the attempt is over; its result will be refused.
	ErrRevoked = errors.New("chronos: attempt was revoked")
	// ErrStopping: the node stops. An error returned now does not count.
	ErrStopping = dispatch.ErrDraining
)

// applied takes in what a committed batch means to this node. It runs in the
// state machine's goroutine, between one batch and the next, so it only hands
// on: to the dispatcher, the planner and whoever listens.
func (s *Scheduler) applied(eff *raftfsm.Effects) {
	if eff.Restored && s.opened.Load() {
		s.take(s.adopt())
	}
	if s.member != nil {
		s.member.observe(eff)
	}
	s.take(eff)
	if eff.Unlocked || eff.Restored {
		s.held.freed()
	}
	s.planner.Observe(eff)
	s.alarms.observe(eff)
	s.tally.observe(eff)
	s.hub.publish(eff)
}

// take does what the log asks of this node.
func (s *Scheduler) take(eff *raftfsm.Effects) {
	s.assign(eff)
	for _, h := range eff.Recalled {
		if s.holds(h) {
			s.recall(h)
		}
	}
	for _, h := range eff.Canceled {
		if s.holds(h) {
			s.dispatcher.Cancel(store.JoinID(h.Job, h.Exec), h.Token, ErrCanceled)
		}
	}
	for _, h := range eff.Revoked {
		if s.holds(h) {
			s.dispatcher.Revoke(store.JoinID(h.Job, h.Exec), h.Token, ErrRevoked)
		}
	}
}

func (s *Scheduler) holds(h raftfsm.Holding) bool {
	return h.Node == s.options.Node && h.Incarnation == s.incarnation.Load()
}

// assign hands on what this node shall run, but for what the same batch has
// taken back already.
func (s *Scheduler) assign(eff *raftfsm.Effects) {
	void := map[uint64]bool{}
	for _, h := range eff.Revoked {
		void[h.Token] = true
	}
	var mine []*dispatch.Attempt
	for _, a := range eff.Assigned {
		x := a.Execution
		if x.Node != s.options.Node || x.Incarnation != s.incarnation.Load() || void[x.Token] {
			continue
		}
		mine = append(mine, attemptFrom(a))
	}
	if len(mine) > 0 {
		s.dispatcher.Assign(mine)
	}
}

func attemptFrom(a raftfsm.Assignment) *dispatch.Attempt {
	x, def := a.Execution, a.Record.Definition
	out := &dispatch.Attempt{
		ID: store.JoinID(a.Job, a.Exec), Job: a.Job, Labels: labelsFrom(def.Labels),
		Generation: x.Generation, Version: x.Version, Number: int(x.Attempts), Token: x.Token, Session: x.Incarnation,
		Due: instant(x.Due), StartAt: instant(x.ReadyAt), Origin: string(originNames[x.Origin]),
		Key: x.Key, Actor: x.Actor, Note: x.Note,
		Payload: a.Payload, Handler: def.Handler, Timeout: time.Duration(def.Timeout),
		Tag: &claim{failures: int(x.Failures), retry: def.Retry},
	}
	if def.Webhook != nil {
		out.Webhook = dispatchWebhook(def.Webhook)
	}
	return out
}

// giveUp gives back an attempt that has not begun; it is given out anew, under the
// definition as it is then.
func (s *Scheduler) giveUp(a *dispatch.Attempt) {
	job, exec, _ := store.SplitID(a.ID)
	s.reporter.add(&raftfsm.Command{Body: &raftfsm.Command_HandBack{HandBack: &raftfsm.HandBack{Job: job, Execution: exec, Token: a.Token}}})
}

// recall gives back an attempt whose job was edited, or says that it has
// started and goes on.
func (s *Scheduler) recall(h raftfsm.Holding) {
	id := store.JoinID(h.Job, h.Exec)
	back := &raftfsm.HandBack{Job: h.Job, Execution: h.Exec, Token: h.Token}
	switch {
	case s.dispatcher.Recall(id, h.Token):
	case !s.dispatcher.Started(id, h.Token):
		return // it is over here, and its result is on its way
	default:
		back.Started, back.Kept = true, true
	}
	s.reporter.add(&raftfsm.Command{Body: &raftfsm.Command_HandBack{HandBack: back}})
}
