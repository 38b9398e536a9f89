package dispatch

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrDraining is the cause (context.Cause) a handler sees when the node
	// stops and the time to finish is over. An error returned after it hands the
	// attempt back; it does not count.
	ErrDraining = errors.New("dispatch: this node is stopping")

	// ErrStuck is wrapped by the error of Drain when handlers did not return.
	ErrStuck = errors.New("dispatch: handlers did not return")

	errClosed = errors.New("dispatch: this node's dispatcher is closed")

	// ErrSignature is wrapped by every error of Verify.
	ErrSignature = errors.New("dispatch: webhook signature not valid")
)

// Permanent marks err as one that no repetition can mend: the execution fails
// without another attempt. The mark is transparent for errors.Is and errors.As,
// and the text is err's own. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter asks for the next attempt after d instead of the job's back-off.
// With a nil err it is a snooze: the execution is put off by d and the attempt
// is not counted. A negative d means at once.
func RetryAfter(d time.Duration, err error) error {
	return &retryError{after: max(d, 0), err: err}
}

type retryError struct {
	after time.Duration
	err   error // nil: snooze
}

func (e *retryError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("put off by %v", e.after)
	}
	return e.err.Error()
}

func (e *retryError) Unwrap() error { return e.err }

// FieldError says which field of a Webhook is not valid, and why. It never
// quotes a secret.
type FieldError struct {
	Field  string // as in the struct, with the key for maps: Headers[X-Tenant]
	Reason string // what is wrong and what would be right
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }
