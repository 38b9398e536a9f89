package chronos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/dispatch"
)

// A trigger runs a job outside its schedule. With a key it can be repeated
// safely: the second call gives the first one's execution.
func ExampleScheduler_Trigger() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	check(s.Handle("mail", func(ctx context.Context, x chronos.Execution) error {
		fmt.Printf("mail to %s\n", x.Payload)
		chronos.SetOutput(ctx, []byte("accepted"))
		return nil
	}))
	_, err = s.Put(ctx, chronos.Job{ID: "mail", Handler: "mail"}) // no schedule: only when triggered
	check(err)
	go s.Run(ctx)

	req := chronos.TriggerRequest{Key: "order-4711", Payload: []byte("ada@example.com")}
	first, err := s.Trigger(ctx, "mail", req)
	check(err)
	second, err := s.Trigger(ctx, "mail", req)
	check(err)
	fmt.Println("one execution:", first.ID == second.ID)

	x, err := s.Wait(ctx, first.ID)
	check(err)
	fmt.Printf("%s: %s\n", x.Status, x.Output)
	// Unordered output:
	// one execution: true
	// mail to ada@example.com
	// succeeded: accepted
}

// Instants of the past get executions of their own, with their due instants.
func ExampleScheduler_Backfill() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	check(s.Handle("aggregate", func(_ context.Context, x chronos.Execution) error {
		fmt.Println("aggregate", x.Due.Format(time.DateTime))
		return nil
	}))
	_, err = s.Put(ctx, chronos.Job{ID: "aggregate", Schedule: chronos.Cron("@hourly"), Handler: "aggregate"})
	check(err)
	n, err := s.Backfill(ctx, "aggregate", chronos.BackfillRequest{
		From: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
		To:   time.Date(2025, 1, 1, 2, 30, 0, 0, time.UTC),
	})
	check(err)
	fmt.Println(n, "executions")

	go s.Run(ctx)
	for x, err := range s.Executions(ctx, chronos.Query{Job: "aggregate"}) {
		check(err)
		if x.Origin == chronos.OriginBackfill {
			_, err = s.Wait(ctx, x.ID)
			check(err)
		}
	}
	// Output:
	// 3 executions
	// aggregate 2025-01-01 00:00:00
	// aggregate 2025-01-01 01:00:00
	// aggregate 2025-01-01 02:00:00
}

// What ran, and what did not, and why.
func ExampleScheduler_Executions() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx := context.Background()
	_, err = s.Put(ctx, chronos.Job{ID: "sync", Handler: "nobody-has-it-yet"})
	check(err)
	_, err = s.Trigger(ctx, "sync", chronos.TriggerRequest{})
	check(err)
	_, err = s.Trigger(ctx, "sync", chronos.TriggerRequest{}) // the first one is unfinished
	check(err)

	for x, err := range s.Executions(ctx, chronos.Query{Job: "sync", Limit: 10}) { // newest first
		check(err)
		fmt.Printf("%s: reason %q, waits for %q\n", x.Status, x.Reason, x.Waiting)
	}
	// Output:
	// skipped: reason "overlap", waits for ""
	// pending: reason "", waits for "room"
}

func ExampleScheduler_Wait() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	check(s.Handle("answer", func(ctx context.Context, _ chronos.Execution) error {
		chronos.SetOutput(ctx, []byte("42"))
		return nil
	}))
	_, err = s.Put(ctx, chronos.Job{ID: "answer", Handler: "answer"})
	check(err)
	go s.Run(ctx)
	x, err := s.Trigger(ctx, "answer", chronos.TriggerRequest{})
	check(err)

	patience, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	x, err = s.Wait(patience, x.ID)
	fmt.Println(x.Status, string(x.Output), err)
	// Output:
	// succeeded 42 <nil>
}

