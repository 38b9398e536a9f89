package jobfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

// Command is what a line of a crontab runs, as a job's payload has it. A handler made
// with chronos.JSON takes it:
//
//	s.Handle("shell", chronos.JSON(func(ctx context.Context, _ chronos.Execution, c jobfile.Command) error {
//		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.Command)
//		...
//	}))
type Command struct {
	Command string            `json:"command"`
	Stdin   string            `json:"stdin,omitempty"` // what follows the first %
	User    string            `json:"user,omitempty"`  // of a system crontab
	Env     map[string]string `json:"env,omitempty"`   // what the lines above it set
}

// CrontabOptions say how a crontab is read. Zone is required.
type CrontabOptions struct {
	// System: the lines have a user in front of the command, as in /etc/crontab and
	// /etc/cron.d.
	System bool
	// Zone is where the times are meant that no CRON_TZ= stands above: the zone of the
	// machine on which cron ran, by its IANA name. Cron took it for granted; Chronos
	// does not, and would take UTC. Required.
	Zone *time.Location
	// Prefix begins every ID, "backup/" for example.
	Prefix string
	// Handler is called with the Command as its payload. Default "shell".
	Handler string
	// CommandIsHandler makes each command the name of a handler, without a payload: for
	// programs whose crontab names what they do themselves. Then Handler must be "".
	CommandIsHandler bool
	// Job is what all jobs begin with: their policies, labels and so on. Chronos' own
	// defaults are not what cron does: a job that is still running is not started
	// again, and one that was missed is made up for once. OverlapAllowAll and
	// MisfireSkip are what cron does.
	Job chronos.Job
}

// Note is something of a crontab that a person should know of: it was not carried over,
// or means something else.
type Note struct {
	Line int
	Text string
}

func (n Note) String() string { return fmt.Sprintf("line %d: %s", n.Line, n.Text) }

// ParseCrontab makes a job of each line of a crontab, in the order of the file. What
// was not carried over is in the notes. All that is wrong comes in one *Error, with the
// line.
//
// An ID is made of what the line runs, as whom: it stays when blanks, comments, the
// order, the schedule or a variable change, so that Reconcile then changes the job. Where
// several lines run the same, the schedule is part of their IDs.
func ParseCrontab(r io.Reader, o CrontabOptions) ([]chronos.Job, []Note, error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	text, err := read(r)
	if err != nil {
		return nil, nil, err
	}
	c := &crontab{options: o, env: map[string]string{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxFile+1)
	for lines.Scan() {
		c.line++
		c.read(strings.Trim(lines.Text(), " \t\r"))
	}
	if err := lines.Err(); err != nil {
		return nil, nil, whole(c.line+1, 0, "cannot be read: %v", err)
	}
	jobs := c.jobs()
	if len(c.problems) > 0 {
		return nil, c.notes, &Error{Problems: c.problems}
	}
	return jobs, c.notes, nil
}

func (o CrontabOptions) check() error {
	switch {
	case o.Zone == nil:
		return &chronos.FieldError{Field: "CrontabOptions.Zone", Reason: "is required: the zone of the machine on which cron ran (time.UTC, if it was that)"}
	case o.CommandIsHandler && o.Handler != "":
		return &chronos.FieldError{Field: "CrontabOptions.Handler", Reason: "and CommandIsHandler exclude each other; set one"}
	case o.Job.ID != "" || !o.Job.Schedule.IsZero() || o.Job.Handler != "" || o.Job.Webhook != nil || o.Job.Payload != nil:
		return &chronos.FieldError{Field: "CrontabOptions.Job", Reason: "has an ID, a Schedule, a Handler, a Webhook or a Payload, which each line gives; leave them out"}
	}
	return nil
}

// entry is a line that runs something.
type entry struct {
	line     int
	timing   string // five fields, or a word with @
	schedule chronos.Schedule
	command  Command
}

// crontab is one that is being read, from top to bottom.
type crontab struct {
	options  CrontabOptions
	line     int
	env      map[string]string
	zone     *time.Location // of CRON_TZ
	entries  []entry
	notes    []Note
	problems []Problem
}

func (c *crontab) problem(format string, args ...any) {
	c.problems = append(c.problems, Problem{Line: c.line, Reason: fmt.Sprintf(format, args...)})
}

func (c *crontab) note(format string, args ...any) {
	c.notes = append(c.notes, Note{c.line, fmt.Sprintf(format, args...)})
}

func (c *crontab) read(line string) {
	switch {
	case line == "" || line[0] == '#':
		return
	case strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' }) >= 0:
		c.problem("has a control character; is this a crontab?")
		return
	}
	if name, value, ok := setting(line); ok {
		c.set(name, value)
		return
	}
	if e, ok := c.entry(line); ok {
		c.entries = append(c.entries, e)
	}
}

// setting splits NAME = value, with or without quotes.
func setting(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, "=")
	name = unquote(strings.Trim(name, " \t"))
	if !ok || name == "" || strings.ContainsAny(name, " \t*@/,") || name[0] >= '0' && name[0] <= '9' {
		return "", "", false
	}
	return name, unquote(strings.Trim(value, " \t")), true
}

