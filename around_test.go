package chronos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// onlooker notes what Options.Around is told.
type onlooker struct {
	mu    sync.Mutex
	lines []string
}

func (o *onlooker) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, clockText(time.Now())+" "+fmt.Sprintf(format, args...))
}

func (o *onlooker) want(t *testing.T, want ...string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	same(t, "told", o.lines, want)
	o.lines = nil
}

type aroundKey struct{}

func (o *onlooker) around(name string) chronos.Around {
	return func(ctx context.Context, c chronos.Call) (context.Context, func(chronos.Attempt)) {
		o.note("%s begins %s #%d of %s%s", name, c.Execution.Job, c.Execution.Attempt, c.Handler, map[bool]string{true: "webhook"}[c.Header != nil])
		above, _ := ctx.Value(aroundKey{}).(string)
		ctx = context.WithValue(ctx, aroundKey{}, above+name)
		return ctx, func(a chronos.Attempt) {
			text := string(a.Status)
			if a.Reason != "" {
				text += "(" + string(a.Reason) + ")"
			}
			if a.HTTPStatus != 0 {
				text += fmt.Sprint(" ", a.HTTPStatus)
			}
			o.note("%s ends #%d %s %s-%s %s", name, a.Number, text, clockText(a.Started), clockText(a.Ended), a.Error)
		}
	}
}

// What stands around an attempt sees its beginning and its end, from outside in and
// back, and its context is the handler's.
func TestAround(t *testing.T) {
	o := &onlooker{}
	bubble(t, chronos.Options{Around: []chronos.Around{o.around("a"), nil, o.around("b")}}, func(r *rig) {
		r.handle(func(ctx context.Context, x chronos.Execution) error {
			if got := ctx.Value(aroundKey{}); got != "ab" || string(x.Payload) != "p" {
				t.Errorf("the handler finds %v, %q", got, x.Payload)
			}
			chronos.SetOutput(ctx, []byte("out"))
			time.Sleep(time.Second)
			switch x.Attempt {
			case 1:
				return errBoom
			case 2:
				panic("oh")
			}
			return nil
		})
		r.put(chronos.Job{Schedule: chronos.At(at("00:01:00")), Payload: []byte("p"), Retry: chronos.Retry{MaxAttempts: 3, Initial: time.Second, NoJitter: true, Multiplier: 1}})
		r.start()
		r.until("00:02:00")
		o.want(t,
			"00:01:00 a begins job #1 of h", "00:01:00 b begins job #1 of h",
			"00:01:01 b ends #1 failed 00:01:00-00:01:01 boom", "00:01:01 a ends #1 failed 00:01:00-00:01:01 boom",
			"00:01:02 a begins job #2 of h", "00:01:02 b begins job #2 of h",
			"00:01:03 b ends #2 failed 00:01:02-00:01:03 panic: oh", "00:01:03 a ends #2 failed 00:01:02-00:01:03 panic: oh",
			"00:01:04 a begins job #3 of h", "00:01:04 b begins job #3 of h",
			"00:01:05 b ends #3 succeeded 00:01:04-00:01:05 ", "00:01:05 a ends #3 succeeded 00:01:04-00:01:05 ",
		)
		if x := r.rows("job")[0]; string(x.Output) != "out" {
			t.Errorf("output %q", x.Output)
		}
	})
}

