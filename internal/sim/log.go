package sim

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// log is what the simulation notes, in the order in which it happened. The
// checker has nothing else, beside the ledgers.
type log struct {
	mu       sync.Mutex
	pos      int
	lines    []line
	calls    []*call
	attempts []*attempt
	live     map[string]map[*attempt]bool // of exclusive jobs, by job, generation and target
	keyed    map[string]map[*attempt]bool // by concurrency key
	ending   map[string]bool              // executions that somebody terminates
	holders  map[string]map[*holding]bool // of locks, by name
	alarms   []alarm                      // that a job is overdue
	found    []violation
	counts   map[string]int
	closed   bool
	out      io.Writer // gets every line at once, if it is there
}

// line is one event of the timeline.
type line struct {
	pos  int
	at   int64
	node string
	job  string
	text string
}

// violation is one broken promise.
type violation struct {
	kind string
	job  string
	at   int64 // where to look
	text string
}

func newLog() *log {
	return &log{live: map[string]map[*attempt]bool{}, keyed: map[string]map[*attempt]bool{}, ending: map[string]bool{}, holders: map[string]map[*holding]bool{}, counts: map[string]int{}}
}

func now() int64 { return time.Now().UnixNano() }

// note adds a line. The lock is held.
func (l *log) note(node, job, format string, args ...any) int {
	l.pos++
	n := line{pos: l.pos, at: now(), node: node, job: job, text: fmt.Sprintf(format, args...)}
	l.lines = append(l.lines, n)
	if l.out != nil {
		fmt.Fprintf(l.out, "%s %-6s %-14s %s\n", clock(n.at), n.node, n.job, n.text)
	}
	return l.pos
}

func (l *log) say(node, job, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(node, job, format, args...)
}

// count adds to a figure of the report.
func (l *log) count(what string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what] += n
}

// fault is a promise that was seen broken.
func (l *log) fault(kind, job string, at int64, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faultLocked(kind, job, at, format, args...)
}

func (l *log) faultLocked(kind, job string, at int64, format string, args ...any) {
	v := violation{kind: kind, job: job, at: at, text: fmt.Sprintf(format, args...)}
	l.found = append(l.found, v)
	if l.closed {
		return // the bubble's clock has stopped
	}
	l.note("", job, "VIOLATION %s: %s", kind, v.text)
}

// call is one call of the public API.
type call struct {
	seq, op, job, node string
	plan               *plan  // of a put
	arg                string // an execution, a key, a number
	expect             uint64 // Job.Version
	begin, end         int64
	beginPos, endPos   int // endPos is 0 until it has ended
	err                error
	unsure             bool // it may have taken effect, or may yet

	version uint64 // what it answered
	exec    string
	count   int
	read    *reading
}

// reading is what a Get found.
type reading struct {
	exists  bool
	version uint64
	seq     string // of the payload
	paused  bool
}

func (c *call) acked() bool { return c.endPos != 0 && c.err == nil }

func (c *call) String() string {
	s := fmt.Sprintf("%s %s", c.seq, c.op)
	if c.arg != "" {
		s += " " + c.arg
	}
	if c.plan != nil {
		s += " " + c.plan.String()
	}
	return s
}

func (l *log) beginCall(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts["calls"]++
	c.begin, c.beginPos = now(), l.note(c.node, c.job, "call %s", c)
	l.calls = append(l.calls, c)
}

func (l *log) endCall(c *call, fill func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fill()
	text := "ok"
	switch {
	case c.unsure:
		text = fmt.Sprintf("uncertain: %v", c.err)
		l.counts["calls uncertain"]++
	case c.err != nil:
		text = fmt.Sprintf("error: %v", c.err)
	case c.read != nil:
		text = fmt.Sprintf("%+v", *c.read)
	case c.version != 0:
		text = fmt.Sprintf("version %d", c.version)
	case c.exec != "":
		text = c.exec
	}
	c.end, c.endPos = now(), l.note(c.node, c.job, "  %s %s: %s", c.seq, c.op, text)
}

// attempt is one call of a handler, as it notes it itself.
type attempt struct {
	node       string
	proc       *proc
	job, exec  string
	gen        uint64
	version    uint64
	token      uint64
	number     int
	due, ready int64
	origin     string
	start, end int64
	startPos   int
	endPos     int // 0: it did not come back while its process lived
	ctx        context.Context
	how        string // "ok" or the error
	cause      string // why its context had ended
	exclusive  bool
	target     string // the node that it is for
	key        string // the concurrency key of a job that was put once
	places     int
	void       bool // given up before it came to note its start
}