// A typed payload. One that does not decode fails for good, without retries.
func ExampleJSON() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	type order struct{ ID, Items int }
	check(s.Handle("ship", chronos.JSON(func(_ context.Context, _ chronos.Execution, o order) error {
		fmt.Printf("order %d has %d items\n", o.ID, o.Items)
		return nil
	})))
	_, err = s.Put(ctx, chronos.Job{ID: "ship", Handler: "ship", Retry: chronos.Retry{MaxAttempts: 5}})
	check(err)
	go s.Run(ctx)

	for _, payload := range []string{`{"ID": 7, "Items": 2}`, `not JSON`} {
		x, err := s.Trigger(ctx, "ship", chronos.TriggerRequest{Payload: []byte(payload)})
		check(err)
		x, err = s.Wait(ctx, x.ID)
		check(err)
		fmt.Println(x.Status, "after", x.Attempt, "attempt")
	}
	// Output:
	// order 7 has 2 items
	// succeeded after 1 attempt
	// failed after 1 attempt
}

// An error that no repetition can mend ends the execution.
func ExamplePermanent() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	check(s.Handle("charge", func(context.Context, chronos.Execution) error {
		return chronos.Permanent(errors.New("the card is stolen"))
	}))
	_, err = s.Put(ctx, chronos.Job{ID: "charge", Handler: "charge", Retry: chronos.Retry{MaxAttempts: 10}})
	check(err)
	go s.Run(ctx)
	x, err := s.Trigger(ctx, "charge", chronos.TriggerRequest{})
	check(err)
	x, err = s.Wait(ctx, x.ID)
	check(err)
	fmt.Println(x.Status, x.Attempt, x.Error)
	// Output:
	// failed 1 the card is stolen
}

// The handler knows better than the retry policy when to try again. Without an
// error it is a snooze, which counts as no failure.
func ExampleRetryAfter() {
	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	check(s.Handle("poll", func(_ context.Context, x chronos.Execution) error {
		switch x.Attempt {
		case 1:
			return chronos.RetryAfter(10*time.Millisecond, errors.New("too many requests"))
		case 2:
			return chronos.RetryAfter(10*time.Millisecond, nil) // not ready yet
		default:
			return nil
		}
	}))
	_, err = s.Put(ctx, chronos.Job{ID: "poll", Handler: "poll", Retry: chronos.Retry{MaxAttempts: 2}})
	check(err)
	go s.Run(ctx)
	x, err := s.Trigger(ctx, "poll", chronos.TriggerRequest{})
	check(err)
	x, err = s.Wait(ctx, x.ID)
	check(err)
	for _, a := range x.Attempts {
		fmt.Println(a.Number, a.Status, a.Error)
	}
	// Output:
	// 1 failed too many requests
	// 2 failed put off by 10ms
	// 3 succeeded
}

// A job that is an HTTP request, and a receiver that verifies it.
func ExampleWebhook() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // as in the specification; make your own
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		check(err)
		if err := dispatch.Verify(secret, r.Header, body, time.Now(), 0); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "%s of %s is verified", body, r.Header.Get("Chronos-Job"))
	}))
	defer receiver.Close()

	s, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	job, err := s.Put(ctx, chronos.Job{
		ID:      "notify",
		Payload: []byte(`{"n":1}`),
		Webhook: &chronos.Webhook{URL: receiver.URL, Secrets: []chronos.Secret{secret}},
		Retry:   chronos.Retry{MaxAttempts: 5},
	})
	check(err)
	fmt.Println("reads show", job.Webhook.Secrets)

	go s.Run(ctx)
	x, err := s.Trigger(ctx, "notify", chronos.TriggerRequest{})
	check(err)
	x, err = s.Wait(ctx, x.ID)
	check(err)
	fmt.Printf("%s, HTTP %d: %s\n", x.Status, x.Attempts[0].HTTPStatus, x.Output)
	// Output:
	// reads show [[secret]]
	// succeeded, HTTP 200: {"n":1} of notify is verified
}
