package moving

import (
	"context"
	"time"

	"github.com/go-co-op/gocron/v2"
)

func gocronBefore(ctx context.Context, locker gocron.Locker) (gocron.Scheduler, error) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return nil, err
	}
	s, err := gocron.NewScheduler(gocron.WithLocation(berlin), gocron.WithDistributedLocker(locker))
	if err != nil {
		return nil, err
	}
	_, err = s.NewJob(
		gocron.WeeklyJob(1, gocron.NewWeekdays(time.Monday, time.Friday), gocron.NewAtTimes(gocron.NewAtTime(9, 30, 0))),
		gocron.NewTask(reportAs, reportArgs{Format: "pdf"}),
		gocron.WithName("report"), gocron.WithTags("billing"), gocron.WithContext(ctx),
	)
	if err != nil {
		return nil, err
	}
	_, err = s.NewJob(
		gocron.DurationJob(90*time.Second),
		gocron.NewTask(poll),
		gocron.WithName("poll"), gocron.WithSingletonMode(gocron.LimitModeReschedule), gocron.WithLimitedRuns(1000), gocron.WithContext(ctx),
	)
	return s, err // s.Start(), and at the end s.Shutdown()
}
