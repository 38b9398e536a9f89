package chronos_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// receiver is an HTTP server behind net.Pipe, for a bubble.
type receiver struct {
	conns  chan net.Conn
	closed chan struct{}
	server *http.Server
	client *http.Client
	answer func(n int, w http.ResponseWriter, r *http.Request)

	mu   sync.Mutex
	got  []*http.Request
	body []string
	at   []time.Time
}

func newReceiver(answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	return &receiver{answer: answer}
}

// start begins to serve, within the bubble, and gives the client to use.
func (rc *receiver) start() *http.Client {
	rc.conns, rc.closed = make(chan net.Conn), make(chan struct{})
	rc.server = &http.Server{Handler: rc}
	go func() { _ = rc.server.Serve(rc) }()
	rc.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case rc.conns <- far:
			return near, nil
		case <-rc.closed:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}}
	return rc.client
}

func (rc *receiver) stop() {
	rc.client.CloseIdleConnections()
	_ = rc.server.Close()
}

func (rc *receiver) Accept() (net.Conn, error) {
	select {
	case c := <-rc.conns:
		return c, nil
	case <-rc.closed:
		return nil, net.ErrClosed
	}
}

func (rc *receiver) Close() error   { close(rc.closed); return nil }
func (rc *receiver) Addr() net.Addr { return &net.IPAddr{} }

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rc.mu.Lock()
	rc.got, rc.body, rc.at = append(rc.got, r), append(rc.body, string(body)), append(rc.at, time.Now())
	n := len(rc.got)
	rc.mu.Unlock()
	rc.answer(n, w, r)
}

func (rc *receiver) starts() string {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	var out []string
	for _, t := range rc.at {
		out = append(out, clockText(t))
	}
	return strings.Join(out, " ")
}

// hooked is bubble with a receiver of webhooks.
func hooked(t *testing.T, opts chronos.Options, answer func(n int, w http.ResponseWriter, r *http.Request), test func(r *rig, rc *receiver)) {
	t.Helper()
	rc := newReceiver(answer)
	bubbleWith(t, opts, func(o *chronos.Options) { o.Client = rc.start() }, func(r *rig) {
		test(r, rc)
		r.shut()
		rc.stop()
	})
}

func status(codes ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(codes[min(n, len(codes))-1]) }
}

var (
	key1 = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567"))
	key2 = "whsec_" + base64.StdEncoding.EncodeToString([]byte("another key of thirty-two bytes!"))
)