func unquote(s string) string {
	if n := len(s); n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] {
		return s[1 : n-1]
	}
	return s
}

// notCarried are settings for cron itself, and what there is instead.
var notCarried = map[string]string{
	"MAILTO":                    "the error and the output of each execution are in the ledger, and Events and the metrics tell of failures",
	"MAILFROM":                  "no mail is sent",
	"CONTENT_TYPE":              "no mail is sent",
	"CONTENT_TRANSFER_ENCODING": "no mail is sent",
	"RANDOM_DELAY":              "Schedule.Jitter spreads starts",
	"START_HOURS_RANGE":         "say the hours in the schedule",
	"LOGNAME":                   "the process runs as the user that it has",
	"USER":                      "the process runs as the user that it has",
}

func (c *crontab) set(name, value string) {
	switch instead, cron := notCarried[name]; {
	case name == "CRON_TZ":
		zone, err := time.LoadLocation(value)
		if err != nil || value == "" || value == "Local" {
			c.problem("CRON_TZ=%.60q is no time zone that is known here; use an IANA name such as Europe/Berlin", value)
			return
		}
		c.zone = zone
	case cron:
		c.note("%s is not carried over: %s", name, instead)
	case c.options.CommandIsHandler:
		c.note("%s is not carried over: handlers have the environment of the process", name)
	default:
		if name == "TZ" {
			c.note("TZ is passed on to the commands; it does not move their times (in some crons it does: CRON_TZ is honoured)")
		}
		c.env[name] = value
	}
}

// entry reads a line that runs something.
func (c *crontab) entry(line string) (entry, bool) {
	e := entry{line: c.line}
	if rest, ok := strings.CutPrefix(line, "-"); ok { // cronie: no word about it in the log
		c.note("the - in front is not carried over: it kept cron from logging the line")
		line = strings.TrimLeft(rest, " \t")
	}
	count := 5
	if strings.HasPrefix(line, "@") {
		count = 1
	}
	timing, rest := words(line, count)
	if e.timing = strings.Join(timing, " "); len(timing) < count {
		c.problem("is neither NAME=value nor five fields and a command")
		return e, false
	}
	if strings.EqualFold(e.timing, "@reboot") {
		c.problem("@reboot is no instant; call what it runs when your program starts, before Scheduler.Run, or Trigger a job without a Schedule there, and take the line out")
		return e, false
	}
	if c.options.System {
		user, command := words(rest, 1)
		if rest = command; len(user) == 1 {
			e.command.User = user[0]
		}
	}
	if e.command.Command, e.command.Stdin = split(rest); e.command.Command == "" {
		c.problem("has no command%s", map[bool]string{true: " behind the user", false: ""}[c.options.System])
		return e, false
	}
	return e, c.compile(&e)
}

