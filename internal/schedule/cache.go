package schedule

import "sync"

// Cache compiles schedules from their text form, each once: many jobs share one
// text. The zero value is ready, and safe for concurrent use.
type Cache struct {
	compiler Compiler // loads each zone once

	mu     sync.Mutex
	byText map[string]cached
}

type cached struct {
	sched *Schedule
	specs []Spec // if it depends on the job instead
}

// cacheKept bounds the memory: when it is full it starts anew.
const cacheKept = 10_000

// Get returns the schedule that a text describes for a job.
func (c *Cache) Get(text, job string) (*Schedule, error) {
	if found, ok := c.look(text); ok {
		if found.specs == nil {
			return found.sched, nil
		}
		return c.get(text+"\x00"+job, For(job, found.specs))
	}
	specs, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if Hashed(specs) {
		c.keep(text, cached{specs: specs})
		return c.get(text+"\x00"+job, For(job, specs))
	}
	return c.get(text, specs)
}

func (c *Cache) get(key string, specs []Spec) (*Schedule, error) {
	if found, ok := c.look(key); ok {
		return found.sched, nil
	}
	sched, err := c.compiler.Compile(specs...)
	if err == nil {
		c.keep(key, cached{sched: sched})
	}
	return sched, err
}

func (c *Cache) look(key string) (cached, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.byText[key]
	return found, ok
}

func (c *Cache) keep(key string, v cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byText == nil || len(c.byText) >= cacheKept {
		c.byText = map[string]cached{}
	}
	c.byText[key] = v
}