// What a request carries, and its signature after Standard Webhooks.
func TestWebhookRequest(t *testing.T) {
	hooked(t, chronos.Options{}, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(503)
			return
		}
		_, _ = w.Write([]byte("thank you"))
	}, func(r *rig, rc *receiver) {
		r.put(chronos.Job{
			Schedule: chronos.At(at("00:01:00")), Payload: []byte(`{"a":1}`),
			Retry: chronos.Retry{MaxAttempts: 2, Initial: 10 * time.Second, NoJitter: true},
			Webhook: &chronos.Webhook{
				URL: "http://example.com/hook?x=1", Method: "PUT", Headers: map[string]string{"X-Tenant": "t"},
				SecretHeaders: map[string]chronos.Secret{"X-Api-Key": "hush"}, Bearer: "token",
				Secrets: []chronos.Secret{chronos.Secret(key1), chronos.Secret(key2)},
			},
		})
		r.start()
		r.until("00:02:00")
		r.wantLedger("00:01:00 succeeded #2")
		if got := rc.starts(); got != "00:01:00 00:01:10" {
			t.Fatalf("requests at %s", got)
		}
		x := r.rows("job")[0]
		if string(x.Output) != "thank you" || x.Attempts[0].HTTPStatus != 503 || x.Attempts[1].HTTPStatus != 200 {
			t.Errorf("row %+v", x)
		}
		for i, req := range rc.got {
			h := req.Header
			for name, want := range map[string]string{
				"Webhook-Id": x.ID, "Webhook-Timestamp": strconv.FormatInt(rc.at[i].Unix(), 10),
				"X-Tenant": "t", "X-Api-Key": "hush", "Authorization": "Bearer token", "Content-Type": "application/json",
				"Chronos-Job": "job", "Chronos-Attempt": strconv.Itoa(i + 1), "Chronos-Fencing-Token": fmt.Sprint(x.Attempts[i].FencingToken),
			} {
				if h.Get(name) != want {
					t.Errorf("request %d: %s is %q, want %q", i, name, h.Get(name), want)
				}
			}
			if due, err := time.Parse(time.RFC3339Nano, h.Get("Chronos-Due")); err != nil || !due.Equal(x.Due) {
				t.Errorf("request %d: Chronos-Due %q", i, h.Get("Chronos-Due"))
			}
			var want []string
			for _, key := range []string{key1, key2} {
				raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
				mac := hmac.New(sha256.New, raw)
				fmt.Fprintf(mac, "%s.%s.%s", h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), rc.body[i])
				want = append(want, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
			}
			if got := h.Get("Webhook-Signature"); got != strings.Join(want, " ") {
				t.Errorf("request %d: signature %q", i, got)
			}
			if req.Method != "PUT" || rc.body[i] != `{"a":1}` || req.URL.String() != "/hook?x=1" {
				t.Errorf("request %d: %s %s %q", i, req.Method, req.URL, rc.body[i])
			}
		}
	})
}

// Which answers are success, which are repeated, which are final.
func TestWebhookAnswers(t *testing.T) {
	header := func(code int, name, value string) func(int, http.ResponseWriter, *http.Request) {
		return func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.Header().Set(name, value)
				w.WriteHeader(code)
			}
		}
	}
	for _, tc := range []struct {
		name   string
		answer func(int, http.ResponseWriter, *http.Request)
		hook   chronos.Webhook
		row    string
		starts string
		paused bool
	}{
		{"200", status(200), chronos.Webhook{}, "00:01:00 succeeded", "00:01:00", false},
		{"204", status(204), chronos.Webhook{}, "00:01:00 succeeded", "00:01:00", false},
		{"302 is not followed", header(302, "Location", "/x"), chronos.Webhook{}, "00:01:00 failed", "00:01:00", false},
		{"307 followed", header(307, "Location", "/x"), chronos.Webhook{FollowRedirects: 1}, "00:01:00 succeeded", "00:01:00 00:01:00", false},
		{"400", status(400), chronos.Webhook{}, "00:01:00 failed", "00:01:00", false},
		{"404", status(404), chronos.Webhook{}, "00:01:00 failed", "00:01:00", false},
		{"408", status(408, 200), chronos.Webhook{}, "00:01:00 succeeded #2", "00:01:00 00:01:10", false},
		{"425", status(425, 200), chronos.Webhook{}, "00:01:00 succeeded #2", "00:01:00 00:01:10", false},
		{"429", status(429, 200), chronos.Webhook{}, "00:01:00 succeeded #2", "00:01:00 00:01:10", false},
		{"500 for ever", status(500), chronos.Webhook{}, "00:01:00 failed #3", "00:01:00 00:01:10 00:01:30", false},
		{"retry after", header(503, "Retry-After", "33"), chronos.Webhook{}, "00:01:00 succeeded #2", "00:01:00 00:01:33", false},
		{"retry after a date", header(429, "Retry-After", "Sat, 01 Jan 2000 00:02:00 GMT"), chronos.Webhook{}, "00:01:00 succeeded #2", "00:01:00 00:02:00", false},
		{"success codes", status(404), chronos.Webhook{SuccessCodes: []int{404}}, "00:01:00 succeeded", "00:01:00", false},
		{"200 is no success code", status(200), chronos.Webhook{SuccessCodes: []int{201}}, "00:01:00 failed", "00:01:00", false},
		{"410", status(410), chronos.Webhook{}, "00:01:00 failed", "00:01:00", false},
		{"410 pauses", status(410), chronos.Webhook{PauseOnGone: true}, "00:01:00 failed", "00:01:00", true},
		{"network error", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
		}, chronos.Webhook{}, "00:01:00 succeeded #2", "00:01:00 00:01:10", false},
		{"timeout", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				<-r.Context().Done()
			}
		}, chronos.Webhook{}, "00:01:00 succeeded #2", "00:01:00 00:01:40", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			hooked(t, chronos.Options{}, tc.answer, func(r *rig, rc *receiver) {
				tc.hook.URL = "http://example.com/hook"
				r.put(chronos.Job{
					Schedule: chronos.At(at("00:01:00")), Webhook: &tc.hook, Timeout: 30 * time.Second,
					Retry: chronos.Retry{MaxAttempts: 3, Initial: 10 * time.Second, NoJitter: true},
				})
				r.start()
				r.until("00:10:00")
				r.wantLedger(tc.row)
				if got := rc.starts(); got != tc.starts {
					t.Errorf("requests at %s, want %s", got, tc.starts)
				}
				if got := r.get("job").State.Paused; got != tc.paused {
					t.Errorf("paused: %v", got)
				}
			})
		})
	}
}

