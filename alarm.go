package chronos

import (
	"container/heap"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// alarms finds the jobs that have not succeeded in time (Job.SucceedWithin). Each
// node does so for itself, by what it has applied and by its own clock: nothing has
// to be committed, so it also works where nothing can be. Only jobs that have such
// a limit are in memory, and a job is looked at again when its time has passed, not
// when it succeeds.
type alarms struct {
	s    *Scheduler
	ctx  context.Context
	end  context.CancelFunc
	done sync.WaitGroup
	wake chan struct{}

	mu      sync.Mutex
	watches map[string]*watch
	order   watchHeap       // those that have a deadline, earliest first
	late    map[string]bool // those that are overdue
	untold  []*watch        // of those, what nobody was told of yet
	dirty   map[string]bool // to be looked at
	all     bool            // all jobs are to be looked at
	ready   bool            // all of them have been
	looking string          // the job that is read just now
	stale   bool            // and that it has changed meanwhile
	before  map[string]int64
	doubt   doubt
	clock   wallClock
}

// watch is a job that has to succeed in time.
type watch struct {
	job     string
	version uint64
	by      int64 // 0: it does not have to at the moment
	told    int64 // the deadline that was reported as missed
	noted   int64 // the one that an earlier process has reported
	queued  bool  // in alarms.untold
	index   int   // in the heap, -1 outside
}

const (
	alarmPage  = 1_000            // jobs that are read at a time
	alarmPause = time.Millisecond // between two of them: what is due comes first
	alarmRetry = 10 * time.Second // after the state could not be read
	// alarmLook bounds a sleep, so that a step of the wall clock is seen.
	alarmLook = time.Minute
	// overdueShown is how many jobs NodeStatus names.
	overdueShown = 100
	// untoldSlack is how much of what is over may be left in alarms.untold.
	untoldSlack = 100
)

func newAlarms(s *Scheduler) *alarms {
	a := &alarms{
		s: s, wake: make(chan struct{}, 1), all: true,
		watches: map[string]*watch{}, late: map[string]bool{}, dirty: map[string]bool{},
	}
	a.ctx, a.end = context.WithCancel(context.Background())
	return a
}

// start begins when New knows that the node has applied what was committed before.
func (a *alarms) start() {
	a.before = a.s.readTold()
	a.clock.settled()
	a.done.Go(a.run)
}

func (a *alarms) stop() {
	a.end()
	a.done.Wait()
	if told, ok := a.toldNow(); ok {
		a.s.writeTold(told)
	}
}

func (a *alarms) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// observe notes what a committed batch means for it. It never blocks for long: it
// runs in the state machine's goroutine.
func (a *alarms) observe(eff *raftfsm.Effects) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wake := false
	if eff.Restored || eff.Loaded {
		a.all, a.stale, wake = true, true, true
	}
	for i := range eff.Changes {
		if a.concerns(&eff.Changes[i]) {
			a.dirty[eff.Changes[i].Job] = true
			wake = true
		}
	}
	if wake {
		a.poke()
	}
}

// concerns tells if a job has to be looked at after a change. That another one has
// succeeded is seen when its time has passed.
func (a *alarms) concerns(c *raftfsm.Change) bool {
	switch c.Kind {
	case raftfsm.ExecutionEnded:
		if c.Execution.GetStatus() != store.Status_STATUS_SUCCEEDED {
			return false
		}
		a.stale = a.stale || c.Job == a.looking
		return a.late[c.Job]
	case raftfsm.JobPut, raftfsm.JobPaused, raftfsm.JobResumed, raftfsm.JobDeleted:
		a.stale = a.stale || c.Job == a.looking
		return c.Limited || a.watches[c.Job] != nil
	}
	return false
}

