package raftfsm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// starts counts the starts that did not end well: a node that dies soon after
// each start may die of its own state, in a way that no check sees. The third
// such start rebuilds the state. A start ends well when the node has run for
// a while or was closed in order.
type starts struct{ path string }

const startsTolerated = 2

func startsIn(dir string) starts { return starts{path: filepath.Join(dir, "starts")} }

// doubt is a reason to rebuild the state, "" when there is none.
func (s starts) doubt() (count int, why string) {
	text, err := os.ReadFile(s.path)
	if err != nil {
		return 0, ""
	}
	if _, err := fmt.Sscanf(string(text), "%d", &count); err != nil {
		return 0, ""
	}
	if _, why, ok := strings.Cut(strings.TrimSpace(string(text)), " "); ok {
		return count, why
	}
	if count >= startsTolerated {
		return count, fmt.Sprintf("%d starts in a row did not end well", count)
	}
	return count, ""
}

// begin counts this start. A rebuild starts the count anew.
func (s starts) begin(before int, rebuild bool) error {
	if rebuild {
		before = 0
	}
	return s.write(fmt.Sprintf("%d\n", before+1))
}

// undo takes begin back: the start failed in an orderly way.
func (s starts) undo(before int, doubt string) {
	_ = s.write(strings.TrimSpace(fmt.Sprintf("%d %s", before, doubt)) + "\n")
}

// ended forgets: this start went well.
func (s starts) ended() {
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = s.write("0\n")
	}
}

// condemn makes the next start rebuild the state.
func (s starts) condemn(why string) {
	why = strings.Join(strings.Fields(why), " ")
	_ = s.write(fmt.Sprintf("%d %s\n", startsTolerated, why))
}

// write replaces the file; without a sync, because a power cut is no failed start.
func (s starts) write(text string) error {
	if err := os.WriteFile(s.path+".tmp", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(s.path+".tmp", s.path)
}
