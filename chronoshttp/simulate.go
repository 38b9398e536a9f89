package chronoshttp

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

const (
	simulateSpan = 366 * 24 * time.Hour
	busiestMost  = 10
	firstMost    = 5
	pastMost     = 20_000 // rows of the ledger that are read for how long jobs take
	pastEach     = 200    // and of one job
	pastLeast    = 10     // however many jobs there are
)

// simulateJSON is the body of a simulation.
type simulateJSON struct {
	From   time.Time   `json:"from,omitzero" doc:"default: now"`
	To     time.Time   `json:"to,omitzero" doc:"not included; default: a week after from; at most 366 days"`
	Bucket duration    `json:"bucket,omitzero" doc:"how finely the load is told, whole minutes; default 1h"`
	Jobs   []string    `json:"jobs,omitempty" doc:"IDs of jobs; default: all that are stored, unless drafts are given"`
	Drafts []draftJSON `json:"drafts,omitempty" doc:"jobs that are not stored, or not so: what if"`
}

type draftJSON struct {
	ID         string         `json:"id" doc:"the name of the job"`
	Definition definitionJSON `json:"definition" doc:"what it would be"`
}

// simulationJSON is what would be due.
type simulationJSON struct {
	From      time.Time          `json:"from" doc:"the first instant that counts"`
	To        time.Time          `json:"to" doc:"the first instant that does not count any more"`
	Bucket    duration           `json:"bucket" doc:"how finely the load is told"`
	Total     int                `json:"total" doc:"how often something is due"`
	Complete  bool               `json:"complete" doc:"false: some jobs were counted in part only"`
	CountedTo time.Time          `json:"counted_to,omitzero" doc:"up to here all jobs were counted; from here on total, load and busiest are without those that have a counted_to of their own"`
	Jobs      []simulatedJobJSON `json:"jobs" doc:"busiest first"`
	Load      []loadJSON         `json:"load" doc:"the buckets in which something is due, earliest first"`
	Busiest   []loadJSON         `json:"busiest" doc:"the minutes in which most is due, busiest first"`
	Clock     []shiftJSON        `json:"clock" doc:"daylight-saving shifts that jobs have due times in, earliest first, at most 1000"`
	Cut       []string           `json:"cut,omitempty" doc:"what was left out because of a bound, in words"`
}

type simulatedJobJSON struct {
	ID        string      `json:"id" doc:"the job"`
	Count     int         `json:"count" doc:"how often it is due"`
	First     []time.Time `json:"first" doc:"the first instants"`
	Paused    bool        `json:"paused,omitempty" doc:"it is paused, so it is not due"`
	Estimated bool        `json:"estimated,omitempty" doc:"it counts from the end of its executions, which is not known ahead"`
	Note      string      `json:"note,omitempty" doc:"what the numbers do not say"`
	Typical   duration    `json:"typical,omitzero" doc:"the median of how long its newest executions took, at most 100; absent: none of them has run to its end"`
	Slow      duration    `json:"slow,omitzero" doc:"their 95th percentile"`
	Overlaps  int         `json:"overlaps,omitempty" doc:"instants at which it would still be unfinished if each execution took typical"`
	Lost      int         `json:"lost,omitempty" doc:"those of them that would not run because of that, by its overlap policy"`
	CountedTo time.Time   `json:"counted_to,omitzero" doc:"from here on it was not counted: there was too much to count, and it had had its share"`
}

// shiftJSON is a change of the clock.
type shiftJSON struct {
	Job   string    `json:"job" doc:"which has due times in it"`
	At    time.Time `json:"at" doc:"when the clock is changed"`
	Zone  string    `json:"zone" doc:"of the job"`
	By    duration  `json:"by" doc:"forward if positive: times are missing; otherwise they come twice"`
	First string    `json:"first" doc:"the first of the job's times that are concerned, as the clock shows it"`
	Times int       `json:"times" doc:"how many there are; at most 1000 are counted"`
	What  string    `json:"what" doc:"what the schedule does there"`
}

type loadJSON struct {
	At    time.Time `json:"at" doc:"when the bucket begins"`
	Count int       `json:"count" doc:"how often something is due in it"`
}

func simulate(c *call) error {
	var body simulateJSON
	if err := c.read(&body); err != nil {
		return err
	}
	if err := body.fill(); err != nil {
		return err
	}
	jobs, err := c.simulated(body)
	if err != nil {
		return err
	}
	past, err := c.past(jobs)
	if err != nil {
		return err
	}
	sim, refused := chronos.Simulate(jobs, body.From, body.To.Add(-1), past...)
	if err := c.ctx.Err(); err != nil {
		return err
	}
	out := showSimulation(body, sim)
	if refused != nil { // stored by another release, perhaps; the simulation is that of the others
		out.Cut = append(out.Cut, refused.Error())
	}
	out.Jobs = c.simulatedJobs(body, sim, jobs)
	return c.send(out)
}

