package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// failovers is how long the deaths of nodes were felt. Nothing is demanded of it.
type failovers struct {
	kills, leaders int
	opening        int             // killed on their way up
	next           []time.Duration // death of a leader to the next start on another node
	planned        []time.Duration // … to the first start of what was committed after it
	again          []time.Duration // death of any node to the next attempt of what it ran
}

func failoversOf(k *checker) *failovers {
	f := &failovers{}
	created := map[string]int64{}
	for _, j := range k.dump.Jobs {
		for _, r := range j.Rows {
			created[r.ID] = r.Created
		}
	}
	for i, e := range k.journal {
		if e.Kind != "kill" {
			continue
		}
		f.takeOver(k.journal, i)
		if e.Text == "opening" {
			f.opening++
			continue
		}
		f.kills++
		if e.Text != "leader" {
			continue
		}
		f.leaders++
		f.note(&f.next, k.journal, i, func(s event) bool { return true })
		f.note(&f.planned, k.journal, i, func(s event) bool { return created[s.Exec] > e.T })
	}
	return f
}

// note adds how long after a death the first start came that counts.
func (f *failovers) note(to *[]time.Duration, journal []event, at int, counts func(event) bool) {
	dead := journal[at]
	for _, s := range journal[at+1:] {
		if s.Kind == "start" && s.Node != dead.Node && counts(s) {
			*to = append(*to, time.Duration(s.Mono-dead.Mono))
			return
		}
	}
}

// takeOver follows what a node ran when it died.
func (f *failovers) takeOver(journal []event, at int) {
	running := map[string]bool{}
	for _, e := range journal[:at] {
		switch {
		case e.Node != journal[at].Node:
		case e.Kind == "start":
			running[e.Exec] = true
		case e.Kind == "end":
			delete(running, e.Exec)
		case e.Kind == "down":
			clear(running)
		}
	}
	for _, e := range journal[at+1:] {
		if e.Kind == "start" && running[e.Exec] {
			f.again = append(f.again, time.Duration(e.Mono-journal[at].Mono))
			delete(running, e.Exec)
		}
	}
}

func (f *failovers) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d kills, %d of leaders; %d more while opening\n", f.kills, f.leaders, f.opening)
	fmt.Fprintf(&b, "leader's death to the next start on another node: %s\n", distribution(f.next))
	fmt.Fprintf(&b, "leader's death to the first start committed after it: %s\n", distribution(f.planned))
	fmt.Fprintf(&b, "a node's death to the next attempt of what it ran: %s", distribution(f.again))
	return b.String()
}

func distribution(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	all = slices.Sorted(slices.Values(all))
	at := func(p float64) time.Duration { return all[int(p*float64(len(all)-1))].Round(time.Millisecond) }
	return fmt.Sprintf("min %v, p50 %v, p90 %v, p99 %v, max %v (n = %d)", at(0), at(.5), at(.9), at(.99), at(1), len(all))
}
