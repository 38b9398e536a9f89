// Webhook shows a job that is an HTTP request: how a receiver verifies its
// signature, what happens when the receiver is busy, and that a repetition can
// be told from a new request by its webhook-id. Receiver and scheduler are both
// in this program, on the loopback interface; it ends by itself after a few
// seconds.
//
//	go run ./examples/webhook
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/dispatch"
)

func main() {
	if err := show(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func show(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	secret, err := newSecret()
	if err != nil {
		return err
	}
	receiver, url, err := receive(&receiver{out: out, secret: secret, done: map[string]bool{}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, receiver.Close()) }()

	// InMemory, because this is a demonstration: a host gives a Dir.
	s, err := chronos.New(chronos.Options{InMemory: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	job, err := s.Put(ctx, chronos.Job{
		ID:       "invoices",
		Schedule: chronos.Cron("0 6 1 * *"), // at 06:00 on the first of the month; today it is triggered
		Webhook:  &chronos.Webhook{URL: url, Secrets: []chronos.Secret{chronos.Secret(secret)}},
		Payload:  []byte(`{"month":"2026-11"}`),
		Retry:    chronos.Retry{MaxAttempts: 5},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The job %s calls %s. Its secret is written once and never comes back: reads show %s.\n\n",
		job.ID, job.Webhook.URL, job.Webhook.Secrets[0])

	running := make(chan error, 1)
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { running <- s.Run(runCtx) }()
	x, err := s.Trigger(ctx, job.ID, chronos.TriggerRequest{Note: "to show it"})
	if err != nil {
		return err
	}
	if x, err = s.Wait(ctx, x.ID); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe ledger says %s, after %d attempts:\n", x.Status, x.Attempt)
	for _, a := range x.Attempts {
		fmt.Fprintf(out, "  attempt %d: %s, HTTP %d\n", a.Number, a.Status, a.HTTPStatus)
	}
	fmt.Fprintf(out, "  answer kept as output: %s\n\n", x.Output)

	if err := forge(ctx, out, url); err != nil {
		return err
	}
	stop()
	return <-running
}

// forge sends what an attacker without the secret can send.
func forge(ctx context.Context, out io.Writer, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Webhook-Id", "invoices:forged")
	req.Header.Set("Webhook-Timestamp", fmt.Sprint(time.Now().Unix()))
	req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Somebody without the secret gets: %s\n", resp.Status)
	return resp.Body.Close()
}

// newSecret makes a signing secret as the Standard Webhooks specification
// writes it.
func newSecret() (string, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return "", err
	}
	return "whsec_" + base64.StdEncoding.EncodeToString(key), nil
}

// receiver is the other side: a program that takes webhooks.
type receiver struct {
	out    io.Writer
	secret string

	mu    sync.Mutex
	calls int
	done  map[string]bool // webhook-ids that were dealt with
}

// receive serves on a free port of the loopback interface.
func receive(r *receiver) (*http.Server, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	srv := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }() // until it is closed
	return srv, "http://" + l.Addr().String() + "/hooks/invoices", nil
}

// ServeHTTP verifies before it believes anything, and acts once per webhook-id.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		http.Error(w, "body", http.StatusBadRequest)
		return
	}
	if err := dispatch.Verify(r.secret, req.Header, body, time.Now(), 0); err != nil {
		http.Error(w, "signature", http.StatusUnauthorized)
		return
	}
	id := req.Header.Get("webhook-id")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	fmt.Fprintf(r.out, "received %s, attempt %s, signature good, body %s\n", id, req.Header.Get("Chronos-Attempt"), body)
	switch {
	case r.done[id]:
		fmt.Fprintln(r.out, "  done before: answered 200, nothing done twice")
	case r.calls == 1:
		fmt.Fprintln(r.out, "  busy: answered 503, Retry-After 1 second")
		w.Header().Set("Retry-After", "1")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	default:
		r.done[id] = true
		fmt.Fprintln(r.out, "  invoices are sent: answered 200")
	}
	fmt.Fprint(w, "sent")
}
