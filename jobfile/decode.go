package jobfile

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

// decoder makes jobs of values, and collects what is wrong with them.
type decoder struct {
	options  Options
	problems []Problem
	job      string // the ID of the one that is read
}

// spot is a value and how to get there.
type spot struct {
	d    *decoder
	path string
	v    Value
}

// fields say what an object may have, and what reads each of them.
type fields map[string]func(spot)

func (p spot) problem(format string, args ...any) {
	p.d.problems = append(p.d.problems, Problem{
		Line: p.v.Line, Column: p.v.Column, Path: p.path, Job: p.d.job, Reason: fmt.Sprintf(format, args...),
	})
}

// is tells if the value is of a kind, and complains if not.
func (p spot) is(kind Kind) bool {
	if p.v.Kind == kind {
		return true
	}
	if p.v.Kind == Null {
		p.problem("is null; leave it out for the default")
		return false
	}
	p.problem("is %s where %s is wanted", p.v.Kind, kind)
	return false
}

func (p spot) object(known fields) {
	if !p.is(Object) {
		return
	}
	seen := map[string]bool{}
	for _, f := range p.v.Fields {
		at := spot{p.d, join(p.path, f.Name), f.Value}
		read, ok := known[f.Name]
		switch {
		case !ok:
			at.v.Line, at.v.Column = f.Line, f.Column
			at.problem("is no field that a job file knows; %s", suggest(f.Name, known))
		case seen[f.Name]:
			at.v.Line, at.v.Column = f.Line, f.Column
			at.problem("is there twice; leave one of them out")
		default:
			read(at)
		}
		seen[f.Name] = true
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// suggest names the field that was meant, or all there are.
func suggest(name string, known fields) string {
	all := slices.Sorted(maps.Keys(known))
	for _, k := range all {
		if distance(strings.ToLower(strings.ReplaceAll(name, "-", "_")), k) <= 2 {
			return fmt.Sprintf("%q was meant, perhaps", k)
		}
	}
	return "it knows " + strings.Join(all, ", ")
}

// distance is how many letters have to be changed, added or left out.
func distance(a, b string) int {
	if len(a) > 64 || len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

func text[T ~string](to *T) func(spot) {
	return func(p spot) {
		if p.is(String) {
			*to = T(p.v.Text)
		}
	}
}

func truth(to *bool) func(spot) {
	return func(p spot) {
		if p.is(Bool) {
			*to = p.v.Text == "true"
		}
	}
}

func integer(to *int) func(spot) {
	return func(p spot) {
		if !p.is(Number) {
			return
		}
		n, err := strconv.Atoi(p.v.Text)
		if err != nil {
			p.problem("is %s where a whole number is wanted", p.v.Text)
			return
		}
		*to = n
	}
}

func number(to *float64) func(spot) {
	return func(p spot) {
		if !p.is(Number) {
			return
		}
		n, err := strconv.ParseFloat(p.v.Text, 64)
		if err != nil {
			p.problem("is %s, which is too large", p.v.Text)
			return
		}
		*to = n
	}
}

func duration(to *time.Duration) func(spot) {
	return func(p spot) {
		if p.v.Kind == Number {
			p.problem("has no unit; write it as a text, such as \"5m\" or \"1h30m\"")
			return
		}
		if !p.is(String) {
			return
		}
		d, err := time.ParseDuration(p.v.Text)
		if err != nil {
			p.problem("is %.40q, which is no duration; write it like 5m, 90s or 1h30m (a day is 24h)", p.v.Text)
			return
		}
		*to = d
	}
}

func oneOf[T ~string](to *T, all ...T) func(spot) {
	return func(p spot) {
		if !p.is(String) {
			return
		}
		if *to = T(p.v.Text); !slices.Contains(all, *to) {
			p.problem("is %.40q; use one of %s", p.v.Text, strings.Trim(fmt.Sprint(all), "[]"))
		}
	}
}

// named reads an object whose names are the host's.
func named[T any](to *map[string]T, read func(*T) func(spot)) func(spot) {
	return func(p spot) {
		if !p.is(Object) {
			return
		}
		*to = make(map[string]T, len(p.v.Fields))
		for _, f := range p.v.Fields {
			at := spot{p.d, p.path + "[" + f.Name + "]", f.Value}
			if _, twice := (*to)[f.Name]; twice {
				at.problem("is there twice; leave one of them out")
			}
			var v T
			read(&v)(at)
			(*to)[f.Name] = v
		}
	}
}

func list[T any](to *[]T, read func(*T) func(spot)) func(spot) {
	return func(p spot) {
		if !p.is(List) {
			return
		}
		for i, item := range p.v.Items {
			var v T
			read(&v)(spot{p.d, fmt.Sprintf("%s[%d]", p.path, i), item})
			*to = append(*to, v)
		}
	}
}

// file reads the whole.
func (d *decoder) file(v Value) []chronos.Job {
	jobs, found := []chronos.Job{}, false
	lines := map[string]int{}
	top := spot{d, "", v}
	if v.Kind != Object {
		top.problem(`the file is %s; it has to be an object with a list of jobs: {"jobs": [...]}`, v.Kind)
		return nil
	}
	top.object(fields{"jobs": func(p spot) {
		found = true
		if !p.is(List) {
			return
		}
		for i, item := range p.v.Items {
			at := spot{d, fmt.Sprintf("jobs[%d]", i), item}
			job := d.decodeJob(at)
			if line, taken := lines[job.ID]; taken && job.ID != "" {
				at.problem("has the same ID as the job on line %d; IDs are unique", line)
			}
			lines[job.ID] = item.Line
			jobs = append(jobs, job)
			d.job = ""
		}
	}})
	if !found && len(d.problems) == 0 {
		top.problem(`the file has no list "jobs"; no jobs at all are written as {"jobs": []}`)
	}
	return jobs
}

func (d *decoder) decodeJob(p spot) chronos.Job {
	var j chronos.Job
	if id, ok := p.v.field("id"); ok && id.Kind == String {
		d.job = id.Text
	} else if !ok && p.v.Kind == Object {
		p.problem("has no id; every job has one of its own")
	}
	var load payload
	p.object(fields{
		"id": text(&j.ID), "schedule": timetable(&j.Schedule), "handler": text(&j.Handler), "webhook": webhook(&j.Webhook),
		"payload": load.text, "payload_json": load.json, "payload_base64": load.base64,
		"labels": named(&j.Labels, text[string]), "description": text(&j.Description), "note": text(&j.Note),
		"overlap": oneOf(&j.Overlap, chronos.OverlapSkip, chronos.OverlapBufferOne, chronos.OverlapBufferAll,
			chronos.OverlapCancelOther, chronos.OverlapTerminateOther, chronos.OverlapAllowAll),
		"buffer_max":   integer(&j.BufferMax),
		"misfire":      oneOf(&j.Misfire, chronos.MisfireLatest, chronos.MisfireEarliest, chronos.MisfireAll, chronos.MisfireSkip),
		"catch_up_max": integer(&j.CatchUpMax), "catch_up_window": duration(&j.CatchUpWindow), "start_deadline": duration(&j.StartDeadline),
		"retry": retry(&j.Retry), "delivery": oneOf(&j.Delivery, chronos.AtLeastOnce, chronos.AtMostOnce), "timeout": duration(&j.Timeout),
		"placement": placement(&j.Placement), "concurrency": concurrency(&j.Concurrency), "priority": integer(&j.Priority),
		"max_runs": integer(&j.MaxRuns), "remove_after": truth(&j.RemoveAfter), "pause_on_failure": truth(&j.PauseOnFailure),
		"succeed_within": duration(&j.SucceedWithin), "retention": retention(&j.Retention),
	})
	if load.set > 1 {
		p.problem("has more than one of payload, payload_json and payload_base64; choose one")
	}
	j.Payload = load.bytes
	return j
}

func timetable(to *chronos.Schedule) func(spot) {
	return func(p spot) {
		if !p.is(String) {
			return
		}
		if p.v.Text == "" {
			p.problem("is empty; leave it out of a job that only runs when it is triggered")
			return
		}
		s, err := chronos.ParseSchedule(p.v.Text)
		var bad *chronos.FieldError
		switch {
		case errors.As(err, &bad):
			p.problem("%s", bad.Reason)
		case err != nil:
			p.problem("%v", err)
		}
		*to = s
	}
}

// payload is one of three ways to write bytes.
type payload struct {
	bytes []byte
	set   int
}

func (l *payload) text(p spot) {
	if l.set++; p.is(String) {
		l.bytes = []byte(p.v.Text)
	}
}

func (l *payload) json(p spot) {
	l.set++
	if path, ok := twice(p.path, p.v); ok {
		p.problem("has %s twice; leave one of them out", path)
		return
	}
	var b bytes.Buffer
	p.v.appendJSON(&b)
	l.bytes = b.Bytes()
}

// twice finds a name that an object has twice.
func twice(path string, v Value) (string, bool) {
	seen := map[string]bool{}
	for _, f := range v.Fields {
		at := join(path, f.Name)
		if seen[f.Name] {
			return at, true
		}
		seen[f.Name] = true
		if found, ok := twice(at, f.Value); ok {
			return found, true
		}
	}
	for i, item := range v.Items {
		if found, ok := twice(fmt.Sprintf("%s[%d]", path, i), item); ok {
			return found, true
		}
	}
	return "", false
}

func (l *payload) base64(p spot) {
	if l.set++; !p.is(String) {
		return
	}
	b, err := base64.StdEncoding.DecodeString(p.v.Text)
	if err != nil {
		p.problem("is not base64 (the standard alphabet, with padding)")
	}
	l.bytes = b
}

func retry(to *chronos.Retry) func(spot) {
	return func(p spot) {
		p.object(fields{
			"max_attempts": integer(&to.MaxAttempts), "initial": duration(&to.Initial), "multiplier": number(&to.Multiplier),
			"max": duration(&to.Max), "max_elapsed": duration(&to.MaxElapsed), "no_jitter": truth(&to.NoJitter),
		})
	}
}

func placement(to *chronos.Placement) func(spot) {
	return func(p spot) {
		p.object(fields{"labels": named(&to.Labels, text[string]), "every_node": truth(&to.EveryNode), "sticky": truth(&to.Sticky)})
	}
}

func concurrency(to *chronos.Concurrency) func(spot) {
	return func(p spot) { p.object(fields{"key": text(&to.Key), "limit": integer(&to.Limit)}) }
}

func retention(to *chronos.Retention) func(spot) {
	return func(p spot) { p.object(fields{"age": duration(&to.Age), "count": integer(&to.Count)}) }
}

func webhook(to **chronos.Webhook) func(spot) {
	return func(p spot) {
		w := &chronos.Webhook{}
		*to = w
		p.object(fields{
			"url": text(&w.URL), "method": text(&w.Method), "headers": named(&w.Headers, text[string]),
			"secret_headers": named(&w.SecretHeaders, secret), "basic_user": text(&w.BasicUser), "basic_password": secret(&w.BasicPassword),
			"bearer": secret(&w.Bearer), "secrets": list(&w.Secrets, secret), "success_codes": list(&w.SuccessCodes, integer),
			"max_response": integer(&w.MaxResponse), "follow_redirects": integer(&w.FollowRedirects),
			"pause_on_gone": truth(&w.PauseOnGone), "content_type": text(&w.ContentType),
		})
	}
}
