package chronos

import (
	"container/heap"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/chronos-go/chronos/store"
)

// pageSize is how much a list reads at a time. Between pages it holds nothing,
// so that a slow consumer costs the scheduler nothing.
const (
	pageSize  = 256
	pageBytes = 1 << 20 // of output
)

// Get reads a job. Secrets are not shown.
func (s *Scheduler) Get(ctx context.Context, id string) (Job, error) {
	if err := s.begin(ctx); err != nil {
		return Job{}, err
	}
	if err := checkID("id", id); err != nil {
		return Job{}, err
	}
	now, err := s.look(id)
	if err != nil {
		return Job{}, err
	}
	if now.rec == nil {
		return Job{}, fmt.Errorf("%w: job %q does not exist", ErrNotFound, id)
	}
	return s.jobWithState(id, now.rec, now.st), nil
}

func (s *Scheduler) jobWithState(id string, rec *store.Job, st *store.Schedule) Job {
	j := s.jobFrom(id, rec.Definition)
	j.Version, j.Note = rec.Version, rec.Note
	j.State = stateFrom(rec, st, time.Now())
	return j
}

// pages makes a list of a function that reads the page after a position.
func pages[T any](ctx context.Context, s *Scheduler, page func(r *store.Reader) (items []T, more bool, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for more := true; more; {
			if err := s.begin(ctx); err != nil {
				yield(none, err)
				return
			}
			var items []T
			err := s.node.Store().View(func(r *store.Reader) (err error) {
				items, more, err = page(r)
				return err
			})
			if err != nil {
				yield(none, translate(err))
				return
			}
			for _, it := range items {
				if !yield(it, nil) {
					return
				}
			}
		}
	}
}

// Jobs lists the jobs that the selector picks, by ID.
func (s *Scheduler) Jobs(ctx context.Context, sel Selector) iter.Seq2[Job, error] {
	return s.JobsAfter(ctx, sel, "")
}

// JobsAfter is Jobs, beginning behind an ID: for paging. There need be no job of
// that ID.
func (s *Scheduler) JobsAfter(ctx context.Context, sel Selector, id string) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		from := ""
		if id != "" {
			if err := checkID("id", id); err != nil {
				yield(Job{}, err)
				return
			}
			from = id + "\x00"
		}
		pages(ctx, s, func(r *store.Reader) (items []Job, more bool, err error) {
			read := 0
			err = r.Jobs(from, func(id string, decode func() (*store.Job, error)) (bool, error) {
				if read == pageSize {
					more = true
					return false, nil
				}
				read++
				from = id + "\x00"
				job, ok, err := s.pick(r, id, decode, sel)
				if ok {
					items = append(items, job)
				}
				return true, err
			})
			return items, more, err
		})(yield)
	}
}

func (s *Scheduler) pick(r *store.Reader, id string, decode func() (*store.Job, error), sel Selector) (Job, bool, error) {
	rec, err := decode()
	if err != nil || rec.Deleted || !sel.matches(labelsFrom(rec.Definition.Labels)) {
		return Job{}, false, err
	}
	st, err := r.Schedule(id)
	if err != nil {
		return Job{}, false, err
	}
	return s.jobWithState(id, rec, st), true, nil
}

// Versions lists what the job was, oldest first, deletions included, also of a
// job that was deleted. Secrets are not shown.
func (s *Scheduler) Versions(ctx context.Context, id string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		if err := checkID("id", id); err != nil {
			yield(Version{}, err)
			return
		}
		from, found := uint64(0), false
		pages(ctx, s, func(r *store.Reader) (items []Version, more bool, err error) {
			err = r.Versions(id, from, func(n uint64, v *store.Version) (bool, error) {
				if len(items) == pageSize {
					more = true
					return false, nil
				}
				from, found = n+1, true
				items = append(items, s.versionFrom(id, n, v))
				return true, nil
			})
			if err == nil && !found {
				err = fmt.Errorf("%w: job %q never existed, or is forgotten", ErrNotFound, id)
			}
			return items, more, err
		})(yield)
	}
}

