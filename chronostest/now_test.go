package chronostest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

type order struct{ Number int }

var ship = chronos.JSON(func(ctx context.Context, x chronos.Execution, o order) error {
	switch o.Number {
	case 0:
		return errors.New("no order")
	case 13:
		panic("unlucky")
	case 7:
		return chronos.RetryAfter(time.Hour, nil)
	}
	chronos.SetOutput(ctx, []byte("shipped"))
	return nil
})

func TestRunNow(t *testing.T) {
	for name, c := range map[string]struct {
		payload, errText, stack string
		status                  chronos.Status
	}{
		"with a payload":     {`{"Number": 4}`, "", "", chronos.StatusSucceeded},
		"that fails":         {`{"Number": 0}`, "no order", "", chronos.StatusFailed},
		"without a payload":  {"", "no order", "", chronos.StatusFailed},
		"that panics":        {`{"Number": 13}`, "unlucky", "now_test.go", chronos.StatusFailed},
		"that is put off":    {`{"Number": 7}`, "", "", chronos.StatusPending},
		"that does not read": {`[1]`, "cannot unmarshal array", "", chronos.StatusFailed},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{TB: t}
			f.passes(t, func() {
				x := chronostest.RunNow(f, chronos.Job{ID: "ship", Payload: []byte(c.payload), Retry: chronos.Retry{MaxAttempts: 5}}, ship)
				if x.Status != c.status || !strings.Contains(x.Error, c.errText) || x.Attempt != 1 || len(x.Attempts) != 1 {
					t.Errorf("it ended as %s after %d attempts: %q", x.Status, x.Attempt, x.Error)
				}
				if x.Status == chronos.StatusSucceeded && string(x.Output) != "shipped" {
					t.Errorf("the output is %q", x.Output)
				}
				if stack := x.Attempts[0].Stack; !strings.Contains(stack, c.stack) || c.stack == "" && stack != "" {
					t.Errorf("the stack is %q", stack)
				}
				if x.Status == chronos.StatusPending && time.Until(x.ReadyAt) < 55*time.Minute {
					t.Errorf("the next attempt is at %s", x.ReadyAt)
				}
			})
		})
	}
}

func TestRunNowTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		x := chronostest.RunNow(t, chronos.Job{Timeout: time.Minute}, busy(time.Hour))
		if x.Status != chronos.StatusTimedOut || time.Since(begin) != time.Minute {
			t.Errorf("%s after %v", x.Status, time.Since(begin))
		}
	})
}

// Real sockets are possible outside of a bubble.
func TestRunNowWebhook(t *testing.T) {
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer srv.Close()
	x := chronostest.RunNow(t, chronos.Job{Payload: []byte("hello"), Webhook: &chronos.Webhook{URL: srv.URL}}, nil)
	if x.Status != chronos.StatusFailed || x.Attempts[0].HTTPStatus != http.StatusTeapot || got != "hello" {
		t.Errorf("%s %+v, and it got %q", x.Status, x.Attempts, got)
	}
}

func TestRunNowBad(t *testing.T) {
	f := &fake{TB: t}
	f.fails(t, func() { chronostest.RunNow(f, chronos.Job{ID: "a b"}, succeed) }, "RunNow", "Job.ID")
	f.fails(t, func() { chronostest.RunNow(f, chronos.Job{ID: "a"}, nil) }, `job "a" has no Webhook, and the handler is nil`)
	f.fails(t, func() { chronostest.RunNow(f, chronos.Job{Timeout: -1}, succeed) }, "Job.Timeout")
}

// A kit triggers its jobs, with their policies.
func TestKitRunNow(t *testing.T) {
	job := chronos.Job{Schedule: chronos.Cron("0 9 * * *"), Payload: []byte(`{"Number": 0}`), Retry: chronos.Retry{MaxAttempts: 3, NoJitter: true}}
	observed(t, chronostest.Options{Start: start, Declare: declare(ship, job)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		f.passes(t, func() {
			if x := k.RunNow("job", []byte(`{"Number": 4}`)); x.Status != chronos.StatusSucceeded || string(x.Output) != "shipped" {
				t.Errorf("%s %s", x.Status, x.Error)
			}
			k.Advance(time.Second)
			if x := k.RunNow("job", nil); x.Status != chronos.StatusFailed || x.Attempt != 3 {
				t.Errorf("%s after %d attempts", x.Status, x.Attempt)
			}
			k.AssertLedger("job", "2026-03-02T08:30:00Z trigger succeeded", "2026-03-02T08:30:01Z trigger failed after 3 attempts")
		})
		f.fails(t, func() { k.RunNow("jab", nil) }, `triggering "jab"`, "not found")
	})
}

// A handler sees who asked for the execution, as in production.
func TestRunNowAsked(t *testing.T) {
	var seen []string
	see := func(_ context.Context, x chronos.Execution) error {
		seen = append(seen, x.Key+"|"+x.Actor+"|"+x.Note)
		return nil
	}
	bubble(t, chronostest.Options{Declare: declare(see, chronos.Job{})}, func(t *testing.T, k *chronostest.Kit) {
		ctx := chronos.WithActor(t.Context(), "ann")
		if _, err := k.Scheduler().Trigger(ctx, "job", chronos.TriggerRequest{Key: "k", Note: "please"}); err != nil {
			t.Fatal(err)
		}
		k.AdvanceToEnd("job")
		k.RunNow("job", nil)
		if want := []string{"k|ann|please", "||"}; !slices.Equal(seen, want) {
			t.Errorf("seen %q", seen)
		}
	})
}
