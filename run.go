package chronos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Run fires jobs until ctx ends. Then it takes nothing new, lets what runs
// finish for Options.DrainTimeout, ends the contexts of the rest, and hands
// back what did not finish, without burning an attempt. It returns nil if all
// of that went well, an error that names the handlers that did not return, or
// the error that stopped the scheduler. It may be called again afterwards, but
// not twice at once.
func (s *Scheduler) Run(ctx context.Context) error {
	runCtx, err := s.beginRun(ctx)
	if err != nil {
		return err
	}
	defer s.endRun()
	s.dispatcher.Resume()
	if err := s.setCapacity(runCtx, int64(s.options.Concurrency)); err != nil {
		if ctx.Err() != nil {
			err = nil
		}
		return errors.Join(err, s.drain())
	}
	var planning sync.WaitGroup
	if s.member == nil { // a cluster's leader plans for all
		planning.Go(func() { s.planner.Run(runCtx) })
	}
	var stopped error
	select {
	case <-runCtx.Done():
	case <-s.node.Stopped():
		stopped = translate(s.node.Err())
		s.endRunContext()
	}
	planning.Wait()
	return errors.Join(stopped, s.drain())
}

func (s *Scheduler) beginRun(ctx context.Context) (context.Context, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done.Load() {
		return nil, ErrClosed
	}
	if s.runEnd != nil {
		return nil, fmt.Errorf("%w: Run runs already", ErrConflict)
	}
	runCtx, cancel := context.WithCancel(ctx)
	s.runEnd, s.runDone = cancel, make(chan struct{})
	return runCtx, nil
}

func (s *Scheduler) endRunContext() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runEnd()
}

func (s *Scheduler) endRun() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runEnd()
	close(s.runDone)
	s.runEnd = nil
}

// drain stops starting, waits for what runs, and commits how it ended.
func (s *Scheduler) drain() error {
	patience := s.options.DrainTimeout + s.options.StuckAfter
	ctx, cancel := context.WithTimeout(context.Background(), patience+10*time.Second)
	defer cancel()
	told := s.takeNothing(s.while(ctx))
	drainCtx, stop := context.WithTimeout(ctx, s.options.DrainTimeout)
	defer stop()
	drained := s.dispatcher.Drain(drainCtx)
	flushCtx := s.while(ctx)
	if !told && s.member != nil { // nobody is there to hear of results either
		var done context.CancelFunc
		flushCtx, done = context.WithTimeout(ctx, time.Second)
		defer done()
	}
	if flushed := s.reporter.flush(flushCtx); flushed != nil {
		s.log.Warn("chronos: results could not be committed; the next start resolves them", "error", flushed)
	}
	return drained
}

// while bounds what a node that stops waits for the others: they may be stopping,
// too, and what cannot be told them is resolved when the lease ends.
func (s *Scheduler) while(ctx context.Context) context.Context {
	if s.member == nil {
		return ctx
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Cluster.Lease)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// takeNothing announces that this node stops, before anything is handed back:
// otherwise what is handed back would be assigned to it again.
func (s *Scheduler) takeNothing(ctx context.Context) (told bool) {
	for {
		err := s.setCapacity(ctx, 0)
		if err == nil {
			return true
		}
		select {
		case <-s.node.Stopped():
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
			continue
		}
		s.log.Warn("chronos: could not announce that this node stops", "error", err)
		return false
	}
}
