package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// callers make the calls of a campaign, on all nodes, and repeat each under the
// same name, on any node, until it is acknowledged.
type callers struct {
	c       *cluster
	members []*member // as it began: a node that joins later is not asked
	plans   []*plan
	calls   atomic.Int64
	wg      sync.WaitGroup
	end     context.CancelFunc
}

func newCallers(c *cluster, plans []*plan) *callers {
	return &callers{c: c, members: slices.Clone(c.members), plans: plans}
}

// putAll puts the jobs, a few at a time.
func (w *callers) putAll() {
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, 12)
	for i, p := range w.plans {
		places <- struct{}{}
		wg.Go(func() {
			w.call(opPut, p, i)
			<-places
		})
	}
}

// start triggers jobs and edits some, until stop.
func (w *callers) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.end = cancel
	w.c.t.Cleanup(func() { // after a failure; the processes end after it
		for _, m := range w.c.members {
			m.end()
		}
		w.stop()
	})
	for range 3 {
		w.wg.Go(func() {
			for sleep(ctx, time.Duration(50+rand.IntN(150))*time.Millisecond) {
				w.call(opTrigger, w.plans[rand.IntN(len(w.plans))], rand.IntN(3))
			}
		})
	}
	for i := range min(edited, len(w.plans)) { // one caller a job: the order of its calls is known
		w.wg.Go(func() {
			for sleep(ctx, time.Duration(200+rand.IntN(800))*time.Millisecond) {
				w.call(opPut, w.plans[i], rand.IntN(3))
			}
		})
	}
}

func (w *callers) stop() {
	w.end()
	w.wg.Wait()
}

// call begins on one node, and goes on with another where that does not answer.
func (w *callers) call(op string, p *plan, node int) {
	seq := fmt.Sprintf("call-%d", w.calls.Add(1))
	o := order{Op: op, Seq: seq, Job: p.Job}
	e := event{Kind: "begin", Seq: seq, Op: op, Job: p.Job}
	if op == opPut {
		put := *p
		put.Work.Seq = seq
		o.Plan, e.Plan = &put, &put
	}
	w.c.rec.write(e)
	e.Plan = nil
	for deadline := time.Now().Add(2 * time.Minute); w.c.t.Context().Err() == nil; node++ {
		m := w.members[node%len(w.members)]
		a, err := m.ask(o)
		if e.Kind, e.Version, e.Exec, e.Text = "ack", a.Version, a.Exec, "on "+m.name(); err == nil {
			w.c.rec.write(e)
			return
		}
		if e.Kind, e.Text = "retry", m.name()+": "+err.Error(); time.Now().After(deadline) {
			w.c.t.Errorf("%s %s of %s is not taken: %v", op, seq, p.Job, err)
			e.Kind = "err"
		}
		w.c.rec.write(e)
		if e.Kind == "err" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
