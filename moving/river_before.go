package moving

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/robfig/cron/v3"
)

// Kind makes reportArgs the arguments of a River job.
func (reportArgs) Kind() string { return "report" }

type reportWorker struct {
	river.WorkerDefaults[reportArgs]
}

func (*reportWorker) Work(ctx context.Context, job *river.Job[reportArgs]) error {
	return reportAs(ctx, job.Args)
}

func (*reportWorker) Timeout(*river.Job[reportArgs]) time.Duration { return time.Hour }

func riverBefore() (*river.Config, error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &reportWorker{})
	nightly, err := cron.ParseStandard("CRON_TZ=Europe/Berlin 30 2 * * *")
	if err != nil {
		return nil, err
	}
	return &river.Config{
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
		Workers: workers,
		PeriodicJobs: []*river.PeriodicJob{
			river.NewPeriodicJob(nightly, func() (river.JobArgs, *river.InsertOpts) {
				return reportArgs{Format: "pdf"}, &river.InsertOpts{MaxAttempts: 3, UniqueOpts: river.UniqueOpts{ByArgs: true}}
			}, &river.PeriodicJobOpts{ID: "report", RunOnStart: true}),
		},
	}, nil // river.NewClient(riverpgxv5.New(pool), config), client.Start(ctx), client.Stop(ctx)
}
