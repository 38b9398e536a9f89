package chronos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chronos-go/chronos/dispatch"
	"github.com/chronos-go/chronos/store"
)

// Handler runs one attempt of an execution. Its context ends at Job.Timeout,
// when the execution is cancelled or revoked, and when the node stops;
// context.Cause says which. A nil error is success; Permanent and RetryAfter
// steer what follows another. A panic is a failed attempt.
//
// An attempt may be one of several (Job.Delivery, Job.Retry): use Execution.ID,
// the same in all of them, or Execution.FencingToken, which grows, to make
// effects safe to repeat.
type Handler func(ctx context.Context, x Execution) error

// Handle registers the function that jobs name as their Handler. It may be
// called at any time; executions of a handler that no node has wait for it. A
// name can be registered once.
func (s *Scheduler) Handle(name string, h Handler) error {
	if name == "" {
		return invalid("name", "is required")
	}
	if err := checkText("name", name, maxHandler); err != nil {
		return err
	}
	if h == nil {
		return invalid("handler", "of %q is nil", name)
	}
	if s.closed() {
		return ErrClosed
	}
	err := s.dispatcher.Handle(name, func(ctx context.Context, a *dispatch.Attempt) error {
		return h(context.WithValue(ctx, attemptKey{}, a), executionOf(a, s.options.Node))
	})
	if err != nil {
		return invalid("name", "%v", err)
	}
	return s.announce()
}

type attemptKey struct{}

// executionOf is what a handler gets to see of its attempt.
func executionOf(a *dispatch.Attempt, node string) Execution {
	x := callOf(a, node)
	x.Payload = bytes.Clone(a.Payload) // the job's other attempts share it
	return x
}

// callOf is the same without the payload.
func callOf(a *dispatch.Attempt, node string) Execution {
	return Execution{
		ID: a.ID, Job: a.Job, Generation: a.Generation, Version: a.Version, Due: a.Due, Origin: Origin(a.Origin),
		Status: StatusRunning, Attempt: a.Number, FencingToken: a.Token, Node: node, Target: store.KeyTarget(a.ID),
		ReadyAt: a.StartAt, Count: 1, Key: a.Key, Actor: a.Actor, Note: a.Note, Labels: a.Labels,
	}
}

// JSON makes a Handler of a function with a typed payload. A payload that does
// not decode fails for good; an empty one is the zero T.
func JSON[T any](fn func(ctx context.Context, x Execution, payload T) error) Handler {
	return func(ctx context.Context, x Execution) error {
		var payload T
		if len(x.Payload) > 0 {
			if err := json.Unmarshal(x.Payload, &payload); err != nil {
				return Permanent(fmt.Errorf("payload of %s is not a %T: %w", x.Job, payload, err))
			}
		}
		return fn(ctx, x, payload)
	}
}

// SetOutput keeps b with the attempt, up to Options.MaxOutput bytes. The last
// call counts. Outside a handler it does nothing.
func SetOutput(ctx context.Context, b []byte) {
	if a, ok := ctx.Value(attemptKey{}).(*dispatch.Attempt); ok {
		a.SetOutput(b)
	}
}

// Permanent marks an error that no repetition can mend: the execution fails
// without another attempt. Permanent(nil) is nil.
func Permanent(err error) error { return dispatch.Permanent(err) }

// RetryAfter asks for the next attempt after d, in place of the delay of
// Job.Retry. With a nil err it is a snooze: the execution is put off and the
// attempt does not count.
func RetryAfter(d time.Duration, err error) error { return dispatch.RetryAfter(d, err) }

type actorKey struct{}

// WithActor says on whose behalf calls with this context are made. Versions,
// pauses, triggers and backfills keep it; a handler sees it in Execution.Actor. At most
// 256 bytes.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

func actorOf(ctx context.Context) (string, error) {
	actor, _ := ctx.Value(actorKey{}).(string)
	return actor, checkText("actor", actor, maxActor)
}
