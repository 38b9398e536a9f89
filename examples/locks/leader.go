package main

import (
	"context"
	"errors"
	"time"

	"github.com/chronos-go/chronos"
)

// lead does work whenever this node has a lock, and waits for the lock otherwise,
// until ctx ends or the scheduler is closed. The context of work ends when the
// lock is lost: before another node may have it, as far as work heeds it. Against
// what comes too late all the same there is the token, which is higher from
// holder to holder: a resource that keeps the highest one refuses the others.
func lead(ctx context.Context, s *chronos.Scheduler, name string, work func(ctx context.Context, node string, token uint64)) error {
	for {
		lock, err := s.Lock(ctx, name)
		switch {
		case ctx.Err() != nil || errors.Is(err, chronos.ErrClosed):
			if err == nil {
				giveBack(lock)
			}
			return nil
		case errors.Is(err, chronos.ErrStopped):
			return err
		case err != nil: // this node reaches nobody who leads: it may, in a while
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		working, stop := context.WithCancelCause(lock.Context())
		unwatch := context.AfterFunc(ctx, func() { stop(context.Cause(ctx)) })
		work(working, s.Status().Node, lock.FencingToken())
		unwatch()
		stop(nil)
		giveBack(lock)
	}
}

// giveBack does what it can in a second. What then stands in its way, such as that
// nobody leads, is no reason to end: the scheduler goes on giving the lock back,
// and it is free when this node's lease ends at the latest.
func giveBack(lock *chronos.Lock) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = lock.Unlock(ctx)
}
