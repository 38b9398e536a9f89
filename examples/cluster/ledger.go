package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

// ledger is what a node has on record.
type ledger struct {
	Since map[string]time.Time // when each job was put
	Rows  []row
}

type row struct {
	Job             string
	Due, Created    time.Time
	Status          chronos.Status
	Count, Attempts int
}

// occurrence is a job's due instant.
type occurrence struct {
	job string
	due int64 // in nanoseconds: a time.Time is not what == is for
}

func occurrenceOf(job string, due time.Time) occurrence { return occurrence{job, due.UnixNano()} }

func (o occurrence) String() string { return o.job + " due " + clock(time.Unix(0, o.due)) }

// finding is what an audit has found, the faults first of all.
type finding struct {
	instants, repeated int
	from, to           time.Time
	longest            time.Duration // from an instant to its first start
	next, planned      time.Time     // first start of what was due after the kill, and of what was committed after it
	faults             []string
}

func (f *finding) fault(o occurrence, format string, args ...any) {
	f.faults = append(f.faults, o.String()+": "+fmt.Sprintf(format, args...))
}

func (f *finding) err() error {
	if len(f.faults) == 0 {
		return nil
	}
	return fmt.Errorf("the ledger is not as it has to be:\n  %s", strings.Join(f.faults, "\n  "))
}

// audit compares three things: when the jobs' schedules say that they were due,
// what the ledger has, and what the nodes were seen to start.
func audit(book *ledger, seen []start, kill *failover, to time.Time) *finding {
	f := &finding{to: to}
	rows := map[occurrence][]row{}
	for _, r := range book.Rows {
		o := occurrenceOf(r.Job, r.Due)
		rows[o] = append(rows[o], r)
	}
	calls := map[occurrence][]start{}
	for _, s := range seen {
		o := occurrenceOf(s.Job, s.Due)
		calls[o] = append(calls[o], s)
	}
	for _, job := range jobs() {
		since, ok := book.Since[job.ID]
		if !ok {
			f.faults = append(f.faults, job.ID+": the job is not there")
			continue
		}
		for due := range job.Schedule.Between(since, to) {
			o := occurrenceOf(job.ID, due)
			f.instant(o, rows[o], calls[o])
			f.times(due, rows[o], calls[o], kill)
			delete(rows, o)
			delete(calls, o)
		}
	}
	for o := range rows {
		f.fault(o, "has a row, but was not due")
	}
	for o, c := range calls {
		if o.due <= to.UnixNano() {
			f.fault(o, "was started on %s, but was not due", c[0].node)
		}
	}
	return f
}

// instant checks one due instant: it has one row, which succeeded, and was
// started once for every attempt at most.
func (f *finding) instant(o occurrence, rows []row, calls []start) {
	f.instants++
	if len(rows) != 1 {
		f.fault(o, "has %d rows", len(rows))
		return
	}
	r := rows[0]
	if r.Count != 1 || r.Status != chronos.StatusSucceeded {
		f.fault(o, "its row counts %d instants and says %s", r.Count, r.Status)
	}
	if r.Attempts > 1 {
		f.repeated++
	}
	if len(calls) == 0 {
		f.fault(o, "has a row, but was not seen to start")
	}
	attempts := map[int]bool{}
	for _, c := range calls {
		if attempts[c.Attempt] || c.Attempt > r.Attempts {
			f.fault(o, "attempt %d of %d was started once more, on %s", c.Attempt, r.Attempts, c.node)
		}
		attempts[c.Attempt] = true
	}
}

// times notes what is told of an instant in the summary.
func (f *finding) times(due time.Time, rows []row, calls []start, kill *failover) {
	f.from = earlier(f.from, due)
	if len(rows) != 1 || len(calls) == 0 {
		return
	}
	began := calls[0]
	f.longest = max(f.longest, began.At.Sub(due))
	if due.After(kill.at) {
		f.next = earlier(f.next, began.At)
	}
	if rows[0].Created.After(kill.at) {
		f.planned = earlier(f.planned, began.At)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
