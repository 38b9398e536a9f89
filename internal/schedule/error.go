package schedule

import "fmt"

// Error says what is wrong with a schedule, where, and what to do about it.
type Error struct {
	Field  string // the cron field ("minute") or the part of the Spec ("zone", "until")
	Reason string // what is wrong, quoting the offending part
	Hint   string // what to do; may be empty
	Pos    int    // byte offset in Spec.Expr (Compile) or in the text (Parse); -1 if none
}

// Error names the field, the reason, the position and the remedy in one line.
func (e *Error) Error() string {
	text := "schedule: " + e.Field + ": " + e.Reason
	if e.Pos >= 0 {
		text += fmt.Sprintf(" (at byte %d)", e.Pos)
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}
