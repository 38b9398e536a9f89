// Dashboard serves the API and the dashboard of a scheduler behind basic
// authentication: two people, one of whom may only look.
//
//	CHRONOS_PASSWORD=secret go run ./examples/dashboard
//
// Then open http://127.0.0.1:8080/chronos/ and sign in as "operator" or "viewer".
package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronoshttp"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	dir := flag.String("dir", "", "the directory of the scheduler; empty: in memory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", *addr)
	if err == nil {
		fmt.Printf("open http://%s/chronos/\n", l.Addr())
		err = serve(ctx, l, *dir, os.Getenv("CHRONOS_PASSWORD"))
	}
	stop()
	if err != nil {
		slog.Error("ended", "error", err)
		os.Exit(1)
	}
}

// serve runs the scheduler and the server until ctx ends.
func serve(ctx context.Context, l net.Listener, dir, password string) error {
	if password == "" {
		return errors.New("set CHRONOS_PASSWORD: without a password anybody could run jobs")
	}
	s, err := chronos.New(chronos.Options{Dir: dir, InMemory: dir == ""})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := declare(ctx, s); err != nil {
		return err
	}
	h, err := chronoshttp.New(chronoshttp.Config{
		Scheduler: s,
		Authorize: authorize(password),
		Challenge: `Basic realm="chronos", charset="UTF-8"`,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/chronos/", http.StripPrefix("/chronos", h))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	server.RegisterOnShutdown(h.Close) // or streams of events would hold it up

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	run, end := context.WithCancel(ctx)
	context.AfterFunc(run, func() {
		stopping, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(stopping)
	})
	err = s.Run(run)
	end()
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		return errors.Join(err, served)
	}
	return err
}

// authorize knows two people with one password. It compares digests, so that the
// time that takes tells nothing.
func authorize(password string) func(*http.Request, chronoshttp.Access) (string, error) {
	want := sha256.Sum256([]byte(password))
	return func(r *http.Request, a chronoshttp.Access) (string, error) {
		user, given, _ := r.BasicAuth()
		got := sha256.Sum256([]byte(given))
		switch ok := subtle.ConstantTimeCompare(got[:], want[:]) == 1; {
		case ok && user == "operator":
			return user, nil
		case ok && user == "viewer" && a.Action == chronoshttp.ActionRead:
			return user, nil
		case ok && user == "viewer":
			return "", fmt.Errorf("a viewer may only look, not %s", a.Action)
		}
		return "", chronoshttp.ErrUnauthenticated
	}
}

// declare registers handlers and puts jobs for them.
func declare(ctx context.Context, s *chronos.Scheduler) error {
	err := s.Handle("work", func(ctx context.Context, x chronos.Execution) error {
		select {
		case <-time.After(time.Duration(100+rand.IntN(1500)) * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if x.Job == "sync-inventory" && rand.IntN(3) == 0 {
			return errors.New("the warehouse does not answer")
		}
		chronos.SetOutput(ctx, []byte("done"))
		return nil
	})
	if err != nil {
		return err
	}
	ctx = chronos.WithActor(ctx, "dashboard example")
	_, err = s.PutAll(ctx, []chronos.Job{
		{ID: "send-reminders", Description: "Mails what is due today", Schedule: chronos.Every(5 * time.Second), Handler: "work"},
		{ID: "sync-inventory", Description: "Fetches stock levels", Schedule: chronos.Every(7 * time.Second), Handler: "work", Retry: chronos.Retry{MaxAttempts: 3}},
		{ID: "nightly-report", Schedule: chronos.Cron("CRON_TZ=Europe/Berlin 30 2 * * *"), Handler: "work"},
		{ID: "rebuild-index", Description: "By hand only", Handler: "work"},
	})
	return err
}
