package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultGrace     = 30 * time.Second
	defaultMaxOutput = 64 << 10

	// clockCheck is how often the wall clock is looked at while attempts wait.
	clockCheck = time.Second

	// waitCheck is how often Config.Wait is asked while something is due.
	waitCheck = 10 * time.Millisecond
)

// Config is what a Dispatcher needs. The zero value works: it reports to nobody.
type Config struct {
	// Grace is how long a handler may ignore its context before it is reported
	// as stuck and its slot is given up. Default 30 s.
	Grace time.Duration

	// MaxOutput is how many bytes of output are kept of one attempt. Default 64 KiB.
	MaxOutput int

	// Client sends webhooks instead of this package's own client. It keeps its
	// transport, jar and timeout, and with them the duty to guard addresses;
	// redirects are the webhook's business with either.
	Client *http.Client

	// BlockPrivate makes the own client refuse loopback, private and all other
	// special-purpose addresses. Link-local addresses and cloud metadata services
	// are refused always.
	BlockPrivate bool

	// Logger gets what no Result can say. Default: none.
	Logger *slog.Logger

	// MayStart is asked right before a handler is called; nil is always yes. An
	// attempt that may not start is dropped without a report, as if it had been
	// revoked: who forbids it has given it up.
	MayStart func(*Attempt) bool

	// Wait is asked when attempts come due; nil is never. While it answers true they
	// wait, and can be taken back; it is asked again and again.
	Wait func() bool

	// Around is called before each handler and webhook that begins, in the attempt's
	// goroutine, in order. It may give a context, made from the one it gets, that takes
	// its place; and a function that is told how the attempt ended, once, before
	// Report, which waits for it no longer than Grace. What panics in there is dropped. An
	// attempt that was cancelled or timed out meanwhile is not begun any more. The header
	// is added to a webhook's request, as far as it is valid, and nil for a handler.
	Around []func(context.Context, *Attempt, http.Header) (context.Context, func(Result))

	// Report takes the result of every attempt, once; that of a handler that was
	// stuck when the node stopped (HandedBack and Stuck) once more, as HandedBack,
	// when it has returned after all. It may be called from several goroutines at
	// once. Until it returns the attempt is remembered, and Drain waits; and what
	// ended at the same busy instant may wait behind it.
	Report func(Result)
}

// Dispatcher runs the attempts of one node. Its methods may be called from any
// goroutine.
type Dispatcher struct {
	cfg    Config
	log    *slog.Logger
	client *http.Client
	own    *http.Transport // of our own client, to be closed; nil for the host's

	wake      chan struct{} // something new waits
	quit      chan struct{} // closed by Close
	done      chan struct{} // closed when the timer goroutine has ended
	closeOnce sync.Once
	running   atomic.Int64
	beginning atomic.Int64 // their instant has come, and their handlers are not called yet
	endings   endings

	mu       sync.Mutex
	handlers map[string]Handler
	live     map[key]*Attempt // assigned and not yet reported
	waiting  waitlist
	stuck    map[*Attempt]struct{}
	ended    recent
	refusal  error           // not nil: nothing is started, and this is why
	idle     []chan struct{} // closed when live becomes empty
}

// New returns a Dispatcher that starts attempts as soon as they are assigned and
// due. It owns a goroutine until Close.
func New(cfg Config) *Dispatcher {
	if cfg.Grace <= 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.MaxOutput <= 0 {
		cfg.MaxOutput = defaultMaxOutput
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Report == nil {
		cfg.Report = func(Result) {}
	}
	d := &Dispatcher{
		cfg:      cfg,
		log:      cfg.Logger,
		client:   cfg.Client,
		wake:     make(chan struct{}, 1),
		quit:     make(chan struct{}),
		done:     make(chan struct{}),
		handlers: make(map[string]Handler),
		live:     make(map[key]*Attempt),
		stuck:    make(map[*Attempt]struct{}),
	}
	if d.client == nil {
		d.own = newTransport(cfg.BlockPrivate)
		d.client = &http.Client{Transport: d.own}
	}
	go d.keepTime()
	return d
}

// Handle registers a handler. It may be called while attempts run; an attempt
// whose handler is missing when it comes due is handed back.
func (d *Dispatcher) Handle(name string, h Handler) error {
	if name == "" {
		return errors.New("dispatch: a handler needs a name")
	}
	if h == nil {
		return fmt.Errorf("dispatch: handler %q is nil", name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.handlers[name]; ok {
		return fmt.Errorf("dispatch: handler %q is already registered", name)
	}
	d.handlers[name] = h
	return nil
}

// Handlers returns the names of the registered handlers, sorted.
func (d *Dispatcher) Handlers() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.handlers))
}

// Running returns how many attempts are being run, stuck ones not counted.
func (d *Dispatcher) Running() int {
	return int(d.running.Load())
}

// Beginning returns how many attempts are due whose handlers have not been called yet.
func (d *Dispatcher) Beginning() int {
	return int(d.beginning.Load())
}

// rushMin is from how many attempts on an instant is a rush.
const rushMin = 200

