// Reconcile takes its jobs from a file, and follows it: change the file while the
// program runs, and its jobs change; take a job out, and it is gone. What somebody put by
// other means stays. A file that is not valid, or is empty all at once, changes nothing.
//
//	go run ./examples/reconcile -dry-run
//	go run ./examples/reconcile -file examples/reconcile/jobs.json
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
)

func main() {
	var p program
	flag.StringVar(&p.dir, "dir", filepath.Join(os.TempDir(), "chronos-reconcile"), "where the jobs and their history are kept")
	flag.StringVar(&p.file, "file", filepath.Join("examples", "reconcile", "jobs.json"), "what the jobs are to be")
	flag.BoolVar(&p.dry, "dry-run", false, "show what would change, and end")
	length := flag.Duration("for", 10*time.Second, "how long to run; 0: until Ctrl-C")
	flag.Parse()
	p.out = os.Stdout

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	if *length > 0 {
		ctx, stop = context.WithTimeout(ctx, *length)
	}
	err := p.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// owner is what the jobs of the file are known by. It stays the same, wherever the file is.
const owner = "examples/reconcile"

type program struct {
	dir, file string
	dry       bool

	mu  sync.Mutex
	out io.Writer
}

func (p *program) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, format+"\n", args...)
}

func (p *program) run(ctx context.Context) (err error) {
	s, err := chronos.New(chronos.Options{
		Dir:    p.dir,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Handle("say", chronos.JSON(p.handle)); err != nil {
		return err
	}

	text, err := os.ReadFile(p.file)
	if err != nil {
		return err
	}
	if err := p.apply(ctx, s, text); err != nil || p.dry {
		return err // at the start a file that is not valid is the end; later it is not
	}
	var following sync.WaitGroup
	defer following.Wait()
	run, end := context.WithCancel(ctx)
	defer end() // Run may end before ctx does: where the disk fails, for example
	following.Go(func() { p.follow(run, s, text) })
	return s.Run(run)
}

// apply makes the jobs what a file says.
func (p *program) apply(ctx context.Context, s *chronos.Scheduler, text []byte) error {
	jobs, err := jobfile.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	plan, err := jobfile.Reconcile(chronos.WithActor(ctx, owner), s, owner, jobs, jobfile.ReconcileOptions{DryRun: p.dry, MaxRemove: 10})
	if len(plan.Steps) > 0 {
		p.say("%s", plan)
	}
	return err
}

// follow looks at the file every second, until ctx ends. What could not be done for a
// reason that is not in the file (nobody leads, another process was faster) is done
// again: the file stays as it is then, and nobody would come back to it.
func (p *program) follow(ctx context.Context, s *chronos.Scheduler, last []byte) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		text, err := os.ReadFile(p.file)
		if err != nil || bytes.Equal(text, last) {
			continue // it is being replaced, perhaps
		}
		err = p.apply(ctx, s, text)
		if err == nil || forGood(err) {
			last = text
		}
		if err != nil {
			p.say("not all is as the file says: %v", err)
		}
	}
}

// forGood tells if only another file helps.
func forGood(err error) bool {
	var theirs *jobfile.ConflictError
	return errors.Is(err, chronos.ErrInvalid) || errors.Is(err, jobfile.ErrRemovesTooMuch) || errors.As(err, &theirs)
}

// payload is what the handler gets.
type payload struct {
	Text string `json:"text"`
}

func (p *program) handle(_ context.Context, x chronos.Execution, load payload) error {
	p.say("%s says %s", x.Job, load.Text)
	return nil
}