func (a *attempt) String() string {
	s := fmt.Sprintf("%s attempt %d token %d on %s, began %s", a.exec, a.number, a.token, a.proc, clock(a.start))
	if a.endPos != 0 {
		s += fmt.Sprintf(", ended %s (%s)", clock(a.end), a.how)
	}
	return s
}

// over tells if nothing of the attempt counts any more: it has returned, its
// process is dead, or its context has ended.
func (a *attempt) over() bool { return a.endPos != 0 || a.proc.killed() || a.ctx.Err() != nil }

// begin notes a start, and looks at once whether another attempt of an exclusive
// job is live: the contexts are here to be asked.
func (l *log) beginAttempt(a *attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.proc.killed() {
		return
	}
	l.counts["starts"]++
	a.start = now()
	a.startPos = l.note(a.node, a.job, "start %s attempt %d token %d due %s", a.exec, a.number, a.token, clock(a.due))
	l.attempts = append(l.attempts, a)
	if a.start < a.ready {
		l.faultLocked("early", a.job, a.start, "began before its instant %s: %s", clock(a.ready), a)
	}
	a.void = a.ctx.Err() != nil
	if a.void {
		return
	}
	if a.exclusive {
		for _, other := range l.join(l.live, fmt.Sprint(a.job, " ", a.gen, " ", a.target), a) {
			l.faultLocked("exclusive", a.job, a.start, "two live attempts: %s, and %s", other, a)
		}
	}
	if a.key != "" {
		l.enterKey(a)
	}
}

// join adds an attempt to those of a group, and answers with the others of it that
// are live.
func (l *log) join(groups map[string]map[*attempt]bool, group string, a *attempt) (others []*attempt) {
	if groups[group] == nil {
		groups[group] = map[*attempt]bool{}
	}
	for other := range groups[group] {
		if other.over() || l.ending[other.exec] {
			delete(groups[group], other)
			continue
		}
		others = append(others, other)
	}
	groups[group][a] = true
	return others
}

// enterKey looks whether a concurrency key has more live holders than places.
func (l *log) enterKey(a *attempt) {
	holders := map[string]*attempt{a.exec: a}
	for _, other := range l.join(l.keyed, a.key, a) {
		holders[other.exec] = other
	}
	if len(holders) > a.places {
		l.faultLocked("key", a.job, a.start, "%d executions of %s are live, it has %d places: %v", len(holders), a.key, a.places, slices.Collect(maps.Values(holders)))
	}
}

// terminating notes that an execution is about to be ended without waiting for its
// handler: what comes after it may begin before the handler's node hears of that.
func (l *log) terminating(exec string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending[exec] = true
}

func (l *log) endAttempt(a *attempt, how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.proc.killed() || a.startPos == 0 {
		return
	}
	if a.ctx.Err() != nil {
		a.cause = fmt.Sprint(context.Cause(a.ctx))
	}
	a.end, a.how = now(), how
	a.endPos = l.note(a.node, a.job, "end   %s attempt %d token %d: %s %s", a.exec, a.number, a.token, how, a.cause)
}

// liveOn lists the attempts that began on a process before a position and are live.
func (l *log) liveOn(p *proc) (out []*attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.attempts {
		if a.proc == p && !a.over() {
			out = append(out, a)
		}
	}
	return out
}

// holding is a lock that somebody has.
type holding struct {
	name, node string
	proc       *proc
	token      uint64
	ctx        context.Context
	releasing  bool
	call       *call
}

// take notes that a lock was got, which nobody else may have.
func (l *log) take(h *holding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts["locks taken"]++
	l.note(h.node, h.name, "lock %s token %d", h.name, h.token)
	if l.holders[h.name] == nil {
		l.holders[h.name] = map[*holding]bool{}
	}
	for other := range l.holders[h.name] {
		switch {
		case other.releasing || other.proc.killed() || other.ctx.Err() != nil:
			delete(l.holders[h.name], other)
		case h.ctx.Err() == nil:
			l.faultLocked("lock", h.name, now(), "%s has it with token %d, and %s with token %d", other.node, other.token, h.node, h.token)
		}
		if other.token >= h.token && h.ctx.Err() == nil {
			l.faultLocked("lock", h.name, now(), "token %d comes after %d", h.token, other.token)
		}
	}
	l.holders[h.name][h] = true
}

func (l *log) releasing(h *holding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.releasing = true
	l.note(h.node, h.name, "unlock %s token %d", h.name, h.token)
}
