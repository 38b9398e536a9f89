package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/chronos-go/chronos"
)

var (
	errWork = errors.New("work failed")
	errDead = errors.New("the process is dead")
)

// random is a generator of its own for whatever the parts name.
func random(seed uint64, parts ...any) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, parts...)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// between draws from [a, b].
func between(r *rand.Rand, a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	return a + time.Duration(r.Int64N(int64(b-a)+1))
}

// handler is what every process registers. It notes its start and its end, and
// does what the payload says; what that leaves open is drawn from the seed, the
// execution and the attempt.
func (p *proc) handler(ctx context.Context, x chronos.Execution) (err error) {
	var w work
	if err := json.Unmarshal(x.Payload, &w); err != nil {
		return chronos.Permanent(err)
	}
	a := &attempt{
		node: p.name, proc: p, job: x.Job, exec: x.ID, gen: x.Generation, version: x.Version, token: x.FencingToken, number: x.Attempt,
		due: nanos(x.Due), ready: nanos(x.ReadyAt), origin: string(x.Origin), ctx: ctx, target: targetOf(x.ID),
	}
	if put := p.w.putBy(w.Seq); put != nil {
		a.exclusive = put.exclusive()
		if once(x.Job) {
			a.key, a.places = put.Key, put.Places
		}
	}
	if at := p.w.strayed(p); at != 0 && ctx.Err() == nil {
		p.w.log.fault("fence", x.Job, now(), "cut off since %s, and begins %s", clock(at), a)
	}
	p.w.log.beginAttempt(a)
	defer func() {
		if r := recover(); r != nil {
			p.w.log.endAttempt(a, "panic")
			panic(r)
		}
		how := "ok"
		if err != nil {
			how = err.Error()
		}
		p.w.log.endAttempt(a, how)
	}()
	r := random(p.w.seed, x.ID, x.Attempt)
	if w.Out > 0 {
		out, _ := json.Marshal(map[string]any{"exec": x.ID, "attempt": x.Attempt, "fill": fmt.Sprintf("%*d", w.Out, 0)})
		chronos.SetOutput(ctx, out)
	}
	if err := p.labour(ctx, w, between(r, w.Min, w.Max)); err != nil {
		return err
	}
	switch n := r.IntN(100); {
	case n < w.Panic:
		panic("work panics")
	case n < w.Panic+w.Perm:
		return chronos.Permanent(errWork)
	case n < w.Panic+w.Perm+w.Later:
		return chronos.RetryAfter(p.w.pro.Lease/4, errWork)
	case n < w.Panic+w.Perm+w.Later+w.Fail:
		return errWork
	}
	return nil
}

func (p *proc) labour(ctx context.Context, w work, d time.Duration) error {
	ended := ctx.Done()
	if w.Deaf {
		ended = nil
	}
	done := time.NewTimer(d)
	defer done.Stop()
	finished := done.C
	if w.Hold {
		finished = nil
	}
	select {
	case <-finished:
		return nil
	case <-ended:
		return context.Cause(ctx)
	case <-p.dead:
		return errDead
	}
}
