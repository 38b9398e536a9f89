package moving

import (
	"context"
	"time"

	"github.com/robfig/cron/v3"
)

func robfigBefore(logger cron.Logger) (*cron.Cron, error) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return nil, err
	}
	c := cron.New(cron.WithLocation(berlin), cron.WithChain(cron.Recover(logger), cron.SkipIfStillRunning(logger)))
	run := func(work func(context.Context) error) func() {
		return func() {
			if err := work(context.Background()); err != nil {
				logger.Error(err, "failed") // and that is all that becomes of it
			}
		}
	}
	if _, err := c.AddFunc("30 2 * * *", run(report)); err != nil {
		return nil, err
	}
	_, err = c.AddFunc("@every 90s", run(poll))
	return c, err // c.Start(), and at the end <-c.Stop().Done()
}
