package schedule

import (
	"slices"
	"sync"
	"time"
)

// Cache compiles schedules from their text form, each once: many jobs share one
// text. The zero value is ready, and safe for concurrent use.
type Cache struct {
	compiler Compiler // loads each zone once

	mu     sync.Mutex
	byText map[string]cached
	round  int // of Refresh: what was compiled before one is not kept after it
}

type cached struct {
	sched *Schedule
	of    []Spec // what it was compiled from
	specs []Spec // if it depends on the job instead
}

// cacheKept bounds the memory: beyond it, each schedule takes the place of some
// other one.
const cacheKept = 10_000

// Get returns the schedule that a text describes for a job.
func (c *Cache) Get(text, job string) (*Schedule, error) {
	found, round, ok := c.look(text)
	switch {
	case ok && found.specs == nil:
		return found.sched, nil
	case ok:
		return c.get(text+"\x00"+job, For(job, found.specs))
	}
	specs, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if Hashed(specs) {
		c.keep(text, cached{specs: specs}, round)
		return c.get(text+"\x00"+job, For(job, specs))
	}
	return c.get(text, specs)
}

func (c *Cache) get(key string, specs []Spec) (*Schedule, error) {
	found, round, ok := c.look(key)
	if ok {
		return found.sched, nil
	}
	sched, err := c.compiler.Compile(specs...)
	if err == nil {
		c.keep(key, cached{sched: sched, of: specs}, round)
	}
	return sched, err
}

// Specs is Parse, spared where the schedule is compiled already. What it returns is shared,
// and not to be changed.
func (c *Cache) Specs(text string) ([]Spec, error) {
	switch found, _, ok := c.look(text); {
	case !ok:
		return Parse(text)
	case found.specs != nil:
		return found.specs, nil
	default:
		return found.of, nil
	}
}

// Knows tells if the schedule that a text describes is compiled already, and from these
// Specs. The text alone does not say that: it is faithful only to what can be compiled.
func (c *Cache) Knows(text string, specs []Spec) bool {
	found, _, ok := c.look(text)
	return ok && found.sched != nil && slices.Equal(found.of, specs)
}

// Refresh looks if the machine's time-zone data has changed, as far as it
// matters in the next ten years. If so, it compiles everything anew from then on
// and tells so.
func (c *Cache) Refresh(now time.Time) (changed bool) {
	if changed = c.compiler.refresh(now); changed {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.byText = nil
		c.round++
	}
	return changed
}

func (c *Cache) look(key string) (found cached, round int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok = c.byText[key]
	return found, c.round, ok
}

func (c *Cache) keep(key string, v cached, round int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if round != c.round {
		return
	}
	if c.byText == nil {
		c.byText = map[string]cached{}
	}
	if len(c.byText) >= cacheKept {
		for other := range c.byText {
			delete(c.byText, other)
			break
		}
	}
	c.byText[key] = v
}
