package chronos

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/chronos-go/chronos/store"
)

// What was reported as overdue is noted when the scheduler is closed, so that the next
// start does not report it once more. After a crash it does: an alarm that comes
// twice is better than none, and its instant tells that it is the same one.

// toldMax bounds the note; what is beyond it is reported once more.
const toldMax = 10_000

// toldNow is what has been reported and still holds, by job; false if this process has
// not got so far as to know.
func (a *alarms) toldNow() (told map[string]int64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	told = map[string]int64{}
	for job := range a.late {
		if w := a.watches[job]; w.told == w.by && len(told) < toldMax {
			told[job] = w.told
		}
	}
	return told, a.ready
}

func (s *Scheduler) toldFile() string { return filepath.Join(s.options.Dir, "overdue") }

// readTold reads what an earlier process has noted; nothing if there is no such
// note, or it cannot be read.
func (s *Scheduler) readTold() map[string]int64 {
	out := map[string]int64{}
	if s.options.InMemory {
		return out
	}
	f, err := os.Open(s.toldFile())
	if err != nil {
		if !os.IsNotExist(err) {
			s.log.Warn("chronos: what was reported as overdue before cannot be read, and is reported again", "error", err)
		}
		return out
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); len(out) < toldMax && lines.Scan(); {
		at, job, _ := strings.Cut(lines.Text(), " ")
		if by, err := strconv.ParseInt(at, 10, 64); err == nil && job != "" {
			out[job] = by
		}
	}
	return out
}

// writeTold notes it, in one step.
func (s *Scheduler) writeTold(told map[string]int64) {
	if s.options.InMemory {
		return
	}
	err := os.Remove(s.toldFile())
	if os.IsNotExist(err) {
		err = nil
	}
	if len(told) > 0 && err == nil {
		var b bytes.Buffer
		for job, by := range told {
			fmt.Fprintf(&b, "%d %s\n", by, job)
		}
		err = store.WriteDurably(s.toldFile(), b.Bytes())
	}
	if err != nil {
		s.log.Warn("chronos: what was reported as overdue cannot be noted, and will be reported again", "error", err)
	}
}
