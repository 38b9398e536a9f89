package chronoshttp

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/chronos-go/chronos"
)

// simulateMost bounds how many instants one call counts, and simulateEach how many
// of one job: a job that is due every millisecond must not keep a core busy for
// long. What was cut off says so.
const (
	simulateMost = 2_000_000
	simulateEach = 700_000 // more than a week of seconds
	simulateSpan = 366 * 24 * time.Hour
	busiestMost  = 10
	firstMost    = 5
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
	From     time.Time          `json:"from" doc:"the first instant that counts"`
	To       time.Time          `json:"to" doc:"the first instant that does not count any more"`
	Bucket   duration           `json:"bucket" doc:"how finely the load is told"`
	Total    int                `json:"total" doc:"how often something is due"`
	Complete bool               `json:"complete" doc:"false: some jobs were counted in part only"`
	Jobs     []simulatedJobJSON `json:"jobs" doc:"busiest first"`
	Load     []loadJSON         `json:"load" doc:"the buckets in which something is due, earliest first"`
	Busiest  []loadJSON         `json:"busiest" doc:"the minutes in which most is due, busiest first"`
	Clock    []shiftJSON        `json:"clock" doc:"daylight-saving shifts that jobs have due times in, earliest first, at most 1000"`
	Cut      []string           `json:"cut,omitempty" doc:"what was left out of overlaps and clock because of a bound, in words"`
}

type simulatedJobJSON struct {
	ID        string      `json:"id" doc:"the job"`
	Count     int         `json:"count" doc:"how often it is due"`
	First     []time.Time `json:"first" doc:"the first instants"`
	Paused    bool        `json:"paused,omitempty" doc:"it is paused, so it is not due"`
	Estimated bool        `json:"estimated,omitempty" doc:"it counts from the end of its executions, which is not known ahead"`
	Typical   duration    `json:"typical,omitzero" doc:"the median of how long its newest executions took; absent: none has run to its end"`
	Slow      duration    `json:"slow,omitzero" doc:"their 95th percentile"`
	Overlaps  int         `json:"overlaps,omitempty" doc:"instants at which it would still be unfinished if each execution took typical"`
	Lost      int         `json:"lost,omitempty" doc:"those of them that would not run because of that, by its overlap policy"`
	CountedTo time.Time   `json:"counted_to,omitzero" doc:"counting was cut off here: the bound of one call was reached"`
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
	s := simulation{body: body, minutes: map[int64]int{}, left: simulateMost, out: simulationJSON{
		From: body.From, To: body.To, Bucket: body.Bucket, Complete: true, Jobs: []simulatedJobJSON{},
	}}
	for _, j := range jobs {
		s.count(c, j)
		if err := c.ctx.Err(); err != nil {
			return err
		}
	}
	if err := s.foresee(c, jobs); err != nil {
		return err
	}
	return c.send(s.result())
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
	for _, id := range body.Jobs {
		j, err := c.sched().Get(c.ctx, id)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	for _, d := range body.Drafts {
		if d.ID == "" {
			return nil, invalid("drafts.id", "is required")
		}
		j, err := d.Definition.job(d.ID)
		if err != nil {
			return nil, err
		}
		j.Schedule = j.Schedule.For(d.ID)
		if err := j.Schedule.Err(); err != nil {
			return nil, err
		}
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

// simulation adds up what jobs are due.
type simulation struct {
	body    simulateJSON
	out     simulationJSON
	minutes map[int64]int // by minutes since 1970
	left    int
}

func (s *simulation) count(c *call, j chronos.Job) {
	line := simulatedJobJSON{
		ID: j.ID, First: []time.Time{}, Paused: j.State.Paused,
		Estimated: fixedDelay(j),
	}
	for at := range c.fires(c.ctx, j, s.body.From, s.body.To.Add(-1)) {
		if line.Count == simulateEach || s.left == 0 {
			line.CountedTo, s.out.Complete = at, false
			break
		}
		if line.Count < firstMost {
			line.First = append(line.First, at)
		}
		line.Count++
		s.left--
		s.minutes[at.Unix()/60]++
	}
	s.out.Total += line.Count
	s.out.Jobs = append(s.out.Jobs, line)
}

// pastMost bounds how much of the ledger is read for how long executions take.
const pastMost = 5_000

// foresee adds what overlaps are to be expected, by how long the newest executions
// took, and what the shifts of the clock do.
func (s *simulation) foresee(c *call, jobs []chronos.Job) error {
	s.out.Clock = []shiftJSON{}
	if len(jobs) == 0 {
		return nil
	}
	var past []chronos.Execution
	for x, err := range c.sched().Executions(c.ctx, chronos.Query{}) {
		if err != nil {
			return err
		}
		if past = append(past, x); len(past) == pastMost {
			break
		}
	}
	sim, err := chronos.Simulate(jobs, s.body.From, s.body.To.Add(-1), past...)
	s.out.Cut = sim.Cut
	if err != nil { // the simulation is that of the others
		s.out.Cut = append(s.out.Cut, err.Error())
	}
	byJob := map[string]chronos.SimulatedJob{}
	for _, j := range sim.Jobs {
		byJob[j.Job] = j
	}
	for i := range s.out.Jobs {
		line, j := &s.out.Jobs[i], byJob[s.out.Jobs[i].ID]
		line.Typical, line.Slow, line.Overlaps, line.Lost = duration(j.Typical), duration(j.Slow), j.Overlaps, j.Lost
	}
	for _, x := range sim.Clock {
		s.out.Clock = append(s.out.Clock, shiftJSON{x.Job, x.At, x.Zone, duration(x.By), x.First, x.Times, x.What})
	}
	return nil
}

func (s *simulation) result() simulationJSON {
	slices.SortStableFunc(s.out.Jobs, func(a, b simulatedJobJSON) int { return cmp.Compare(b.Count, a.Count) })
	buckets, size := map[int64]int{}, int64(time.Duration(s.body.Bucket)/time.Minute)
	var minutes []loadJSON
	for _, m := range slices.Sorted(maps.Keys(s.minutes)) {
		buckets[m-m%size] += s.minutes[m]
		minutes = append(minutes, loadJSON{minute(m), s.minutes[m]})
	}
	s.out.Load = make([]loadJSON, 0, len(buckets))
	for _, m := range slices.Sorted(maps.Keys(buckets)) {
		s.out.Load = append(s.out.Load, loadJSON{minute(m), buckets[m]})
	}
	slices.SortStableFunc(minutes, func(a, b loadJSON) int { return cmp.Compare(b.Count, a.Count) })
	s.out.Busiest = append([]loadJSON{}, minutes[:min(busiestMost, len(minutes))]...)
	return s.out
}

func minute(m int64) time.Time { return time.Unix(m*60, 0).UTC() }
