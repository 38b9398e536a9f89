package schedule

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Schedule is a compiled union of Specs. It never changes and is safe for
// concurrent use.
type Schedule struct {
	rules []rule
}

// Compiler compiles many Specs and loads each time zone once for all of them.
// The zero value is ready, and safe for concurrent use. It keeps the zones it
// has loaded: to see new time-zone data, use a new Compiler.
type Compiler struct {
	meter meter // of what it compiles; for tests

	mu    sync.Mutex
	zones map[string]*time.Location
}

// Compile checks everything in the Specs and returns the schedule that is due
// when one of them is, or an *Error. A Spec that is never due is an error too.
func Compile(specs ...Spec) (*Schedule, error) {
	return new(Compiler).Compile(specs...)
}

// Compile is like the function of that name.
func (c *Compiler) Compile(specs ...Spec) (*Schedule, error) {
	if err := checkUnion(specs); err != nil {
		return nil, err
	}
	s := &Schedule{rules: make([]rule, len(specs))}
	for i, spec := range specs {
		var err error
		if s.rules[i], err = c.rule(spec); err != nil {
			prefix := ""
			if len(specs) > 1 {
				prefix = fmt.Sprintf("schedule %d of the union: ", i+1)
			}
			return nil, in(err, prefix, spec.String())
		}
	}
	return s, nil
}

func (c *Compiler) rule(spec Spec) (rule, error) {
	if err := spec.validate(); err != nil {
		return rule{}, err
	}
	zone, err := c.zone(spec.Zone)
	if err != nil {
		return rule{}, err
	}
	return compileRule(spec, zone, c.meter)
}

func checkUnion(specs []Spec) error {
	if n := len(specs); n == 0 || n > MaxRules {
		return &Error{"union", fmt.Sprintf("has %d schedules", n), fmt.Sprintf("join 1 to %d", MaxRules), -1, ""}
	}
	if n := len(Format(specs)); n > MaxText {
		return &Error{"schedule", fmt.Sprintf("has %d bytes as a text, of at most %d", n, MaxText), "list fewer days, write neighbours as ranges, or split the job", -1, ""}
	}
	if len(specs) == 1 {
		return nil
	}
	if slices.ContainsFunc(specs, func(s Spec) bool { return s.Kind == KindAfter }) {
		return &Error{"union", "holds a delay after completion", "it counts from the end of the last execution and stands alone: use @every", -1, ""}
	}
	return nil
}

func (c *Compiler) zone(name string) (*time.Location, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if zone, ok := c.zones[name]; ok {
		return zone, nil
	}
	zone, err := loadZone(name)
	if err != nil {
		return nil, err
	}
	if c.zones == nil {
		c.zones = map[string]*time.Location{}
	}
	c.zones[name] = zone
	return zone, nil
}

// refresh forgets the zones if the data of one of them has changed, and tells if
// it has. A change that makes no difference for years is none.
func (c *Compiler) refresh(now time.Time) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, zone := range c.zones {
		if fresh, err := loadZone(name); err == nil && !sameZone(zone, fresh, now.Unix()) {
			changed = true
		}
	}
	if changed {
		c.zones = nil
	}
	return changed
}

// Specs returns the Specs in normal form: single blanks in expressions and none
// in lists of days, times in UTC, the zone UTC written as "". Parse gives them
// back for their [Format].
func (s *Schedule) Specs() []Spec {
	specs := make([]Spec, len(s.rules))
	for i := range s.rules {
		specs[i] = s.rules[i].spec
	}
	return specs
}

// Is tells if the schedule is a single Spec of this kind.
func (s *Schedule) Is(k Kind) bool { return len(s.rules) == 1 && s.rules[0].spec.Kind == k }

// Next returns the first due instant strictly after the given one, in UTC, or
// false if there is none any more. It does not allocate.
func (s *Schedule) Next(after time.Time) (time.Time, bool) {
	next := s.next(unixNano(after))
	if next == never {
		return time.Time{}, false
	}
	return time.Unix(0, next).UTC(), true
}

// Due tells if the schedule is due at an instant. For KindAfter it has no
// meaning.
func (s *Schedule) Due(at time.Time) bool {
	return inHorizon(at) && s.next(at.UnixNano()-1) == at.UnixNano()
}

func (s *Schedule) next(low int64) int64 {
	next := s.rules[0].next(low)
	for i := 1; i < len(s.rules); i++ {
		if other := s.rules[i].next(low); next == never || other != never && other < next {
			next = other
		}
	}
	return next
}

// unixNano returns t within the horizon, where -1 stands for every instant
// before 1970.
func unixNano(t time.Time) int64 {
	switch {
	case inHorizon(t):
		return t.UnixNano()
	case t.Unix() < 0:
		return -1
	}
	return lastNano
}
