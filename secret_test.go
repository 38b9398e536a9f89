package chronos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// However a secret is printed, also by mistake, it is not shown.
func TestSecretIsNotPrinted(t *testing.T) {
	const hidden = "hunter2hunter2"
	hook := chronos.Webhook{URL: "https://example.com/", Bearer: hidden, BasicPassword: hidden, Secrets: []chronos.Secret{hidden},
		SecretHeaders: map[string]chronos.Secret{"X": hidden}}
	job := chronos.Job{ID: "job", Webhook: &hook}
	for _, v := range []any{chronos.Secret(hidden), hook, &hook, job, *job.Webhook, []any{hook.Bearer}, chronos.Version{Job: job}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%e", "%c", "%U", "%!", "%10.3s"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, hidden) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", hidden)) {
				t.Errorf("%s of %T shows it: %s", verb, v, text)
			}
		}
		text, err := json.Marshal(v)
		if err != nil || bytes.Contains(text, []byte(hidden)) {
			t.Errorf("JSON of %T: %s, %v", v, text, err)
		}
		var log bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(h).Info("x", "v", v)
		}
		if strings.Contains(log.String(), hidden) {
			t.Errorf("a log of %T shows it: %s", v, log.String())
		}
	}
	for want, got := range map[string]string{
		"[secret]": fmt.Sprint(chronos.Secret(hidden)), `"[secret]"`: fmt.Sprintf("%#v", chronos.Secret(hidden)), "": fmt.Sprint(chronos.Secret("")),
		`""`: fmt.Sprintf("%q", chronos.Secret("")),
	} {
		if got != want {
			t.Errorf("printed %s, want %s", got, want)
		}
	}
}

// Nor does it come back from a cluster: not from another node, nor in the logs of
// any, Raft's included, nor from a backup that is refused.
func TestClusterSecretsNeverComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const header, bearer = "s3cr3t-header", "s3cr3t-bearer"
		var logged, seen lockedBuffer
		look := func(what string, v any, err error) { fmt.Fprintf(&seen, "%s %+v %#v %v\n", what, v, v, err) }
		c := newTeam(t, "a", "b", "c")
		c.change = func(o *chronos.Options) {
			o.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
			o.Client = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, fmt.Errorf("no way to %s %s", header, bearer)
			}}}
		}
		c.open("a", "b", "c")
		defer c.closeAll()
		for _, n := range c.names {
			c.run(n, "h")
		}
		for i, n := range c.names { // two of them have to ask the leader
			job := chronos.Job{ID: "job-" + n, Schedule: chronos.Every(time.Second), Webhook: &chronos.Webhook{
				URL: "http://example.com/", SecretHeaders: map[string]chronos.Secret{"X-Key": header}, Bearer: bearer, Secrets: []chronos.Secret{chronos.Secret(key1)},
			}}
			put, err := c.nodes[n].Put(t.Context(), job)
			look("put", put, err)
			look("hook", put.Webhook, nil)
			other := c.nodes[c.names[(i+1)%3]]
			job.Version = 77 // a conflict, on another node
			put, err = other.Put(t.Context(), job)
			wantError(t, err, chronos.ErrConflict)
			look("conflict", put, err)
		}
		time.Sleep(5 * time.Second)
		c.close(c.leader())
		c.leader()
		time.Sleep(5 * time.Second)
		rows := 0
		for _, s := range c.nodes {
			for x, err := range s.Executions(t.Context(), chronos.Query{}) {
				look("execution", x, err)
				rows += len(x.Attempts)
			}
			for j, err := range s.Jobs(t.Context(), nil) {
				look("job", j, err)
				look("hook", j.Webhook, err)
			}
			look("status", s.Status(), nil)
		}
		if rows < 10 || !strings.Contains(seen.String(), "no way to [redacted]") || !strings.Contains(logged.String(), "raft") {
			t.Errorf("%d attempts; there is nothing to look at", rows)
		}
		var file bytes.Buffer
		if err := c.any().Backup(t.Context(), &file); err != nil {
			t.Fatal(err)
		}
		s, err := chronos.New(chronos.Options{InMemory: true, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 40 { // cut off, and flipped
			damaged := bytes.Clone(file.Bytes())
			if damaged = damaged[:len(damaged)*(n+1)/41]; n%2 == 1 {
				damaged = bytes.Clone(file.Bytes())
				damaged[len(damaged)*n/41] ^= 1
			}
			err := s.Restore(t.Context(), bytes.NewReader(damaged))
			if n < 39 && err == nil {
				t.Fatalf("a damaged backup was restored (%d)", n)
			}
			look("restore", nil, err)
		}
		_ = s.Close()
		for _, hidden := range []string{header, bearer, strings.TrimPrefix(key1, "whsec_")} {
			for what, text := range map[string]string{"logs": logged.String(), "reads": seen.String()} {
				if i := strings.Index(text, hidden); i >= 0 {
					t.Errorf("%q stands in the %s: …%s…", hidden, what, text[max(0, i-200):min(len(text), i+50)])
				}
			}
		}
	})
}
