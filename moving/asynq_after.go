package moving

import (
	"context"
	"time"

	"github.com/chronos-go/chronos"
)

func asynqAfter(ctx context.Context, s *chronos.Scheduler) error {
	err := s.Handle("report", chronos.JSON(func(ctx context.Context, _ chronos.Execution, args reportArgs) error {
		return reportAs(ctx, args) // a payload that is no JSON is not repeated
	}))
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, chronos.Job{
		ID: "report", Handler: "report", Schedule: chronos.Cron("CRON_TZ=Europe/Berlin 30 2 * * *"),
		Payload: []byte(`{"format":"pdf"}`), Timeout: time.Hour, Retry: chronos.Retry{MaxAttempts: 3},
		Concurrency: chronos.Concurrency{Key: "reports", Limit: 2}, Retention: chronos.Retention{Age: 7 * 24 * time.Hour},
	})
	return err // every process does this; there is no scheduler that has to be the only one
}
