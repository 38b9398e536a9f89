package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	maxError = 4 << 10  // bytes of Result.Error
	maxStack = 8 << 10  // bytes of Result.Stack
	maxScan  = 64 << 10 // bytes of an error's text that are looked at
)

// Outcome is how an attempt ended.
type Outcome uint8

// The outcomes.
const (
	Succeeded  Outcome = iota + 1
	Failed             // an error, a panic, an answer that is no success
	TimedOut           // an error after the attempt's deadline
	Canceled           // an error after Cancel, or cancelled before it started
	HandedBack         // not done, through no fault of its own; it does not count
)

// String returns the outcome as a word, for logs.
func (o Outcome) String() string {
	switch o {
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	case TimedOut:
		return "timed out"
	case Canceled:
		return "canceled"
	case HandedBack:
		return "handed back"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Result is what one attempt came to.
type Result struct {
	ID      string // of the execution
	Job     string
	Token   uint64
	Tag     any // the attempt's
	Outcome Outcome

	Permanent     bool          // repeating is useless
	RetryAfter    time.Duration // when to try next, if HasRetryAfter
	HasRetryAfter bool
	Snooze        bool // put off by RetryAfter; the attempt does not count
	PauseJob      bool // the receiver is gone for good (410) and the webhook asks to pause then

	Error      string // valid UTF-8, at most 4 KiB, no secrets of the webhook in it
	Stack      string // of a panic, at most 8 KiB
	HTTPStatus int    // of a webhook's answer; 0 if there was none
	Output     []byte // from SetOutput, or the body of the webhook's answer
	Truncated  bool   // Output is not all there was

	Started time.Time // zero when the handler was not called
	Ended   time.Time

	Stuck      bool // the handler ignores its context and is still running
	NotStarted bool // the handler was not called
	Revoked    bool // it is not reported: only who stands around the attempt hears of it
}

// returned is what calling a handler or a webhook came to.
type returned struct {
	err      error
	panicked bool
	stack    string
	status   int
	pause    bool
}

// advice is what a handler's error asks for.
type advice struct {
	text       string
	permanent  bool
	after      time.Duration
	hasAfter   bool
	snooze     bool
	isDeadline bool
}

// consult reads an error. Error, Is, As and Unwrap are the host's code, so it
// survives their panics.
func consult(err error) (v advice) {
	defer func() {
		if p := recover(); p != nil {
			v.text = fmt.Sprintf("an error of type %T, whose methods panic: %v", err, p)
		}
	}()
	v.text = "an error of unknown text"
	var permanent *permanentError
	v.permanent = errors.As(err, &permanent)
	var retry *retryError
	if errors.As(err, &retry) {
		v.after, v.hasAfter = retry.after, true
		v.snooze = retry.err == nil && !v.permanent
	}
	var timeout interface{ Timeout() bool }
	v.isDeadline = errors.As(err, &timeout) && timeout.Timeout()
	v.text = err.Error()
	return v
}

// conclude makes the result of an attempt whose handler has returned at an instant.
func conclude(a *Attempt, r returned, at time.Time) *Result {
	res := a.result(at)
	res.Started = a.started
	res.HTTPStatus = r.status
	if r.err == nil {
		res.Outcome = Succeeded
		return res
	}
	v := consult(r.err)
	res.Outcome = outcome(a.ctx, a.stop, r.panicked, v.isDeadline)
	res.Permanent = v.permanent
	res.RetryAfter, res.HasRetryAfter = v.after, v.hasAfter
	res.Snooze = v.snooze && res.Outcome == Failed
	res.PauseJob = r.pause
	res.Error = a.errorText(explain(a.ctx, v.text, a.stop))
	res.Stack = capText(r.stack, maxStack)
	return res
}

// outcome ranks the reasons an attempt that brought an error can have ended for:
// a wish to cancel, a panic (never excused by a context), the deadline, the
// node's stopping, the handler's own failure.
func outcome(ctx context.Context, asked stop, panicked, isDeadline bool) Outcome {
	switch {
	case asked == stopCancel:
		return Canceled
	case panicked:
		return Failed
	case deadlineHit(ctx, isDeadline):
		return TimedOut
	case asked == stopDrain:
		return HandedBack
	}
	return Failed
}

// deadlineHit reports whether the context's own deadline ended it. A dialer keeps
// the same deadline with a timer of its own and may be a moment ahead of the
// context; its timeout error counts when the instant is reached.
func deadlineHit(ctx context.Context, isDeadline bool) bool {
	if err := ctx.Err(); err != nil {
		return errors.Is(err, context.DeadlineExceeded)
	}
	at, ok := ctx.Deadline()
	return ok && isDeadline && !time.Now().Before(at)
}

// explain adds to an error why the context ended, which "context canceled" does
// not say.
func explain(ctx context.Context, text string, asked stop) string {
	if asked == stopNone || ctx.Err() == nil {
		return text
	}
	cause := context.Cause(ctx)
	if cause == nil {
		return text
	}
	reason := consult(cause).text
	if reason == text || reason == context.Canceled.Error() {
		return text
	}
	return text + " (" + reason + ")"
}

// unstarted makes the result of an attempt whose handler is not called.
func unstarted(a *Attempt, o Outcome, reason error) *Result {
	res := a.result(time.Now())
	res.Outcome = o
	res.NotStarted = true
	res.Error = a.errorText(consult(reason).text)
	return res
}

// abandoned makes the result of an attempt whose handler ignores its context.
func abandoned(a *Attempt, grace time.Duration) *Result {
	res := a.result(time.Now())
	res.Started = a.started
	res.Stuck = true
	why := "it was cancelled"
	switch res.Outcome = outcome(a.ctx, a.stop, false, true); res.Outcome {
	case TimedOut:
		why = "its timeout"
	case HandedBack:
		why = "the node asked it to stop"
	}
	res.Error = a.errorText(fmt.Sprintf("stuck: still running %v after %s; "+
		"its context is done, and the %s must return then", grace, why, a.target()))
	return res
}

// result fills in what all results have in common, and closes the output.
func (a *Attempt) result(ended time.Time) *Result {
	res := &Result{ID: a.ID, Job: a.Job, Token: a.Token, Tag: a.Tag, Ended: ended}
	res.Output, res.Truncated = a.output.seal()
	return res
}

// errorText makes a text fit for Result.Error.
func (a *Attempt) errorText(text string) string {
	text, long := text[:min(len(text), maxScan)], len(text) > maxScan
	if a.Webhook != nil {
		text = scrubURLs(a.Webhook.redactor().text(text, long))
	}
	return capText(text, maxError)
}
