// Telemetry serves the metrics of a scheduler to Prometheus, and writes a span for
// each attempt to its standard output, where a program of yours sends them to a
// collector.
//
//	go run .
//	curl http://127.0.0.1:9464/metrics
//
// It is a module of its own, because of what the two clients need. Dashboard and
// alerts: docs/telemetry.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/chronos-go/chronos"
	chronosotel "github.com/chronos-go/chronos/otel"
	chronosprom "github.com/chronos-go/chronos/prometheus"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9464", "where to serve /metrics")
	dir := flag.String("dir", "", "the directory of the scheduler; empty: in memory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *addr, *dir)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, dir string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return serve(ctx, l, dir, os.Stdout)
}

// serve runs jobs, and serves their metrics, until ctx ends.
func serve(ctx context.Context, l net.Listener, dir string, spans io.Writer) (err error) {
	exporter, err := stdouttrace.New(stdouttrace.WithWriter(spans), stdouttrace.WithPrettyPrint())
	if err != nil {
		return err
	}
	tracers := sdktrace.NewTracerProvider(
		sdktrace.WithIDGenerator(chronosotel.NewIDs("telemetry-example")), // one trace for all attempts of an execution, on whatever node
		sdktrace.WithBatcher(exporter),
	)
	defer func() { err = errors.Join(err, tracers.Shutdown(context.WithoutCancel(ctx))) }() // writes what is left
	traces, err := chronosotel.New(chronosotel.Options{TracerProvider: tracers})
	if err != nil {
		return err
	}
	metrics := chronosprom.New(chronosprom.Options{})

	s, err := chronos.New(chronos.Options{
		Dir: dir, InMemory: dir == "",
		Around: []chronos.Around{traces.Around, metrics.Around}, // both see each attempt
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	metrics.Observe(s)
	if err := declare(ctx, s, tracers.Tracer("example")); err != nil {
		return err
	}
	registry := prom.NewRegistry()
	registry.MustRegister(metrics)
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	err = errors.Join(s.Run(ctx), server.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// declare puts a job that works at its second attempt, and makes a span of its own
// beneath that of the attempt.
func declare(ctx context.Context, s *chronos.Scheduler, tracer trace.Tracer) error {
	err := s.Handle("report", func(ctx context.Context, x chronos.Execution) error {
		_, span := tracer.Start(ctx, "read the figures")
		defer span.End()
		if x.Attempt == 1 {
			return errors.New("the figures are not there yet")
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, chronos.Job{
		ID: "report", Handler: "report", Schedule: chronos.Every(2 * time.Second),
		Retry:         chronos.Retry{MaxAttempts: 2, Initial: 100 * time.Millisecond},
		SucceedWithin: time.Minute, // an alarm, whatever the reason
	})
	return err
}
