package chronosotel

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strconv"

	"go.opentelemetry.io/otel/trace"
)

// IDs makes the IDs of an attempt's span of the execution's, so that they are
// known wherever they are needed: all attempts of an execution are one trace, whatever
// node they run on, and each is linked to the one before it. All other spans get IDs by
// chance. It is an IDGenerator of the SDK:
//
//	sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(chronosotel.NewIDs("production")), ...)
type IDs struct{ seed string }

// NewIDs makes a generator. The seed names the scheduler: give all nodes of a cluster
// the same one, and another cluster whose spans go to the same place another.
func NewIDs(seed string) *IDs { return &IDs{seed} }

type attemptKey struct{}

// attemptRef is an attempt whose span is about to be made, and what became of that.
type attemptRef struct {
	execution string
	number    int
	ids       *IDs // who has made its IDs, nil if somebody else has
}

func withAttempt(ctx context.Context, execution string, number int) (context.Context, *attemptRef) {
	ref := &attemptRef{execution: execution, number: number}
	return context.WithValue(ctx, attemptKey{}, ref), ref
}

// NewIDs gives a root span its IDs.
func (g *IDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if ref, ok := ctx.Value(attemptKey{}).(*attemptRef); ok {
		ref.ids = g
		return g.trace(ref.execution), g.span(ref.execution, ref.number)
	}
	var id trace.TraceID
	for !id.IsValid() {
		_, _ = rand.Read(id[:]) // never fails
	}
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID gives a span within a trace its ID.
func (g *IDs) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		_, _ = rand.Read(id[:])
	}
	return id
}

func (g *IDs) trace(execution string) (id trace.TraceID) {
	sum := sha256.Sum256([]byte("chronos trace\x00" + g.seed + "\x00" + execution))
	copy(id[:], sum[:])
	return id
}

func (g *IDs) span(execution string, number int) (id trace.SpanID) {
	sum := sha256.Sum256([]byte("chronos span\x00" + g.seed + "\x00" + execution + "\x00" + strconv.Itoa(number)))
	copy(id[:], sum[:])
	return id
}

// before is the span of the attempt before one, if these IDs were used for it.
func (r *attemptRef) before(sc trace.SpanContext) (trace.SpanContext, bool) {
	if r.ids == nil || r.number < 2 {
		return trace.SpanContext{}, false
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: sc.TraceID(), SpanID: r.ids.span(r.execution, r.number-1), TraceFlags: sc.TraceFlags(), Remote: true,
	}), true
}