// A webhook without a timeout of its own ends after five minutes; an endless
// answer is cut.
func TestWebhookBounds(t *testing.T) {
	hooked(t, chronos.Options{MaxOutput: 100}, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			<-r.Context().Done()
			return
		}
		_, _ = w.Write(bytes.Repeat([]byte("x"), 10_000))
	}, func(r *rig, rc *receiver) {
		r.put(chronos.Job{Webhook: &chronos.Webhook{URL: "http://example.com/"}})
		r.start()
		x := r.trigger("job", chronos.TriggerRequest{})
		x, err := r.Wait(r.ctx, x.ID)
		r.must(err)
		if x.Status != chronos.StatusTimedOut || !x.EndedAt.Equal(at("00:05:00")) {
			t.Errorf("row %+v", x)
		}
		x, err = r.Wait(r.ctx, r.trigger("job", chronos.TriggerRequest{}).ID)
		r.must(err)
		if x.Status != chronos.StatusSucceeded || len(x.Output) != 100 || !x.OutputTruncated {
			t.Errorf("row %+v", x)
		}
	})
}

// Secrets are written once and never come back, wherever one looks.
func TestSecretsNeverComeBack(t *testing.T) {
	var logged lockedBuffer
	// Words that stand in secrets, and nowhere else.
	secrets := []string{"s3cr3t-header", "s3cr3t-password", "s3cr3t-bearer", strings.TrimPrefix(key1, "whsec_"), strings.TrimPrefix(key2, "whsec_")}
	opts := chronos.Options{Logger: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	hooked(t, opts, func(n int, w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(500)
		for name, values := range req.Header { // a receiver that echoes what it gets
			fmt.Fprintln(w, name, values)
		}
	}, func(r *rig, rc *receiver) {
		var seen lockedBuffer
		look := func(what string, v any, err error) {
			text, jsonErr := json.Marshal(v)
			if jsonErr != nil {
				t.Errorf("%s: %v", what, jsonErr)
			}
			fmt.Fprintf(&seen, "%s %s %+v %#v %v\n", what, text, v, v, err)
		}
		events := r.Events(r.ctx)
		job := chronos.Job{
			ID: "job", Schedule: chronos.At(at("00:01:00")), Retry: chronos.Retry{MaxAttempts: 2, NoJitter: true},
			Webhook: &chronos.Webhook{
				URL: "http://example.com/", SecretHeaders: map[string]chronos.Secret{"X-Key": "s3cr3t-header"},
				BasicUser: "user", BasicPassword: "s3cr3t-password", Secrets: []chronos.Secret{chronos.Secret(key1), chronos.Secret(key2)},
			},
		}
		put, err := r.Put(r.ctx, job)
		look("put", put, err)
		look("hook", put.Webhook, nil)
		if put.Webhook.BasicPassword != chronos.SecretKept || put.Webhook.SecretHeaders["X-Key"] != chronos.SecretKept || put.Webhook.Secrets[1] != chronos.SecretKept {
			t.Errorf("reads do not show that secrets are set: %+v", put.Webhook)
		}
		r.start()
		r.until("00:02:00")
		if user, pass, _ := rc.got[0].BasicAuth(); user != "user" || pass != "s3cr3t-password" || rc.got[0].Header.Get("X-Key") != "s3cr3t-header" {
			t.Error("the secrets were not sent")
		}
		// What was read can be put back: the secrets are kept, one by one.
		put.Schedule, put.Version = chronos.At(at("00:03:00")), 0
		put.Webhook.Bearer, put.Webhook.BasicUser, put.Webhook.BasicPassword = "s3cr3t-bearer", "", ""
		put, err = r.Put(r.ctx, put)
		look("kept", put, err)
		r.until("00:04:00")
		last := rc.got[len(rc.got)-1].Header
		if last.Get("Authorization") != "Bearer s3cr3t-bearer" || last.Get("X-Key") != "s3cr3t-header" || len(strings.Fields(last.Get("Webhook-Signature"))) != 2 {
			t.Errorf("secrets were not kept: %v", last)
		}
		rolled, err := r.Rollback(r.ctx, "job", 1)
		if err == nil {
			t.Error("a one-shot that has passed was rolled back to")
		}
		look("rollback", rolled, err)
		for _, bad := range []func(*chronos.Webhook){
			func(w *chronos.Webhook) { w.Bearer = "s3cr3t-bearer\n" },
			func(w *chronos.Webhook) { w.Secrets = []chronos.Secret{"whsec_s3cr3t-bearer"} },
			func(w *chronos.Webhook) { w.SecretHeaders = map[string]chronos.Secret{"X-Key": "s3cr3t-header\x00"} },
			func(w *chronos.Webhook) { w.URL = "http://user:s3cr3t-password@example.com" },
			func(w *chronos.Webhook) { w.SecretHeaders = map[string]chronos.Secret{"X-New": chronos.SecretKept} },
		} {
			hook := *put.Webhook
			bad(&hook)
			wrong := put
			wrong.Webhook, wrong.Version = &hook, 0
			_, err := r.Put(r.ctx, wrong)
			wantError(t, err, chronos.ErrInvalid)
			look("refused", nil, err)
		}
		for v, err := range r.Versions(r.ctx, "job") {
			look("version", v, err)
		}
		for j, err := range r.Jobs(r.ctx, nil) {
			look("job", j, err)
		}
		for x, err := range r.Executions(r.ctx, chronos.Query{}) {
			look("execution", x, err)
		}
		look("status", r.Status(), nil)
		r.shut()
		n := 0
		for ev := range events {
			look("event", ev, nil)
			if ev.Execution != nil {
				look("event", *ev.Execution, nil)
			}
			n++
		}
		if n < 10 || !strings.Contains(seen.String(), string(chronos.SecretKept)) {
			t.Errorf("%d events; nothing was looked at", n)
		}
		for _, secret := range secrets {
			for what, text := range map[string]string{"logs": logged.String(), "reads": seen.String()} {
				if i := strings.Index(text, secret); i >= 0 {
					t.Errorf("%q stands in the %s: …%s…", secret, what, text[max(0, i-200):min(len(text), i+50)])
				}
			}
			if b64 := base64.StdEncoding.EncodeToString([]byte("user:s3cr3t-password")); strings.Contains(seen.String(), b64) {
				t.Error("the basic credentials stand in the reads")
			}
		}
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
