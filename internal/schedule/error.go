package schedule

import (
	"errors"
	"fmt"
)

// Error says what is wrong with a schedule, where, and what to do about it.
type Error struct {
	Field  string // the cron field ("minute") or the part of the Spec ("zone", "until")
	Reason string // what is wrong, quoting the offending part
	Hint   string // what to do; may be empty
	Pos    int    // byte offset in Text, -1 if none
	Text   string // what was read: the text (Parse) or the expression (Compile), if it is known
}

// shownText is how much of a text an error shows.
const shownText = 80

// in says in which text an error stands, and in which part of the Spec.
func in(err error, prefix, text string) error {
	var e *Error
	if errors.As(err, &e) {
		e.Field = prefix + e.Field
		if e.Text == "" {
			e.Text = text
		}
	}
	return err
}

// Error names the field, the reason, the position and the remedy in one line.
func (e *Error) Error() string {
	return "schedule: " + e.Message()
}

// Message is the same without the name of the package.
func (e *Error) Message() string {
	text := e.Field + ": " + e.Reason
	switch {
	case e.Pos >= 0 && e.Text != "" && len(e.Text) <= shownText:
		text += fmt.Sprintf(" (at byte %d of %q)", e.Pos, e.Text)
	case e.Pos >= 0:
		text += fmt.Sprintf(" (at byte %d)", e.Pos)
	case e.Text != "" && len(e.Text) <= shownText:
		text += fmt.Sprintf(" (in %q)", e.Text)
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}
