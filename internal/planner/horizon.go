package planner

import (
	"sync"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// horizon finds the earliest instant of the due index, on any node, whether it plans
// or not. It seeks from where it found it last, because what was due before
// are tombstones; what is entered below that while nobody looks moves it back.
type horizon struct {
	looking sync.Mutex // one look at a time

	mu   sync.Mutex
	from int64
}

func (h *horizon) reset() { h.entered(minInstant) }

// entered notes that something was put into the index at an instant.
func (h *horizon) entered(at int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.from = min(h.from, at)
}

func (h *horizon) observe(eff *raftfsm.Effects) {
	switch {
	case eff.Restored || eff.Loaded:
		h.reset()
	case eff.Due != 0:
		h.entered(eff.Due)
	}
}

// first is the earliest instant, false if there is none.
func (h *horizon) first(view func(func(*store.Reader) error) error) (at int64, ok bool) {
	h.looking.Lock()
	defer h.looking.Unlock()
	h.mu.Lock()
	from := h.from
	h.from = maxInstant // what is entered from now on lowers it again
	h.mu.Unlock()
	err := view(func(r *store.Reader) error {
		return r.Due(from, func(e store.DueEntry) (bool, error) {
			at, ok = e.At, true
			return false, nil
		})
	})
	switch {
	case err != nil:
		h.entered(from)
		return 0, false
	case ok:
		h.entered(at)
	}
	return at, ok
}

// NextDue is the earliest instant at which something is due: an instant of a
// schedule that has not been fired, the next attempt of an execution, or a start
// deadline.
func (p *Planner) NextDue() (time.Time, bool) {
	at, ok := p.horizon.first(p.cfg.View)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(0, at).UTC(), true
}
