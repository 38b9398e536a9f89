package jobfile

import (
	"io"

	"github.com/chronos-go/chronos"
)

// Parse reads jobs from JSON. All that is wrong comes in one *Error.
func Parse(r io.Reader) ([]chronos.Job, error) { return ParseWith(r, Options{}) }

// ParseWith is Parse with options.
func ParseWith(r io.Reader, o Options) ([]chronos.Job, error) {
	b, err := read(r)
	if err != nil {
		return nil, err
	}
	v, err := parseJSON(b)
	if err != nil {
		return nil, err
	}
	return Decode(v, o)
}

// Decode makes jobs of a file that has been read: for formats beside JSON.
func Decode(v Value, o Options) ([]chronos.Job, error) {
	d := &decoder{options: o.withDefaults()}
	jobs := d.file(v)
	if len(d.problems) > 0 {
		return nil, &Error{Problems: d.problems}
	}
	return jobs, nil
}
