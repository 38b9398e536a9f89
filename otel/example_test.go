package chronosotel_test

import (
	"fmt"
	"os"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/chronos-go/chronos"
	chronosotel "github.com/chronos-go/chronos/otel"
)

// observed gives a scheduler spans and numbers, by the global providers.
func observed(dir string, use func(*chronos.Scheduler)) error {
	t, err := chronosotel.New(chronosotel.Options{}) // the global providers, or those given here
	if err != nil {
		return err
	}
	s, err := chronos.New(chronos.Options{Dir: dir, Around: []chronos.Around{t.Around}})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := t.Observe(s); err != nil {
		return err
	}
	defer t.Close()
	use(s)
	return nil
}

func ExampleTelemetry() {
	dir, err := os.MkdirTemp("", "chronosotel")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := observed(dir, func(s *chronos.Scheduler) { fmt.Println("ready:", s.Status().Ready) }); err != nil {
		fmt.Println(err)
	}
	// Output: ready: true
}

func ExampleNewIDs() {
	exporter := tracetest.NewInMemoryExporter()
	tracers := sdktrace.NewTracerProvider(
		sdktrace.WithIDGenerator(chronosotel.NewIDs("production")), // the same on all nodes
		sdktrace.WithBatcher(exporter),
	)
	t, err := chronosotel.New(chronosotel.Options{TracerProvider: tracers})
	fmt.Println(t != nil, err)
	// Output: true <nil>
}
