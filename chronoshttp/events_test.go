package chronoshttp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// listener is a stream of events that a test reads. It stands in for a
// connection.
type listener struct {
	t      *testing.T
	mu     sync.Mutex
	header http.Header
	status int
	text   strings.Builder
	stuck  chan struct{} // writes wait for it, if it is not nil
	cancel context.CancelFunc
	done   chan struct{}
}

func (l *listener) Header() http.Header { return l.header }
func (l *listener) WriteHeader(n int)   { l.mu.Lock(); defer l.mu.Unlock(); l.status = n }
func (l *listener) Flush()              {}
func (l *listener) Write(b []byte) (int, error) {
	if l.stuck != nil {
		<-l.stuck
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (r *rig) listen(path string, stuck chan struct{}, headers ...string) *listener {
	ctx, cancel := context.WithCancel(r.t.Context())
	l := &listener{t: r.t, header: http.Header{}, cancel: cancel, done: make(chan struct{}), stuck: stuck}
	req := httptest.NewRequestWithContext(ctx, "GET", base+path, nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	go func() {
		defer close(l.done)
		r.h.ServeHTTP(l, req)
	}()
	synctest.Wait()
	tried.add("streamEvents")
	return l
}

func (l *listener) ended() bool {
	synctest.Wait()
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// names are the events so far. Their data is checked.
func (l *listener) names() string {
	l.t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for block := range strings.SplitSeq(l.text.String(), "\n\n") {
		name := ""
		for line := range strings.SplitSeq(block, "\n") {
			field, value, _ := strings.Cut(line, ": ")
			switch field {
			case "event":
				name = value
			case "data":
				schema := map[string]string{"reset": "Reset", "status": "Cluster", "beat": "Beat"}[name]
				if schema == "" {
					schema = "Event"
				}
				spec.validate(l.t, "event "+name, object{"$ref": "#/components/schemas/" + schema}, []byte(value))
			}
		}
		if name != "" {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

func (l *listener) last(into any) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text.String()
	data := text[strings.LastIndex(text, "\ndata: ")+len("\ndata: "):]
	if err := json.Unmarshal([]byte(data[:strings.Index(data, "\n")]), into); err != nil {
		l.t.Fatal(err)
	}
}

func TestEvents(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		all, one := r.listen("/events", nil), r.listen("/events?job=b", nil)
		equal(t, "media", all.header.Get("Content-Type"), "text/event-stream")
		equal(t, "buffering", all.header.Get("X-Accel-Buffering"), "no")
		r.put(chronos.Job{ID: "a"})
		r.put(chronos.Job{ID: "b"})
		r.call("POST", base+"/jobs/a:trigger", nil).want(http.StatusAccepted)
		r.pass(100 * time.Millisecond)
		equal(t, "all", all.names(), "status job.put job.put execution.created execution.assigned execution.ended")
		equal(t, "one", one.names(), "status job.put")
		var ev eventJSON
		all.last(&ev)
		if ev.Job != "a" || ev.Execution == nil || ev.Execution.Status != chronos.StatusSucceeded || ev.Execution.Output != nil {
			t.Errorf("%+v", ev)
		}
		if !strings.Contains(all.text.String(), "retry: 2000\n") || !strings.Contains(all.text.String(), "\nid: local-") && !strings.Contains(all.text.String(), "id: local-") {
			t.Errorf("%s", all.text.String())
		}
		all.cancel()
		one.cancel()
		if !all.ended() || !one.ended() {
			t.Error("a stream goes on without its reader")
		}
	})
}

func TestEventsReset(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		l := r.listen("/events", nil, "Last-Event-ID", "local-1-7")
		equal(t, "events", l.names(), "reset")
		var reset resetJSON
		l.last(&reset)
		equal(t, "reason", reset.Reason, "reconnected")
		l.cancel()

		stuck := make(chan struct{})
		slow := r.listen("/events?job=job", stuck)
		r.put(chronos.Job{ID: "job"})
		for range 1_100 { // more than wait for a reader
			r.s.Pause(t.Context(), "job", "")
			r.s.Resume(t.Context(), "job")
		}
		close(stuck)
		synctest.Wait()
		r.s.Pause(t.Context(), "job", "")
		names := slow.names()
		equal(t, "resets", strings.Count(names, "reset"), 1)
		if !strings.HasSuffix(names, "reset job.paused") {
			t.Errorf("…%s", names[len(names)-100:])
		}
		slow.cancel()
	})
}

func TestEventsBeat(t *testing.T) {
	var mu sync.Mutex
	allowed := true
	authorize := func(*http.Request, Access) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if !allowed {
			return "", errors.New("no more")
		}
		return "ann", nil
	}
	bubble(t, Config{Authorize: authorize, Heartbeat: 5 * time.Second, MaxStreams: 2}, func(t *testing.T, r *rig) {
		l := r.listen("/events", nil)
		r.pass(16 * time.Second)
		equal(t, "events", l.names(), "status beat beat beat")
		second := r.listen("/events", nil)
		third := r.listen("/events", nil)
		equal(t, "third", third.status, http.StatusServiceUnavailable)
		second.cancel()
		second.ended()
		third = r.listen("/events", nil)
		equal(t, "third", third.status, http.StatusOK)
		third.cancel()
		mu.Lock()
		allowed = false
		mu.Unlock()
		r.pass(5 * time.Second)
		if !l.ended() {
			t.Error("who may not read any more still does")
		}
	})
}

func TestEventsEnd(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		l := r.listen("/events", nil)
		r.h.Close()
		if !l.ended() {
			t.Error("Close does not end a stream")
		}
		if !r.listen("/events", nil).ended() {
			t.Error("a stream begins after Close")
		}
	})
	open(t, func(t *testing.T, r *rig) {
		l := r.listen("/events", nil)
		_ = r.s.Close()
		if !l.ended() {
			t.Error("a stream outlives its scheduler")
		}
	})
}

// TestEventsStatus sees that the stream tells of a change of the scheduler that is
// no event of it.
func TestEventsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		h, err := New(Config{Scheduler: s, Authorize: anybody, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, s: s, h: h}
		l := r.listen("/events", nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		r.pass(1500 * time.Millisecond)
		equal(t, "events", l.names(), "status status")
		var st clusterJSON
		l.last(&st)
		equal(t, "running", st.Running, true)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		l.cancel()
		l.ended()
	})
}
