package moving

import (
	"context"
	"errors"
	"time"

	"github.com/chronos-go/chronos"
)

func gocronAfter(ctx context.Context, s *chronos.Scheduler) error {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return err
	}
	err = errors.Join(
		s.Handle("report", chronos.JSON(func(ctx context.Context, _ chronos.Execution, args reportArgs) error { return reportAs(ctx, args) })),
		s.Handle("poll", func(ctx context.Context, _ chronos.Execution) error { return poll(ctx) }),
	)
	if err != nil {
		return err
	}
	_, err = s.PutAll(ctx, []chronos.Job{
		{
			ID: "report", Handler: "report", Schedule: chronos.Cron("30 9 * * MON,FRI").In(berlin),
			Payload: []byte(`{"format":"pdf"}`), Labels: map[string]string{"area": "billing"}, Overlap: chronos.OverlapAllowAll,
		},
		{ID: "poll", Handler: "poll", Schedule: chronos.Every(90 * time.Second), MaxRuns: 1000},
	})
	return err // Options.Cluster takes the place of the locker
}
