package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// outcome is what one measurement found.
type outcome struct {
	Case, Engine string
	Figures      []figure
	Controls     []control
	Notes        []string
	Load         float64 // of the machine, when it began
	Others       float64 // cores that others used meanwhile, databases among them
	Err          string
}

type figure struct {
	Name  string
	Value float64
	Unit  string
}

// control is a count of what really happened, beside what should have.
type control struct {
	What      string
	Got, Want int64
}

func (o *outcome) figure(name string, value float64, unit string) {
	o.Figures = append(o.Figures, figure{name, value, unit})
}

func (o *outcome) note(format string, args ...any) {
	o.Notes = append(o.Notes, fmt.Sprintf(format, args...))
}

func (o *outcome) control(what string, got, want int64) {
	o.Controls = append(o.Controls, control{what, got, want})
}

// refused says why a measurement does not count.
func (o *outcome) refused() error {
	if o.Err != "" {
		return errors.New(o.Err)
	}
	if len(o.Controls) == 0 {
		return errors.New("nothing was counted, so nothing is known")
	}
	for _, c := range o.Controls {
		if c.Got != c.Want || c.Want <= 0 {
			return fmt.Errorf("%s: %d instead of %d", c.What, c.Got, c.Want)
		}
	}
	return nil
}

func (o *outcome) value(name string) (float64, bool) {
	for _, f := range o.Figures {
		if f.Name == name {
			return f.Value, true
		}
	}
	return 0, false
}

// spread adds percentiles of durations, in milliseconds.
func (o *outcome) spread(prefix string, all []time.Duration, percentiles ...float64) {
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	for _, p := range percentiles {
		name := fmt.Sprintf("%sp%g", prefix, p*100)
		if p == 1 {
			name = prefix + "max"
		}
		o.figure(name, float64(percentile(all, p))/1e6, "ms")
	}
}

// percentile of what is sorted.
func percentile(all []time.Duration, p float64) time.Duration {
	return all[int(p*float64(len(all)-1))]
}