// Whatever becomes of an attempt, its end is told once.
func TestAroundEnds(t *testing.T) {
	o := &onlooker{}
	bubble(t, chronos.Options{Around: []chronos.Around{o.around("a")}, StuckAfter: 10 * time.Second, DrainTimeout: 5 * time.Second}, func(r *rig) {
		r.handle(busy(time.Hour))
		r.handleAs("deaf", deaf(time.Minute, nil))
		r.put(chronos.Job{ID: "timeout", Timeout: 2 * time.Second})
		r.put(chronos.Job{ID: "cancel"})
		r.put(chronos.Job{ID: "terminate"})
		r.put(chronos.Job{ID: "stuck", Handler: "deaf", Timeout: time.Second})
		r.put(chronos.Job{ID: "drain"})
		r.start()
		r.trigger("timeout", chronos.TriggerRequest{})
		r.until("00:01:00")
		const none = "context deadline exceeded"
		o.want(t, "00:00:00 a begins timeout #1 of h", "00:00:02 a ends #1 timed_out 00:00:00-00:00:02 "+none)
		x := r.trigger("cancel", chronos.TriggerRequest{})
		r.until("00:01:01")
		r.must(r.Cancel(r.ctx, x.ID))
		r.until("00:01:02")
		o.want(t, "00:01:00 a begins cancel #1 of h", "00:01:01 a ends #1 canceled 00:01:00-00:01:01 "+chronos.ErrCanceled.Error())
		x = r.trigger("terminate", chronos.TriggerRequest{})
		r.until("00:01:03")
		r.must(r.Terminate(r.ctx, x.ID))
		r.until("00:01:04")
		o.want(t, "00:01:02 a begins terminate #1 of h", "00:01:03 a ends #1 terminated 00:01:02-00:01:03 "+chronos.ErrRevoked.Error())
		r.trigger("stuck", chronos.TriggerRequest{})
		r.until("00:03:00")
		o.want(t, "00:01:04 a begins stuck #1 of deaf", "00:01:15 a ends #1 timed_out(stuck) 00:01:04-00:01:15 "+
			"stuck: still running 10s after its timeout; its context is done, and the handler deaf must return then")
		r.trigger("drain", chronos.TriggerRequest{})
		r.until("00:03:01")
		r.halt()
		o.want(t, "00:03:00 a begins drain #1 of h", "00:03:06 a ends #1 canceled(shutdown) 00:03:00-00:03:06 "+chronos.ErrStopping.Error())
	})
}

// A header goes with the request, but for those that are Chronos' own. A time-out is
// the request's.
func TestAroundWebhook(t *testing.T) {
	o := &onlooker{}
	header := func(ctx context.Context, c chronos.Call) (context.Context, func(chronos.Attempt)) {
		c.Header.Set("traceparent", fmt.Sprint("trace-", c.Execution.Attempt))
		c.Header.Set("X-Tenant", "two")
		c.Header.Set("Authorization", "none")
		c.Header.Set("Webhook-Id", "none")
		c.Header.Set("Chronos-Job", "none")
		return ctx, nil
	}
	opts := chronos.Options{Around: []chronos.Around{header, o.around("a")}}
	hooked(t, opts, status(503, 200), func(r *rig, rc *receiver) {
		r.put(chronos.Job{
			Schedule: chronos.At(at("00:01:00")), Retry: chronos.Retry{MaxAttempts: 2, Initial: time.Second, NoJitter: true},
			Webhook: &chronos.Webhook{URL: "http://example.com/", Bearer: "secret", Secrets: []chronos.Secret{chronos.Secret(key1)},
				Headers: map[string]string{"X-Tenant": "one", "Traceparent": "old", "X-Other": "o"}},
		})
		r.start()
		r.until("00:02:00")
		o.want(t,
			"00:01:00 a begins job #1 of webhook", "00:01:00 a ends #1 failed 503 00:01:00-00:01:00 webhook answered 503 Service Unavailable",
			"00:01:01 a begins job #2 of webhook", "00:01:01 a ends #2 succeeded 200 00:01:01-00:01:01 ")
		for i, req := range rc.got {
			got := fmt.Sprint(req.Header["Traceparent"], req.Header["X-Tenant"], req.Header["X-Other"], req.Header["Authorization"], req.Header["Chronos-Job"])
			if want := fmt.Sprintf("[trace-%d] [two] [o] [Bearer secret] [job]", i+1); got != want {
				t.Errorf("request %d: %s, want %s", i+1, got, want)
			}
			if id := req.Header["Webhook-Id"]; len(id) != 1 || id[0] == "none" {
				t.Errorf("request %d: ID %v", i+1, id)
			}
		}
	})
}

// Who looks on and panics, or gives no context, changes nothing.
func TestAroundPanics(t *testing.T) {
	begins := func(context.Context, chronos.Call) (context.Context, func(chronos.Attempt)) { panic("begins") }
	ends := func(context.Context, chronos.Call) (context.Context, func(chronos.Attempt)) {
		return nil, func(chronos.Attempt) { panic(errors.New("ends")) }
	}
	o := &onlooker{}
	bubble(t, chronos.Options{Around: []chronos.Around{begins, ends, o.around("a")}}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.At(at("00:01:00"))})
		r.start()
		r.until("00:02:00")
		o.want(t, "00:01:00 a begins job #1 of h", "00:01:00 a ends #1 succeeded 00:01:00-00:01:00 ")
		r.wantLedger("00:01:00 succeeded")
	})
}
