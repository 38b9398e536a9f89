package moving

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hibiken/asynq"
)

func asynqBefore(redis asynq.RedisConnOpt) (*asynq.Scheduler, *asynq.ServeMux, error) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return nil, nil, err
	}
	scheduler := asynq.NewScheduler(redis, &asynq.SchedulerOpts{Location: berlin})
	task := asynq.NewTask("report", []byte(`{"format":"pdf"}`), asynq.MaxRetry(2), asynq.Timeout(time.Hour), asynq.Retention(7*24*time.Hour))
	if _, err := scheduler.Register("30 2 * * *", task, asynq.Unique(time.Hour), asynq.Queue("reports")); err != nil {
		return nil, nil, err
	}
	mux := asynq.NewServeMux()
	mux.HandleFunc("report", func(ctx context.Context, t *asynq.Task) error {
		var args reportArgs
		if err := json.Unmarshal(t.Payload(), &args); err != nil {
			return asynq.SkipRetry
		}
		return reportAs(ctx, args)
	})
	return scheduler, mux, nil // scheduler.Run() in one process, asynq.NewServer(...).Run(mux) in all
}
