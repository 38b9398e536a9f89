package chronos

import (
	"cmp"
	"slices"
	"sync"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// tally counts how executions end, as the log is applied. It is what counters can be
// made of: whoever counts events loses some when many come at once. It begins when New
// has returned, because what is applied until then may have been counted before.
type tally struct {
	mu    sync.Mutex
	begun bool
	ended map[outcomeKey]uint64
}

type outcomeKey struct {
	status store.Status
	reason store.Reason
}

func (t *tally) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun, t.ended = true, map[outcomeKey]uint64{}
}

func (t *tally) observe(eff *raftfsm.Effects) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		return
	}
	for i := range eff.Changes {
		c := &eff.Changes[i]
		if c.Kind == raftfsm.ExecutionEnded && c.Execution.Status != store.Status_STATUS_PENDING { // redriven at once
			t.ended[outcomeKey{c.Execution.Status, c.Execution.Reason}] += max(c.Instants, 1)
		}
	}
}

func (t *tally) list() []Ended {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Ended, 0, len(t.ended))
	for k, n := range t.ended {
		out = append(out, Ended{Status: statusNames[k.status], Reason: reasonNames[k.reason], Count: n})
	}
	slices.SortFunc(out, func(a, b Ended) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}
