package dispatch

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Handler is the code of a job. The context ends at the attempt's timeout, when
// the attempt is cancelled or revoked, and when the node stops; context.Cause
// tells which. The attempt is shared with the dispatcher and only to be read,
// but for SetOutput.
type Handler func(ctx context.Context, a *Attempt) error

// Attempt is one call of a handler or a webhook, as the state machine assigned
// it to this node. It belongs to the dispatcher from Assign on.
type Attempt struct {
	ID         string            // of the execution, the same in all of its attempts
	Job        string            // ID of the job
	Labels     map[string]string // of the job
	Generation uint64            // of the job: grows when it is deleted and put again
	Version    uint64            // of the job's definition
	Number     int               // 1 for the first attempt
	Token      uint64            // fencing token: grows with every attempt of the job
	Session    uint64            // incarnation of the node that it was given to
	Due        time.Time         // the nominal instant
	StartAt    time.Time         // when to start; what is past starts at once
	Origin     string            // "schedule", "trigger" or "backfill"
	Key        string            // idempotency key of a trigger
	Actor      string            // who asked for a trigger or backfill
	Note       string            // and what was said with it
	Payload    []byte
	Handler    string        // name of the handler; empty when Webhook is set
	Webhook    *Webhook      // what to call instead of a handler
	Timeout    time.Duration // 0: none for handlers, 5 minutes for webhooks
	Tag        any           // whatever the caller needs with the Result; it comes back there

	output output
	header http.Header // what Config.Around adds to a webhook's request

	// Set by Assign and by the timer, before the attempt's goroutine exists.
	at     time.Time // StartAt on the monotonic clock
	cancel context.CancelCauseFunc
	call   Handler // nil: no handler of that name when the attempt came due

	moment *moment // that it waits for; guarded by Dispatcher.mu
	index  int     // among its attempts

	// mu guards what follows until the state is ending or stuck; nobody changes it
	// after that. The attempt's goroutine reads ctx without. Taken after
	// Dispatcher.mu where both are needed: starting 10,000 attempts at one instant
	// takes no common lock but the one that takes them from those that wait.
	mu           sync.Mutex
	ctx          context.Context // what the handler gets
	started      time.Time
	state        state
	stop         stop
	ended        []func(Result) // from Config.Around; to be called once
	revoked      bool           // the result is not to be reported
	patience     *time.Timer    // gives the running attempt up
	patienceEnds time.Time
}

// state is where an attempt is on its way.
type state uint8

const (
	waiting  state = iota // for its moment
	starting              // its moment has come, the handler is not called yet
	running               // the handler is called
	ending                // its result is decided and being reported
	stuck                 // reported, but the handler has not returned
)

// stop is who asked a running attempt to end. The deadline is not among them:
// the context tells.
type stop uint8

const (
	stopNone   stop = iota
	stopDrain       // the node stops
	stopCancel      // somebody wants the execution to end; outranks the node's stopping
)

// key is what makes an attempt unique.
type key struct {
	id    string
	token uint64
}

// prepare makes an attempt ready to wait. StartAt is brought onto the monotonic
// clock as seen from now.
func (a *Attempt) prepare(now time.Time, maxOutput int) {
	a.setState(waiting)
	a.StartAt = a.StartAt.Round(0) // the wall clock's reading only
	a.at = now.Add(a.StartAt.Sub(now))
	a.output.max = maxOutput
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
}

func (a *Attempt) setState(s state) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = s
}

func (a *Attempt) key() key { return key{a.ID, a.Token} }

// target names what the attempt calls, for logs and errors.
func (a *Attempt) target() string {
	if a.Webhook != nil {
		return "webhook " + cleanURL(a.Webhook.URL)
	}
	return "handler " + a.Handler
}

// maxTimeout is 146 years, so that adding to a timeout does not overflow.
const maxTimeout time.Duration = 1 << 62

// timeout returns how long the attempt may take; 0 is for ever.
func (a *Attempt) timeout() time.Duration {
	if a.Timeout <= 0 && a.Webhook != nil {
		return webhookTimeout
	}
	return min(max(a.Timeout, 0), maxTimeout)
}

// deadline returns the context for the handler.
func (a *Attempt) deadline() (context.Context, context.CancelFunc) {
	if timeout := a.timeout(); timeout > 0 {
		return context.WithTimeout(a.ctx, timeout)
	}
	return a.ctx, func() {}
}

// SetOutput keeps a copy of b as the attempt's output, in place of what was set
// before. What is longer than Config.MaxOutput is cut and marked as truncated.
// It may be called from several goroutines; after the attempt has ended it does
// nothing.
func (a *Attempt) SetOutput(b []byte) { a.output.set(b, false) }

// output is what an attempt leaves behind. The zero value keeps up to
// defaultMaxOutput bytes.
type output struct {
	mu        sync.Mutex
	max       int
	data      []byte
	truncated bool
	sealed    bool
}

// set replaces the output. cut says that b is already a part of something longer.
func (o *output) set(b []byte, cut bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sealed {
		return
	}
	limit := o.max
	if limit <= 0 {
		limit = defaultMaxOutput
	}
	o.truncated = cut || len(b) > limit
	o.data = slices.Clone(b[:min(len(b), limit)])
}

// seal returns the output and refuses any other from now on.
func (o *output) seal() (data []byte, truncated bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sealed = true
	return o.data, o.truncated
}
