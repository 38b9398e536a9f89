package chronosprom

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chronos-go/chronos"
)

// jobMetric is a number of one job; ok tells if it has one.
type jobMetric struct {
	desc  *prometheus.Desc
	value func(j *chronos.Job) (v float64, ok bool)
}

func ofJob(name, help string, value func(st *chronos.JobState) float64) jobMetric {
	return jobMetric{gauge(name, help, "job_id"), func(j *chronos.Job) (float64, bool) { return value(&j.State), true }}
}

func instantOf(name, help string, value func(st *chronos.JobState) time.Time) jobMetric {
	return jobMetric{gauge(name, help, "job_id"), func(j *chronos.Job) (float64, bool) {
		at := value(&j.State)
		return seconds(at), !at.IsZero()
	}}
}

var jobMetrics = []jobMetric{
	instantOf("chronos_job_next_due_timestamp_seconds", "When the job is due next.", func(st *chronos.JobState) time.Time { return st.NextDue }),
	instantOf("chronos_job_last_success_timestamp_seconds", "When the job has succeeded last.", func(st *chronos.JobState) time.Time { return st.LastSuccess }),
	instantOf("chronos_job_succeed_by_timestamp_seconds", "When the job has to have succeeded again.", func(st *chronos.JobState) time.Time { return st.SucceedBy }),
	ofJob("chronos_job_failures_in_a_row", "Executions of the job in a row that have failed for good.", func(st *chronos.JobState) float64 { return float64(st.Failures) }),
	ofJob("chronos_job_overdue", "1 if the job has not succeeded in time.", func(st *chronos.JobState) float64 { return truth(st.Overdue) }),
	ofJob("chronos_job_paused", "1 while the job is paused.", func(st *chronos.JobState) float64 { return truth(st.Paused) }),
	ofJob("chronos_job_unfinished", "Executions of the job that are not final.", func(st *chronos.JobState) float64 { return float64(st.Unfinished) }),
	ofJob("chronos_job_buffered", "Executions of the job that wait for another one of it.", func(st *chronos.JobState) float64 { return float64(st.Buffered) }),
}

var (
	jobEndedDesc  = gauge("chronos_job_executions_total", "Executions of the job that have ended, and instants at which it did not run, since this node began, by events: see chronos_events_dropped_total.", "job_id", "status")
	truncatedDesc = gauge("chronos_job_series_truncated", "1 if more jobs than Options.MaxJobs could have series.")
	droppedDesc   = gauge("chronos_events_dropped_total", "Events that came too fast to be counted for single jobs.")
)

// jobSeries shows a bounded number of jobs.
type jobSeries struct {
	options Options

	reading sync.Mutex // one look at the jobs at a time

	mu      sync.Mutex
	ended   map[string]map[chronos.Status]uint64
	dropped uint64
	jobs    []chronos.Job // of the newest look, without what is not shown
	shown   map[string]bool
	more    bool
	read    time.Time
}

func newJobSeries(o Options) *jobSeries {
	return &jobSeries{options: o, ended: map[string]map[chronos.Status]uint64{}}
}

// follow counts events until there are no more.
func (js *jobSeries) follow(events <-chan chronos.Event) {
	go func() {
		for ev := range events {
			js.count(ev)
		}
	}()
}

func (js *jobSeries) count(ev chronos.Event) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.dropped += uint64(ev.Dropped)
	if ev.Kind != chronos.EventExecutionEnded {
		return
	}
	of := js.ended[ev.Job]
	if of == nil {
		if len(js.ended) >= js.options.MaxJobs && !js.shown[ev.Job] {
			return // it would not be shown, most probably
		}
		of = map[chronos.Status]uint64{}
		js.ended[ev.Job] = of
	}
	of[ev.Execution.Status] += uint64(ev.Instants)
}

func (js *jobSeries) collect(ch chan<- prometheus.Metric, s *chronos.Scheduler, now time.Time) {
	js.refresh(s, now)
	js.mu.Lock()
	defer js.mu.Unlock()
	for i := range js.jobs {
		j := &js.jobs[i]
		for _, m := range jobMetrics {
			if v, ok := m.value(j); ok {
				ch <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, v, j.ID)
			}
		}
		for status, n := range js.counted(j.ID) {
			ch <- prometheus.MustNewConstMetric(jobEndedDesc, prometheus.CounterValue, float64(n), j.ID, string(status))
		}
	}
	ch <- prometheus.MustNewConstMetric(truncatedDesc, prometheus.GaugeValue, truth(js.more))
	ch <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(js.dropped))
}

// counted is how often a job's executions ended in which way. The common ones are
// there from the beginning, so that the first one is an increase.
func (js *jobSeries) counted(job string) map[chronos.Status]uint64 {
	out := map[chronos.Status]uint64{chronos.StatusSucceeded: 0, chronos.StatusFailed: 0, chronos.StatusTimedOut: 0, chronos.StatusMissed: 0}
	maps.Copy(out, js.ended[job])
	return out
}

// refresh looks at the jobs if the last look is too old. What could not be read is
// shown as it was.
func (js *jobSeries) refresh(s *chronos.Scheduler, now time.Time) {
	js.reading.Lock()
	defer js.reading.Unlock()
	js.mu.Lock()
	fresh := !js.read.IsZero() && now.Sub(js.read) < js.options.Refresh && now.Sub(js.read) >= 0
	js.mu.Unlock()
	if fresh {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var jobs []chronos.Job
	shown, more := map[string]bool{}, false
	for j, err := range s.Jobs(ctx, js.options.Jobs) {
		if err != nil {
			return
		}
		if more = len(jobs) == js.options.MaxJobs; more {
			break
		}
		shown[j.ID] = true
		jobs = append(jobs, chronos.Job{ID: j.ID, State: j.State})
	}
	js.mu.Lock()
	defer js.mu.Unlock()
	js.jobs, js.shown, js.more, js.read = jobs, shown, more, now
	for id := range js.ended {
		if !shown[id] {
			delete(js.ended, id)
		}
	}
}
