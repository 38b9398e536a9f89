package chronosotel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/chronos-go/chronos"
	chronosotel "github.com/chronos-go/chronos/otel"
)

func labels(set attribute.Set) string {
	if set.Len() == 0 {
		return ""
	}
	var out []string
	for _, kv := range set.ToSlice() {
		out = append(out, string(kv.Key)+"="+kv.Value.Emit())
	}
	return "{" + strings.Join(out, ",") + "}"
}

func attr(s tracetest.SpanStub, key string) string {
	for _, kv := range s.Attributes {
		if string(kv.Key) == key {
			return kv.Value.Emit()
		}
	}
	return ""
}

// attempts are the spans of attempts, by beginning; the others are left out.
func attempts(e *tracetest.InMemoryExporter) (out []tracetest.SpanStub) {
	for _, s := range e.GetSpans() {
		if strings.HasPrefix(s.Name, "attempt ") {
			out = append(out, s)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].StartTime.Before(out[j].StartTime) })
	return out
}

var errBad = errors.New("bad")

// Each attempt is a root span, linked to the one before it; the handler's own spans are
// its children.
func TestSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewInMemoryExporter()
		n := open(t, spans, chronosotel.Options{}, chronos.Options{})
		n.handle("h", func(ctx context.Context, x chronos.Execution) error {
			_, child := trace.SpanFromContext(ctx).TracerProvider().Tracer("host").Start(ctx, fmt.Sprint("child ", x.Attempt))
			time.Sleep(time.Second)
			child.End()
			switch x.Attempt {
			case 1:
				return errBad
			case 2:
				panic("oh")
			}
			return nil
		})
		n.put(chronos.Job{ID: "job", Handler: "h", Schedule: chronos.At(time.Now().Add(time.Minute)),
			Retry: chronos.Retry{MaxAttempts: 3, Initial: time.Second, Multiplier: 1, NoJitter: true}})
		due := time.Now().Add(time.Minute)
		n.run()
		time.Sleep(2 * time.Minute)
		got := attempts(spans)
		if len(got) != 3 {
			t.Fatalf("%d spans", len(got))
		}
		for i, s := range got {
			if s.Name != "attempt h" || s.SpanKind != trace.SpanKindInternal || s.Parent.IsValid() || s.EndTime.Sub(s.StartTime) != time.Second ||
				!s.StartTime.Equal(due.Add(time.Duration(2*i)*time.Second)) {
				t.Errorf("span %d: %+v", i, s)
			}
			if attr(s, "chronos.attempt.number") != fmt.Sprint(i+1) || attr(s, "chronos.job.id") != "job" || attr(s, "chronos.node") != "local" ||
				attr(s, "chronos.execution.id") != attr(got[0], "chronos.execution.id") || attr(s, "chronos.execution.origin") != "schedule" {
				t.Errorf("span %d: %v", i, s.Attributes)
			}
			if i == 0 && len(s.Links) != 0 || i > 0 && (len(s.Links) != 1 || !s.Links[0].SpanContext.Equal(got[i-1].SpanContext)) {
				t.Errorf("span %d is linked to %+v", i, s.Links)
			}
			for j := range i {
				if got[j].SpanContext.TraceID() == s.SpanContext.TraceID() {
					t.Errorf("spans %d and %d are one trace", i, j)
				}
			}
			child := childOf(spans, fmt.Sprint("child ", i+1))
			if child.Parent.SpanID() != s.SpanContext.SpanID() || child.SpanContext.TraceID() != s.SpanContext.TraceID() {
				t.Errorf("the child of span %d: %+v", i, child)
			}
		}
		if s := got[0].Status; s.Code != codes.Error || s.Description != "bad" || attr(got[0], "chronos.attempt.status") != "failed" {
			t.Errorf("the first one: %+v", s)
		}
		if e := got[1].Events; len(e) != 1 || e[0].Name != "exception" || got[1].Status.Description != "panic: oh" {
			t.Errorf("the second one: %+v", e)
		}
		if s := got[2].Status; s.Code != codes.Unset || attr(got[2], "chronos.attempt.status") != "succeeded" {
			t.Errorf("the third one: %+v", s)
		}
		n.close()
	})
}

func childOf(e *tracetest.InMemoryExporter, name string) tracetest.SpanStub {
	for _, s := range e.GetSpans() {
		if s.Name == name {
			return s
		}
	}
	return tracetest.SpanStub{}
}

