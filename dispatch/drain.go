package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// reportSlack is how much longer than Grace a drain waits for results to be
	// taken.
	reportSlack = time.Second
	// maxNamed is how many handlers an error of Drain names.
	maxNamed = 10
)

// Drain stops starting attempts. Those that wait are handed back at once; those
// that run may finish until ctx ends. Then their contexts are cancelled with
// ErrDraining, and one that answers with an error is handed back. Drain waits up
// to Grace more for them, and for their results to be taken by Report. The error
// wraps ErrStuck and names the handlers that did not return.
func (d *Dispatcher) Drain(ctx context.Context) error {
	return d.drain(ctx, ErrDraining)
}

// Resume lets attempts start again after Drain has returned. It does nothing
// after Close.
func (d *Dispatcher) Resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.quit:
	default:
		d.refusal = nil
	}
}

// Close drains without time to finish, if that was not done before, and ends the
// timer goroutine. It does not wait for stuck handlers but logs how many there
// are. Attempts assigned later are handed back. Close may be called repeatedly.
func (d *Dispatcher) Close() {
	d.closeOnce.Do(func() {
		d.mu.Lock()
		close(d.quit) // under the lock: Resume looks at it
		d.mu.Unlock()
		over, cancel := context.WithCancel(context.Background())
		cancel()
		err := d.drain(over, errClosed)
		<-d.done
		if d.own != nil {
			d.own.CloseIdleConnections()
		}
		if err != nil {
			d.log.Warn("closed with handlers still running", "stuck", d.Stuck(), "error", err)
		}
	})
}

// drain is Drain, with the reason that attempts handed back unstarted get.
func (d *Dispatcher) drain(ctx context.Context, reason error) error {
	d.mu.Lock()
	d.refusal = reason
	batch := d.waiting.all()
	for _, a := range batch {
		a.setState(ending)
	}
	idle := make(chan struct{})
	if len(d.live) == 0 {
		close(idle)
	} else {
		d.idle = append(d.idle, idle)
	}
	d.mu.Unlock()
	d.handBack(batch, reason)

	select {
	case <-idle:
		return d.leftovers()
	default:
	}
	select {
	case <-idle:
		return d.leftovers()
	case <-ctx.Done():
	}
	d.stopRunning()
	limit := time.NewTimer(d.cfg.Grace + reportSlack)
	defer limit.Stop()
	select {
	case <-idle:
	case <-limit.C:
	}
	return d.leftovers()
}

// handBack reports attempts that are not to be started. It does not wait.
func (d *Dispatcher) handBack(attempts []*Attempt, reason error) {
	for _, a := range attempts {
		go d.decline(a, HandedBack, reason)
	}
}

// stopRunning cancels what runs. One that was cancelled before keeps its reason.
func (d *Dispatcher) stopRunning() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.live {
		a.mu.Lock()
		if a.state == starting || a.state == running {
			if a.stop == stopNone {
				a.stop = stopDrain
			}
			d.stopLocked(a, ErrDraining)
		}
		a.mu.Unlock()
	}
}

// leftovers describes what is not over: handlers that did not return, and
// results that Report has not taken.
func (d *Dispatcher) leftovers() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	name := func(a *Attempt) {
		names = append(names, fmt.Sprintf("%s (job %s, attempt %d of %s)", a.target(), a.Job, a.Number, a.ID))
	}
	for a := range d.stuck {
		name(a)
	}
	unreported := 0
	for _, a := range d.live {
		a.mu.Lock()
		switch a.state {
		case starting, running:
			name(a)
		case ending:
			unreported++
		}
		a.mu.Unlock()
	}
	var text []string
	if unreported > 0 {
		text = append(text, fmt.Sprintf("%d results were not taken", unreported))
	}
	if len(names) == 0 {
		if text == nil {
			return nil
		}
		return fmt.Errorf("dispatch: %s", text[0])
	}
	slices.Sort(names)
	if more := len(names) - maxNamed; more > 0 {
		names = append(names[:maxNamed], fmt.Sprintf("and %d more", more))
	}
	text = append(text, strings.Join(names, ", "))
	return fmt.Errorf("%w: %s", ErrStuck, strings.Join(text, "; "))
}
