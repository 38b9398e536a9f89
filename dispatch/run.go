package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

var errGoexit = errors.New("handler called runtime.Goexit")

// run is an attempt's goroutine.
func (d *Dispatcher) run(a *Attempt) {
	ctx, cancel := a.deadline()
	defer cancel()
	begun := d.begin(ctx, a)
	d.begun()
	if !begun {
		d.skip(a)
		return
	}
	// What the handler does, runtime.Goexit included, ends here.
	r := returned{err: errGoexit}
	defer func() { d.end(a, r) }()
	d.invoke(a, &r)
}

// begin is the last look before the handler is called: it answers false when the
// attempt was cancelled on its way here, or when there is no handler. From then
// on, whoever cancels the attempt sets the end of the patience with it.
func (d *Dispatcher) begin(ctx context.Context, a *Attempt) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d.cfg.MayStart != nil && !d.cfg.MayStart(a) {
		a.revoked = true
	}
	if a.revoked || a.ctx.Err() != nil || a.call == nil && a.Webhook == nil {
		d.running.Add(-1)
		a.state = ending
		return false
	}
	a.state = running
	a.started = time.Now()
	a.ctx = ctx
	if timeout := a.timeout(); timeout > 0 {
		d.giveUpInLocked(a, timeout+d.cfg.Grace)
	}
	return true
}

// skip ends an attempt that was not begun.
func (d *Dispatcher) skip(a *Attempt) {
	var res *Result
	cause := context.Cause(a.ctx)
	switch {
	case a.stop == stopCancel:
		res = unstarted(a, Canceled, cause)
	case cause != nil:
		res = unstarted(a, HandedBack, cause)
	default:
		res = unstarted(a, HandedBack, fmt.Errorf("this node has no handler %q; "+
			"register it before Run, on every node that shall run the job", a.Handler))
	}
	d.finish(a, res)
}

// invoke calls the handler or the webhook. If it never comes back to here, by
// runtime.Goexit, r stays as it was.
func (d *Dispatcher) invoke(a *Attempt, r *returned) {
	defer func() {
		if p := recover(); p != nil {
			*r = returned{
				err:      fmt.Errorf("panic: %v", p),
				panicked: true,
				stack:    stackOfPanic(),
			}
		}
	}()
	ctx := d.around(a)
	if len(d.cfg.Around) > 0 && a.ctx.Err() != nil { // it took its time: by now somebody else may have the attempt
		*r = returned{err: context.Cause(a.ctx)}
		return
	}
	if a.Webhook != nil {
		*r = d.post(ctx, a)
		return
	}
	*r = returned{err: a.call(ctx, a)}
}

// stackOfPanic returns the stack from the panic on, without the frames of the
// recovery.
func stackOfPanic() string {
	stack := debug.Stack()
	if i := bytes.Index(stack, []byte("\npanic(")); i >= 0 {
		stack = stack[i+1:]
	}
	return string(stack)
}

// end takes the attempt of a handler that has returned to its conclusion, unless
// it was given up before.
func (d *Dispatcher) end(a *Attempt, r returned) {
	a.mu.Lock()
	late := a.state == stuck
	if !late {
		a.state = ending
		d.running.Add(-1)
	}
	if a.patience != nil {
		a.patience.Stop()
	}
	a.mu.Unlock()
	switch at := time.Now(); {
	case late:
		d.endLate(a)
	case r.err == nil && r.status == 0:
		a.output.seal()
		a.cancel(nil) // whatever the handler left running has no business any more
		if !d.later(ended{a: a, at: at}) {
			d.finish(a, conclude(a, r, at))
		}
	default:
		res := conclude(a, r, at)
		a.cancel(nil)
		if !d.later(ended{a, at, res}) {
			d.finish(a, res)
		}
	}
}

