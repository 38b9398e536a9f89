package chronos

import (
	"context"
	"net/http"

	"github.com/chronos-go/chronos/dispatch"
)

// Call is an attempt that begins on this node: what Options.Around gets to see.
type Call struct {
	// Execution is what a handler sees, without the Payload.
	Execution Execution
	// Handler is the name of the handler; empty for a webhook.
	Handler string
	// Header is sent with a webhook's request: what is set here takes the place of the
	// job's own header of that name, but not of those that Chronos sets itself. What
	// Webhook.Headers may not have is left out. Nil for a handler.
	Header http.Header
}

// Around is told of each attempt that begins on this node, right before the
// handler or the webhook is called, in the same goroutine: its time is the attempt's. If
// the attempt times out or is cancelled meanwhile, neither is called.
// The context that it returns, which has to be made from the one it gets, takes that
// one's place. The function that it returns is called once, when the attempt is over for
// this node: with what is reported of it, with StatusTerminated if that would be
// refused, and with Stuck if the handler has not returned. The report waits for it,
// but no longer than Options.StuckAfter. Both may be nil. A panic in it is logged, and
// changes nothing.
type Around func(ctx context.Context, c Call) (context.Context, func(Attempt))

// around makes of the host's functions what the dispatcher calls.
func (s *Scheduler) around() (out []func(context.Context, *dispatch.Attempt, http.Header) (context.Context, func(dispatch.Result))) {
	for _, fn := range s.options.Around {
		if fn == nil {
			continue
		}
		out = append(out, func(ctx context.Context, a *dispatch.Attempt, h http.Header) (context.Context, func(dispatch.Result)) {
			ctx, done := fn(ctx, Call{Execution: callOf(a, s.options.Node), Handler: a.Handler, Header: h})
			if done == nil {
				return ctx, nil
			}
			return ctx, func(res dispatch.Result) { done(attemptOf(a, s.options.Node, res)) }
		})
	}
	return out
}

// attemptOf is what will be in the ledger of an attempt, as far as this node knows.
func attemptOf(a *dispatch.Attempt, node string, res dispatch.Result) Attempt {
	out := Attempt{
		Number: a.Number, Node: node, FencingToken: a.Token, Version: a.Version,
		Started: res.Started.Round(0).UTC(), Ended: res.Ended.Round(0).UTC(), Status: statusNames[outcomes[res.Outcome]],
		Error: res.Error, HTTPStatus: res.HTTPStatus, Stuck: res.Stuck, Stack: res.Stack,
	}
	switch {
	case res.Revoked:
		out.Status = StatusTerminated
	case res.Outcome == dispatch.HandedBack:
		out.Status, out.Reason = StatusCanceled, ReasonShutdown
	case res.Stuck:
		out.Reason = ReasonStuck
	}
	return out
}
