package jobfile

import (
	"fmt"
	"strings"

	"github.com/chronos-go/chronos"
)

// Problem is one thing that is wrong with a file, and what to do about it. It never
// holds the value of a secret.
type Problem struct {
	Line, Column int    // from 1; 0 where there is no place
	Path         string // for example jobs[2].retry.initial; "" for the file as a whole
	Job          string // the job's ID, if it is known
	Reason       string
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	b.WriteString(p.Path)
	if p.Job != "" {
		fmt.Fprintf(&b, " (job %q)", p.Job)
	}
	if p.Path != "" || p.Job != "" {
		b.WriteByte(' ')
	}
	return b.String() + p.Reason
}

// Error is all that is wrong with a file. It matches chronos.ErrInvalid.
type Error struct {
	Problems []Problem // in the order of the file
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "chronos: job file: " + strings.Join(lines, "\n\t")
}

// Is makes errors.Is(err, chronos.ErrInvalid) true.
func (e *Error) Is(target error) bool { return target == chronos.ErrInvalid }

// whole is an error about the file as a whole, or a place of it.
func whole(line, column int, format string, args ...any) *Error {
	return &Error{Problems: []Problem{{Line: line, Column: column, Reason: fmt.Sprintf(format, args...)}}}
}
