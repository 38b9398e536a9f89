package sim

import (
	"context"
	"slices"

	"github.com/chronos-go/chronos"
)

// alarm is a process's word that a job is overdue.
type alarm struct {
	proc *proc
	job  string
	by   int64 // when it had to succeed
	at   int64 // when it was said
}

// listen notes which jobs a process says are overdue, until it is closed or killed.
func (p *proc) listen() {
	events := p.s.Events(context.Background())
	p.w.running.Go(func() {
		for e := range events {
			if e.Kind == chronos.EventJobOverdue && !p.killed() {
				p.w.log.overdue(p, e)
			}
			if e.Dropped > 0 {
				p.deaf.Store(true)
			}
		}
	})
}

func (l *log) overdue(p *proc, e chronos.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(p.String(), e.Job, "OVERDUE since %s", clock(nanos(e.At)))
	l.alarms = append(l.alarms, alarm{p, e.Job, nanos(e.At), now()})
}

// checkOverdue holds the alarms against the ledger: each is for a time that counts
// from the put, a success or a resume, is said once by a process, and not before it has
// passed; and a job that was overdue for long is said to be. Which of several edits
// counted cannot be seen from outside: only jobs that were put once are looked at.
func (k *checker) checkOverdue(id string, j *jobDump) {
	p := k.planOf(j, 1)
	if len(j.versions) != 1 || p == nil || p.Within == 0 {
		return
	}
	within := int64(p.Within)
	from := k.countsFrom(j)
	alone := !slices.ContainsFunc(k.w.all, func(other *proc) bool { return other.name != k.w.all[0].name })
	said := map[int64][]*proc{}
	for _, a := range k.log.alarms {
		if a.job != id {
			continue
		}
		k.log.count("alarms checked", 1)
		if slices.Contains(said[a.by], a.proc) {
			k.fault("overdue", id, a.at, "%s says twice that it is overdue since %s", a.proc, clock(a.by))
		}
		said[a.by] = append(said[a.by], a.proc)
		at, known := slices.BinarySearch(from, a.by-within)
		next := at // the first success after what it counts from
		if known {
			next++
		}
		switch {
		case !known && !k.resumed(id, a.by-within):
			k.fault("overdue", id, a.at, "%s says that it is overdue since %s, and nothing had happened %v before", a.proc, clock(a.by), p.Within)
		case a.at < a.by:
			k.fault("overdue", id, a.at, "%s says too early that it is overdue since %s", a.proc, clock(a.by))
		case alone && next < len(from) && from[next] <= a.by:
			k.fault("overdue", id, a.at, "%s says that it is overdue since %s, and it had succeeded at %s", a.proc, clock(a.by), clock(from[next]))
		}
	}
	if slices.ContainsFunc(k.byJob[id], func(c *call) bool { return c.op == "pause" || c.op == "resume" }) {
		return // a pause, of which nobody may know whether it took place, ends a breach
	}
	for i, f := range from {
		until := k.w.pausedAt
		if i+1 < len(from) {
			until = min(until, from[i+1]) // what goes on while all are paused may succeed yet
		}
		k.wantAlarm(id, f+within, until, said[f+within])
	}
}

// countsFrom lists from when a job's time counts: the put, and each success.
func (k *checker) countsFrom(j *jobDump) []int64 {
	out := []int64{nanos(j.versions[0].At)}
	for _, r := range j.rows {
		if r.Status == chronos.StatusSucceeded {
			out = append(out, nanos(r.EndedAt))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// resumed tells if a resume may have been committed at that time, from which the job's
// time counts anew.
func (k *checker) resumed(id string, at int64) bool {
	return slices.ContainsFunc(k.byJob[id], func(c *call) bool {
		return c.op == "resume" && c.begin <= at && (c.acked() && at <= c.end || c.unsure || c.endPos == 0)
	})
}

// wantAlarm: that a job was overdue from one moment to another is said by one of
// the processes that were there all the time, if these are most of the members. One
// that is cut off may not know since when.
func (k *checker) wantAlarm(id string, by, until int64, said []*proc) {
	late := by + int64(2*k.w.pro.Lease) + 5e9 // a node waits for a lease when it is out of touch
	if until <= late || len(said) > 0 {
		return
	}
	there := 0
	for _, p := range k.w.all {
		stopped, died := p.stopped.Load(), p.died.Load()
		if p.opened != 0 && p.opened < by && (stopped == 0 || stopped > late) && (died == 0 || died > late) && !p.deaf.Load() {
			there++
		}
	}
	if there > len(k.w.names)/2 {
		k.fault("overdue", id, by, "nobody says that it is overdue from %s to %s, and %d processes were there", clock(by), clock(until), there)
	}
}
