package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// report is what was found wrong, with what happened around it.
func (w *world) report() string {
	var b strings.Builder
	shown := map[string]bool{}
	for i, v := range w.log.found {
		if i == 12 {
			fmt.Fprintf(&b, "... and %d more\n", len(w.log.found)-i)
			break
		}
		fmt.Fprintf(&b, "%s: %s: %s\n", v.kind, v.job, v.text)
		if !shown[v.job] && len(shown) < 3 {
			shown[v.job] = true
			b.WriteString(w.timeline(v))
		}
	}
	return b.String()
}

// briefly is a line for each of the first violations: whoever keeps only the end of the
// output has at least these.
func (w *world) briefly() string {
	var b strings.Builder
	for _, v := range w.log.found[:min(len(w.log.found), 5)] {
		fmt.Fprintf(&b, "%s: %s: %s\n", v.kind, v.job, v.text)
	}
	return b.String()
}

// timeline is what happened to a job, and to all nodes, around an instant.
func (w *world) timeline(v violation) string {
	around := int64(max(4*w.pro.Unit, w.pro.Lease))
	at := v.at
	if at == 0 && len(w.log.lines) > 0 {
		at = w.log.lines[len(w.log.lines)-1].at
	}
	var b strings.Builder
	for _, l := range w.log.lines {
		if l.job != "" && l.job != v.job || l.at < at-2*around || l.at > at+around {
			continue
		}
		fmt.Fprintf(&b, "    %s %-5s %s\n", clock(l.at), l.node, l.text)
	}
	return b.String()
}

// figures is what was done and checked, in a line for each kind.
func figures(counts map[string]int) string {
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		if !strings.HasPrefix(what, "named ") {
			fmt.Fprintf(&b, "  %-36s %d\n", what, counts[what])
		}
	}
	return b.String()
}

// total adds up simulations.
type total struct {
	seeds  int
	hours  float64 // of clusters
	nodes  float64 // of nodes
	began  time.Time
	counts map[string]int
}

func (t *total) add(w *world) {
	t.seeds++
	t.hours += w.pro.Length.Hours()
	t.nodes += w.pro.Length.Hours() * float64(len(w.founded))
	for what, n := range w.log.counts {
		t.counts[what] += n
	}
}

func (t *total) String() string {
	return fmt.Sprintf("%d seeds, %.1f simulated cluster-hours (%.1f node-hours), %v of real time\n%s",
		t.seeds, t.hours, t.nodes, time.Since(t.began).Round(time.Second), figures(t.counts))
}
