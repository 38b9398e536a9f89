package chronosotel

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/chronos-go/chronos"
)

// reading is a number that NodeStatus holds; ok tells if it does. Names and units are
// such that Prometheus' translation of them gives the names of the module for
// Prometheus, so that its dashboard and its rules fit.
type reading struct {
	name, unit, help string
	value            func(st *chronos.NodeStatus, now time.Time) (v float64, ok bool)
}

func always(fn func(st *chronos.NodeStatus) float64) func(*chronos.NodeStatus, time.Time) (float64, bool) {
	return func(st *chronos.NodeStatus, _ time.Time) (float64, bool) { return fn(st), true }
}

// clustered is for what only a cluster has.
func clustered(fn func(st *chronos.NodeStatus) float64) func(*chronos.NodeStatus, time.Time) (float64, bool) {
	return func(st *chronos.NodeStatus, _ time.Time) (float64, bool) {
		if st.Members == nil {
			return 0, false
		}
		return fn(st), true
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

var readings = []reading{
	{"chronos.ready", "", "1 if the node accepts writes.", always(func(st *chronos.NodeStatus) float64 { return truth(st.Ready) })},
	{"chronos.running", "", "1 while Run runs: the node takes attempts.", always(func(st *chronos.NodeStatus) float64 { return truth(st.Running) })},
	{"chronos.stopped", "", "1 if the node has met something that it cannot go on from.", always(func(st *chronos.NodeStatus) float64 { return truth(st.Err != nil) })},
	{"chronos.attempts.running", "{attempt}", "Attempts that run on this node.", always(func(st *chronos.NodeStatus) float64 { return float64(st.Attempts) })},
	{"chronos.attempts.assigned", "{attempt}", "Attempts that this node holds and whose instant has not come.", always(func(st *chronos.NodeStatus) float64 { return float64(st.Assigned) })},
	{"chronos.attempts.stuck", "{attempt}", "Attempts on this node that were given up and whose handlers have not returned.", always(func(st *chronos.NodeStatus) float64 { return float64(st.Stuck) })},
	{"chronos.commands.queued", "{command}", "Commands of this node that wait to be committed.", always(func(st *chronos.NodeStatus) float64 { return float64(st.Queue) })},
	{"chronos.term", "", "Raft's term.", always(func(st *chronos.NodeStatus) float64 { return float64(st.Term) })},
	{"chronos.commit_index", "", "Log entry up to which this node knows the log to be committed.", always(func(st *chronos.NodeStatus) float64 { return float64(st.CommitIndex) })},
	{"chronos.applied_index", "", "Log entry up to which this node has applied the log.", always(func(st *chronos.NodeStatus) float64 { return float64(st.AppliedIndex) })},
	{"chronos.log", "By", "Bytes of the log since the newest snapshot.", always(func(st *chronos.NodeStatus) float64 { return float64(st.LogBytes) })},
	{"chronos.records", "", "Records in the state.", always(func(st *chronos.NodeStatus) float64 { return float64(st.Records) })},
	{"chronos.feature_level", "", "Feature level in use.", always(func(st *chronos.NodeStatus) float64 { return float64(st.Level) })},
	{"chronos.disk.full", "", "1 while writes are refused for want of room.", always(func(st *chronos.NodeStatus) float64 { return truth(st.DiskFull) })},
	{"chronos.disk.free", "By", "Bytes that may still be written to the volume of the directory.", func(st *chronos.NodeStatus, _ time.Time) (float64, bool) {
		return float64(st.DiskFree), st.DiskTotal > 0
	}},
	{"chronos.disk.size", "By", "Size of the volume of the directory.", func(st *chronos.NodeStatus, _ time.Time) (float64, bool) {
		return float64(st.DiskTotal), st.DiskTotal > 0
	}},
	{"chronos.leading", "", "1 if this node leads.", clustered(func(st *chronos.NodeStatus) float64 { return truth(st.Leading) })},
	{"chronos.leader_known", "", "1 if this node knows of a leader.", clustered(func(st *chronos.NodeStatus) float64 { return truth(st.Leader != "") })},
	{"chronos.leader_contact_age", "s", "Since when this node has had no word of a leader.", func(st *chronos.NodeStatus, now time.Time) (float64, bool) {
		return max(now.Sub(st.LastContact).Seconds(), 0), st.Members != nil
	}},
	{"chronos.applied_lag_entries", "", "Entries that the leader has applied and this node, by its newest beat, has not.", clustered(func(st *chronos.NodeStatus) float64 { return float64(self(st).Behind) })},
	{"chronos.applied_lag", "s", "How long ago the leader has applied the first of them.", clustered(func(st *chronos.NodeStatus) float64 { return self(st).Delay.Seconds() })},
	{"chronos.members", "", "Members of the cluster.", clustered(func(st *chronos.NodeStatus) float64 {
		return count(st, func(chronos.Member) bool { return true })
	})},
	{"chronos.members.down", "", "Members that were not heard of for their lease.", clustered(func(st *chronos.NodeStatus) float64 {
		return count(st, func(m chronos.Member) bool { return m.Expired })
	})},
	{"chronos.members.differing", "", "Members whose state is not the leader's.", clustered(func(st *chronos.NodeStatus) float64 {
		return count(st, func(m chronos.Member) bool { return m.Differs })
	})},
	{"chronos.next_due_timestamp", "s", "Earliest instant at which something is due.", func(st *chronos.NodeStatus, _ time.Time) (float64, bool) {
		return seconds(st.NextDue), !st.NextDue.IsZero()
	}},
	{"chronos.jobs.overdue", "", "Jobs that have not succeeded within Job.SucceedWithin, as far as this node knows.", always(func(st *chronos.NodeStatus) float64 { return float64(st.Overdue) })},
	{"chronos.jobs.in_trouble", "", "Jobs that cannot be scheduled; the leader knows.", always(func(st *chronos.NodeStatus) float64 { return float64(len(st.Trouble)) })},
}

// self is what the leader knows of this node.
func self(st *chronos.NodeStatus) chronos.Member {
	for _, m := range st.Members {
		if m.Node == st.Node {
			return m
		}
	}
	return chronos.Member{}
}

func count(st *chronos.NodeStatus, want func(chronos.Member) bool) (n float64) {
	for _, m := range st.Members {
		if !m.Removed && want(m) {
			n++
		}
	}
	return n
}

// jobReading is a number of one job.
type jobReading struct {
	name, unit, help string
	value            func(st *chronos.JobState) (v float64, ok bool)
}

func flag(fn func(st *chronos.JobState) float64) func(*chronos.JobState) (float64, bool) {
	return func(st *chronos.JobState) (float64, bool) { return fn(st), true }
}

func instant(fn func(st *chronos.JobState) time.Time) func(*chronos.JobState) (float64, bool) {
	return func(st *chronos.JobState) (float64, bool) {
		at := fn(st)
		return seconds(at), !at.IsZero()
	}
}

var jobReadings = []jobReading{
	{"chronos.job.next_due_timestamp", "s", "When the job is due next.", instant(func(st *chronos.JobState) time.Time { return st.NextDue })},
	{"chronos.job.last_success_timestamp", "s", "When the job has succeeded last.", instant(func(st *chronos.JobState) time.Time { return st.LastSuccess })},
	{"chronos.job.succeed_by_timestamp", "s", "When the job has to have succeeded again.", instant(func(st *chronos.JobState) time.Time { return st.SucceedBy })},
	{"chronos.job.failures_in_a_row", "", "Executions of the job in a row that have failed for good.", flag(func(st *chronos.JobState) float64 { return float64(st.Failures) })},
	{"chronos.job.overdue", "", "1 if the job has not succeeded in time.", flag(func(st *chronos.JobState) float64 { return truth(st.Overdue) })},
	{"chronos.job.paused", "", "1 while the job is paused.", flag(func(st *chronos.JobState) float64 { return truth(st.Paused) })},
	{"chronos.job.unfinished", "", "Executions of the job that are not final.", flag(func(st *chronos.JobState) float64 { return float64(st.Unfinished) })},
	{"chronos.job.buffered", "", "Executions of the job that wait for another one of it.", flag(func(st *chronos.JobState) float64 { return float64(st.Buffered) })},
}

// instruments are what numbers are given to.
type instruments struct {
	attempts           metric.Int64Counter
	duration, lateness metric.Float64Histogram

	readings  []metric.Float64ObservableGauge
	jobs      []metric.Float64ObservableGauge
	ended     metric.Int64ObservableCounter
	queue     metric.Int64ObservableGauge
	queueAge  metric.Float64ObservableGauge
	truncated metric.Int64ObservableGauge
}

var (
	latenessBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	durationBuckets = []float64{.01, .05, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600}
)

func (i *instruments) make(m metric.Meter) error {
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	gauge := func(name, unit, help string) metric.Float64ObservableGauge {
		g, err := m.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
		note(err)
		return g
	}
	var err error
	i.attempts, err = m.Int64Counter("chronos.attempts", metric.WithDescription("Attempts on this node that are over."))
	note(err)
	i.duration, err = m.Float64Histogram("chronos.attempt.duration", metric.WithUnit("s"),
		metric.WithDescription("How long attempts on this node took."), metric.WithExplicitBucketBoundaries(durationBuckets...))
	note(err)
	i.lateness, err = m.Float64Histogram("chronos.attempt.lateness", metric.WithUnit("s"),
		metric.WithDescription("From the instant at which an execution was due, jitter included, to its first attempt, on this node."),
		metric.WithExplicitBucketBoundaries(latenessBuckets...))
	note(err)
	i.ended, err = m.Int64ObservableCounter("chronos.executions",
		metric.WithDescription("Executions that have ended in the cluster, and instants at which nothing ran, since this node began."))
	note(err)
	i.queue, err = m.Int64ObservableGauge("chronos.queue.length",
		metric.WithDescription("Executions that are due and wait: for room on a node, for a place of a concurrency key, or for a node that can run them when there is none (nobody)."))
	note(err)
	i.truncated, err = m.Int64ObservableGauge("chronos.job_series_truncated", metric.WithDescription("1 if more jobs than Options.MaxJobs could have series."))
	note(err)
	i.queueAge = gauge("chronos.queue.age", "s", "How long the one that is first in line has waited, of the queue where that is longest.")
	for _, r := range readings {
		i.readings = append(i.readings, gauge(r.name, r.unit, r.help))
	}
	for _, r := range jobReadings {
		i.jobs = append(i.jobs, gauge(r.name, r.unit, r.help))
	}
	return errors.Join(errs...)
}

func (i *instruments) observables() []metric.Observable {
	out := []metric.Observable{i.ended, i.queue, i.queueAge, i.truncated}
	for _, g := range i.readings {
		out = append(out, g)
	}
	for _, g := range i.jobs {
		out = append(out, g)
	}
	return out
}

// attempt measures one; what it returns is called with its end.
func (i *instruments) attempt(ctx context.Context, c chronos.Call) func(chronos.Attempt) {
	handler := c.Handler
	if handler == "" {
		handler = webhook
	}
	of := attribute.String("handler", handler)
	ctx = context.WithoutCancel(ctx)
	if x := c.Execution; x.Attempt == 1 {
		i.lateness.Record(ctx, max(time.Since(x.ReadyAt), 0).Seconds(), metric.WithAttributes(of))
	}
	return func(a chronos.Attempt) {
		i.attempts.Add(ctx, 1, metric.WithAttributes(of, attribute.String("status", string(a.Status)), attribute.String("reason", string(a.Reason))))
		i.duration.Record(ctx, a.Ended.Sub(a.Started).Seconds(), metric.WithAttributes(of))
	}
}

func (i *instruments) observe(o metric.Observer, st chronos.NodeStatus, now time.Time) {
	for n, r := range readings {
		if v, ok := r.value(&st, now); ok {
			o.ObserveFloat64(i.readings[n], v)
		}
	}
	for _, e := range ended(st.Ended) {
		o.ObserveInt64(i.ended, int64(e.Count), metric.WithAttributes(attribute.String("status", string(e.Status)), attribute.String("reason", string(e.Reason))))
	}
	length, age := queues(st.Waiting, now)
	for waiting, n := range length {
		of := metric.WithAttributes(attribute.String("waiting", waiting))
		o.ObserveInt64(i.queue, n, of)
		o.ObserveFloat64(i.queueAge, age[waiting], of)
	}
}

// ends are the ways in which executions end, to begin at zero: of a series that
// begins at one, nobody sees that it has increased.
var ends = map[chronos.Status][]chronos.Reason{
	chronos.StatusSucceeded:  {chronos.ReasonNone},
	chronos.StatusFailed:     {chronos.ReasonNone, chronos.ReasonStuck},
	chronos.StatusTimedOut:   {chronos.ReasonNone, chronos.ReasonStuck},
	chronos.StatusLost:       {chronos.ReasonNone, chronos.ReasonShutdown},
	chronos.StatusCanceled:   {chronos.ReasonRequest, chronos.ReasonOverlap, chronos.ReasonDeleted},
	chronos.StatusTerminated: {chronos.ReasonRequest, chronos.ReasonOverlap},
	chronos.StatusSkipped:    {chronos.ReasonOverlap, chronos.ReasonPaused},
	chronos.StatusMissed: {
		chronos.ReasonCatchUp, chronos.ReasonCatchUpMax, chronos.ReasonWindow, chronos.ReasonDeadline,
		chronos.ReasonEdit, chronos.ReasonDeleted, chronos.ReasonZone, chronos.ReasonNode,
	},
	chronos.StatusDropped: {chronos.ReasonBuffer},
}

// ended adds to what was counted what was not.
func ended(counted []chronos.Ended) []chronos.Ended {
	out := slices.Clone(counted)
	for status, reasons := range ends {
		for _, reason := range reasons {
			if !slices.ContainsFunc(counted, func(e chronos.Ended) bool { return e.Status == status && e.Reason == reason }) {
				out = append(out, chronos.Ended{Status: status, Reason: reason})
			}
		}
	}
	return out
}

// queues sums up what waits, by what for: there may be any number of keys.
func queues(waiting []chronos.Backlog, now time.Time) (length map[string]int64, age map[string]float64) {
	length = map[string]int64{"room": 0, "key": 0, "nobody": 0}
	age = map[string]float64{}
	for _, b := range waiting {
		what := "room"
		switch {
		case b.Key != "":
			what = "key"
		case b.Nobody:
			what = "nobody"
		}
		length[what] += int64(b.Count)
		if !b.Since.IsZero() {
			age[what] = max(age[what], now.Sub(b.Since).Seconds())
		}
	}
	return length, age
}

// observeJobs shows a bounded number of jobs. What could not be read is not shown.
func (t *Telemetry) observeJobs(ctx context.Context, o metric.Observer, s *chronos.Scheduler) {
	n, more := 0, int64(0)
	for j, err := range s.Jobs(ctx, t.options.Jobs) {
		if err != nil {
			return
		}
		if n == t.options.MaxJobs {
			more = 1
			break
		}
		n++
		of := metric.WithAttributes(attribute.String("job_id", j.ID))
		for k, r := range jobReadings {
			if v, ok := r.value(&j.State); ok {
				o.ObserveFloat64(t.instruments.jobs[k], v, of)
			}
		}
	}
	o.ObserveInt64(t.instruments.truncated, more)
}