func (b *simulateJSON) fill() error {
	if b.From.IsZero() {
		b.From = time.Now().UTC()
	}
	if b.To.IsZero() {
		b.To = b.From.Add(7 * 24 * time.Hour)
	}
	if b.Bucket == 0 {
		b.Bucket = duration(time.Hour)
	}
	switch d := time.Duration(b.Bucket); {
	case !b.To.After(b.From):
		return invalid("to", "is not after from")
	case b.To.Sub(b.From) > simulateSpan:
		return invalid("to", "is more than 366 days after from")
	case d < time.Minute || d%time.Minute != 0:
		return invalid("bucket", "has to be a number of whole minutes, such as 1m or 1h0m0s")
	}
	return nil
}

// simulated are the jobs that a simulation is about.
func (c *call) simulated(body simulateJSON) (jobs []chronos.Job, err error) {
	seen := map[string]bool{}
	for _, id := range body.Jobs {
		j, err := c.sched().Get(c.ctx, id)
		if err != nil {
			return nil, err
		}
		if seen[id] {
			return nil, invalid("jobs", "names "+id+" twice")
		}
		seen[id] = true
		jobs = append(jobs, j)
	}
	for _, d := range body.Drafts {
		j, err := d.job()
		if err != nil {
			return nil, err
		}
		if seen[d.ID] {
			return nil, invalid("drafts.id", "is "+d.ID+" twice, or is among jobs, too; leave one out")
		}
		seen[d.ID] = true
		jobs = append(jobs, j)
	}
	if jobs != nil {
		return jobs, nil
	}
	for j, err := range c.sched().Jobs(c.ctx, nil) {
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// job is a draft as a job, with everything checked that a simulation needs.
func (d draftJSON) job() (chronos.Job, error) {
	if d.ID == "" {
		return chronos.Job{}, invalid("drafts.id", "is required")
	}
	j, err := d.Definition.job(d.ID)
	if err != nil {
		return j, err
	}
	j.Schedule = j.Schedule.For(d.ID)
	now := time.Now()
	_, err = chronos.Simulate([]chronos.Job{j}, now, now)
	return j, err
}

// past are the newest executions of jobs, by which it is known how long they take. What
// runs all the time must not hide the others, so each has its share of what is read.
func (c *call) past(jobs []chronos.Job) (out []chronos.Execution, err error) {
	each := min(pastEach, max(pastLeast, pastMost/max(1, len(jobs))))
	for _, j := range jobs {
		n := 0
		for x, err := range c.sched().Executions(c.ctx, chronos.Query{Job: j.ID}) {
			if err != nil {
				return nil, err
			}
			out = append(out, x)
			if n++; n == each {
				break
			}
		}
	}
	return out, nil
}

func showSimulation(body simulateJSON, sim chronos.Simulation) simulationJSON {
	out := simulationJSON{
		From: body.From, To: body.To, Bucket: body.Bucket, Total: sim.Instants, Complete: true,
		Load: []loadJSON{}, Busiest: []loadJSON{}, Clock: []shiftJSON{},
	}
	if sim.Until.Before(sim.To) {
		out.Complete, out.CountedTo = false, sim.Until.Add(1)
	}
	for _, text := range sim.Cut {
		if !strings.HasSuffix(text, "are in Fires") { // which nobody gets to see here
			out.Cut = append(out.Cut, text)
		}
	}
	for _, x := range sim.Clock {
		out.Clock = append(out.Clock, shiftJSON{x.Job, x.At, x.Zone, duration(x.By), x.First, x.Times, x.What})
	}
	out.load(sim.Load)
	return out
}

// load adds minutes up to buckets, and picks the busiest.
func (s *simulationJSON) load(minutes []chronos.SimulatedMinute) {
	size := int64(time.Duration(s.Bucket) / time.Minute)
	for _, m := range minutes {
		if m.Due == 0 { // what was due earlier starts in it
			continue
		}
		s.Busiest = append(s.Busiest, loadJSON{m.At, m.Due})
		at := m.At.Unix() / 60
		bucket := time.Unix((at-at%size)*60, 0).UTC()
		if n := len(s.Load); n == 0 || !s.Load[n-1].At.Equal(bucket) {
			s.Load = append(s.Load, loadJSON{At: bucket})
		}
		s.Load[len(s.Load)-1].Count += m.Due
	}
	slices.SortStableFunc(s.Busiest, func(a, b loadJSON) int { return cmp.Compare(b.Count, a.Count) })
	s.Busiest = s.Busiest[:min(busiestMost, len(s.Busiest))]
}

func (c *call) simulatedJobs(body simulateJSON, sim chronos.Simulation, jobs []chronos.Job) []simulatedJobJSON {
	byID := map[string]chronos.Job{}
	for _, j := range jobs {
		byID[j.ID] = j
	}
	out := []simulatedJobJSON{}
	for _, row := range sim.Jobs {
		j := byID[row.Job]
		line := simulatedJobJSON{
			ID: row.Job, Count: row.Instants, Paused: j.State.Paused, Estimated: fixedDelay(j), Note: row.Note,
			First:   first(min(firstMost, row.Instants), fires(c.ctx, j, body.From, body.To.Add(-1), row.Typical)),
			Typical: duration(row.Typical), Slow: duration(row.Slow), Overlaps: row.Overlaps, Lost: row.Lost,
		}
		if row.Until.Before(sim.To) {
			line.CountedTo = row.Until.Add(1)
		}
		out = append(out, line)
	}
	slices.SortStableFunc(out, func(a, b simulatedJobJSON) int { return cmp.Compare(b.Count, a.Count) })
	return out
}