func (a *alarms) run() {
	for a.ctx.Err() == nil {
		wait, ok := a.work()
		if !ok {
			select {
			case <-a.wake:
			case <-a.ctx.Done():
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-a.wake:
		case <-timer.C:
		case <-a.ctx.Done():
		}
		timer.Stop()
	}
}

// work does what there is to be done now. It tells how long there is nothing more;
// false: until something changes.
func (a *alarms) work() (wait time.Duration, ok bool) {
	if err := a.survey(); err != nil {
		return a.complain(err)
	}
	for job, more := a.next(); more; job, more = a.next() {
		if err := a.look(job); err != nil {
			a.again(job)
			return a.complain(err)
		}
	}
	a.tell()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.order) == 0 {
		return 0, false
	}
	first := time.Until(time.Unix(0, a.order[0].by+1))
	if first <= 0 && !a.clock.settled() {
		return a.clock.unsettled(), true
	}
	if first <= 0 && a.s.member != nil { // it may have missed a success, see sure
		return a.unsure(), true
	}
	return min(max(first, 0), alarmLook), true
}

func (a *alarms) complain(err error) (time.Duration, bool) {
	if a.ctx.Err() == nil {
		a.s.log.Warn("chronos: whether jobs are overdue cannot be read, and will be tried again", "error", err)
	}
	return alarmRetry, true
}

// next takes the next job to be looked at: one that has changed, or whose time has
// passed.
func (a *alarms) next() (job string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx.Err() != nil || a.all {
		return "", false
	}
	for job := range a.dirty {
		delete(a.dirty, job)
		return job, true
	}
	settled := a.clock.settled() // also where nothing has passed: a step is to be seen when it comes
	if len(a.order) == 0 || a.order[0].by >= time.Now().UnixNano() || !settled || !a.doubt.since.IsZero() && !a.sure() {
		return "", false
	}
	return a.order[0].job, true
}

func (a *alarms) again(job string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dirty[job] = true
}

// look reads a job and notes how it stands.
func (a *alarms) look(job string) error {
	a.mu.Lock()
	a.looking, a.stale = job, false
	a.mu.Unlock()
	var rec *store.Job
	var st *store.Schedule
	err := a.s.node.Store().View(func(r *store.Reader) (err error) {
		if rec, err = r.Job(job); err == nil && limited(rec) {
			st, err = r.Schedule(job)
		}
		return err
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looking = ""
	if err != nil {
		return err
	}
	if a.stale {
		a.dirty[job] = true
		return nil
	}
	w := a.note(job, rec, st)
	if w == nil {
		return nil
	}
	delete(a.late, job)
	if w.by != 0 && w.by < time.Now().UnixNano() && (w.told == w.by || a.clock.settled()) && a.sure() {
		a.late[job] = true
		heap.Remove(&a.order, w.index) // until something changes
		if w.told != w.by && !w.queued {
			w.queued = true
			a.untold = append(a.untold, w)
		}
	}
	return nil
}

func limited(rec *store.Job) bool {
	return rec != nil && !rec.Deleted && rec.Definition.GetSucceedWithin() > 0
}

// note takes in what was read of a job; nil if it is none of those that are watched.
func (a *alarms) note(job string, rec *store.Job, st *store.Schedule) *watch {
	w := a.watches[job]
	if !limited(rec) {
		if w != nil && w.index >= 0 {
			heap.Remove(&a.order, w.index)
		}
		delete(a.watches, job)
		delete(a.late, job)
		return nil
	}
	if w == nil {
		w = &watch{job: job, told: a.before[job], noted: a.before[job], index: -1}
		a.watches[job] = w
	}
	w.version, w.by = rec.Version, raftfsm.SucceedBy(rec.Definition, st)
	switch {
	case w.by == 0 && w.index >= 0:
		heap.Remove(&a.order, w.index)
	case w.by != 0 && w.index >= 0:
		heap.Fix(&a.order, w.index)
	case w.by != 0:
		heap.Push(&a.order, w)
	}
	return w
}

// survey looks at all jobs if the state is new to this node.
func (a *alarms) survey() error {
	a.mu.Lock()
	all := a.all
	if all {
		a.all = false
		for job := range a.watches {
			a.dirty[job] = true
		}
	}
	a.mu.Unlock()
	if !all {
		return nil
	}
	err := a.pages()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.all = true
		return err
	}
	a.ready, a.before = true, nil
	return nil
}

func (a *alarms) pages() error {
	from := ""
	for {
		next, err := a.page(from)
		if err != nil || next == "" {
			return err
		}
		from = next
		select {
		case <-a.ctx.Done():
			return a.ctx.Err()
		case <-time.After(alarmPause):
		}
	}
}

// page looks at some jobs from one on, and says where the next ones begin. One that
// changes meanwhile may be noted as it was; it is read again before anything is said
// of it.
func (a *alarms) page(from string) (next string, err error) {
	n := 0
	err = a.s.node.Store().View(func(r *store.Reader) error {
		return r.Jobs(from, func(id string, decode func() (*store.Job, error)) (bool, error) {
			if n == alarmPage {
				next = id
				return false, nil
			}
			n++
			rec, err := decode()
			if err != nil || !limited(rec) {
				return true, err
			}
			st, err := r.Schedule(id)
			if err != nil {
				return false, err
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.watches[id] == nil {
				a.note(id, rec, st)
			}
			return true, nil
		})
	})
	return next, err
}

// tell reports what is overdue and was not reported yet, if anybody listens; who has begun
// to listen is told first of what others have heard of. A job that has changed meanwhile
// is looked at first.
func (a *alarms) tell() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.untold) > 2*len(a.late)+untoldSlack {
		a.forget()
	}
	if a.all {
		return
	}
	a.greet()
	if len(a.untold) == 0 || !a.s.hub.listened() {
		return
	}
	rest := a.untold[:0]
	for _, w := range a.untold {
		switch {
		case a.watches[w.job] == w && a.dirty[w.job]:
			rest = append(rest, w)
			continue
		case a.watches[w.job] == w && a.late[w.job] && w.told != w.by:
			w.told = w.by
			a.s.hub.tell(w.event())
		}
		w.queued = false
	}
	clear(a.untold[len(rest):])
	a.untold = rest
}