// A memory for links is bounded; what falls out is not linked.
func TestLinksBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewInMemoryExporter()
		n := open(t, spans, chronosotel.Options{MaxLinked: 10}, chronos.Options{})
		n.handle("h", func(context.Context, chronos.Execution) error { return errBad })
		var jobs []chronos.Job
		for i := range 30 {
			jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("job-%02d", i), Handler: "h", Schedule: chronos.At(time.Now().Add(time.Minute + time.Duration(i)*time.Second)),
				Retry: chronos.Retry{MaxAttempts: 2, Initial: time.Minute, NoJitter: true}})
		}
		n.put(jobs...)
		n.run()
		time.Sleep(10 * time.Minute)
		linked := 0
		for _, s := range attempts(spans) {
			linked += len(s.Links)
		}
		if linked != 0 { // each had thirty newer ones
			t.Errorf("%d are linked", linked)
		}
		n.close()
	})
}

// A receiver is sent the span of the attempt, by the client that guards addresses.
func TestWebhook(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("Traceparent"))
		if len(got) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	spans := tracetest.NewInMemoryExporter()
	n := open(t, spans, chronosotel.Options{}, chronos.Options{})
	n.run()
	n.put(chronos.Job{ID: "job", Webhook: &chronos.Webhook{URL: server.URL}, Retry: chronos.Retry{MaxAttempts: 2, Initial: time.Millisecond}})
	x, err := n.Trigger(t.Context(), "job", chronos.TriggerRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if x, err = n.Wait(t.Context(), x.ID); err != nil || x.Status != chronos.StatusSucceeded {
		t.Fatalf("%+v, %v", x, err)
	}
	n.close()
	all := attempts(spans)
	if len(got) != 2 || len(all) != 2 {
		t.Fatalf("%d requests, %d spans", len(got), len(all))
	}
	for i, s := range all {
		want := fmt.Sprintf("00-%s-%s-01", s.SpanContext.TraceID(), s.SpanContext.SpanID())
		if got[i] != want || s.Name != "attempt webhook" || s.SpanKind != trace.SpanKindClient || attr(s, "http.response.status_code") != []string{"503", "200"}[i] {
			t.Errorf("request %d has %q, its span is %s: %s %v", i, got[i], want, s.Name, s.Attributes)
		}
	}
	if len(all[1].Links) != 1 || !all[1].Links[0].SpanContext.Equal(all[0].SpanContext) {
		t.Errorf("links %+v", all[1].Links)
	}
}

// With IDs the attempts of an execution are one trace, and linked, also when the node
// that ran the first one is gone.
func TestClusterSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewInMemoryExporter()
		net, nodes := cluster(t, spans, "a", "b", "c")
		began := make(chan string, 10)
		var release sync.Once
		goOn := make(chan bool)
		for name, n := range nodes {
			n.handle("h", func(ctx context.Context, x chronos.Execution) error {
				began <- name
				if x.Attempt == 1 {
					<-ctx.Done()
					return ctx.Err()
				}
				release.Do(func() { close(goOn) })
				return nil
			})
			n.run()
		}
		time.Sleep(time.Second)
		for _, n := range nodes {
			n.put(chronos.Job{ID: "job", Handler: "h"})
			if _, err := n.Trigger(t.Context(), "job", chronos.TriggerRequest{}); err != nil {
				t.Fatal(err)
			}
			break
		}
		first := <-began
		net.Isolate("addr-" + first)
		<-goOn
		net.Join("addr-" + first)
		time.Sleep(time.Minute)
		got := attempts(spans)
		if len(got) != 2 {
			t.Fatalf("%d spans", len(got))
		}
		one, two := got[0], got[1]
		if attr(one, "chronos.node") != first || attr(two, "chronos.node") == first || attr(one, "chronos.attempt.status") != "terminated" {
			t.Errorf("on %s and %s, the first one %s", attr(one, "chronos.node"), attr(two, "chronos.node"), attr(one, "chronos.attempt.status"))
		}
		if one.SpanContext.TraceID() != two.SpanContext.TraceID() || len(two.Links) != 1 || two.Links[0].SpanContext.SpanID() != one.SpanContext.SpanID() {
			t.Errorf("%v is followed by %v, linked to %+v", one.SpanContext, two.SpanContext, two.Links)
		}
		closeAll(nodes)
	})
}

// The host's sampler decides by the trace of an execution; other spans get IDs by chance,
// also within a handler.
func TestIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewInMemoryExporter()
		n := open(t, spans, chronosotel.Options{}, chronos.Options{Retention: chronos.Retention{Count: -1}},
			sdktrace.WithIDGenerator(chronosotel.NewIDs("x")), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.25))))
		roots := 0
		n.handle("h", func(ctx context.Context, x chronos.Execution) error {
			_, root := trace.SpanFromContext(ctx).TracerProvider().Tracer("host").Start(ctx, "root", trace.WithNewRoot())
			if root.SpanContext().TraceID() == trace.SpanContextFromContext(ctx).TraceID() {
				t.Error("a root of the handler's has the attempt's IDs")
			}
			root.End()
			roots++
			return errBad
		})
		n.put(chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second), Retry: chronos.Retry{MaxAttempts: 2, Initial: time.Millisecond}})
		n.run()
		time.Sleep(1000*time.Second + 500*time.Millisecond)
		byTrace := map[trace.TraceID]int{}
		for _, s := range attempts(spans) {
			byTrace[s.SpanContext.TraceID()]++
		}
		for id, n := range byTrace {
			if n != 2 { // all of an execution or nothing
				t.Errorf("trace %s has %d spans", id, n)
			}
		}
		if len(byTrace) < 180 || len(byTrace) > 320 || roots != 2000 {
			t.Errorf("%d of 1000 traces were sampled; the handler was called %d times", len(byTrace), roots)
		}
		n.close()
	})
}

func TestNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		n := open(t, tracetest.NewInMemoryExporter(), chronosotel.Options{MaxJobs: 3}, chronos.Options{Dir: t.TempDir()})
		n.handle("good", func(context.Context, chronos.Execution) error {
			time.Sleep(2 * time.Second)
			return nil
		})
		n.handle("bad", func(context.Context, chronos.Execution) error { return errBad })
		minute := chronos.Every(time.Minute)
		n.put(
			chronos.Job{ID: "good", Handler: "good", Schedule: minute},
			chronos.Job{ID: "bad", Handler: "bad", Schedule: minute, SucceedWithin: 150 * time.Second, Retry: chronos.Retry{MaxAttempts: 2, NoJitter: true}},
			chronos.Job{ID: "nobody", Handler: "none", Schedule: chronos.At(begin.Add(time.Minute))},
		)
		n.run()
		time.Sleep(3*time.Minute + 30*time.Second)
		n.want(map[string]float64{
			"chronos.ready": 1, "chronos.running": 1, "chronos.stopped": 0, "chronos.disk.full": 0, "chronos.leading": absent,
			"chronos.executions{reason=,status=succeeded}": 3, "chronos.executions{reason=,status=failed}": 3, "chronos.executions{reason=catch_up,status=missed}": 0,
			"chronos.attempts{handler=good,reason=,status=succeeded}": 3, "chronos.attempts{handler=bad,reason=,status=failed}": 6,
			"chronos.attempt.duration.sum{handler=good}": 6, "chronos.attempt.lateness.count{handler=bad}": 3, "chronos.attempt.lateness.sum{handler=good}": 0,
			"chronos.queue.length{waiting=nobody}": 1, "chronos.queue.age{waiting=nobody}": 150, "chronos.queue.length{waiting=key}": 0,
			"chronos.jobs.overdue": 1, "chronos.job.overdue{job_id=bad}": 1, "chronos.job.failures_in_a_row{job_id=bad}": 3,
			"chronos.job.next_due_timestamp{job_id=good}": float64(begin.Add(4 * time.Minute).Unix()), "chronos.next_due_timestamp": float64(begin.Add(4 * time.Minute).Unix()),
			"chronos.job.last_success_timestamp{job_id=bad}": absent, "chronos.job_series_truncated": 0,
		})
		n.put(chronos.Job{ID: "zzz", Handler: "bad"})
		n.want(map[string]float64{"chronos.job_series_truncated": 1, "chronos.job.paused{job_id=zzz}": absent, "chronos.job.paused{job_id=good}": 0})
		if v := n.values(); v["chronos.disk.free"] == 0 || v["chronos.disk.size"] < v["chronos.disk.free"] {
			t.Errorf("disk: %v of %v", v["chronos.disk.free"], v["chronos.disk.size"])
		}
		n.close()
		if v := collect(t, n.reader); v["chronos.attempt.duration.sum{handler=good}"] != 6 || v["chronos.ready"] != 0 {
			t.Error("after Close:", v)
		}
	})
}

func TestClusterNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := cluster(t, tracetest.NewInMemoryExporter(), "a", "b", "c")
		for _, n := range nodes {
			n.handle("h", func(context.Context, chronos.Execution) error { return nil })
			n.run()
		}
		time.Sleep(time.Second)
		for i := range 10 {
			nodes["b"].put(chronos.Job{ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: chronos.Every(time.Minute)})
		}
		time.Sleep(5*time.Minute + 30*time.Second)
		made, leading := 0.0, 0.0
		for _, n := range nodes {
			v := n.values()
			made += v["chronos.attempts{handler=h,reason=,status=succeeded}"]
			leading += v["chronos.leading"]
			n.want(map[string]float64{"chronos.executions{reason=,status=succeeded}": 50, "chronos.members": 3, "chronos.members.down": 0, "chronos.leader_known": 1})
		}
		if leading != 1 || made != 50 {
			t.Errorf("%v lead, %v attempts", leading, made)
		}
		closeAll(nodes)
	})
}