// endLate is the end of a handler that was given up.
func (d *Dispatcher) endLate(a *Attempt) {
	d.mu.Lock()
	delete(d.stuck, a)
	d.mu.Unlock()
	d.log.Info("stuck "+a.target()+" has returned; its result is dropped", a.logAttrs()...)
	d.tell(a, abandoned(a, d.cfg.Grace)) // if it hung before anybody could be told
	d.returnLate(a)
}

// returnLate reports an attempt once more that was stuck when the node stopped,
// and that nobody else could have meanwhile: now it can be handed back.
func (d *Dispatcher) returnLate(a *Attempt) {
	if a.revoked || outcome(a.ctx, a.stop, false, true) != HandedBack {
		return
	}
	res := a.result(time.Now())
	res.Outcome, res.Started = HandedBack, a.started
	res.Error = a.errorText("returned after it had been given up as stuck while the node stopped")
	d.deliver(a, res)
}

// giveUpInLocked sets the end of the patience with a running attempt, unless it
// ends sooner.
func (d *Dispatcher) giveUpInLocked(a *Attempt, wait time.Duration) {
	until := time.Now().Add(wait)
	switch {
	case a.patience == nil:
		a.patience = time.AfterFunc(wait, func() { d.giveUp(a) })
	case until.Before(a.patienceEnds):
		a.patience.Reset(wait)
	default:
		return
	}
	a.patienceEnds = until
}

// stopLocked cancels the context of an attempt that is about to run or runs. If
// it runs, the grace begins.
func (d *Dispatcher) stopLocked(a *Attempt, cause error) {
	a.cancel(cause)
	if a.state == running {
		d.giveUpInLocked(a, d.cfg.Grace)
	}
}

// giveUp reports an attempt as stuck.
func (d *Dispatcher) giveUp(a *Attempt) {
	d.mu.Lock()
	a.mu.Lock()
	late := a.state == running
	if late {
		a.state = stuck
		d.running.Add(-1)
		d.stuck[a] = struct{}{}
	}
	a.mu.Unlock()
	d.mu.Unlock()
	if !late {
		return
	}
	d.log.Warn("stuck: the "+a.target()+" ignores its context; its slot is given up", a.logAttrs()...)
	d.finish(a, abandoned(a, d.cfg.Grace))
}

// finish reports a result unless the attempt was revoked. Who stands around is told
// before; one that does not come back from that holds it up for the grace.
func (d *Dispatcher) finish(a *Attempt, res *Result) {
	if len(d.cfg.Around) == 0 {
		d.settle(a, res)
		return
	}
	var once sync.Once
	report := func() { once.Do(func() { d.settle(a, res) }) }
	defer report() // also if what is told calls runtime.Goexit
	patience := time.AfterFunc(d.cfg.Grace, func() {
		d.log.Error("Around does not return from an attempt's end; it is reported all the same", a.logAttrs()...)
		report()
	})
	defer patience.Stop()
	d.tell(a, res)
}

func (d *Dispatcher) settle(a *Attempt, res *Result) {
	if a.revoked {
		d.forget(a, res)
		return
	}
	d.deliver(a, res)
}

// deliver hands a result to Report and then forgets the attempt, also if Report
// panics.
func (d *Dispatcher) deliver(a *Attempt, res *Result) {
	defer d.forget(a, res)
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("Report panicked", append(a.logAttrs(), "panic", fmt.Sprint(p))...)
		}
	}()
	d.cfg.Report(*res)
}

// decline reports an attempt that is not to be started.
func (d *Dispatcher) decline(a *Attempt, o Outcome, reason error) {
	d.deliver(a, unstarted(a, o, reason))
}

// forget drops an attempt that is over. It is remembered by number, so that it is
// not run twice; not when it was handed back unstarted, for that one may come again.
func (d *Dispatcher) forget(a *Attempt, res *Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if res.Outcome != HandedBack || !res.NotStarted || a.revoked {
		d.ended.add(a.key())
	}
	d.dropLocked(a)
}

// logAttrs names an attempt in a log line.
func (a *Attempt) logAttrs() []any {
	return []any{"job", a.Job, "execution", a.ID, "attempt", a.Number, "token", a.Token}
}
