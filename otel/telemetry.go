package chronosotel

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/chronos-go/chronos"
)

const scope = "github.com/chronos-go/chronos/otel"

// Options configure a Telemetry. The zero value uses what is global.
type Options struct {
	// TracerProvider makes spans. Default: the global one.
	TracerProvider trace.TracerProvider
	// MeterProvider takes numbers. Default: the global one.
	MeterProvider metric.MeterProvider
	// Propagator writes a webhook's headers. Default: W3C Trace Context (traceparent,
	// tracestate), whatever is global.
	Propagator propagation.TextMapPropagator
	// MaxLinked is how many executions are remembered whose next attempt may be
	// linked to the newest one. Default 10,000.
	MaxLinked int
	// MaxJobs is how many jobs have series of their own, in the order of their IDs.
	// Default 500; -1: none.
	MaxJobs int
	// Jobs picks those that may have them. Default: all.
	Jobs chronos.Selector
}

const (
	defaultMaxLinked = 10_000
	defaultMaxJobs   = 500
	webhook          = "webhook" // in place of a handler's name
)

// Telemetry is spans and numbers of one scheduler. Make it before the scheduler, whose
// Options.Around takes its Around; then let it Observe the scheduler.
type Telemetry struct {
	options     Options
	tracer      trace.Tracer
	newest      newest
	instruments instruments

	mu           sync.Mutex
	registration metric.Registration
}

// New makes the instruments. An error is that of the meter provider.
func New(o Options) (*Telemetry, error) {
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.Propagator == nil {
		o.Propagator = propagation.TraceContext{}
	}
	if o.MaxLinked <= 0 {
		o.MaxLinked = defaultMaxLinked
	}
	if o.MaxJobs == 0 {
		o.MaxJobs = defaultMaxJobs
	}
	t := &Telemetry{options: o, tracer: o.TracerProvider.Tracer(scope), newest: newNewest(o.MaxLinked)}
	return t, t.instruments.make(o.MeterProvider.Meter(scope))
}

// Around gives attempts their spans and measures them: put it into
// chronos.Options.Around.
func (t *Telemetry) Around(ctx context.Context, c chronos.Call) (context.Context, func(chronos.Attempt)) {
	ctx, span := t.start(ctx, c)
	ended := t.instruments.attempt(ctx, c)
	return ctx, func(a chronos.Attempt) {
		ended(a)
		t.finish(span, c.Execution.ID, a)
	}
}

// Observe has the scheduler asked for its numbers whenever they are collected, until
// Close.
func (t *Telemetry) Observe(s *chronos.Scheduler) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.unregister(); err != nil {
		return err
	}
	reg, err := t.options.MeterProvider.Meter(scope).RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		now := time.Now()
		t.instruments.observe(o, s.Status(), now)
		if t.options.MaxJobs > 0 {
			t.observeJobs(ctx, o, s)
		}
		return nil
	}, t.instruments.observables()...)
	t.registration = reg
	return err
}

// Close ends what Observe has begun. It is to be called before the scheduler is
// closed, or after.
func (t *Telemetry) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unregister()
}

func (t *Telemetry) unregister() error {
	if t.registration == nil {
		return nil
	}
	reg := t.registration
	t.registration = nil
	return reg.Unregister()
}