func (s *Scheduler) versionFrom(id string, n uint64, v *store.Version) Version {
	job := s.jobFrom(id, v.Definition)
	job.Version = n
	return Version{
		Number: n, At: instant(v.At), Actor: v.Actor, Note: v.Note,
		Deleted: v.Deleted, RolledBackTo: v.RolledBackTo, Job: job,
	}
}

// Execution reads one row of the ledger.
func (s *Scheduler) Execution(ctx context.Context, id string) (Execution, error) {
	if err := s.begin(ctx); err != nil {
		return Execution{}, err
	}
	job, exec, err := splitExecution(id)
	if err != nil {
		return Execution{}, err
	}
	var x *store.Execution
	err = s.node.Store().View(func(r *store.Reader) (err error) {
		x, err = r.Execution(job, exec)
		return err
	})
	if err != nil {
		return Execution{}, translate(err)
	}
	if x == nil {
		return Execution{}, fmt.Errorf("%w: execution %q does not exist, or retention has taken it", ErrNotFound, id)
	}
	return executionFrom(job, exec, x, time.Now()), nil
}

// Query picks rows of the ledger. The zero Query picks all.
type Query struct {
	// Job: only this job's. Without it the rows of all jobs are merged, which
	// costs a look at every job before the first row, and holds one row of each.
	Job string
	// Status: only rows with one of these.
	Status []Status
	// From and To bound the due instant, both inclusive. A range row counts with
	// its first instant.
	From, To time.Time
	// After is the ID of the last row already seen, for paging.
	After string
	// Limit ends the list. Default: no limit.
	Limit int
}

// Executions lists rows of the ledger, newest due instant first.
func (s *Scheduler) Executions(ctx context.Context, q Query) iter.Seq2[Execution, error] {
	return func(yield func(Execution, error) bool) {
		n := 0
		for x, err := range s.matching(ctx, q) {
			if !yield(x, err) || err != nil {
				return
			}
			if n++; q.Limit > 0 && n == q.Limit {
				return
			}
		}
	}
}

func (s *Scheduler) matching(ctx context.Context, q Query) iter.Seq2[Execution, error] {
	fail := func(err error) iter.Seq2[Execution, error] {
		return func(yield func(Execution, error) bool) { yield(Execution{}, err) }
	}
	if q.Job != "" {
		if err := checkID("Query.Job", q.Job); err != nil {
			return fail(err)
		}
	}
	if q.Limit < 0 {
		return fail(invalid("Query.Limit", "is negative"))
	}
	after := ""
	if q.After != "" {
		job, exec, err := splitExecution(q.After)
		if err != nil || q.Job != "" && job != q.Job {
			return fail(invalid("Query.After", "%q is no execution ID of this list", q.After))
		}
		after = exec
	}
	if q.Job != "" {
		page := pageSize
		if q.Limit > 0 && len(q.Status) == 0 {
			page = min(page, q.Limit)
		}
		return s.history(ctx, q, q.Job, after, page)
	}
	return s.merged(ctx, q)
}

func (q Query) wants(x Execution) bool {
	return (len(q.Status) == 0 || slices.Contains(q.Status, x.Status)) && (q.To.IsZero() || !x.Due.After(q.To))
}

// history lists one job's rows, newest first, those before key if it is set.
func (s *Scheduler) history(ctx context.Context, q Query, job, before string, page int) iter.Seq2[Execution, error] {
	return func(yield func(Execution, error) bool) {
		from, to := q.bounds()
		if before == "" && to != math.MaxInt64 {
			before = store.KeyFloor(to + 1)
		}
		pages(ctx, s, func(r *store.Reader) (items []Execution, more bool, err error) {
			read, bytes, now := 0, 0, time.Now()
			err = r.ExecutionsReverse(job, before, func(exec string, x *store.Execution) (bool, error) {
				if x.Due < from {
					return false, nil
				}
				if read == page || bytes >= pageBytes {
					more = true
					return false, nil
				}
				read++
				bytes += len(x.Output)
				before = exec
				if row := executionFrom(job, exec, x, now); q.wants(row) {
					items = append(items, row)
				}
				return true, nil
			})
			return items, more, err
		})(yield)
	}
}

