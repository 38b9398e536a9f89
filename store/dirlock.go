package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	lockWait  = 2 * time.Second
	lockRetry = 20 * time.Millisecond
	lockName  = "chronos.lock"
)

// errHeld is what the platform's tryLock answers when somebody else has it.
var errHeld = errors.New("lock is held")

// DirLock is an exclusive hold on a directory. The operating system lets go
// of it when the process ends, however it ends.
type DirLock struct{ f *os.File }

// LockDir takes the lock of a host's directory. A process that is about to
// end gets two seconds to let go; then ErrLocked says who holds it.
func LockDir(dir string) (*DirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return lockFile(filepath.Join(dir, lockName), dir)
}

// lockFile never blocks in a system call: it polls, so that it is bounded,
// and a test's fake clock runs on meanwhile.
func lockFile(path, dir string) (*DirLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for waited := time.Duration(0); ; waited += lockRetry {
		err = tryLock(f)
		if !errors.Is(err, errHeld) || waited >= lockWait {
			break
		}
		time.Sleep(lockRetry)
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, errHeld) {
			return nil, fmt.Errorf("%w: %q is held by %s: one directory serves one scheduler at a time; "+
				"stop the other one or give this one a directory of its own", ErrLocked, dir, holder(path))
		}
		return nil, fmt.Errorf("store: locking %q: %w", dir, err)
	}
	_ = f.Truncate(0)
	_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return &DirLock{f: f}, nil
}

// holder names who holds the lock, as far as the file tells.
func holder(path string) string {
	content, _ := os.ReadFile(path)
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	switch {
	case err != nil:
		return "another process"
	case pid == os.Getpid():
		return "this process, which has it open already"
	default:
		return fmt.Sprintf("process %d", pid)
	}
}

// Unlock lets go. The file stays: removing it would let two processes hold
// two files of the same name.
func (l *DirLock) Unlock() {
	if l.f == nil {
		return
	}
	_ = l.f.Truncate(0)
	_ = unlock(l.f)
	_ = l.f.Close()
	l.f = nil
}
