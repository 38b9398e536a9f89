package store

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
)

// Errors that callers tell apart with errors.Is. Each comes wrapped in a text
// that names the directory and what to do.
var (
	// ErrLocked: another process, or another Store of this one, holds the directory.
	ErrLocked = errors.New("store: directory is in use")
	// ErrCorrupt: what is on disk is not what was written, or there is doubt.
	// The state is a view: quarantine it and rebuild it from the Raft log.
	ErrCorrupt = errors.New("store: state is damaged")
	// ErrFormat: the state was written by a newer version of the module.
	ErrFormat = errors.New("store: unknown format")
	// ErrDiskFull: the disk guard refuses to write. Nothing was touched; the
	// same call works again when there is room.
	ErrDiskFull = errors.New("store: disk is full")
	// ErrClosed: the store is closed, or its transaction is over.
	ErrClosed = errors.New("store: closed")
	// ErrTooBig: a record is above what the store takes.
	ErrTooBig = errors.New("store: too big")
	// ErrFailed: an earlier commit failed half-way, so nothing more is written
	// until the store is opened again.
	ErrFailed = errors.New("store: stopped after a failed commit")
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrCorrupt, fmt.Errorf(format, args...))
}

// environment lists what the machine, not the state, can be to blame for.
// Badger flattens its errors to text, so the text is all there is to look at.
var environment = []syscall.Errno{
	syscall.ENOSPC, syscall.EACCES, syscall.EPERM, syscall.EMFILE,
	syscall.ENFILE, syscall.ENOMEM, syscall.EROFS,
}

// blameState makes an error of opening or reading an ErrCorrupt, unless it
// says that the machine refused: a full disk or a missing permission must not
// send good state into quarantine.
func blameState(err error) error {
	if err == nil || errors.Is(err, ErrCorrupt) {
		return err
	}
	for _, e := range environment {
		if !errors.Is(err, e) && !strings.Contains(err.Error(), e.Error()) {
			continue
		}
		if e == syscall.ENOSPC {
			return fmt.Errorf("%w: %w", ErrDiskFull, err)
		}
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// DiskFull recognises a full disk or quota in an error of the operating system. Bolt and
// Badger hide some error numbers in text.
func DiskFull(err error) bool {
	if err == nil {
		return false
	}
	full := []error{ErrDiskFull, syscall.ENOSPC, syscall.EDQUOT}
	if runtime.GOOS == "windows" {
		full = append(full, syscall.Errno(39), syscall.Errno(112)) // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
	}
	for _, f := range full {
		if errors.Is(err, f) || strings.Contains(err.Error(), f.Error()) {
			return true
		}
	}
	return false
}
