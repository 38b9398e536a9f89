package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// Who stands around and hangs has the attempt given up, and is told when it is over.
func TestAroundHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Result
		cfg := Config{Grace: time.Second, Around: []func(context.Context, *Attempt, http.Header) (context.Context, func(Result)){
			func(ctx context.Context, _ *Attempt, h http.Header) (context.Context, func(Result)) {
				if h != nil {
					t.Error("a handler has a header")
				}
				time.Sleep(time.Minute)
				return ctx, func(res Result) { told = append(told, res) }
			},
		}}
		d, rec := start(t, cfg)
		mustHandle(t, d, "h", func(ctx context.Context, _ *Attempt) error { return ctx.Err() })
		d.Assign([]*Attempt{{ID: "x", Token: 1, Number: 1, Handler: "h", StartAt: time.Now(), Timeout: time.Second}})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := rec.only(t); !got.Stuck || got.Outcome != TimedOut {
			t.Errorf("reported %+v", got)
		}
		if len(told) != 1 || !told[0].Stuck || told[0].Outcome != TimedOut {
			t.Errorf("told %+v", told)
		}
	})
}

type aroundFunc = func(context.Context, *Attempt, http.Header) (context.Context, func(Result))

// ends is an Around of which only the end matters.
func ends(end func(Result)) []aroundFunc {
	return []aroundFunc{func(ctx context.Context, _ *Attempt, _ http.Header) (context.Context, func(Result)) { return ctx, end }}
}

// Who is told of the end and never comes back from that does not take the result with
// him: what has ended is reported.
func TestAroundEndsHang(t *testing.T) {
	hang := make(chan struct{})
	for name, end := range map[string]func(Result){
		"goexit": func(Result) { runtime.Goexit() },
		"hangs":  func(Result) { <-hang },
	} {
		synctest.Test(t, func(t *testing.T) {
			hang = make(chan struct{})
			d, rec := start(t, Config{Grace: time.Second, Around: ends(end)})
			mustHandle(t, d, "h", func(context.Context, *Attempt) error { return nil })
			d.Assign([]*Attempt{attempt("x", "h")})
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := rec.all(); len(got) != 1 || got[0].Outcome != Succeeded || got[0].Stuck {
				t.Errorf("%s: reported %+v", name, got)
			}
			if n := len(d.Live()); n != 0 {
				t.Errorf("%s: %d are live", name, n)
			}
			close(hang)
			synctest.Wait()
			rec.only(t)
		})
	}
}

// What ended before the handler was called, because somebody who stands around took so
// long, is not begun any more: it may have been given to another node.
func TestAroundTooLong(t *testing.T) {
	for name, stop := range map[string]func(*Dispatcher){
		"timeout": func(*Dispatcher) {},
		"revoked": func(d *Dispatcher) { d.Revoke("x", 1, errors.New("revoked")) },
		"cancel":  func(d *Dispatcher) { d.Cancel("x", 1, errors.New("canceled")) },
	} {
		synctest.Test(t, func(t *testing.T) {
			slow := func(ctx context.Context, _ *Attempt, _ http.Header) (context.Context, func(Result)) {
				time.Sleep(10 * time.Second)
				return ctx, nil
			}
			d, _ := start(t, Config{Grace: time.Second, Around: []aroundFunc{slow}})
			mustHandle(t, d, "h", func(context.Context, *Attempt) error {
				t.Errorf("%s: the handler is called", name)
				return nil
			})
			a := attempt("x", "h")
			a.Timeout = 5 * time.Second
			d.Assign([]*Attempt{a})
			time.Sleep(time.Second)
			stop(d)
			time.Sleep(time.Minute)
		})
	}
}

// A header that cannot be sent is left out, and fails no webhook.
func TestAroundHeaderInvalid(t *testing.T) {
	a := attempt("x", "")
	a.Webhook = &Webhook{URL: "http://example.com/"}
	a.header = http.Header{"traceparent": {"t"}, "Bad Name": {"v"}, "X-Bad": {"a\nb"}, "X-Some": {"good", "\x00"}, "Webhook-Signature": {"v1,x"}, "Connection": {"close"}}
	req, err := a.Webhook.request(t.Context(), a, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Traceparent": "[t]", "Bad Name": "[]", "X-Bad": "[]", "X-Some": "[good]", "Webhook-Signature": "[]", "Connection": "[]"} {
		if got := fmt.Sprint(req.Header[name]); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
