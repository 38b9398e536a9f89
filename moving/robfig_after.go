package moving

import (
	"context"
	"errors"
	"time"

	"github.com/chronos-go/chronos"
)

func robfigAfter(ctx context.Context, s *chronos.Scheduler) error {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return err
	}
	run := func(work func(context.Context) error) chronos.Handler {
		return func(ctx context.Context, _ chronos.Execution) error { return work(ctx) }
	}
	if err := errors.Join(s.Handle("report", run(report)), s.Handle("poll", run(poll))); err != nil {
		return err
	}
	_, err = s.PutAll(ctx, []chronos.Job{
		{ID: "report", Handler: "report", Schedule: chronos.Cron("30 2 * * *").In(berlin), Retry: chronos.Retry{MaxAttempts: 3}},
		{ID: "poll", Handler: "poll", Schedule: chronos.Every(90 * time.Second)},
	})
	return err // s.Run(ctx), which ends with ctx and waits for what runs
}
