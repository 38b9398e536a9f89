package chronosprom

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chronos-go/chronos"
)

// Options configure a Collector. The zero value is right for most.
type Options struct {
	// MaxJobs is how many jobs have series of their own, in the order of their IDs.
	// Default 500; -1: none. chronos_job_series_truncated is 1 when there are more.
	MaxJobs int
	// Jobs picks those that may have them. Default: all.
	Jobs chronos.Selector
	// Refresh is how old what is shown of single jobs may be. Default 15 s.
	Refresh time.Duration
	// LatenessBuckets and DurationBuckets are the bounds of the histograms, in seconds.
	// Default: from 5 ms to 5 min, and from 10 ms to 6 h.
	LatenessBuckets, DurationBuckets []float64
}

const (
	defaultMaxJobs = 500
	defaultRefresh = 15 * time.Second
	webhook        = "webhook" // in place of a handler's name
)

var (
	latenessBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	durationBuckets = []float64{.01, .05, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600}
)

// Collector collects from one scheduler. Make it before the scheduler, whose
// Options.Around takes its Around; then let it Observe the scheduler.
type Collector struct {
	options  Options
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	lateness *prometheus.HistogramVec
	jobs     *jobSeries

	mu sync.Mutex
	s  *chronos.Scheduler
}

// New makes a collector, which shows nothing of a scheduler yet.
func New(o Options) *Collector {
	if o.MaxJobs == 0 {
		o.MaxJobs = defaultMaxJobs
	}
	if o.Refresh <= 0 {
		o.Refresh = defaultRefresh
	}
	if o.LatenessBuckets == nil {
		o.LatenessBuckets = latenessBuckets
	}
	if o.DurationBuckets == nil {
		o.DurationBuckets = durationBuckets
	}
	return &Collector{
		options: o,
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "chronos_attempts_total", Help: "Attempts on this node that are over.",
		}, []string{"handler", "status", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "chronos_attempt_duration_seconds", Help: "How long attempts on this node took.", Buckets: o.DurationBuckets,
		}, []string{"handler"}),
		lateness: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "chronos_attempt_lateness_seconds", Buckets: o.LatenessBuckets,
			Help: "From the instant at which an execution was due, jitter included, to its first attempt, on this node.",
		}, []string{"handler"}),
		jobs: newJobSeries(o),
	}
}

// Around measures attempts: put it into chronos.Options.Around.
func (c *Collector) Around(ctx context.Context, call chronos.Call) (context.Context, func(chronos.Attempt)) {
	handler := call.Handler
	if handler == "" {
		handler = webhook
	}
	if x := call.Execution; x.Attempt == 1 {
		c.lateness.WithLabelValues(handler).Observe(max(time.Since(x.ReadyAt), 0).Seconds())
	}
	for _, status := range []chronos.Status{chronos.StatusSucceeded, chronos.StatusFailed, chronos.StatusTimedOut} {
		c.attempts.WithLabelValues(handler, string(status), "") // begins at zero
	}
	return ctx, func(a chronos.Attempt) {
		c.attempts.WithLabelValues(handler, string(a.Status), string(a.Reason)).Inc()
		c.duration.WithLabelValues(handler).Observe(a.Ended.Sub(a.Started).Seconds())
	}
}

// Observe sets the scheduler that is shown, until it is closed.
func (c *Collector) Observe(s *chronos.Scheduler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s = s
	if c.options.MaxJobs > 0 {
		c.jobs.follow(s.Events(context.Background()))
	}
}

func (c *Collector) scheduler() *chronos.Scheduler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.s
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	c.attempts.Describe(ch)
	c.duration.Describe(ch)
	c.lateness.Describe(ch)
	for _, m := range statusMetrics {
		ch <- m.desc
	}
	for _, m := range jobMetrics {
		ch <- m.desc
	}
	for _, d := range otherDescs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	c.attempts.Collect(ch)
	c.duration.Collect(ch)
	c.lateness.Collect(ch)
	s := c.scheduler()
	if s == nil {
		return
	}
	now := time.Now()
	collectStatus(ch, s.Status(), now)
	if c.options.MaxJobs > 0 {
		c.jobs.collect(ch, s, now)
	}
}
