package chronosotel

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/chronos-go/chronos"
)

// start begins the span of an attempt, and puts it into the context and the headers.
func (t *Telemetry) start(ctx context.Context, c chronos.Call) (context.Context, trace.Span) {
	x := c.Execution
	name, kind := c.Handler, trace.SpanKindInternal
	if name == "" {
		name, kind = webhook, trace.SpanKindClient
	}
	options := []trace.SpanStartOption{
		trace.WithNewRoot(), trace.WithSpanKind(kind), trace.WithAttributes(
			attribute.String("chronos.handler", name),
			attribute.String("chronos.job.id", x.Job),
			attribute.Int64("chronos.job.version", int64(x.Version)),
			attribute.String("chronos.execution.id", x.ID),
			attribute.String("chronos.execution.origin", string(x.Origin)),
			attribute.String("chronos.execution.due", x.Due.UTC().Format(time.RFC3339Nano)),
			attribute.Int("chronos.attempt.number", x.Attempt),
			attribute.Int64("chronos.attempt.fencing_token", int64(x.FencingToken)),
			attribute.String("chronos.node", x.Node),
		),
	}
	before, known := t.newest.of(x.ID)
	if known {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: before}))
	}
	inner, ref := withAttempt(ctx, x.ID, x.Attempt) // not for what the handler starts
	_, span := t.tracer.Start(inner, "attempt "+name, options...)
	if sc := span.SpanContext(); sc.IsValid() {
		if before, ok := ref.before(sc); ok && !known {
			span.AddLink(trace.Link{SpanContext: before})
		}
		t.newest.set(x.ID, sc)
	}
	ctx = trace.ContextWithSpan(ctx, span)
	if c.Header != nil {
		t.options.Propagator.Inject(ctx, propagation.HeaderCarrier(c.Header))
	}
	return ctx, span
}

func (t *Telemetry) finish(span trace.Span, id string, a chronos.Attempt) {
	attrs := []attribute.KeyValue{attribute.String("chronos.attempt.status", string(a.Status))}
	if a.Reason != "" {
		attrs = append(attrs, attribute.String("chronos.attempt.reason", string(a.Reason)))
	}
	if a.HTTPStatus != 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", a.HTTPStatus))
	}
	span.SetAttributes(attrs...)
	switch a.Status {
	case chronos.StatusSucceeded:
		t.newest.drop(id) // there is no further one
	case chronos.StatusFailed, chronos.StatusTimedOut:
		span.SetStatus(codes.Error, a.Error)
		if a.Stack != "" {
			span.AddEvent("exception", trace.WithAttributes(
				attribute.String("exception.message", a.Error), attribute.String("exception.stacktrace", a.Stack)))
		}
	}
	span.End()
}

// newest is the newest span of executions that may have a further attempt.
type newest struct {
	max int

	mu    sync.Mutex
	spans map[string]trace.SpanContext
	order []string // as they came, those that were dropped included
}

func newNewest(most int) newest { return newest{max: most, spans: map[string]trace.SpanContext{}} }

func (n *newest) of(id string) (trace.SpanContext, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sc, ok := n.spans[id]
	return sc, ok
}

func (n *newest) set(id string, sc trace.SpanContext) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.spans[id]; !ok {
		n.order = append(n.order, id)
	}
	n.spans[id] = sc
	for len(n.spans) > n.max {
		delete(n.spans, n.order[0])
		n.order = n.order[1:]
	}
	n.tidy()
}

func (n *newest) drop(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.spans, id)
	n.tidy()
}

// tidy forgets those that were dropped, when they are more than those that are not.
func (n *newest) tidy() {
	if len(n.order) < 2*len(n.spans)+64 {
		return
	}
	rest := make([]string, 0, len(n.spans))
	seen := make(map[string]bool, len(n.spans))
	for _, id := range n.order {
		if _, ok := n.spans[id]; ok && !seen[id] {
			seen[id] = true
			rest = append(rest, id)
		}
	}
	n.order = rest
}
