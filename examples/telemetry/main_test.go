package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// span is what the test looks at in the exporter's JSON.
type span struct {
	Name        string
	SpanContext struct{ TraceID, SpanID string }
	Parent      struct{ SpanID string }
	Status      struct{ Code string }
}

func TestTelemetry(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var spans bytes.Buffer // read when serve has ended
	go func() { done <- serve(ctx, l, "", &spans) }()
	url := "http://" + l.Addr().String() + "/metrics"
	worked := regexp.MustCompile(`chronos_attempts_total{handler="report",reason="",status="succeeded"} [1-9]`)
	for text := ""; !worked.MatchString(text); {
		if text, err = scrape(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, err := scrape(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"chronos_ready 1\n", "chronos_running 1\n", "chronos_jobs_overdue 0\n",
		`chronos_attempts_total{handler="report",reason="",status="failed"}`,
		`chronos_attempt_lateness_seconds_count{handler="report"}`,
		`chronos_job_next_due_timestamp_seconds{job_id="report"}`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	look(t, &spans)
	if t.Failed() {
		t.Log(text)
	}
}

// look finds an execution: a failed attempt and one that worked, in one trace, each
// with the handler's own span beneath it.
func look(t *testing.T, r io.Reader) {
	t.Helper()
	byTrace := map[string][]span{}
	children := map[string]bool{}
	for d := json.NewDecoder(r); ; {
		var s span
		err := d.Decode(&s)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch s.Name {
		case "attempt report":
			byTrace[s.SpanContext.TraceID] = append(byTrace[s.SpanContext.TraceID], s)
		case "read the figures":
			children[s.Parent.SpanID] = true
		default:
			t.Errorf("a span %q", s.Name)
		}
	}
	whole := 0
	for _, attempts := range byTrace {
		if len(attempts) == 2 && attempts[0].Status.Code == "Error" && attempts[1].Status.Code != "Error" {
			whole++
		}
		for _, a := range attempts {
			if !children[a.SpanContext.SpanID] {
				t.Errorf("nothing is beneath %+v", a)
			}
		}
	}
	if whole == 0 {
		t.Errorf("no execution has a trace of two attempts: %+v", byTrace)
	}
}

func scrape(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}