// bounds are From and To in nanoseconds; what lies outside of the instants that
// can be due is no bound.
func (q Query) bounds() (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !q.From.IsZero() && q.From.Year() >= 1970 {
		from = math.MaxInt64
		if q.From.Year() < 2262 {
			from = q.From.UnixNano()
		}
	}
	if !q.To.IsZero() && q.To.Year() < 2262 {
		to = math.MinInt64 + 1
		if q.To.Year() >= 1970 {
			to = q.To.UnixNano()
		}
	}
	return from, to
}

// cursor is one job's list within a merged one.
type cursor struct {
	head Execution
	next func() (Execution, error, bool)
	stop func()
}

type cursors []*cursor

func (c cursors) Len() int { return len(c) }
func (c cursors) Less(i, j int) bool {
	a, b := c[i].head, c[j].head
	if !a.Due.Equal(b.Due) {
		return a.Due.After(b.Due)
	}
	return a.ID > b.ID
}
func (c cursors) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(x any)   { *c = append(*c, x.(*cursor)) }
func (c *cursors) Pop() any {
	old := *c
	x := old[len(old)-1]
	*c = old[:len(old)-1]
	return x
}

// merged lists the rows of all jobs, newest first.
func (s *Scheduler) merged(ctx context.Context, q Query) iter.Seq2[Execution, error] {
	return func(yield func(Execution, error) bool) {
		all, err := s.openCursors(ctx, q)
		defer func() {
			for _, c := range all {
				c.stop()
			}
		}()
		if err != nil {
			yield(Execution{}, err)
			return
		}
		heap.Init(&all)
		for len(all) > 0 {
			c := all[0]
			if !yield(c.head, nil) {
				return
			}
			x, err, ok := c.next()
			if err != nil {
				yield(Execution{}, err)
				return
			}
			if c.head = x; ok {
				heap.Fix(&all, 0)
			} else {
				c.stop()
				heap.Pop(&all)
			}
		}
	}
}

func (s *Scheduler) openCursors(ctx context.Context, q Query) (cursors, error) {
	var all cursors
	afterDue := int64(0)
	if q.After != "" {
		_, exec, _ := splitExecution(q.After)
		due, ok := store.KeyDue(exec)
		if !ok {
			return nil, invalid("Query.After", "%q is no execution ID", q.After)
		}
		afterDue = due
	}
	for id, err := range s.everyJob(ctx) {
		if err != nil {
			return all, err
		}
		before := ""
		if q.After != "" {
			before = store.KeyFloor(afterDue + 1)
		}
		next, stop := iter.Pull2(s.history(ctx, q, id, before, 1))
		c := &cursor{next: next, stop: stop}
		for {
			x, err, ok := next()
			if err != nil || !ok {
				stop()
				if err != nil {
					return all, err
				}
				break
			}
			if q.After != "" && x.Due.UnixNano() == afterDue && x.ID >= q.After {
				continue // listed before
			}
			c.head = x
			all = append(all, c)
			break
		}
	}
	return all, nil
}

// everyJob lists the IDs of all jobs that have history, deleted ones included.
func (s *Scheduler) everyJob(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		from := ""
		pages(ctx, s, func(r *store.Reader) (items []string, more bool, err error) {
			err = r.Jobs(from, func(id string, _ func() (*store.Job, error)) (bool, error) {
				if len(items) == pageSize {
					more = true
					return false, nil
				}
				from = id + "\x00"
				items = append(items, id)
				return true, nil
			})
			return items, more, err
		})(yield)
	}
}
