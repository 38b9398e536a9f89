package chronosotel

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// names notes the instruments that are made, as Prometheus' translation names them.
type names struct {
	noop.Meter
	made map[string]bool
}

func (n *names) note(name, unit string, counter bool) {
	name = strings.ReplaceAll(name, ".", "_")
	name += map[string]string{"s": "_seconds", "By": "_bytes"}[unit]
	if counter {
		name += "_total"
	}
	n.made[name] = true
}

func (n *names) Int64Counter(name string, o ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	n.note(name, metric.NewInt64CounterConfig(o...).Unit(), true)
	return n.Meter.Int64Counter(name, o...)
}

func (n *names) Float64Histogram(name string, o ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	n.note(name, metric.NewFloat64HistogramConfig(o...).Unit(), false)
	return n.Meter.Float64Histogram(name, o...)
}

func (n *names) Int64ObservableCounter(name string, o ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	n.note(name, metric.NewInt64ObservableCounterConfig(o...).Unit(), true)
	return n.Meter.Int64ObservableCounter(name, o...)
}

func (n *names) Int64ObservableGauge(name string, o ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	n.note(name, metric.NewInt64ObservableGaugeConfig(o...).Unit(), false)
	return n.Meter.Int64ObservableGauge(name, o...)
}

func (n *names) Float64ObservableGauge(name string, o ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	n.note(name, metric.NewFloat64ObservableGaugeConfig(o...).Unit(), false)
	return n.Meter.Float64ObservableGauge(name, o...)
}

// The metrics are those of the table in docs/telemetry.md, but for those that it
// marks.
func TestNames(t *testing.T) {
	page, err := os.ReadFile("../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{made: map[string]bool{}}
	if err := new(instruments).make(n); err != nil {
		t.Fatal(err)
	}
	listed := 0
	for _, row := range regexp.MustCompile("(?m)^\\| `(chronos_\\w+)` \\|(.*)$").FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(row[2], "Prometheus only") {
			continue
		}
		listed++
		if !n.made[row[1]] {
			t.Errorf("there is no %s", row[1])
		}
	}
	if listed != len(n.made) {
		t.Errorf("%d are listed, %d there: %v", listed, len(n.made), n.made)
	}
}
