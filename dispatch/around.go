package dispatch

import (
	"context"
	"fmt"
	"net/http"
)

// around calls who wants to stand around an attempt, and gives the context for it.
func (d *Dispatcher) around(a *Attempt) context.Context {
	ctx := a.ctx
	if len(d.cfg.Around) == 0 {
		return ctx
	}
	if a.Webhook != nil {
		a.header = http.Header{}
	}
	var ended []func(Result)
	for _, fn := range d.cfg.Around {
		d.guarded(a, func() {
			inner, done := fn(ctx, a, a.header)
			if inner != nil {
				ctx = inner
			}
			if done != nil {
				ended = append(ended, done)
			}
		})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = ended
	return ctx
}

// tell says how an attempt ended to who stands around it, the innermost first.
func (d *Dispatcher) tell(a *Attempt, result *Result) {
	a.mu.Lock()
	ended := a.ended
	a.ended = nil
	res := *result
	res.Revoked = a.revoked
	a.mu.Unlock()
	for i := len(ended) - 1; i >= 0; i-- {
		d.guarded(a, func() { ended[i](res) })
	}
}

// guarded survives what it calls: who looks on does not fail an attempt.
func (d *Dispatcher) guarded(a *Attempt, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("Around panicked", append(a.logAttrs(), "panic", fmt.Sprint(p))...)
		}
	}()
	fn()
}
