package chronosprom_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chronos-go/chronos"
	chronosprom "github.com/chronos-go/chronos/prometheus"
)

// metrics shows a scheduler to Prometheus, and gives what that reads.
func metrics(dir string, use func(http.Handler)) error {
	c := chronosprom.New(chronosprom.Options{})
	s, err := chronos.New(chronos.Options{Dir: dir, Around: []chronos.Around{c.Around}})
	if err != nil {
		return err
	}
	defer s.Close()
	c.Observe(s)

	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	use(mux)
	return nil
}

func ExampleCollector() {
	dir, remove := tempDir()
	defer remove()
	err := metrics(dir, func(h http.Handler) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		for line := range strings.Lines(w.Body.String()) {
			if strings.HasPrefix(line, "chronos_ready") || strings.HasPrefix(line, "chronos_jobs_overdue") {
				fmt.Print(line)
			}
		}
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// chronos_jobs_overdue 0
	// chronos_ready 1
}