// greet tells those who have begun to listen of the breaches that stand, but not of those
// that an earlier process has reported.
func (a *alarms) greet() {
	if !a.s.hub.expects() {
		return
	}
	var stand []*watch
	for job := range a.late {
		if a.dirty[job] {
			return // it is looked at right away
		}
		if w := a.watches[job]; w.told == w.by && w.noted != w.by {
			stand = append(stand, w)
		}
	}
	slices.SortFunc(stand, earlier)
	events := make([]Event, len(stand))
	for i, w := range stand {
		events[i] = w.event()
	}
	a.s.hub.greet(events)
}

func (w *watch) event() Event {
	return Event{Kind: EventJobOverdue, At: instant(w.by), Job: w.job, Version: w.version}
}

// forget drops what nobody was told of and is over: where nobody listens it would pile up.
func (a *alarms) forget() {
	a.untold = slices.DeleteFunc(a.untold, func(w *watch) bool {
		w.queued = a.watches[w.job] == w && a.late[w.job]
		return !w.queued
	})
}

// earlier sorts by deadline.
func earlier(a, b *watch) int {
	if a.by != b.by {
		if a.by < b.by {
			return -1
		}
		return 1
	}
	return strings.Compare(a.job, b.job)
}

// overdue counts the jobs that are, and names those that have been so the longest.
func (a *alarms) overdue() (count int, first []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var top []*watch
	now := time.Now().UnixNano()
	for job := range a.late {
		w := a.watches[job]
		if w.by >= now { // the clock was put back
			continue
		}
		count++
		if len(top) == overdueShown && earlier(w, top[overdueShown-1]) > 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, w, earlier)
		top = slices.Insert(top, at, w)
		top = top[:min(len(top), overdueShown)]
	}
	for _, w := range top {
		first = append(first, w.job)
	}
	return count, first
}

// watchHeap sorts jobs by their deadlines.
type watchHeap []*watch

func (h watchHeap) Len() int           { return len(h) }
func (h watchHeap) Less(i, j int) bool { return earlier(h[i], h[j]) < 0 }
func (h watchHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *watchHeap) Push(x any) {
	w := x.(*watch)
	w.index = len(*h)
	*h = append(*h, w)
}

func (h *watchHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	w.index = -1
	return w
}
