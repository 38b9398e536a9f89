package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// noopArgs is a job of River, and a task of asynq.
type noopArgs struct {
	Job int   `json:"job"`
	Due int64 `json:"due,omitempty"` // second
}

func (noopArgs) Kind() string { return "noop" }

// riverClient is River in a schema of its own, tuned: fetches follow each other
// without a pause, and as many workers as it allows.
type riverClient struct {
	client *river.Client[pgx.Tx]
	pool   *pgxpool.Pool
	schema string
}

type noopWorker struct {
	river.WorkerDefaults[noopArgs]
	work func(noopArgs, time.Time)
}

func (w *noopWorker) Work(_ context.Context, job *river.Job[noopArgs]) error {
	w.work(job.Args, job.ScheduledAt)
	return nil
}

// openRiver prepares a client that works on a queue, if work is given.
func (c *child) openRiver(work func(noopArgs, time.Time), periodic []*river.PeriodicJob) (*riverClient, error) {
	config, err := pgxpool.ParseConfig(c.Settings.Postgres)
	if err != nil {
		return nil, err
	}
	config.MaxConns = max(config.MaxConns, 32)
	pool, err := pgxpool.NewWithConfig(c.ctx, config)
	if err != nil {
		return nil, err
	}
	r := &riverClient{pool: pool, schema: fmt.Sprintf("chronos_bench_%d", os.Getpid())}
	if err := r.create(c); err != nil {
		r.close()
		return nil, err
	}
	options := &river.Config{Schema: r.schema, Logger: logger()}
	if work != nil {
		options.Workers = river.NewWorkers()
		river.AddWorker(options.Workers, &noopWorker{work: work})
		options.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: river.QueueNumWorkersMax}}
		options.FetchCooldown, options.FetchPollInterval = river.FetchCooldownMin, 10*time.Millisecond
		options.PeriodicJobs = periodic
	}
	if r.client, err = river.NewClient(riverpgxv5.New(pool), options); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *riverClient) create(c *child) error {
	if _, err := r.pool.Exec(c.ctx, "CREATE SCHEMA "+r.schema); err != nil {
		return err
	}
	m, err := rivermigrate.New(riverpgxv5.New(r.pool), &rivermigrate.Config{Schema: r.schema, Logger: logger()})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(c.ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	var version, fsync, commit string
	err = r.pool.QueryRow(c.ctx, "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')").Scan(&version, &fsync, &commit)
	c.note("PostgreSQL %s, fsync=%s, synchronous_commit=%s", version, fsync, commit)
	return err
}

// close leaves nothing in the database.
func (r *riverClient) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, _ = r.pool.Exec(ctx, "DROP SCHEMA IF EXISTS "+r.schema+" CASCADE") // a schema that stays harms nobody
	r.pool.Close()
}

// stop lets what runs end, and records it.
func (r *riverClient) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return r.client.Stop(ctx)
}

func (r *riverClient) completed(ctx context.Context) (n int64, err error) {
	err = r.pool.QueryRow(ctx, "SELECT count(*) FROM "+r.schema+".river_job WHERE state = $1", rivertype.JobStateCompleted).Scan(&n)
	return n, err
}

func (r *riverClient) rows(ctx context.Context) (n int64, err error) {
	err = r.pool.QueryRow(ctx, "SELECT count(*) FROM "+r.schema+".river_job").Scan(&n)
	return n, err
}

func (r *riverClient) insert(ctx context.Context, n int) error {
	params := make([]river.InsertManyParams, n)
	for i := range params {
		params[i].Args = noopArgs{Job: i}
	}
	got, err := r.client.InsertManyFast(ctx, params)
	if err == nil && got != n {
		err = fmt.Errorf("%d of %d jobs inserted", got, n)
	}
	return err
}

// riverRate inserts while it works; as Chronos does, whose executions are made and
// run at once.
func riverRate(c *child) error { return c.river(0) }

// riverStocked works on what was inserted before.
func riverStocked(c *child) error {
	return c.river(int(c.Settings.Sizes.Rate.Seconds() * 25_000))
}

func (c *child) river(stock int) error {
	var ran atomic.Int64
	r, err := c.openRiver(func(noopArgs, time.Time) { ran.Add(1) }, nil)
	if err != nil {
		return err
	}
	defer r.close()
	const each = 5_000
	for n := 0; n < stock; n += 10 * each {
		if err := r.insert(c.ctx, min(10*each, stock-n)); err != nil {
			return err
		}
	}
	began, used := time.Now(), processorTime()
	ctx, cancel := context.WithTimeout(c.ctx, c.Settings.Sizes.Rate)
	defer cancel()
	if err := r.client.Start(c.ctx); err != nil {
		return err
	}
	for made := 0; stock == 0 && ctx.Err() == nil; {
		if int64(made)-ran.Load() > 4*each {
			pause(ctx, time.Millisecond)
			continue
		}
		if err := r.insert(c.ctx, each); err != nil {
			return err
		}
		made += each
	}
	for stock > 0 && ran.Load() < int64(stock) && pause(ctx, 10*time.Millisecond) {
	}
	if err := r.stop(); err != nil {
		return err
	}
	took := time.Since(began)
	c.figure("rate", float64(ran.Load())/took.Seconds(), "/s")
	c.figure("cpu", float64((processorTime()-used).Microseconds())/float64(max(ran.Load(), 1)), "µs/exec")
	c.note("the database's processor time is not in that")
	ended, err := r.completed(c.ctx)
	c.control("rows that completed, for as many starts", c.counted(ran.Load()), ended)
	return err
}

func bulkRiver(c *child) error {
	r, err := c.openRiver(nil, nil)
	if err != nil {
		return err
	}
	defer r.close()
	began, n := time.Now(), c.Settings.Sizes.Bulk
	if err := r.insert(c.ctx, n); err != nil {
		return err
	}
	c.figure("rate", float64(n)/time.Since(began).Seconds(), "/s")
	rows, err := r.rows(c.ctx)
	c.control("rows", rows, int64(n))
	return err
}

func putRiver(c *child, callers int) error {
	r, err := c.openRiver(nil, nil)
	if err != nil {
		return err
	}
	defer r.close()
	n, err := c.calls(callers, func(ctx context.Context, i int) error {
		_, err := r.client.Insert(ctx, noopArgs{Job: i}, nil)
		return err
	})
	if err != nil {
		return err
	}
	rows, err := r.rows(c.ctx)
	c.control("rows", rows, n)
	return err
}
