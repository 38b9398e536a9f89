package chronoshttp

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

// jobsJSON is a page of jobs.
type jobsJSON struct {
	Items      []jobJSON `json:"items" doc:"by ID"`
	NextCursor string    `json:"next_cursor,omitempty" doc:"for the next page; absent: this is the last one"`
}

// jobFilter picks jobs beyond what a chronos.Selector does.
type jobFilter struct {
	labels                     chronos.Selector
	text, handler              string
	paused, failing, unfinised *bool
}

func (c *call) jobFilter() (f jobFilter, err error) {
	f = jobFilter{labels: chronos.Selector{}, text: strings.ToLower(c.param("q")), handler: c.param("handler")}
	for _, l := range c.params("label") {
		key, value, ok := strings.Cut(l, "=")
		if !ok || key == "" {
			return f, invalid("label", "has to be a key, a '=' and a value")
		}
		f.labels[key] = value
	}
	if f.paused, err = c.flag("paused"); err != nil {
		return f, err
	}
	if f.failing, err = c.flag("failing"); err != nil {
		return f, err
	}
	f.unfinised, err = c.flag("unfinished")
	return f, err
}

func (f jobFilter) wants(j chronos.Job) bool {
	is := func(want *bool, got bool) bool { return want == nil || *want == got }
	return is(f.paused, j.State.Paused) && is(f.failing, j.State.Failures > 0) && is(f.unfinised, j.State.Unfinished+j.State.Buffered > 0) &&
		(f.handler == "" || f.handler == j.Handler) &&
		(f.text == "" || strings.Contains(strings.ToLower(j.ID+"\n"+j.Description), f.text))
}

func listJobs(c *call) error {
	limit, err := c.page()
	if err != nil {
		return err
	}
	filter, err := c.jobFilter()
	if err != nil {
		return err
	}
	out := jobsJSON{Items: []jobJSON{}}
	for j, err := range c.sched().JobsAfter(c.ctx, filter.labels, c.param("cursor")) {
		if err != nil {
			return renamed(err, "id", "cursor")
		}
		if !filter.wants(j) {
			continue
		}
		if len(out.Items) == limit {
			out.NextCursor = out.Items[limit-1].ID
			break
		}
		out.Items = append(out.Items, showJob(j))
	}
	return c.send(out)
}

// renamed lets an error be about another field.
func renamed(err error, from, to string) error {
	var bad *chronos.FieldError
	if errors.As(err, &bad) && bad.Field == from {
		return invalid(to, bad.Reason)
	}
	return err
}

func getJob(c *call) error {
	j, err := c.sched().Get(c.ctx, c.id)
	if err != nil {
		return err
	}
	return c.sendJob(j)
}

func (c *call) sendJob(j chronos.Job) error {
	c.w.Header().Set("ETag", etag(j.Version))
	return c.send(showJob(j))
}

func putJob(c *call) error {
	var body putJSON
	if err := c.read(&body); err != nil {
		return err
	}
	j, err := body.Definition.job(c.id)
	if err != nil {
		return err
	}
	j.Note = body.Note
	stored, err := c.compareAndPut(j)
	if err != nil {
		return err
	}
	return c.sendJob(stored)
}

// compareAndPut puts a job if it is as If-Match and If-None-Match say.
func (c *call) compareAndPut(j chronos.Job) (chronos.Job, error) {
	match, none := c.r.Header.Get("If-Match"), c.r.Header.Get("If-None-Match")
	var ok bool
	switch {
	case match == "" && none == "":
		return c.sched().Put(c.ctx, j)
	case match != "" && none != "":
		return j, invalid("If-Match", "and If-None-Match exclude each other; send one")
	case none != "":
		if j.Version = chronos.MustNotExist; none != "*" {
			return j, invalid("If-None-Match", "has to be *, which lets the job be put only if there is none")
		}
	case match == "*":
		return c.putExisting(j)
	default:
		if j.Version, ok = tagVersion(match); !ok {
			return j, noTag
		}
	}
	stored, err := c.sched().Put(c.ctx, j)
	return stored, c.unmatched(err, j.ID)
}

var noTag = invalid("If-Match", `has to be one ETag as the API gives it, such as "3", or *`)

// putExisting replaces a job, whatever version it has, and makes none.
func (c *call) putExisting(j chronos.Job) (chronos.Job, error) {
	for {
		now, err := c.sched().Get(c.ctx, j.ID)
		if err != nil {
			return j, c.unmatched(err, j.ID)
		}
		j.Version = now.Version
		stored, err := c.sched().Put(c.ctx, j)
		if !errors.Is(err, chronos.ErrConflict) || c.ctx.Err() != nil {
			return stored, err
		}
	}
}

