package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// failoverDefault kills leaders of a cluster with the default timers, whose jobs skip
// an instant while they are unfinished: what the dead node was given waits for
// its lease.
func failoverDefault(c *child) error { return c.failover(chronos.OverlapSkip, nil) }

// failoverAllowAll: the jobs do not care about that.
func failoverAllowAll(c *child) error { return c.failover(chronos.OverlapAllowAll, nil) }

// failoverShortLease: the shortest timers there are.
func failoverShortLease(c *child) error {
	return c.failover(chronos.OverlapSkip, map[string]string{"heartbeat": "100ms", "lease": "1s"})
}

// starts are all that the nodes told of.
type starts struct {
	mu  sync.Mutex
	all []message
}

func (s *starts) since(t int64) []message {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.all)
	for i > 0 && s.all[i-1].Values["at"] >= t-int64(2*time.Second) {
		i--
	}
	var out []message
	for _, m := range s.all[i:] {
		if m.Values["at"] >= t {
			out = append(out, m)
		}
	}
	return out
}

// listen takes the starts out of a process's messages and leaves the rest.
func (s *starts) listen(p *process) {
	rest := make(chan message, 1024)
	go func(from chan message) {
		defer close(rest)
		for m := range from {
			if m.Kind == "start" {
				s.mu.Lock()
				s.all = append(s.all, m)
				s.mu.Unlock()
				continue
			}
			rest <- m
		}
	}(p.messages)
	p.messages = rest
}

// staggered are jobs that are due once a second each, spread over the second.
func staggered(n int, overlap chronos.Overlap) (jobs []chronos.Job, anchors map[string]time.Time) {
	base := time.Now().Truncate(time.Second)
	anchors = map[string]time.Time{}
	for i := range n {
		j := chronos.Job{ID: jobName(i), Handler: "noop", Overlap: overlap}
		anchors[j.ID] = base.Add(time.Duration(i) * time.Second / time.Duration(n))
		j.Schedule = chronos.Every(time.Second).Anchor(anchors[j.ID])
		jobs = append(jobs, j)
	}
	return jobs, anchors
}

// failover kills leaders at random moments.
func (c *child) failover(overlap chronos.Overlap, args map[string]string) error {
	jobs, anchors := staggered(c.Settings.Sizes.KillJobs, overlap)
	text, err := json.Marshal(jobs)
	if err != nil {
		return err
	}
	all := map[string]string{"starts": "yes", "jobs": string(text)}
	for k, v := range args {
		all[k] = v
	}
	t, err := c.newTeam(3, all)
	if err != nil {
		return err
	}
	defer t.end()
	f := &failover{c: c, team: t, starts: &starts{}, anchors: anchors}
	for i := range t.nodes {
		f.starts.listen(t.nodes[i])
	}
	for i := range t.nodes {
		if _, err := t.nodes[i].await("ready", time.Minute); err != nil {
			return err
		}
	}
	leader, err := t.leader()
	if err != nil {
		return err
	}
	if _, err := t.ask(leader, "jobs", "put", time.Minute); err != nil {
		return err
	}
	for range c.Settings.Sizes.Kills {
		if err := f.kill(); err != nil {
			return err
		}
	}
	f.report(len(jobs))
	return nil
}

type failover struct {
	c       *child
	team    *team
	starts  *starts
	anchors map[string]time.Time

	first, all, late []time.Duration
	again, held      int
}

// kill kills a leader and waits until each job has fired at an instant after that.
func (f *failover) kill() error {
	if err := f.steady(); err != nil {
		return err
	}
	time.Sleep(rand.N(time.Second))
	leader, err := f.team.leader()
	if err != nil {
		return err
	}
	dead := time.Now()
	f.team.nodes[leader].kill()
	fired, err := f.await(dead, 30*time.Second)
	if err != nil {
		return err
	}
	f.note(dead, fired)
	if err := f.team.launch(leader); err != nil {
		return err
	}
	f.starts.listen(f.team.nodes[leader])
	_, err = f.team.nodes[leader].await("ready", time.Minute)
	return err
}

// steady waits until all jobs have fired within the last second and a half.
func (f *failover) steady() error {
	for range 600 {
		seen := map[string]bool{}
		for _, m := range f.starts.since(time.Now().Add(-1500 * time.Millisecond).UnixNano()) {
			seen[m.Text] = true
		}
		if len(seen) == len(f.anchors) {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the jobs do not fire steadily")
}

// await answers the first start of each job for an instant after a moment.
func (f *failover) await(dead time.Time, limit time.Duration) (map[string]message, error) {
	for time.Since(dead) < limit {
		fired := map[string]message{}
		for _, m := range f.starts.since(dead.UnixNano()) {
			if _, ok := fired[m.Text]; !ok && m.Values["due"] >= dead.UnixNano() {
				fired[m.Text] = m
			}
		}
		if len(fired) == len(f.anchors) {
			return fired, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, fmt.Errorf("not all jobs have fired within %v of a leader's death", limit)
}

func (f *failover) note(dead time.Time, fired map[string]message) {
	first, all, late := time.Hour, time.Duration(0), time.Duration(0)
	for job, m := range fired {
		at := time.Unix(0, m.Values["at"])
		due := f.anchors[job] // its first instant after the death
		due = due.Add(dead.Sub(due).Truncate(time.Second) + time.Second)
		f.again++
		if at.Sub(due) > time.Second {
			f.held++
		}
		first, all, late = min(first, at.Sub(dead)), max(all, at.Sub(dead)), max(late, at.Sub(due))
	}
	f.first, f.all, f.late = append(f.first, first), append(f.all, all), append(f.late, late)
}

func (f *failover) report(jobs int) {
	c := f.c
	c.spread("all ", f.all, 0.5, 1)
	c.spread("late ", f.late, 0.5, 1)
	c.spread("first ", f.first, 0.5, 1)
	c.figure("held", 100*float64(f.held)/float64(f.again), "%")
	c.note("all: from the death to the first start of the last job, for an instant after the death (that takes up to a second by itself)")
	c.note("late: how long after its first instant since the death the latest job began; held: jobs that missed that instant")
	c.control("jobs that fired again, over all kills", c.counted(int64(f.again)), int64(jobs*c.Settings.Sizes.Kills))
}
