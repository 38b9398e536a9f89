package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// scheduler is Chronos, as a host uses it.
type scheduler struct {
	*chronos.Scheduler
}

// open opens a directory. Nothing is set that makes a write less durable.
func (c *child) open(o chronos.Options) (*scheduler, error) {
	o.Logger = logger()
	s, err := chronos.New(o)
	if err != nil {
		return nil, err
	}
	return &scheduler{s}, nil
}

// run puts jobs and fires them until stop is called.
func (s *scheduler) run(h chronos.Handler, jobs []chronos.Job) (stop func() error, err error) {
	if err := s.Handle("noop", h); err != nil {
		return nil, err
	}
	if _, err := s.PutAll(context.Background(), jobs); err != nil {
		return nil, err
	}
	return s.again()
}

// again runs with the jobs and handlers there are.
func (s *scheduler) again() (stop func() error, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	for !s.Status().Running {
		select {
		case err := <-done:
			cancel()
			return nil, errors.Join(err, errors.New("the scheduler does not run"))
		case <-time.After(time.Millisecond):
		}
	}
	return stop, nil
}

// succeeded counts the rows of the ledger that say so.
func (s *scheduler) succeeded(ctx context.Context) (int64, error) {
	var n int64
	for j, err := range s.Jobs(ctx, nil) {
		if err != nil {
			return n, err
		}
		for _, err := range s.Executions(ctx, chronos.Query{Job: j.ID, Status: []chronos.Status{chronos.StatusSucceeded}}) {
			if err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// settle waits until nothing of some jobs is unfinished: each end is committed.
func (s *scheduler) settle(ctx context.Context, jobs []chronos.Job) error {
	for _, j := range jobs {
		for {
			now, err := s.Get(ctx, j.ID)
			if err != nil {
				return err
			}
			if now.State.Unfinished+now.State.Buffered == 0 {
				break
			}
			if !pause(ctx, 5*time.Millisecond) {
				return ctx.Err()
			}
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// far is an instant that no measurement sees.
func far() time.Time { return time.Now().AddDate(1, 0, 0).Truncate(time.Second) }
