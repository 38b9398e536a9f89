package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	nameQuarantine = "quarantine"
	nameWhy        = "WHY"
	quarantineKeep = 2
)

// Quarantine moves the state below dir aside, to quarantine/<time>/, with a
// file that says why. The two newest quarantines are kept. Nothing of it is
// ever read again by Chronos; it is there for people. The state must not be
// open. It answers where the state is now.
func Quarantine(dir, why string, log *slog.Logger) (string, error) {
	if _, err := os.Stat(filepath.Join(dir, nameState)); err != nil {
		return "", err
	}
	why += "\n\nThis is the state that was moved aside, for people to look at.\n" +
		"Chronos rebuilds its state from raft.db and snapshots/ and does not read this again.\n"
	place, err := QuarantineFiles(dir, []string{nameState}, why, log)
	if err != nil {
		return "", err
	}
	return filepath.Join(place, nameState), nil
}

// QuarantineFiles does the same with any files of dir, as far as they are there.
// It answers where they are now.
func QuarantineFiles(dir string, names []string, why string, log *slog.Logger) (string, error) {
	state := filepath.Join(dir, nameState)
	if _, err := os.Stat(state); err == nil {
		lock, err := lockFile(filepath.Join(state, nameLock), state)
		if err != nil {
			return "", err
		}
		lock.Unlock() // Windows does not rename a directory with an open file in it
	}
	root := filepath.Join(dir, nameQuarantine)
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	if err := prune(root, quarantineKeep-1); err != nil {
		return "", err
	}
	place, err := newQuarantine(root)
	if err != nil {
		return "", err
	}
	if err := WriteDurably(filepath.Join(place, nameWhy), []byte(why+"\nDelete it when it is of no interest.\n")); err != nil {
		return "", err
	}
	moved := false
	for _, name := range names {
		err := os.Rename(filepath.Join(dir, name), filepath.Join(place, name))
		if err == nil {
			moved = true
		} else if !errors.Is(err, fs.ErrNotExist) {
			if !moved {
				err = errors.Join(err, os.RemoveAll(place))
			}
			return "", err
		}
	}
	if err := errors.Join(syncDir(place), syncDir(root), syncDir(dir)); err != nil {
		return "", err
	}
	if log != nil {
		log.Error("store: moved to quarantine", "from", dir, "files", names, "to", place, "why", why)
	}
	return place, nil
}

// newQuarantine makes a directory whose name sorts by time, and behind those
// of the same second.
func newQuarantine(root string) (string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return "", err
	}
	stamp := time.Now().UTC().Format("20060102T150405Z")
	n := 0
	for _, e := range entries {
		if digits, ok := strings.CutPrefix(e.Name(), stamp+"-"); ok {
			if have, err := strconv.Atoi(digits); err == nil {
				n = max(n, have+1)
			}
		}
	}
	place := filepath.Join(root, fmt.Sprintf("%s-%03d", stamp, n))
	return place, os.Mkdir(place, 0o700)
}

// prune removes all but the newest quarantines.
func prune(root string, keep int) error {
	entries, err := os.ReadDir(root) // sorted by name, so by time
	if err != nil {
		return err
	}
	for i := range max(0, len(entries)-keep) {
		if err := os.RemoveAll(filepath.Join(root, entries[i].Name())); err != nil {
			return err
		}
	}
	return nil
}