// Rush tells if many attempts begin just now, or will within a time.
func (d *Dispatcher) Rush(within time.Duration) bool {
	if d.Beginning() >= rushMin {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting.many(time.Now().Add(within), rushMin)
}

// Pending returns how many attempts wait for their instant.
func (d *Dispatcher) Pending() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting.size
}

// Stuck returns how many handlers were given up and have not returned yet.
func (d *Dispatcher) Stuck() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.stuck)
}

// Assign takes attempts over, to start each at its StartAt. An attempt that is
// already known by ID and Token is ignored. While the dispatcher drains and when
// it is closed, attempts are handed back.
func (d *Dispatcher) Assign(attempts []*Attempt) {
	var refused []*Attempt
	now := time.Now()
	d.mu.Lock()
	reason := d.refusal
	for _, a := range attempts {
		if a == nil || d.live[a.key()] != nil || d.ended.has(a.key()) {
			continue
		}
		d.live[a.key()] = a
		if reason != nil {
			a.setState(ending)
			refused = append(refused, a)
			continue
		}
		a.prepare(now, d.cfg.MaxOutput)
		d.waiting.add(a)
	}
	d.mu.Unlock()
	d.handBack(refused, reason)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Started tells if an attempt is about to run or runs here. Its result is still
// to come.
func (d *Dispatcher) Started(id string, token uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.live[key{id, token}]
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == starting || a.state == running
}

// Recall takes an attempt back that has not started. It answers true when the
// attempt is gone and nothing will be reported, false when it runs, has ended or
// is not known.
func (d *Dispatcher) Recall(id string, token uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.live[key{id, token}]
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state != waiting {
		return false
	}
	a.state = ending
	d.waiting.remove(a)
	d.dropLocked(a)
	return true
}

// Cancel ends an attempt: one that has not started is reported as Canceled
// without its handler being called, one that runs gets its context cancelled with
// the cause. It answers false when there is no such attempt, or it has ended.
func (d *Dispatcher) Cancel(id string, token uint64, cause error) bool {
	if cause == nil {
		cause = context.Canceled
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.live[key{id, token}]
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.state {
	case waiting:
		d.waiting.remove(a)
		a.state = ending
		go d.decline(a, Canceled, cause)
	case starting, running:
		a.stop = stopCancel
		d.stopLocked(a, cause)
	default:
		return false
	}
	return true
}

// Revoke ends an attempt whose token was taken away: its context is cancelled
// with the cause, and its result is not reported.
func (d *Dispatcher) Revoke(id string, token uint64, cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.live[key{id, token}]
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.state {
	case waiting:
		a.state = ending
		d.waiting.remove(a)
		d.dropLocked(a)
		d.ended.add(a.key())
	case starting, running:
		a.revoked = true
		d.stopLocked(a, cause)
	}
}

// RevokeAll revokes every attempt there is.
func (d *Dispatcher) RevokeAll(cause error) {
	d.mu.Lock()
	keys := slices.Collect(maps.Keys(d.live))
	d.mu.Unlock()
	for _, k := range keys {
		d.Revoke(k.id, k.token, cause)
	}
}

// Live returns the attempts that were assigned and have not been reported, by
// execution and token.
func (d *Dispatcher) Live() map[string]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string]uint64, len(d.live))
	for k := range d.live {
		out[k.id] = max(out[k.id], k.token)
	}
	return out
}

// dropLocked forgets an attempt.
func (d *Dispatcher) dropLocked(a *Attempt) {
	delete(d.live, a.key())
	if len(d.live) > 0 {
		return
	}
	for _, c := range d.idle {
		close(c)
	}
	d.idle = nil
}

// keepTime starts attempts when they come due. It is the only one to take them from those
// that wait in order to start them.
func (d *Dispatcher) keepTime() {
	defer close(d.done)
	timer := time.NewTimer(clockCheck)
	defer timer.Stop()
	last := newStretch()
	defer last.close()
	for {
		batch, next, more := d.takeDue()
		d.launch(batch)
		var fired <-chan time.Time
		if more {
			timer.Reset(min(last.approach(next), clockCheck))
			fired = timer.C
		}
		select {
		case <-fired:
		case ok := <-last.woke:
			last.awoke(ok)
		case <-d.wake:
		case <-d.quit:
			return
		}
	}
}

// takeDue takes the attempts whose instant has come from those that wait, in one round
// under the lock, and says when the next one comes due, if any waits.
func (d *Dispatcher) takeDue() (batch []*Attempt, next time.Time, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	first := d.waiting.first()
	if first != nil && d.cfg.Wait != nil && first.due(now) && d.cfg.Wait() {
		return nil, now.Add(waitCheck), true
	}
	batch = d.waiting.due(now)
	for _, a := range batch {
		a.call = d.handlers[a.Handler]
		a.setState(starting)
	}
	d.running.Add(int64(len(batch)))
	d.beginning.Add(int64(len(batch)))
	if first = d.waiting.first(); first == nil {
		return batch, time.Time{}, false
	}
	return batch, first.at, true
}
