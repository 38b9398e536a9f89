package chronoshttp

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/testhook"
	"github.com/chronos-go/chronos/internal/testleak"
	"github.com/chronos-go/chronos/raftfsm"
)

// epoch is when every bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestMain(m *testing.M) {
	testhook.Raft = func(c *raftfsm.Config) { c.NoCompaction, c.NoSync = true, true }
	code := testleak.Run(m)
	if code == 0 && flag.Lookup("test.run").Value.String() == "" {
		for _, rt := range routes {
			if !tried.has(rt.name) {
				fmt.Fprintf(os.Stderr, "no test had a good answer from %s\n", rt.name)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// tried are the operations that gave a good answer, which was checked against
// openapi.json.
var tried triedSet

type triedSet struct {
	mu    sync.Mutex
	names map[string]bool
}

func (s *triedSet) add(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[string]bool{}
	}
	s.names[name] = true
}

func (s *triedSet) has(name string) bool { s.mu.Lock(); defer s.mu.Unlock(); return s.names[name] }

// rig is a scheduler that runs in a bubble, and a handler for it.
type rig struct {
	t *testing.T
	s *chronos.Scheduler
	h *Handler
}

func anybody(*http.Request, Access) (string, error) { return "ann", nil }

// bubble runs a test on a fake clock that begins at epoch. The handlers of the
// scheduler: ok, fails, and waits (for a minute, or its end).
func bubble(t *testing.T, c Config, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r := &rig{t: t, s: s}
		r.handle("ok", func(ctx context.Context, x chronos.Execution) error {
			chronos.SetOutput(ctx, append([]byte("got "), x.Payload...))
			return nil
		})
		r.handle("fails", func(context.Context, chronos.Execution) error { return fmt.Errorf("boom") })
		r.handle("waits", func(ctx context.Context, _ chronos.Execution) error {
			select {
			case <-time.After(time.Minute):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		c.Scheduler, c.Logger = s, quiet
		if r.h, err = New(c); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		test(t, r)
		r.h.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// open is bubble with a handler that lets everybody do everything.
func open(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	bubble(t, Config{Authorize: anybody}, test)
}

func (r *rig) handle(name string, h chronos.Handler) {
	r.t.Helper()
	if err := r.s.Handle(name, h); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) put(j chronos.Job) chronos.Job {
	r.t.Helper()
	if j.Handler == "" && j.Webhook == nil {
		j.Handler = "ok"
	}
	got, err := r.s.Put(r.t.Context(), j)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// pass lets time go by, and what is due happen.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// reply is an answer of the handler.
type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   []byte
}

// call makes a request. Further arguments are headers: name, value, name, value.
// Every answer of the API is checked against openapi.json, and so is every body
// that was accepted.
func (r *rig) call(method, path string, body any, headers ...string) *reply {
	r.t.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			r.t.Fatal(err)
		}
	}
	req := httptest.NewRequestWithContext(r.t.Context(), method, "http://host"+path, bytes.NewReader(text))
	if len(text) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	r.h.ServeHTTP(w, req)
	synctest.Wait()
	out := &reply{t: r.t, what: method + " " + path, status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	out.conforms(req, text)
	return out
}

func (r *rig) get(path string) *reply { r.t.Helper(); return r.call("GET", path, nil) }

// conforms compares an answer with openapi.json.
func (a *reply) conforms(req *http.Request, body []byte) {
	a.t.Helper()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": policy} {
		if got := a.header.Get(name); got != want {
			a.t.Errorf("%s: %s is %q", a.what, name, got)
		}
	}
	if !strings.HasPrefix(req.URL.Path, base) || req.Method == "HEAD" || req.Method == "OPTIONS" {
		return
	}
	if a.status >= 300 {
		if got := a.header.Get("Content-Type"); got != "application/problem+json" {
			a.t.Errorf("%s: answered %d with %s: %s", a.what, a.status, got, a.body)
			return
		}
		spec.validate(a.t, a.what, map[string]any{"$ref": "#/components/schemas/Problem"}, a.body)
		return
	}
	rt, _, refused := find(req)
	if refused != nil {
		a.t.Fatalf("%s: %v", a.what, refused)
	}
	spec.answer(a.t, a.what, rt, a)
	if len(body) > 0 {
		spec.accepted(a.t, a.what, rt, body)
	}
	tried.add(rt.name)
}

func (a *reply) want(status int) *reply {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: answered %d, wanted %d: %s", a.what, a.status, status, a.body)
	}
	return a
}

func (a *reply) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%s: %v: %s", a.what, err, a.body)
	}
}

// problem checks that it is one with this code, and with this field if one is
// named.
func (a *reply) problem(status int, code, field string) problem {
	a.t.Helper()
	a.want(status)
	var p problem
	a.into(&p)
	if p.Code != code || p.Status != status || p.Title == "" || p.Type != problemDocs+code {
		a.t.Errorf("%s: %+v, wanted the code %s", a.what, p, code)
	}
	if field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != field) {
		a.t.Errorf("%s: errors are %+v, wanted one of %s", a.what, p.Errors, field)
	}
	return p
}

func decode[T any](a *reply) T {
	a.t.Helper()
	var v T
	a.into(&v)
	return v
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
