// Payload shows typed payloads: a struct is encoded into a job and decoded in its
// handler, the result comes back the same way, and a payload says its version, so
// that what an older program has stored is still understood. One that nobody can
// read fails for good, without a retry; one of a newer program is tried again,
// because in the middle of a deployment a newer process may take it.
//
//	go run ./examples/payload
//
// It keeps everything in memory, and ends by itself.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/chronos-go/chronos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := show(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// receipt is the result that the handler leaves as its output.
type receipt struct{ Text string }

// send is the work. It only ever sees the newest form of an invoice.
func send(ctx context.Context, _ chronos.Execution, in invoice) error {
	text := fmt.Sprintf("%s owes %d.%02d %s", in.Customer, in.Cents/100, in.Cents%100, in.Currency)
	out, err := encode(receipt{text})
	if err != nil {
		return err
	}
	chronos.SetOutput(ctx, out)
	return nil
}

// versioned makes a handler of a function that takes an invoice. Where there is
// only one version, chronos.JSON does this, and less strictly.
func versioned(fn func(context.Context, chronos.Execution, invoice) error) chronos.Handler {
	return func(ctx context.Context, x chronos.Execution) error {
		in, err := decode(x.Payload)
		switch {
		case errors.Is(err, errNewer):
			return chronos.RetryAfter(time.Second, err) // a minute or more, where deployments take that long
		case err != nil:
			return chronos.Permanent(fmt.Errorf("payload of %s: %w", x.Job, err))
		}
		return fn(ctx, x, in)
	}
}

func show(ctx context.Context, out io.Writer) (err error) {
	s, err := chronos.New(chronos.Options{InMemory: true}) // a host gives a Dir
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Handle("invoice", versioned(send)); err != nil {
		return err
	}
	payload, err := encode(invoice{V: current, Customer: "Ada", Cents: 1250, Currency: "EUR"})
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, chronos.Job{
		ID: "invoice", Handler: "invoice", Payload: payload,
		Schedule: chronos.Cron("0 6 1 * *"), // at 06:00 on the first of the month; today it is triggered
		Retry:    chronos.Retry{MaxAttempts: 3},
	})
	if err != nil {
		return err
	}
	run, end := context.WithCancel(ctx)
	defer end()
	running := make(chan error, 1)
	go func() { running <- s.Run(run) }()

	for _, c := range []struct{ what, payload string }{
		{"That of the job itself", ""},
		{"Of version 1, from an older program", `{"customer": "Bob", "euros": 7}`},
		{"Of version 3, from a newer program", `{"v": 3, "parties": ["Cyd"]}`},
		{"With a field that nobody knows", `{"v": 2, "customer": "Dan", "cents": 1, "currency": "EUR", "vat": 19}`},
		{"Without what has to be there", `{"v": 2, "cents": 100}`},
		{"That is no JSON", `cents=100`},
	} {
		if err := try(ctx, out, s, c.what, []byte(c.payload)); err != nil {
			return err
		}
	}
	end()
	return <-running
}

// try runs the job now, with a payload in place of its own, and tells how it ended.
func try(ctx context.Context, out io.Writer, s *chronos.Scheduler, what string, payload []byte) error {
	if len(payload) == 0 {
		payload = nil // empty would be an empty payload
	}
	x, err := s.Trigger(ctx, "invoice", chronos.TriggerRequest{Payload: payload, Note: what})
	if err != nil {
		return err
	}
	if x, err = s.Wait(ctx, x.ID); err != nil {
		return err
	}
	result := x.Error
	if x.Status == chronos.StatusSucceeded {
		var r receipt
		if err := json.NewDecoder(bytes.NewReader(x.Output)).Decode(&r); err != nil {
			return err
		}
		result = r.Text
	}
	fmt.Fprintf(out, "%s:\n  %s after attempt %d: %s\n", what, x.Status, x.Attempt, result)
	return nil
}
