package chronos

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Bounds of a Simulation. They are part of the documentation of its fields.
const (
	simulatedInstants = 1_000_000
	simulatedFires    = 10_000
	simulatedMinutes  = 366 * 24 * 60
	simulatedShifts   = 1_000
	simulatedPast     = 100 // durations of a job
	simulatedNamed    = 10  // jobs that Cut names
)

// Simulation is what jobs would do from one instant up to another, both included:
// plain data, for tests and for a dashboard. It is bounded; Cut says what the bounds
// have left out.
type Simulation struct {
	From, To time.Time
	// Until is up to where every instant of every job was counted: To, unless there are
	// more than 1,000,000. From there on jobs are cut off that have had their share of
	// these, 1,000,000 by the number of jobs with a schedule; the others go on until they
	// have had it. SimulatedJob.Until says up to where each was counted.
	Until time.Time
	// Instants is how many due instants were counted, 2,000,000 at most.
	Instants int
	// Jobs has a row for each job, in the order they came in.
	Jobs []SimulatedJob
	// Fires are the due instants in order, the first 10,000 of them.
	Fires []SimulatedFire
	// Load has a row for each minute in which something is due or starts, in order, the
	// first 527,040 of them: 366 days. Peak is that of all minutes in which most starts;
	// the first of several. After Until both are without the jobs that were cut off.
	Load []SimulatedMinute
	Peak SimulatedMinute
	// Clock has the daylight-saving shifts that a job has due times in, in order, the
	// first 1,000 of them.
	Clock []ClockShift
	// Cut says in words what was left out because of a bound; empty if nothing was.
	Cut []string
}

// SimulatedJob is what one job would do.
type SimulatedJob struct {
	Job         string
	Instants    int       // at which it is due, up to Until
	First, Last time.Time // of them; zero if there is none
	// Until is up to where they were counted: Simulation.To, unless there were too many.
	Until time.Time
	// Typical and Slow are the median and the 95th percentile of how long its past
	// executions took, from the start of the first attempt to the end of the last one,
	// waiting for retries included; Samples is how many of the past there were, at
	// most the newest 100. Zero without a past.
	Typical, Slow time.Duration
	Samples       int
	// Overlaps is at how many instants it would still be unfinished if every execution
	// took Typical, SlowOverlaps if every one took Slow. Lost is how many of the former
	// would not run because of that, by its overlap policy.
	Overlaps, SlowOverlaps, Lost int
	// Note says what the numbers do not: that it is paused, or what was assumed.
	Note string
}

// SimulatedFire is one due instant of a job.
type SimulatedFire struct {
	Job string
	Due time.Time
	// Start is when it would start: Due with the schedule's jitter, or the expected end
	// of the execution that it would wait for. Zero if it would not run.
	Start time.Time
	// Overlap says that the job would still be unfinished at Due, by its typical
	// duration. Status and Reason are then what the ledger would say of an instant that
	// does not run: StatusSkipped or StatusDropped.
	Overlap bool
	Status  Status
	Reason  Reason
}

// SimulatedMinute is a minute in which something is due or starts.
type SimulatedMinute struct {
	At     time.Time // when it begins
	Due    int       // instants in it
	Starts int       // what starts in it: later than due with jitter, or out of a buffer
	// Unfinished is how many executions would be unfinished at once, at most, as one
	// of them starts; by typical durations, so without a past it counts those that
	// start at the same instant.
	Unfinished int
}

// ClockShift is a change of the clock that a job has due times in.
type ClockShift struct {
	Job  string
	At   time.Time // when the clock is changed, in the job's zone
	Zone string
	By   time.Duration // forward if positive: times are missing; otherwise they come twice
	// First is the first of the job's times that are missing or come twice, as the
	// clock shows it ("02:30:00"), and Times how many there are; at most 1,000 are
	// counted.
	First string
	Times int
	// What says what the job's schedule does there.
	What string
}

// Simulate says what jobs would do from one instant up to another, both included,
// without running them: what would be due when, how much starts in a minute, which
// overlaps are to be expected, and what happens when the clock is put forward or back.
// Jobs may come from code that is not deployed yet, or from Scheduler.Jobs; what a
// stored one has in its State counts (Paused, Runs, NextDue of a fixed delay).
//
// The past are executions by which it expects how long the next ones take: those of
// Scheduler.Executions, for example, newest first. Of each job the first 100 count
// that ran to their end. Without a past executions take no time, and nothing overlaps.
//
// It assumes that a scheduler is there all the time and has room, and that everything
// succeeds. Job.Misfire, StartDeadline, Retry, Concurrency and the number of nodes play
// no part.
//
// An error names the jobs, and matches ErrInvalid: one that Put would refuse for what
// concerns its schedule and policies, or two with one ID. The simulation is that of the
// others then; it is empty if the range is not valid.
func Simulate(jobs []Job, from, to time.Time, past ...Execution) (Simulation, error) {
	if err := checkRange(from, to); err != nil {
		return Simulation{}, err
	}
	sim := &simulator{out: Simulation{From: from.UTC(), To: to.UTC(), Until: to.UTC()}, from: from, to: to}
	var errs []error
	known := durations(past)
	seen := map[string]bool{}
	for _, j := range jobs {
		if seen[j.ID] {
			errs = append(errs, fmt.Errorf("job %q: %w", j.ID, invalid("Job.ID", "is that of another job")))
			continue
		}
		seen[j.ID] = true
		if err := sim.add(j, known[j.ID]); err != nil {
			errs = append(errs, fmt.Errorf("job %q: %w", j.ID, err))
		}
	}
	sim.run()
	return sim.out, errors.Join(errs...)
}

func checkRange(from, to time.Time) error {
	switch {
	case from.IsZero():
		return invalid("from", "is required")
	case to.Before(from):
		return invalid("to", "%s is before from, %s", to.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339))
	}
	return nil
}

// durations are how long executions of each job took, sorted.
func durations(past []Execution) map[string][]time.Duration {
	out := map[string][]time.Duration{}
	for i := range past {
		x := &past[i]
		if d, ok := duration(x); ok && len(out[x.Job]) < simulatedPast {
			out[x.Job] = append(out[x.Job], d)
		}
	}
	for _, d := range out {
		slices.Sort(d)
	}
	return out
}

// duration is for how long an execution was unfinished after its first start; one that
// was cut short says nothing.
func duration(x *Execution) (time.Duration, bool) {
	switch x.Status {
	case StatusSucceeded, StatusFailed, StatusTimedOut:
	default:
		return 0, false
	}
	if len(x.Attempts) == 0 || x.Attempts[0].Started.IsZero() || x.EndedAt.Before(x.Attempts[0].Started) {
		return 0, false
	}
	return x.EndedAt.Sub(x.Attempts[0].Started), true
}

// percentile is by nearest rank.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}
