package chronos

import (
	"context"
	"errors"
	"fmt"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// Errors that callers tell apart with errors.Is. The text of an error says
// what is wrong and what to do about it.
var (
	// ErrNotFound: the job, version or execution does not exist. The text has the ID that
	// was asked for; Scheduler.Jobs lists the jobs that there are.
	ErrNotFound = errors.New("chronos: not found")
	// ErrConflict: the job is not at the version the caller expected, or the
	// execution is not in a state that allows the call.
	ErrConflict = errors.New("chronos: conflict")
	// ErrInvalid: an argument is not valid. The error is a *FieldError.
	ErrInvalid = errors.New("chronos: invalid")
	// ErrNoLeader: nothing can be committed at the moment. The call may be
	// repeated; it can have taken effect all the same.
	ErrNoLeader = errors.New("chronos: no leader")
	// ErrFenced: the attempt that reports is not the newest of its execution, or a
	// lock was lost because its node was given up.
	ErrFenced = errors.New("chronos: fenced")
	// ErrClosed: the scheduler was closed.
	ErrClosed = errors.New("chronos: closed")
	// ErrUncertain accompanies another error when a call may have taken effect
	// all the same, or may yet. Repeating it is safe where the call says that it
	// is idempotent: Put, PutAll, Delete, Pause, Resume, Cancel, and Trigger and
	// Backfill with a Key.
	ErrUncertain = errors.New("chronos: the outcome is uncertain")
	// ErrDiskFull: there is not enough room to write safely. Unless
	// ErrUncertain comes with it, nothing was changed; service goes on by
	// itself when there is room again.
	ErrDiskFull = errors.New("chronos: disk full")
	// ErrLocked: another process has the directory open.
	ErrLocked = errors.New("chronos: directory in use")
	// ErrCorrupt: data on disk is damaged and could not be rebuilt. Nothing
	// was deleted; the text names the file and the way back.
	ErrCorrupt = errors.New("chronos: data is damaged")
	// ErrStopped: this scheduler met something it must not pass over, and
	// stopped. Reads go on; open the directory again after mending the cause.
	ErrStopped = errors.New("chronos: stopped")
	// ErrDiverged: the state of this node was not that of a majority after the
	// same entry of the log, so it stopped. It matches ErrStopped, too. Open it
	// again: New moves what is in its directory to quarantine, and the others
	// send it theirs.
	ErrDiverged = fmt.Errorf("%w: this node's state is not that of the others", ErrStopped)
)

// FieldError says which argument is not valid, and why. It matches ErrInvalid.
type FieldError struct {
	Field  string // for example "Job.Schedule" or "Job.Webhook.URL"
	Reason string // what is wrong, and what would be right
}

func (e *FieldError) Error() string { return "chronos: invalid " + e.Field + ": " + e.Reason }

// Is makes errors.Is(err, ErrInvalid) true.
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

func invalid(field, format string, args ...any) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// translate gives an error from within its public name.
func translate(err error) error {
	if errors.Is(err, raftfsm.ErrUncertain) && !errors.Is(err, ErrUncertain) {
		return fmt.Errorf("%w (%w)", rename(err), ErrUncertain)
	}
	return rename(err)
}

func rename(err error) error {
	if peers := (*raftfsm.PeersError)(nil); errors.As(err, &peers) {
		return invalid(peers.Path, "%s", peers.Reason)
	}
	for _, pair := range []struct{ inner, outer error }{
		{store.ErrDiskFull, ErrDiskFull},
		{store.ErrLocked, ErrLocked},
		{store.ErrCorrupt, ErrCorrupt},
		{store.ErrClosed, ErrClosed},
		{raftfsm.ErrClosed, ErrClosed},
		{raftfsm.ErrDiverged, ErrDiverged},
		{raftfsm.ErrStopped, ErrStopped},
		{raftfsm.ErrNoLeader, ErrNoLeader},
		{raftfsm.ErrTooLarge, ErrInvalid},
		{raftfsm.ErrWrongNode, ErrConflict},
		{raftfsm.ErrWrongCluster, ErrConflict},
		{raftfsm.ErrForgotten, ErrConflict},
		{raftfsm.ErrRemoved, ErrConflict},
		{raftfsm.ErrLevel, ErrConflict},
		{raftfsm.ErrLeftBehind, ErrConflict},
	} {
		if errors.Is(err, pair.inner) {
			return fmt.Errorf("%w: %w", pair.outer, err)
		}
	}
	if errors.Is(err, ErrNotFound) {
		return err // it is from here
	}
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("chronos: %w", err)
}

// verdict turns a command's result into an error, nil if it was accepted.
func verdict(res *raftfsm.Result) error {
	switch res.Code {
	case raftfsm.Code_CODE_OK:
		return nil
	case raftfsm.Code_CODE_NOT_FOUND:
		return fmt.Errorf("%w: %s", ErrNotFound, res.Text)
	case raftfsm.Code_CODE_FENCED:
		return fmt.Errorf("%w: %s", ErrFenced, res.Text)
	case raftfsm.Code_CODE_INVALID:
		return fmt.Errorf("%w: %s", ErrInvalid, res.Text)
	default:
		return fmt.Errorf("%w: %s", ErrConflict, res.Text)
	}
}
