package chronos

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/chronos-go/chronos/dispatch"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// reporter carries results from the dispatcher to the log, in batches, and
// again until they are accepted or refused. It never drops one: a result that
// cannot be committed now is kept until it can, or until the process ends, and
// then the next start finds the attempt unfinished.
type reporter struct {
	s      *Scheduler
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	wake   chan struct{}

	mu      sync.Mutex
	queue   []*raftfsm.Command
	pending int // taken from the queue, not committed yet
	idle    []chan struct{}
}

// claim is what is needed to say when a failed attempt is to be repeated.
type claim struct {
	failures int
	retry    *store.Retry
}

// yieldMax bounds how often results give way to starts.
const yieldMax = 1_000

// reportMax bounds how many results are proposed in one call.
const reportMax = 4_000

func newReporter(s *Scheduler) *reporter {
	r := &reporter{s: s, wake: make(chan struct{}, 1)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

func (r *reporter) start() { r.wg.Go(r.run) }

func (r *reporter) stop() {
	r.cancel()
	r.wg.Wait()
}

// report takes the result of an attempt from the dispatcher.
func (r *reporter) report(res dispatch.Result) {
	job, exec, _ := store.SplitID(res.ID)
	if res.Outcome == dispatch.HandedBack && res.Stuck {
		// It still runs, so nobody else may have it: it stays this process's
		// until it returns after all, or the next start resolves it.
		r.s.log.Error("chronos: handler did not return while the node stopped", "job", job, "execution", res.ID)
		return
	}
	if res.Outcome == dispatch.HandedBack {
		r.add(&raftfsm.Command{Body: &raftfsm.Command_HandBack{HandBack: &raftfsm.HandBack{
			Job: job, Execution: exec, Token: res.Token, Started: !res.NotStarted, Reason: res.Error, StartedAt: nanos(res.Started),
		}}})
		return
	}
	if res.Stuck {
		r.s.log.Error("chronos: handler ignores its ended context and was given up", "job", job, "execution", res.ID, "attempt", res.Token)
	}
	r.add(&raftfsm.Command{Body: &raftfsm.Command_Finish{Finish: finishFrom(job, exec, res)}})
}

func finishFrom(job, exec string, res dispatch.Result) *raftfsm.Finish {
	c, _ := res.Tag.(*claim)
	if c == nil {
		c = &claim{}
	}
	ended := res.Ended
	if ended.IsZero() {
		ended = time.Now()
	}
	out := &raftfsm.Finish{
		Job: job, Execution: exec, Token: res.Token, Status: outcomes[res.Outcome],
		Permanent: res.Permanent, Snooze: res.Snooze, PauseJob: res.PauseJob,
		Error: res.Error, Stack: res.Stack, HttpStatus: int32(res.HTTPStatus),
		Output: res.Output, Truncated: res.Truncated, Stuck: res.Stuck,
		Started: nanos(res.Started), Ended: nanos(ended),
	}
	delay := backoff(c.retry, c.failures+1)
	if res.HasRetryAfter {
		delay = min(res.RetryAfter, maxDuration)
	}
	out.RetryAt = nanos(ended.Add(delay))
	return out
}

var outcomes = map[dispatch.Outcome]store.Status{
	dispatch.Succeeded: store.Status_STATUS_SUCCEEDED,
	dispatch.Failed:    store.Status_STATUS_FAILED,
	dispatch.TimedOut:  store.Status_STATUS_TIMED_OUT,
	dispatch.Canceled:  store.Status_STATUS_CANCELED,
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// backoff is the delay after the n-th failure: exponential, capped, with full
// jitter. It does not overflow, whatever n is.
func backoff(r *store.Retry, n int) time.Duration {
	limit := float64(r.GetMax())
	d := float64(r.GetInitial()) * math.Pow(r.GetMultiplier(), float64(n-1))
	if math.IsNaN(d) || d > limit {
		d = limit
	}
	if !r.GetNoJitter() {
		d *= 1 - rand.Float64() // in (0, d]
	}
	return time.Duration(d)
}

func (r *reporter) add(c *raftfsm.Command) {
	r.mu.Lock()
	r.queue = append(r.queue, c)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *reporter) run() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.wake:
		}
		for {
			r.yield()
			batch := r.take()
			if len(batch) == 0 {
				break
			}
			if !r.commit(batch) {
				return
			}
		}
	}
}

// yield lets handlers begin first whose instant has come: what has ended already can wait
// for them, and goes with theirs.
func (r *reporter) yield() {
	for n := 0; n < yieldMax && r.s.dispatcher.Beginning() > 0; n++ {
		runtime.Gosched()
	}
}

func (r *reporter) take() []*raftfsm.Command {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.queue), reportMax)
	batch := r.queue[:n:n]
	r.queue = r.queue[n:]
	r.pending = n
	if n == 0 {
		r.queue = nil
		for _, ch := range r.idle {
			close(ch)
		}
		r.idle = nil
	}
	return batch
}

// commit proposes a batch until it is through; false when the scheduler closes.
func (r *reporter) commit(batch []*raftfsm.Command) bool {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		now := time.Now().UnixNano()
		for _, c := range batch {
			c.Now = now
		}
		results, err := r.s.node.Propose(r.ctx, batch)
		if err == nil {
			r.refused(batch, results)
			return true
		}
		if r.ctx.Err() != nil {
			return false
		}
		r.s.log.Debug("chronos: results wait to be committed", "count", len(batch), "error", err)
		select {
		case <-r.ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

func (r *reporter) refused(batch []*raftfsm.Command, results []*raftfsm.Result) {
	for i, res := range results {
		if res.Code != raftfsm.Code_CODE_FENCED {
			continue
		}
		if f := batch[i].GetFinish(); f != nil {
			r.s.log.Warn("chronos: result of an attempt that was given up is refused",
				"execution", store.JoinID(f.Job, f.Execution), "token", f.Token)
		}
	}
}

// flush waits until everything that was reported is committed.
func (r *reporter) flush(ctx context.Context) error {
	r.mu.Lock()
	if len(r.queue) == 0 && r.pending == 0 {
		r.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	r.idle = append(r.idle, done)
	r.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-r.s.node.Stopped():
		return translate(r.s.node.Err())
	case <-ctx.Done():
		return ctx.Err()
	}
}
