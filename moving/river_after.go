package moving

import (
	"context"
	"time"

	"github.com/chronos-go/chronos"
)

func riverAfter(ctx context.Context, s *chronos.Scheduler) error {
	err := s.Handle("report", chronos.JSON(func(ctx context.Context, _ chronos.Execution, args reportArgs) error {
		return reportAs(ctx, args)
	}))
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, chronos.Job{
		ID: "report", Handler: "report", Schedule: chronos.Cron("CRON_TZ=Europe/Berlin 30 2 * * *"),
		Payload: []byte(`{"format":"pdf"}`), Timeout: time.Hour,
		Retry: chronos.Retry{MaxAttempts: 3, Initial: time.Second, Multiplier: 4},
	})
	if err != nil {
		return err
	}
	// RunOnStart was a hedge against a schedule that begins anew with each leader.
	// Here it does not; a first run is a trigger, once for its key.
	_, err = s.Trigger(ctx, "report", chronos.TriggerRequest{Key: "first"})
	return err
}
