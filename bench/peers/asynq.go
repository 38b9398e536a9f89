package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// asynqQueue is asynq with a queue of its own. Its tasks are kept for a day after
// they ended, as a ledger keeps them.
type asynqQueue struct {
	name      string
	client    *asynq.Client
	server    *asynq.Server
	inspector *asynq.Inspector
}

func (c *child) openAsynq() (*asynqQueue, error) {
	to := asynq.RedisClientOpt{Addr: c.Settings.Redis, PoolSize: 64}
	plain := redis.NewClient(&redis.Options{Addr: c.Settings.Redis})
	defer plain.Close()
	info, err := plain.Info(c.ctx, "server").Result()
	if err != nil {
		return nil, err
	}
	var version string
	for _, f := range fields(info, "redis_version") {
		version = f
	}
	kept := "?"
	if v, err := plain.ConfigGet(c.ctx, "append*").Result(); err == nil {
		kept = fmt.Sprintf("appendonly=%s, appendfsync=%s", v["appendonly"], v["appendfsync"])
	}
	c.note("Redis %s, %s", version, kept)
	q := &asynqQueue{name: fmt.Sprintf("chronos_bench_%d", os.Getpid())}
	q.client, q.inspector = asynq.NewClient(to), asynq.NewInspector(to)
	q.server = asynq.NewServer(to, asynq.Config{
		Concurrency: 256, Queues: map[string]int{q.name: 1}, LogLevel: asynq.WarnLevel,
		TaskCheckInterval: 10 * time.Millisecond, DelayedTaskCheckInterval: 100 * time.Millisecond,
	})
	return q, nil
}

func (q *asynqQueue) start(h asynq.HandlerFunc) error { return q.server.Start(h) }

// close leaves nothing in Redis.
func (q *asynqQueue) close() {
	q.server.Shutdown()
	_ = q.inspector.DeleteQueue(q.name, true) // it may never have been made
	_ = q.inspector.Close()
	_ = q.client.Close()
}

func (q *asynqQueue) enqueue(i int, at time.Time) error {
	args := noopArgs{Job: i}
	if !at.IsZero() {
		args.Due = at.Unix()
	}
	payload, err := json.Marshal(args)
	if err != nil {
		return err
	}
	options := []asynq.Option{asynq.Queue(q.name), asynq.Retention(24 * time.Hour)}
	if !at.IsZero() {
		options = append(options, asynq.ProcessAt(at))
	}
	_, err = q.client.Enqueue(asynq.NewTask("noop", payload), options...)
	return err
}

// many enqueues from many callers: asynq has no call for several tasks.
func (q *asynqQueue) many(n int, at time.Time) error {
	const callers = 64
	errs := make([]error, callers)
	var working sync.WaitGroup
	for c := range callers {
		working.Go(func() {
			for i := c; i < n && errs[c] == nil; i += callers {
				errs[c] = q.enqueue(i, at)
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
}

func asynqRate(c *child) error { return c.asynq(0) }

// asynqStocked works on what was enqueued before.
func asynqStocked(c *child) error { return c.asynq(int(c.Settings.Sizes.Rate.Seconds() * 16_000)) }

func (c *child) asynq(stock int) error {
	q, err := c.openAsynq()
	if err != nil {
		return err
	}
	defer q.close()
	if err := q.many(stock, time.Time{}); err != nil {
		return err
	}
	var ran atomic.Int64
	began, used := time.Now(), processorTime()
	if err := q.start(func(context.Context, *asynq.Task) error {
		ran.Add(1)
		return nil
	}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.Settings.Sizes.Rate)
	defer cancel()
	made := int64(stock)
	for each := 2_000; stock == 0 && ctx.Err() == nil; {
		if made-ran.Load() > 4*int64(each) {
			pause(ctx, time.Millisecond)
			continue
		}
		if err := q.many(each, time.Time{}); err != nil {
			return err
		}
		made += int64(each)
	}
	for stock > 0 && ran.Load() < made && pause(ctx, 10*time.Millisecond) {
	}
	q.server.Shutdown() // what runs ends
	took := time.Since(began)
	c.figure("rate", float64(ran.Load())/took.Seconds(), "/s")
	c.figure("cpu", float64((processorTime()-used).Microseconds())/float64(max(ran.Load(), 1)), "µs/exec")
	c.note("Redis' processor time is not in that")
	info, err := q.inspector.GetQueueInfo(q.name)
	if err != nil {
		return err
	}
	c.control("tasks that completed, for as many starts", c.counted(ran.Load()), int64(info.Completed))
	return nil
}

func bulkAsynq(c *child) error {
	q, err := c.openAsynq()
	if err != nil {
		return err
	}
	defer q.close()
	began, n := time.Now(), c.Settings.Sizes.Bulk
	if err := q.many(n, time.Time{}); err != nil {
		return err
	}
	c.figure("rate", float64(n)/time.Since(began).Seconds(), "/s")
	return c.pending(q, int64(n))
}

func putAsynq(c *child, callers int) error {
	q, err := c.openAsynq()
	if err != nil {
		return err
	}
	defer q.close()
	n, err := c.calls(callers, func(_ context.Context, i int) error { return q.enqueue(i, time.Time{}) })
	if err != nil {
		return err
	}
	return c.pending(q, n)
}

func (c *child) pending(q *asynqQueue, want int64) error {
	info, err := q.inspector.GetQueueInfo(q.name)
	if err == nil {
		c.control("tasks", int64(info.Pending), want)
	}
	return err
}
