package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestHeaders(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	hook := &Webhook{URL: server.URL + "/hook?x=1", Headers: map[string]string{"X-Tenant": "a"},
		SecretHeaders: map[string]string{"X-Api-Key": "k"}, BasicUser: "u", BasicPassword: "p", Secrets: []string{secretOf(32), vectorSecret}}
	results := make(chan Result, 1)
	d := New(Config{Report: func(r Result) { results <- r }})
	defer d.Close()
	due := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	d.Assign([]*Attempt{{ID: "exec1", Job: "jöb", Number: 3, Token: 77, Due: due, Webhook: hook, Payload: []byte(`{"a":1}`)}})
	if r := <-results; r.Outcome != Succeeded || r.HTTPStatus != 200 {
		t.Fatalf("%+v", r)
	}
	for name, want := range map[string]string{
		"Webhook-Id": "exec1", "Chronos-Job": "j%C3%B6b", "Chronos-Attempt": "3", "Chronos-Fencing-Token": "77",
		"Chronos-Due": "2026-01-02T02:04:05.000000006Z", "Content-Type": "application/json", "User-Agent": userAgent,
		"X-Tenant": "a", "X-Api-Key": "k", "Authorization": "Basic dTpw",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if got.Method != "POST" || got.URL.String() != "/hook?x=1" || string(body) != `{"a":1}` {
		t.Errorf("%s %s %s", got.Method, got.URL, body)
	}
	for _, secret := range hook.Secrets {
		if err := Verify(secret, got.Header, body, time.Now(), 0); err != nil {
			t.Error(err)
		}
	}
}

func TestRequestVariants(t *testing.T) {
	for _, c := range []struct {
		name    string
		hook    Webhook
		payload string
		header  string
		want    string
	}{
		{"no payload, no content type", Webhook{}, "", "Content-Type", ""},
		{"content type", Webhook{ContentType: "text/plain"}, "x", "Content-Type", "text/plain"},
		{"content type by header", Webhook{Headers: map[string]string{"content-type": "text/x"}}, "x", "Content-Type", "text/x"},
		{"user agent", Webhook{Headers: map[string]string{"user-agent": "me"}}, "", "User-Agent", "me"},
		{"bearer", Webhook{Bearer: "tok"}, "", "Authorization", "Bearer tok"},
		{"unsigned", Webhook{}, "x", "Webhook-Signature", ""},
		{"unsigned, but identified", Webhook{}, "x", "Webhook-Timestamp", "1614265330"},
		{"signed", Webhook{Secrets: []string{vectorSecret}}, vectorBody, "Webhook-Signature", vectorSignature},
	} {
		c.hook.URL = "https://example.com"
		a := &Attempt{ID: vectorID, Payload: []byte(c.payload), Webhook: &c.hook}
		req, err := c.hook.request(t.Context(), a, vectorTime())
		if err != nil || req.Header.Get(c.header) != c.want {
			t.Errorf("%s: %q, %v", c.name, req.Header.Get(c.header), err)
		}
	}
	for _, c := range []struct {
		id   string
		hook Webhook
	}{{"x", Webhook{URL: "::"}}, {"a.b", Webhook{URL: "https://x", Secrets: []string{vectorSecret}}}, {"x", Webhook{URL: "https://x", Secrets: []string{"?"}}}} {
		if _, err := c.hook.request(t.Context(), &Attempt{ID: c.id, Webhook: &c.hook}, vectorTime()); err == nil {
			t.Errorf("%+v: no error", c)
		}
	}
}

func TestSecretsDoNotComeBack(t *testing.T) {
	hook := &Webhook{SecretHeaders: map[string]string{"X-Api-Key": "key-very-secret"}, BasicUser: "u", BasicPassword: "hunter2hunter2",
		Secrets: []string{vectorSecret}}
	for _, status := range []int{200, 400, 500} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_ = r.Header.Write(w) // an echo
			_, _ = io.WriteString(w, hook.BasicPassword+vectorSecret)
		}))
		hook.URL = server.URL + "/p?query=hunter2hunter2"
		r := sendWith(t, Config{}, hook)
		server.Close()
		for _, secret := range []string{"key-very-secret", "hunter2hunter2", vectorSecret[6:], "dTpodW50ZXIyaHVudGVyMg=="} {
			if strings.Contains(string(r.Output), secret) || strings.Contains(r.Error, secret) {
				t.Errorf("%d: %s in %q, %q", status, secret, r.Error, r.Output)
			}
		}
		if !strings.Contains(string(r.Output), redacted) {
			t.Errorf("%d: %q", status, r.Output)
		}
	}
	// A secret that the cap cuts in two.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "it is key-very-secret") }))
	defer server.Close()
	hook.URL, hook.MaxResponse = server.URL, len("it is key-very")
	if r := sendWith(t, Config{}, hook); strings.Contains(string(r.Output), "key-") || !r.Truncated {
		t.Errorf("%q", r.Output)
	}
}

func TestNetworkErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + ln.Addr().String()
	ln.Close()
	hangup := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer hangup.Close()
	for _, u := range []string{nobody, hangup.URL} {
		hook := &Webhook{URL: u + "/path?token=query-secret", Bearer: "bearer-secret"}
		r := sendWith(t, Config{}, hook)
		if r.Outcome != Failed || r.Permanent || r.HTTPStatus != 0 || !strings.Contains(r.Error, "POST "+u+"/path: ") || strings.Contains(r.Error, "secret") {
			t.Errorf("%+v", r)
		}
	}
	// Whatever a host's transport puts into its errors.
	leaky := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("no luck with %s and %s", r.URL, r.Header.Get("Authorization"))
	})}
	r := sendWith(t, Config{Client: leaky}, &Webhook{URL: "https://h/p?token=query-secret", Bearer: "bearer-secret"})
	if want := "POST https://h/p: no luck with https://h/p and Bearer [redacted]"; r.Error != want || r.Permanent {
		t.Errorf("got  %q\nwant %q", r.Error, want)
	}
	panicking := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { panic("bearer-secret") })}
	r = sendWith(t, Config{Client: panicking}, &Webhook{URL: "https://h", Bearer: "bearer-secret"})
	if r.Outcome != Failed || r.Error != "panic: [redacted]" {
		t.Errorf("%+v", r)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// pipeServer serves HTTP over net.Pipe, so that it can live in a bubble. The
// client reaches it whatever the address.
func pipeServer(t *testing.T, h http.HandlerFunc) *http.Client {
	ln := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(ln) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		client, conn := net.Pipe()
		select {
		case ln.conns <- conn:
			return client, nil
		case <-ln.closed:
			return nil, net.ErrClosed
		}
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
	})
	return &http.Client{Transport: transport}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestWebhookTimeInABubble(t *testing.T) {
	for _, c := range []struct {
		name    string
		path    string
		timeout time.Duration
		cancel  bool
		want    Outcome
		took    time.Duration
		status  int
	}{
		{"answers in time", "/slow", time.Minute, false, Succeeded, 20 * time.Second, 200},
		{"timeout", "/slow", 10 * time.Second, false, TimedOut, 10 * time.Second, 0},
		{"no timeout is five minutes", "/never", 0, false, TimedOut, webhookTimeout, 0},
		{"cancelled", "/never", time.Hour, true, Canceled, 15 * time.Second, 0},
		{"status came, body does not", "/drip", time.Minute, false, Succeeded, time.Minute, 200},
		{"failure came, body does not", "/dripfail", time.Minute, false, TimedOut, time.Minute, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := pipeServer(t, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					switch r.URL.Path {
					case "/slow":
						time.Sleep(20 * time.Second)
						return
					case "/dripfail":
						w.WriteHeader(500)
					}
					if strings.HasPrefix(r.URL.Path, "/drip") {
						_, _ = io.WriteString(w, "so far")
						_ = http.NewResponseController(w).Flush()
					}
					<-r.Context().Done()
				})
				d, rec := start(t, Config{Client: client})
				a := attempt("exec1", "")
				a.Webhook, a.Timeout = &Webhook{URL: "http://receiver" + c.path}, c.timeout
				d.Assign([]*Attempt{a})
				if c.cancel {
					time.Sleep(15 * time.Second)
					d.Cancel("exec1", 1, nil)
				}
				time.Sleep(10 * time.Minute)
				r := rec.only(t)
				if r.Outcome != c.want || r.Ended.Sub(r.Started) != c.took || r.HTTPStatus != c.status {
					t.Errorf("%v after %v: %+v", r.Outcome, r.Ended.Sub(r.Started), r)
				}
				if strings.HasPrefix(c.path, "/drip") && (string(r.Output) != "so far" || !r.Truncated) {
					t.Errorf("output %q, truncated %v", r.Output, r.Truncated)
				}
			})
		})
	}
}

func TestStuckWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		deaf := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { <-release; return nil, errors.New("late") })}
		d, rec := start(t, Config{Client: deaf, Grace: time.Second})
		a := attempt("exec1", "")
		a.Webhook, a.Timeout = &Webhook{URL: "http://u:p@receiver/x?token=s"}, time.Second
		d.Assign([]*Attempt{a})
		time.Sleep(3 * time.Second)
		r := rec.only(t)
		if !r.Stuck || r.Outcome != TimedOut || !strings.Contains(r.Error, "webhook http://receiver/x must return") {
			t.Errorf("%+v", r)
		}
		close(release)
		synctest.Wait()
	})
}

func TestConnectionsAreReusedAndBounded(t *testing.T) {
	var conns, open, most atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n := open.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(5 * time.Millisecond)
		open.Add(-1)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	results := make(chan Result, 1000)
	d := New(Config{Report: func(r Result) { results <- r }})
	defer d.Close()
	d.own.MaxConnsPerHost = 4
	var batch []*Attempt
	for i := range 100 {
		a := attempt(strconv.Itoa(i), "")
		a.Webhook = &Webhook{URL: server.URL}
		batch = append(batch, a)
	}
	d.Assign(batch)
	for range batch {
		if r := <-results; r.Outcome != Succeeded {
			t.Errorf("%+v", r)
		}
	}
	if conns.Load() > 4 || most.Load() > 4 {
		t.Errorf("%d connections, %d at once", conns.Load(), most.Load())
	}
}
