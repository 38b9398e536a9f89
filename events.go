package chronos

import (
	"context"
	"sync"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// EventKind says what an Event reports.
type EventKind string

// The kinds of events.
const (
	EventJobPut             EventKind = "job.put"
	EventJobDeleted         EventKind = "job.deleted"
	EventJobPaused          EventKind = "job.paused"
	EventJobResumed         EventKind = "job.resumed"
	EventExecutionCreated   EventKind = "execution.created"
	EventExecutionAssigned  EventKind = "execution.assigned"
	EventExecutionRetrying  EventKind = "execution.retrying"
	EventExecutionEnded     EventKind = "execution.ended"
	EventExecutionWithdrawn EventKind = "execution.withdrawn" // the job was edited before it started
	// EventJobOverdue: the job has not succeeded within Job.SucceedWithin, as far as
	// this node knows. It is no committed change: each node of a cluster finds it for
	// itself, without a leader, too, and reports it once to each listener, also to one
	// that begins while the job is overdue. What was reported before an orderly stop is
	// not reported to anybody after it. It comes again after a crash: At, the instant at
	// which the job was overdue, is the same then and on all nodes.
	EventJobOverdue EventKind = "job.overdue"
)

var eventNames = map[raftfsm.ChangeKind]EventKind{
	raftfsm.JobPut: EventJobPut, raftfsm.JobDeleted: EventJobDeleted,
	raftfsm.JobPaused: EventJobPaused, raftfsm.JobResumed: EventJobResumed,
	raftfsm.ExecutionCreated: EventExecutionCreated, raftfsm.ExecutionAssigned: EventExecutionAssigned,
	raftfsm.ExecutionRetrying: EventExecutionRetrying, raftfsm.ExecutionEnded: EventExecutionEnded,
	raftfsm.ExecutionWithdrawn: EventExecutionWithdrawn,
}

// Event is one committed change, in the order of commitment (EventJobOverdue is none).
type Event struct {
	Kind      EventKind
	At        time.Time
	Job       string
	Version   uint64     // of the job, for job events
	Execution *Execution // for execution events; without Output
	// Instants is for EventExecutionEnded: how many instants that accounts for. A row
	// for a range of them may grow, and is reported once more; else it is 1.
	Instants int
	// Dropped counts the events before this one that this reader was too slow
	// to get.
	Dropped int
}

// eventBuffer is how many events wait for a reader before some are dropped.
const eventBuffer = 1_024

// hub hands committed changes to those who listen. It never waits for one.
type hub struct {
	mu      sync.Mutex
	closed  bool
	subs    map[*subscriber]bool
	waiters map[string][]chan struct{} // by execution ID
}

type subscriber struct {
	ch      chan Event
	dropped int
	greeted bool // has been told what stood when it began to listen
}

func newHub() *hub {
	return &hub{subs: map[*subscriber]bool{}, waiters: map[string][]chan struct{}{}}
}

// Events reports committed changes from now on, until ctx ends or the scheduler
// is closed; then the channel is closed. Each call makes a listener of its own, which is
// also told which jobs are overdue already (EventJobOverdue). A slow reader holds nothing up: beyond
// 1,024 waiting events the newest are dropped, and counted in Event.Dropped.
func (s *Scheduler) Events(ctx context.Context) <-chan Event {
	sub := &subscriber{ch: make(chan Event, eventBuffer)}
	if !s.hub.add(sub) || ctx.Err() != nil {
		s.hub.remove(sub)
		return sub.ch
	}
	context.AfterFunc(ctx, func() { s.hub.remove(sub) })
	s.alarms.poke()
	return sub.ch
}

func (h *hub) add(sub *subscriber) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[sub] = true
	return !h.closed
}

func (h *hub) remove(sub *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs[sub] {
		delete(h.subs, sub)
		close(sub.ch)
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for sub := range h.subs {
		delete(h.subs, sub)
		close(sub.ch)
	}
	for id := range h.waiters {
		h.release(id)
	}
}

func (h *hub) publish(eff *raftfsm.Effects) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if eff.Restored {
		for id := range h.waiters {
			h.release(id)
		}
	}
	if len(h.subs) == 0 && len(h.waiters) == 0 {
		return
	}
	for _, c := range eff.Changes {
		if c.Kind == raftfsm.ExecutionEnded || c.Kind == raftfsm.ExecutionWithdrawn {
			h.release(store.JoinID(c.Job, c.Exec))
		}
		if len(h.subs) > 0 {
			h.send(eventFrom(c))
		}
	}
}

func eventFrom(c raftfsm.Change) Event {
	ev := Event{Kind: eventNames[c.Kind], At: instant(c.At), Job: c.Job, Version: c.Version}
	if c.Execution != nil {
		x := executionFrom(c.Job, c.Exec, c.Execution, instant(c.At))
		x.Output = nil
		ev.Execution = &x
	}
	if c.Kind == raftfsm.ExecutionEnded {
		ev.Instants = int(max(c.Instants, 1))
	}
	return ev
}

// listened tells if anybody listens who has been told what stood before.
func (h *hub) listened() bool { return h.some(true) }

// expects tells if somebody has not been told that yet.
func (h *hub) expects() bool { return h.some(false) }

func (h *hub) some(greeted bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for sub := range h.subs {
		if sub.greeted == greeted {
			return true
		}
	}
	return false
}

// greet tells those who have begun to listen what stands.
func (h *hub) greet(events []Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for sub := range h.subs {
		if sub.greeted {
			continue
		}
		sub.greeted = true
		for _, ev := range events {
			sub.send(ev)
		}
	}
}

// tell hands out an event that no committed batch has brought. Who has not been told what
// stood before is told of it then.
func (h *hub) tell(ev Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for sub := range h.subs {
		if sub.greeted {
			sub.send(ev)
		}
	}
}

func (h *hub) send(ev Event) {
	for sub := range h.subs {
		sub.send(ev)
	}
}

func (sub *subscriber) send(ev Event) {
	ev.Dropped = sub.dropped
	select {
	case sub.ch <- ev:
		sub.dropped = 0
	default:
		sub.dropped++
	}
}

// wait gives a channel that is closed when the execution may have ended.
func (h *hub) wait(id string) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	ch := make(chan struct{})
	if h.closed {
		close(ch)
		return ch
	}
	h.waiters[id] = append(h.waiters[id], ch)
	return ch
}

// leave forgets a channel from wait.
func (h *hub) leave(id string, ch <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, w := range h.waiters[id] {
		if w == ch {
			h.waiters[id] = append(h.waiters[id][:i:i], h.waiters[id][i+1:]...)
			break
		}
	}
	if len(h.waiters[id]) == 0 {
		delete(h.waiters, id)
	}
}

func (h *hub) release(id string) {
	for _, ch := range h.waiters[id] {
		close(ch)
	}
	delete(h.waiters, id)
}
