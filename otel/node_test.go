package chronosotel_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/pipenet"
	"github.com/chronos-go/chronos/internal/testhook"
	chronosotel "github.com/chronos-go/chronos/otel"
	"github.com/chronos-go/chronos/raftfsm"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestMain(m *testing.M) {
	testhook.Raft = func(c *raftfsm.Config) { c.NoCompaction, c.NoSync = true, true }
	os.Exit(m.Run())
}

// node is a scheduler whose spans and numbers stay in memory.
type node struct {
	*chronos.Scheduler
	t      *testing.T
	tel    *chronosotel.Telemetry
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
	end    func()
}

func open(t *testing.T, spans *tracetest.InMemoryExporter, o chronosotel.Options, opts chronos.Options, more ...sdktrace.TracerProviderOption) *node {
	t.Helper()
	n := &node{t: t, spans: spans, reader: sdkmetric.NewManualReader()}
	tracers := sdktrace.NewTracerProvider(append(more, sdktrace.WithSyncer(spans))...)
	o.TracerProvider, o.MeterProvider = tracers, sdkmetric.NewMeterProvider(sdkmetric.WithReader(n.reader))
	var err error
	if n.tel, err = chronosotel.New(o); err != nil {
		t.Fatal(err)
	}
	opts.Logger, opts.Around = quiet, []chronos.Around{n.tel.Around}
	opts.InMemory = opts.Dir == ""
	if n.Scheduler, err = chronos.New(opts); err != nil {
		t.Fatal(err)
	}
	if err := n.tel.Observe(n.Scheduler); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.end = func() {
		cancel()
		<-done
	}
}

func (n *node) close() {
	n.t.Helper()
	if n.end != nil {
		n.end()
	}
	if err := n.tel.Close(); err != nil {
		n.t.Errorf("Close: %v", err)
	}
	if err := n.Close(); err != nil {
		n.t.Errorf("Close: %v", err)
	}
}

func (n *node) put(jobs ...chronos.Job) {
	n.t.Helper()
	for _, j := range jobs {
		if _, err := n.Put(n.t.Context(), j); err != nil {
			n.t.Fatal(err)
		}
	}
}

func (n *node) handle(name string, h chronos.Handler) {
	n.t.Helper()
	if err := n.Handle(name, h); err != nil {
		n.t.Fatal(err)
	}
}

// values are all numbers, by name and attributes; of a histogram its count and sum.
func (n *node) values() map[string]float64 {
	n.t.Helper()
	synctest.Wait()
	return collect(n.t, n.reader)
}

func collect(t *testing.T, reader *sdkmetric.ManualReader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					out[m.Name+labels(p.Attributes)] = p.Value
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					out[m.Name+labels(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					out[m.Name+labels(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					out[m.Name+".count"+labels(p.Attributes)] = float64(p.Count)
					out[m.Name+".sum"+labels(p.Attributes)] = p.Sum
				}
			default:
				t.Fatalf("%s is a %T", m.Name, data)
			}
		}
	}
	return out
}

func (n *node) want(want map[string]float64) {
	n.t.Helper()
	got := n.values()
	for name, v := range want {
		g, ok := got[name]
		if !ok && v >= 0 || ok && (g-v > 1e-6 || v-g > 1e-6) {
			n.t.Errorf("%s is %v (there: %v), want %v", name, g, ok, v)
		}
	}
}

const absent = -1

// cluster opens nodes that share one exporter of spans.
func cluster(t *testing.T, spans *tracetest.InMemoryExporter, names ...string) (net *pipenet.Network, nodes map[string]*node) {
	t.Helper()
	net, nodes = &pipenet.Network{}, map[string]*node{}
	var peers []chronos.Peer
	for _, name := range names {
		peers = append(peers, chronos.Peer{Node: name, Addr: "addr-" + name})
	}
	type opened struct {
		name string
		n    *node
	}
	ch := make(chan opened)
	dir := t.TempDir()
	for _, name := range names {
		opts := chronos.Options{Dir: dir + "/" + name, Node: name, Cluster: &chronos.Cluster{
			ID: "c", Peers: peers, Listener: net.Listen("addr-" + name), Dial: net.Dialer("addr-" + name),
		}}
		go func() {
			ch <- opened{name, open(t, spans, chronosotel.Options{}, opts, sdktrace.WithIDGenerator(chronosotel.NewIDs("c")))}
		}()
	}
	for range names {
		o := <-ch
		nodes[o.name] = o.n
	}
	return net, nodes
}

func closeAll(nodes map[string]*node) {
	done := make(chan bool)
	for _, n := range nodes {
		go func() { n.close(); done <- true }()
	}
	for range nodes {
		<-done
	}
}
