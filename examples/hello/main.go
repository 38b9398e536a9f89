// Hello shows Chronos in about ten seconds: jobs that fire, one that fails and
// is tried again, one that is skipped because it is still busy, and the history
// of it all. Start it a second time on the same directory to see that it
// remembers, and what it does about the instants it missed meanwhile. Kill it
// with -9 in the middle, if you like: that is what it is made for.
//
//	go run ./examples/hello
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

func main() {
	dir := flag.String("dir", defaultDir(), "where the jobs and their history are kept")
	length := flag.Duration("for", 10*time.Second, "how long to watch")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := show(ctx, os.Stdout, *dir, *length)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// defaultDir is the same at every start, so that the second one finds what the
// first one left.
func defaultDir() string {
	if cache, err := os.UserCacheDir(); err == nil {
		return filepath.Join(cache, "chronos-hello")
	}
	return filepath.Join(os.TempDir(), "chronos-hello")
}

func show(ctx context.Context, w io.Writer, dir string, length time.Duration) (err error) {
	out := &printer{w: w}
	s, err := chronos.New(chronos.Options{
		Dir:    dir,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	out.line("Chronos keeps everything in %s", dir)
	if err := remember(ctx, out, s); err != nil {
		return err
	}
	if err := declare(ctx, out, s); err != nil {
		return err
	}

	out.line("Now it runs for %v:", length)
	watching, stop := context.WithCancel(context.Background())
	events := s.Events(watching)
	var watcher sync.WaitGroup
	watcher.Go(func() { watch(out, events) })

	running, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	err = s.Run(running) // fires until running ends, then lets what runs finish
	stop()
	watcher.Wait()
	if err != nil {
		return err
	}
	return history(context.WithoutCancel(ctx), out, s, dir)
}

// declare registers the handlers and puts the jobs. Every start does it: a
// definition that is unchanged makes no new version.
func declare(ctx context.Context, out *printer, s *chronos.Scheduler) error {
	handlers := map[string]chronos.Handler{
		"greet": func(_ context.Context, x chronos.Execution) error {
			out.event("greet", "says hello%s", again(x))
			return nil
		},
		"shaky": func(_ context.Context, x chronos.Execution) error {
			if x.Attempt%2 == 1 {
				return errors.New("no luck")
			}
			out.event("shaky", "works this time, at attempt %d", x.Attempt)
			return nil
		},
		"slow": func(ctx context.Context, x chronos.Execution) error {
			out.event("slow", "starts, and takes 3 seconds%s", again(x))
			select {
			case <-time.After(3 * time.Second):
				return nil
			case <-ctx.Done(): // the process is asked to stop
				return ctx.Err()
			}
		},
	}
	for name, h := range handlers {
		if err := s.Handle(name, h); err != nil {
			return err
		}
	}
	jobs := []chronos.Job{
		{ID: "greet", Handler: "greet", Schedule: chronos.Every(2 * time.Second), Description: "says hello"},
		{
			ID: "shaky", Handler: "shaky", Schedule: chronos.Every(5 * time.Second), Description: "fails first, is tried again a second later",
			Retry: chronos.Retry{MaxAttempts: 4, Initial: time.Second, NoJitter: true},
		},
		{ID: "slow", Handler: "slow", Schedule: chronos.Every(2 * time.Second), Description: "takes 3s, so it is still busy when it is due again"},
	}
	out.line("The jobs:")
	for _, job := range jobs {
		stored, err := s.Put(ctx, job)
		if err != nil {
			return err
		}
		out.line("  %-6s  %-9s  version %d  %s", stored.ID, stored.Schedule, stored.Version, stored.Description)
	}
	out.line("")
	return nil
}

// again says why an attempt is not the first.
func again(x chronos.Execution) string {
	if x.Attempt == 1 {
		return ""
	}
	return fmt.Sprintf(" (attempt %d: the process died during the one before)", x.Attempt)
}

// remember tells what is in the directory from earlier starts.
func remember(ctx context.Context, out *printer, s *chronos.Scheduler) error {
	var ran, missed int
	var last time.Time
	for x, err := range s.Executions(ctx, chronos.Query{}) {
		if err != nil {
			return err
		}
		switch {
		case x.Ran():
			ran++
		case x.Status == chronos.StatusMissed:
			missed += x.Count
		}
		if x.EndedAt.After(last) {
			last = x.EndedAt
		}
	}
	if ran == 0 {
		out.line("The directory is new: there is nothing to remember yet.\n")
		return nil
	}
	out.line("It remembers: %d executions that ran, %d instants that were missed, the last entry %v ago.",
		ran, missed, time.Since(last).Round(time.Second))
	for job, err := range s.Jobs(ctx, nil) {
		if err != nil {
			return err
		}
		if due := job.State.NextDue; due.Before(time.Now()) && !due.IsZero() {
			out.line("  %-6s  was due at %s, and nobody was there: one execution makes up for what was missed", job.ID, clock(due))
		}
	}
	out.line("")
	return nil
}

// watch tells what is committed, as far as the handlers do not say it themselves.
func watch(out *printer, events <-chan chronos.Event) {
	for ev := range events {
		x := ev.Execution
		switch {
		case ev.Kind == chronos.EventExecutionRetrying:
			out.event(ev.Job, "failed (%s) and is tried again at %s", x.Error, clock(x.ReadyAt))
		case ev.Kind != chronos.EventExecutionEnded:
		case x.Status == chronos.StatusSkipped:
			out.event(ev.Job, "is due, but still busy: skipped")
		case x.Status == chronos.StatusMissed:
			out.event(ev.Job, "missed %d instants, from %s to %s", x.Count, clock(x.Due), clock(x.RangeTo))
		case x.Status != chronos.StatusSucceeded:
			out.event(ev.Job, "ended: %s %s", x.Status, x.Error)
		}
	}
}

// history prints the newest rows of the ledger.
func history(ctx context.Context, out *printer, s *chronos.Scheduler, dir string) error {
	out.line("\nThe history, newest first. Every instant has its row, whether or not something ran:")
	out.line("  %-10s  %-6s  %s", "due", "job", "status")
	for x, err := range s.Executions(ctx, chronos.Query{Limit: 25}) {
		if err != nil {
			return err
		}
		note := ""
		switch {
		case x.Count > 1:
			note = fmt.Sprintf("%d instants up to %s (%s)", x.Count, clock(x.RangeTo), x.Reason)
		case x.Attempt > 1:
			note = fmt.Sprintf("%d attempts, the first ended as %s", x.Attempt, x.Attempts[0].Status)
		case x.Reason != "":
			note = string(x.Reason)
		}
		out.line("%s", strings.TrimRight(fmt.Sprintf("  %-10s  %-6s  %-9s  %s", clock(x.Due), x.Job, x.Status, note), " "))
	}
	out.line("\nStart it again, and it goes on from here. To begin anew, remove %s", dir)
	return nil
}

func clock(t time.Time) string { return t.Local().Format("15:04:05.0") }

// printer keeps lines whole: handlers run side by side.
type printer struct {
	mu sync.Mutex
	w  io.Writer
}

func (p *printer) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *printer) event(job, format string, args ...any) {
	p.line("  %s  %-6s  %s", clock(time.Now()), job, fmt.Sprintf(format, args...))
}
