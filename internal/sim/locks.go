package sim

import (
	"context"
	"errors"
	"fmt"

	"github.com/chronos-go/chronos"
)

// locks takes and gives back one of two locks.
func (c *caller) locks() {
	for c.pause() {
		p := c.on()
		if p == nil {
			return
		}
		name := fmt.Sprintf("lock/%d", c.r.IntN(2))
		wait := c.r.IntN(2) == 0
		op := "trylock"
		if wait {
			op = "lock"
		}
		var got *chronos.Lock
		k := c.callOn(p, op, name, "", func(ctx context.Context, s *chronos.Scheduler, k *call) (func(), error) {
			take := s.TryLock
			if wait {
				take = s.Lock
			}
			have, err := take(ctx, name)
			return func() { got = have; k.version = have.FencingToken() }, err
		})
		if k.acked() {
			c.hold(p, k, got)
		}
	}
}

func (c *caller) hold(p *proc, k *call, l *chronos.Lock) {
	h := &holding{name: l.Name(), node: p.String(), proc: p, token: l.FencingToken(), ctx: l.Context(), call: k}
	c.w.log.take(h)
	select {
	case <-l.Context().Done():
	case <-p.dead:
		return
	case <-c.w.after(between(c.r, 0, 2*c.w.pro.Pause)):
	}
	c.w.log.releasing(h)
	u := c.callOn(p, "unlock", h.name, fmt.Sprint(h.token), func(ctx context.Context, _ *chronos.Scheduler, k *call) (func(), error) {
		k.expect = h.token
		return nil, l.Unlock(ctx)
	})
	if u.acked() && errors.Is(context.Cause(l.Context()), chronos.ErrFenced) {
		c.w.log.fault("lock", h.name, now(), "unlock of a lost lock was answered without an error: token %d", h.token)
	}
}