// words takes some words off a line.
func words(line string, n int) (out []string, rest string) {
	rest = line
	for len(out) < n {
		rest = strings.TrimLeft(rest, " \t")
		i := strings.IndexAny(rest+" ", " \t")
		if i == 0 {
			break
		}
		out, rest = append(out, rest[:i]), rest[i:]
	}
	return out, strings.Trim(rest, " \t")
}

// split parts a command from what it reads: the first % that has no backslash begins
// its standard input, and further ones are line ends there.
func split(text string) (command, stdin string) {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '%':
			b.WriteByte('%')
			i++
		case text[i] == '%':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(text[i])
		}
	}
	parts = append(parts, b.String())
	command = strings.Trim(parts[0], " \t")
	stdin = strings.Join(parts[1:], "\n")
	if stdin != "" && !strings.HasSuffix(stdin, "\n") { // cron ends the last line if nothing else does
		stdin += "\n"
	}
	return command, stdin
}

// compile makes a schedule of the fields.
func (c *crontab) compile(e *entry) bool {
	if strings.HasPrefix(e.timing, "@") && !crontabWords[strings.ToLower(e.timing)] {
		c.problem("%.40q is no word that a crontab has; use @hourly, @daily, @weekly, @monthly, @yearly or five fields", e.timing)
		return false
	}
	if strings.Contains(e.timing, "~") {
		c.problem("has a random value (~); use H, which is another one for each job and stays: H(0-29) for 0~29")
		return false
	}
	timing := e.timing
	if strings.HasPrefix(timing, "@") {
		timing = strings.ToLower(timing)
	}
	zone := c.options.Zone
	if c.zone != nil {
		zone = c.zone
	}
	e.schedule = chronos.Cron(timing)
	if zone.String() != "UTC" {
		e.schedule = e.schedule.In(zone)
	}
	err := e.schedule.Err()
	var bad *chronos.FieldError
	if errors.As(err, &bad) {
		c.problem("%s", bad.Reason)
	}
	if !c.options.CommandIsHandler {
		e.command.Env = maps.Clone(c.env)
	}
	return err == nil
}

var crontabWords = map[string]bool{
	"@yearly": true, "@annually": true, "@monthly": true, "@weekly": true, "@daily": true, "@midnight": true, "@hourly": true,
}

// jobs makes the jobs, once it is known which lines run the same.
func (c *crontab) jobs() []chronos.Job {
	same := map[string]int{}
	for _, e := range c.entries {
		same[e.base()]++
	}
	jobs, lines := []chronos.Job{}, map[string]int{}
	for _, e := range c.entries {
		c.line = e.line
		id := e.id(c.options.Prefix, same[e.base()] > 1)
		if line, taken := lines[id]; taken {
			c.problem("is the same as line %d; cron would start it twice at once. Take one of them out", line)
			continue
		}
		lines[id] = e.line
		job, err := c.job(e, id)
		if err != nil {
			c.problem("%v", err)
			continue
		}
		jobs = append(jobs, job)
	}
	return jobs
}

func (c *crontab) job(e entry, id string) (chronos.Job, error) {
	job := c.options.Job
	job.Labels = maps.Clone(job.Labels)
	job.ID, job.Schedule = id, e.schedule
	if !c.options.CommandIsHandler {
		job.Handler = c.options.Handler
		if job.Handler == "" {
			job.Handler = "shell"
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err := enc.Encode(e.command)
		job.Payload = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
		return job, err
	}
	if len(e.command.Command) > 128 {
		return job, fmt.Errorf("the command has %d bytes, and the name of a handler at most 128; leave CommandIsHandler out", len(e.command.Command))
	}
	if e.command.Stdin != "" {
		return job, errors.New("has standard input behind a %, which a handler does not get; leave CommandIsHandler out")
	}
	if e.command.User != "" {
		c.note("the user %s is not carried over: handlers run as the process does", e.command.User)
	}
	job.Handler = e.command.Command
	return job, nil
}
