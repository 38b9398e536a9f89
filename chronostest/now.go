package chronostest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/testhook"
)

// RunNow runs a job's handler once, in a scheduler of its own that is gone
// afterwards, and returns how that ended. It needs no bubble, so the handler may
// use real sockets and databases; inside a bubble it takes virtual time.
//
// The payload is job.Payload, and everything is as in production: JSON decodes,
// Job.Timeout holds, a panic is a failure with its stack in Attempts[0].Stack,
// SetOutput is in Output. There is one attempt, whatever job.Retry says: an error
// is StatusFailed; RetryAfter without one leaves StatusPending, with the next
// attempt's instant in ReadyAt. Job.Schedule and Placement play no part. ID and
// Handler may be empty. With a nil handler the job has to have a Webhook, which is sent.
//
// A handler that fails does not fail the test. A job that Put would refuse does.
func RunNow(tb testing.TB, job chronos.Job, handler chronos.Handler) chronos.Execution {
	tb.Helper()
	x, err := runNow(job, handler)
	if err != nil {
		tb.Fatalf("chronostest: RunNow: %v", err)
	}
	return x
}

func runNow(job chronos.Job, handler chronos.Handler) (x chronos.Execution, err error) {
	job.Schedule, job.Retry, job.Version, job.Placement = chronos.Schedule{}, chronos.Retry{}, 0, chronos.Placement{}
	if job.ID == "" {
		job.ID = "job"
	}
	if job.Handler == "" && job.Webhook == nil {
		job.Handler = "handler"
	}
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: slog.New(testhook.NewProcess(slog.DiscardHandler))})
	if err != nil {
		return x, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	defer func() {
		cancel()
		if e := <-ran; err == nil && e != nil {
			err = e
		}
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	if job.Webhook == nil {
		if handler == nil {
			return x, fmt.Errorf("job %q has no Webhook, and the handler is nil: pass the one that it names", job.ID)
		}
		if err := s.Handle(job.Handler, handler); err != nil {
			return x, err
		}
	}
	if _, err := s.Put(ctx, job); err != nil {
		return x, err
	}
	return attempt(ctx, s, job.ID)
}

// attempt triggers a job and waits until its first attempt is over.
func attempt(ctx context.Context, s *chronos.Scheduler, job string) (chronos.Execution, error) {
	events := s.Events(ctx)
	x, err := s.Trigger(ctx, job, chronos.TriggerRequest{})
	if err != nil {
		return x, err
	}
	for e := range events {
		if e.Execution == nil || e.Execution.ID != x.ID {
			continue
		}
		if e.Kind == chronos.EventExecutionEnded || e.Kind == chronos.EventExecutionRetrying {
			return s.Execution(ctx, x.ID)
		}
	}
	return x, chronos.ErrClosed
}

// RunNow triggers a job of the kit and lets time pass until that execution is over,
// retries included. Options are as for chronos.Scheduler.Trigger: a nil payload is
// the job's own. It is under the job's policies, so look at the Status of the
// answer: it may be StatusSkipped. The schedules go on meanwhile.
func (k *Kit) RunNow(job string, payload []byte) chronos.Execution {
	k.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	x, err := k.Scheduler().Trigger(ctx, job, chronos.TriggerRequest{Payload: payload})
	if err != nil {
		k.fatalJob("RunNow: triggering", job, err)
	}
	return k.toEnd(x.ID)
}
