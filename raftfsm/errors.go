package raftfsm

import (
	"errors"
	"fmt"

	"github.com/chronos-go/chronos/store"
)

// Errors that callers tell apart. A full disk is store.ErrDiskFull, damage
// that could not be healed is store.ErrCorrupt (see DamageError).
var (
	// ErrClosed: the node was closed.
	ErrClosed = errors.New("raftfsm: node is closed")
	// ErrNoLeader: for some time nobody could commit anything.
	ErrNoLeader = errors.New("raftfsm: no leader")
	// ErrStopped: the state machine met something it must not skip, or the
	// log's disk failed. It wraps the cause. The node stays readable; it
	// commits nothing until the host opens it again.
	ErrStopped = errors.New("raftfsm: node stopped")
	// ErrTooLarge: a single command exceeds what one log entry may hold.
	ErrTooLarge = errors.New("raftfsm: command too large")
	// ErrUncertain accompanies another error when the command may have been
	// applied, or may be later. Ask again with the same command ID.
	ErrUncertain = errors.New("raftfsm: the command may still be applied")
	// ErrWrongNode: the directory belongs to a node of another name.
	ErrWrongNode = errors.New("raftfsm: directory belongs to another node")
	// ErrWrongCluster: the directory belongs to another cluster, or to none.
	ErrWrongCluster = errors.New("raftfsm: directory belongs to another cluster")
	// ErrRemoved: the node was a member once.
	ErrRemoved = errors.New("raftfsm: the node was removed from the cluster")
	// ErrLeftBehind: the cluster was recovered from the loss of its majority, and
	// this directory is of before, or of another recovery.
	ErrLeftBehind = errors.New("raftfsm: the directory was left behind when the cluster was recovered")
	// ErrDiverged: the state of this node was not that of the others.
	ErrDiverged = errors.New("raftfsm: the state of this node is not that of the others")
	// ErrForgotten: the cluster knows this node, but its directory is empty.
	ErrForgotten = errors.New("raftfsm: the cluster knows this node, whose directory is empty")
)

// entryResult is what applying one log entry gave: one result per command, or
// the reason why the state machine stopped.
type entryResult struct {
	results []*Result
	err     error
}

// DamageError reports a file that cannot be trusted and could not be rebuilt.
// It matches store.ErrCorrupt.
type DamageError struct {
	Path   string // the file or directory
	Reason string // what is wrong with it
	Remedy string // what a person can do
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("raftfsm: %s: %s. %s", e.Path, e.Reason, e.Remedy)
}

// Unwrap makes the error match store.ErrCorrupt.
func (e *DamageError) Unwrap() error { return store.ErrCorrupt }

func stoppedBy(cause error) error {
	if errors.Is(cause, ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w", ErrStopped, cause)
}

func uncertain(err error) error { return fmt.Errorf("%w (%w)", err, ErrUncertain) }