// unmatched makes a conflict about the version a failed precondition.
func (c *call) unmatched(err error, id string) error {
	if !errors.Is(err, chronos.ErrConflict) && !errors.Is(err, chronos.ErrNotFound) {
		return err
	}
	p := problemOf(err)
	p.Status, p.Code = http.StatusPreconditionFailed, codePrecondition
	if now, err := c.sched().Get(c.ctx, id); err == nil {
		p.Version = now.Version
	}
	return p
}

func deleteJob(c *call) error {
	if err := c.compareAndDelete(); err != nil {
		return err
	}
	return c.done()
}

// compareAndDelete deletes a job if it is as If-Match says.
func (c *call) compareAndDelete() error {
	match := c.r.Header.Get("If-Match")
	switch match {
	case "":
		return c.sched().Delete(c.ctx, c.id)
	case "*":
		return c.unmatched(c.sched().Delete(c.ctx, c.id), c.id)
	}
	version, ok := tagVersion(match)
	if !ok {
		return noTag
	}
	return c.unmatched(c.sched().DeleteIf(c.ctx, c.id, version), c.id)
}

// noteJSON is the body of a pause.
type noteJSON struct {
	Note string `json:"note,omitempty" doc:"why; at most 1 KiB"`
}

func pauseJob(c *call) error {
	var body noteJSON
	if err := c.read(&body); err != nil {
		return err
	}
	return c.changed(c.sched().Pause(c.ctx, c.id, body.Note))
}

func resumeJob(c *call) error { return c.changed(c.sched().Resume(c.ctx, c.id)) }

// changed answers with the job as it is after a call.
func (c *call) changed(err error) error {
	if err != nil {
		return err
	}
	return getJob(c)
}

// nextJSON is when a job is due.
type nextJSON struct {
	Items []time.Time `json:"items" doc:"the instants, earliest first"`
}

func nextDue(c *call) error {
	n, err := c.number("limit", 10, 1, 1000)
	if err != nil {
		return err
	}
	from, err := c.instant("from")
	if err != nil {
		return err
	}
	j, err := c.sched().Get(c.ctx, c.id)
	if err != nil {
		return err
	}
	if from.IsZero() {
		from = time.Now()
	}
	return c.send(nextJSON{first(n, fires(c.ctx, j, from.Add(1), time.Time{}, 0))})
}

// first are the first n instants.
func first(n int, of iter.Seq[time.Time]) []time.Time {
	out := []time.Time{}
	for at := range of {
		if len(out) == n {
			break
		}
		out = append(out, at)
	}
	return out
}

// fires are the instants at which a job would be due, if nothing changes. What
// only runs when it is triggered, is paused or is exhausted has none. A fixed delay
// is counted as if its executions took a certain time.
func fires(ctx context.Context, j chronos.Job, from, to time.Time, takes time.Duration) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		if j.State.Paused || j.State.Exhausted || j.Schedule.IsZero() {
			return
		}
		left := j.MaxRuns - j.State.Runs
		for at := range instants(j, from, to, takes) {
			if j.MaxRuns > 0 && left <= 0 || ctx.Err() != nil {
				return
			}
			if left--; at.Before(from) {
				continue
			}
			if !yield(at) {
				return
			}
		}
	}
}

// instants are those of a job's schedule.
func instants(j chronos.Job, from, to time.Time, takes time.Duration) iter.Seq[time.Time] {
	if !fixedDelay(j) {
		return j.Schedule.Between(firesFrom(j, from), to)
	}
	return func(yield func(time.Time) bool) {
		at, ok := j.State.NextDue, true
		if at.IsZero() {
			at, ok = j.Schedule.Next(from)
		}
		for ok && (to.IsZero() || !at.After(to)) && yield(at) {
			at, ok = j.Schedule.Next(at.Add(takes))
		}
	}
}

func fixedDelay(j chronos.Job) bool { return strings.HasPrefix(j.Schedule.String(), "@after") }

// firesFrom is from where to count: for a number of runs that is bounded, that is
// the next instant there is.
func firesFrom(j chronos.Job, from time.Time) time.Time {
	next := j.State.NextDue
	if next.IsZero() || !next.Before(from) || j.MaxRuns == 0 {
		return from
	}
	return next
}
