package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos"
)

// service is the program that is deployed.
type service struct {
	name, dir string
	out       *printer
	notice    func()        // returns when nobody believes any more that this process is ready
	drain     time.Duration // for what runs; with notice and StuckAfter less than the time before SIGKILL
	step      time.Duration // of ten that an import takes

	began chan struct{} // gets a word when an import begins, if somebody waits

	scheduler atomic.Pointer[chronos.Scheduler] // once the directory is ours
	notYet    atomic.Value                      // why this process takes no work; "": it does
}

// run is the life of the process. It answers probes from the beginning to the end:
// who waits for the directory is alive, and not ready.
func (s *service) run(ctx context.Context, l net.Listener) (err error) {
	s.notYet.Store("starting")
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(http.ResponseWriter, *http.Request) {}) // 200: do not restart me
	mux.HandleFunc("/readyz", s.readyz)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		err = errors.Join(err, server.Close())
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}()

	sched, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, sched.Close()) // lets go of the directory
		s.tell("has let go of the directory")
	}()
	if err := s.declare(ctx, sched); err != nil {
		return err
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	unwatch := context.AfterFunc(ctx, func() { // the signal
		s.notYet.Store("stopping")
		s.tell("is not ready any more, and goes on until that is known")
		s.notice()
		end()
	})
	defer unwatch()
	s.scheduler.Store(sched)
	s.notYet.CompareAndSwap(waits, "")
	s.notYet.CompareAndSwap("starting", "")
	s.tell("runs")
	err = sched.Run(running) // drains at its end
	s.tell("has drained")
	return err
}

const waits = "waits: another process has the directory"

// open waits for the process before this one to let go of the directory.
func (s *service) open(ctx context.Context) (*chronos.Scheduler, error) {
	for told := false; ; told = true {
		sched, err := chronos.New(chronos.Options{
			Dir: s.dir, DrainTimeout: s.drain, StuckAfter: 5 * time.Second,
			Logger: slog.Default().With("service", s.name),
		})
		if !errors.Is(err, chronos.ErrLocked) {
			return sched, err
		}
		if !told {
			s.notYet.Store(waits)
			s.tell(waits)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("was stopped while it waited: %w", err)
		}
	}
}

// readyz is true while this process takes work: not before it has the directory,
// not while it drains, and not when it cannot write.
func (s *service) readyz(w http.ResponseWriter, _ *http.Request) {
	if why := s.notYet.Load(); why != "" {
		http.Error(w, fmt.Sprint(why), http.StatusServiceUnavailable)
		return
	}
	if st := s.scheduler.Load().Status(); !st.Ready || !st.Running {
		http.Error(w, fmt.Sprintf("ready: %v, running: %v, error: %v", st.Ready, st.Running, st.Err), http.StatusServiceUnavailable)
	}
}

// declare is the same at each start.
func (s *service) declare(ctx context.Context, sched *chronos.Scheduler) error {
	err := errors.Join(
		sched.Handle("tick", func(context.Context, chronos.Execution) error { return nil }),
		sched.Handle("import", func(ctx context.Context, x chronos.Execution) error {
			s.tell("imports, attempt %d", x.Attempt)
			select {
			case s.began <- struct{}{}:
			default:
			}
			for range 10 { // work in steps can stop in between
				select {
				case <-time.After(s.step):
				case <-ctx.Done():
					s.tell("stops to import: %v", context.Cause(ctx))
					return context.Cause(ctx) // handed back: no failure, and no attempt of Job.Retry is used up
				}
			}
			s.tell("has imported")
			return nil
		}),
	)
	if err != nil {
		return err
	}
	_, err = sched.PutAll(ctx, []chronos.Job{
		{
			ID: "tick", Handler: "tick", Schedule: chronos.Every(200 * time.Millisecond), Overlap: chronos.OverlapAllowAll,
			Misfire: chronos.MisfireAll, CatchUpMax: 10_000, // what comes due while nobody has the directory is made up for
		},
		{ID: "import", Handler: "import"}, // when it is triggered
	})
	return err
}

func (s *service) tell(format string, args ...any) {
	s.out.line("  %s  %s", s.name, fmt.Sprintf(format, args...))
}
