package moving

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
)

func crontabAfter(ctx context.Context, s *chronos.Scheduler, crontab io.Reader) ([]jobfile.Note, error) {
	err := s.Handle("shell", chronos.JSON(func(ctx context.Context, _ chronos.Execution, c jobfile.Command) error {
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.Command)
		cmd.Stdin = strings.NewReader(c.Stdin)
		cmd.WaitDelay = 10 * time.Second // what the shell has started may hold its output when it is gone
		cmd.Env = os.Environ()           // HOME and PATH, which cron gave, too; secrets of the process do not belong there
		for name, value := range c.Env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		chronos.SetOutput(ctx, out) // in the ledger, where cron would have sent a mail
		return err
	}))
	if err != nil {
		return nil, err
	}
	berlin, err := time.LoadLocation("Europe/Berlin") // that of the machine on which cron ran
	if err != nil {
		return nil, err
	}
	jobs, notes, err := jobfile.ParseCrontab(crontab, jobfile.CrontabOptions{Zone: berlin, Prefix: "cron/"})
	if err != nil {
		return notes, err
	}
	_, err = jobfile.Reconcile(ctx, s, "crontab", jobs, jobfile.ReconcileOptions{})
	if err != nil {
		return notes, fmt.Errorf("the crontab was not taken over: %w", err)
	}
	return notes, nil
}
