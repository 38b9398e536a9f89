package chronostest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// around is how many rows of a ledger a message shows on each side of an instant,
// and most how many of one that differs.
const (
	around = 4
	most   = 60
)

// Executions are the rows of a job's ledger, oldest due instant first: what ran,
// and what did not and why. Rows for instants that lie ahead are left out. It ends the
// test if there never was such a job.
func (k *Kit) Executions(job string) []chronos.Execution {
	k.tb.Helper()
	synctest.Wait()
	var rows []chronos.Execution
	for x, err := range k.Scheduler().Executions(context.Background(), chronos.Query{Job: job, To: time.Now()}) {
		if err != nil {
			k.tb.Fatalf("chronostest: reading the ledger of %s: %v", job, err)
		}
		rows = append(rows, x)
	}
	if len(rows) == 0 {
		k.mustHave(job)
	}
	slices.Reverse(rows)
	return rows
}

// Ledger is Executions with a line for each row, in Options.Zone:
//
//	2026-03-29T03:00:00+02:00 succeeded
//	2026-03-29T03:05:00+02:00 failed after 3 attempts
//	2026-03-29T03:10:00+02:00 skipped(overlap)
//	2026-03-29T03:15:00+02:00 to 2026-03-29T04:00:00+02:00, 10 instants missed(catch_up)
//	2026-03-29T04:00:01+02:00 trigger succeeded
//	2026-03-29T04:05:00+02:00 running, attempt 2
//	2026-03-29T04:10:00+02:00 pending(room)
//	2026-03-29T04:15:00+02:00 pending(instant) after 2 attempts
//
// What follows pending is what it waits for. Attempts are counted where there was more
// than one. A row of a job for every node ends in "on" and the node.
func (k *Kit) Ledger(job string) []string {
	k.tb.Helper()
	rows := k.Executions(job)
	lines := make([]string, len(rows))
	for i, x := range rows {
		lines[i] = k.line(x)
	}
	return lines
}

func (k *Kit) line(x chronos.Execution) string {
	var b strings.Builder
	b.WriteString(k.text(x.Due))
	if !x.RangeTo.IsZero() && x.Count > 1 {
		floor := ""
		if x.CountIsFloor {
			floor = "at least "
		}
		fmt.Fprintf(&b, " to %s, %s%d instants", k.text(x.RangeTo), floor, x.Count)
	}
	if x.Origin != chronos.OriginSchedule && x.Origin != "" {
		b.WriteString(" " + string(x.Origin))
	}
	b.WriteString(" " + outcome(x.Status, x.Reason))
	if x.Waiting != chronos.WaitingNone {
		b.WriteString("(" + string(x.Waiting) + ")")
	}
	b.WriteString(attempts(x))
	if x.Target != "" {
		b.WriteString(" on " + x.Target)
	}
	return b.String()
}

// attempts says how many there were, if there was more than one. The next attempt of
// what waits may be assigned already, and has not begun.
func attempts(x chronos.Execution) string {
	made := x.Attempt
	switch {
	case x.Status == chronos.StatusRunning && made > 1:
		return fmt.Sprintf(", attempt %d", made)
	case x.Status == chronos.StatusPending:
		made = 0
		if n := len(x.Attempts); n > 0 {
			made = x.Attempts[n-1].Number
		}
	}
	if made > 1 {
		return fmt.Sprintf(" after %d attempts", made)
	}
	return ""
}

// text is an instant as messages have it.
func (k *Kit) text(t time.Time) string { return t.In(k.options.Zone).Format(time.RFC3339Nano) }

func outcome(status chronos.Status, reason chronos.Reason) string {
	if reason == chronos.ReasonNone {
		return string(status)
	}
	return string(status) + "(" + string(reason) + ")"
}

// AssertLedger fails the test unless Ledger gives just these lines. It shows both,
// and the first that differs.
func (k *Kit) AssertLedger(job string, want ...string) {
	k.tb.Helper()
	got := k.Ledger(job)
	if slices.Equal(got, want) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	k.tb.Errorf("chronostest: the ledger of %s is not as expected, from line %d on\n\tgot\n%s\n\twant\n%s%s",
		job, at+1, list(got, at), list(want, at), k.header(job))
}

// list writes lines below each other, not more than can be read.
func list(lines []string, at int) string {
	if len(lines) == 0 {
		return "\t\tnothing"
	}
	from := 0
	if len(lines) > most {
		from = max(0, min(at-most/2, len(lines)-most))
	}
	to := min(from+most, len(lines))
	text := "\t\t" + strings.Join(lines[from:to], "\n\t\t")
	if from > 0 {
		text = fmt.Sprintf("\t\t(%d before)\n", from) + text
	}
	if to < len(lines) {
		text += fmt.Sprintf("\n\t\t(%d after)", len(lines)-to)
	}
	return text
}

// AssertRan fails the test unless the job was due at an instant, ran, and
// succeeded. It returns the row. What kept it from it is in the message.
func (k *Kit) AssertRan(job string, due time.Time) chronos.Execution {
	k.tb.Helper()
	return k.AssertStatus(job, due, chronos.StatusSucceeded, chronos.ReasonNone)
}

// AssertStatus fails the test unless the ledger says this of an instant at which the
// job was due by its schedule: for example StatusSkipped with ReasonOverlap,
// StatusMissed with ReasonCatchUp, StatusFailed with ReasonNone. It returns the
// row. Of several rows of a job for every node all have to say it.
func (k *Kit) AssertStatus(job string, due time.Time, status chronos.Status, reason chronos.Reason) chronos.Execution {
	k.tb.Helper()
	rows := k.rowsAt(job, due)
	if len(rows) == 0 {
		k.tb.Errorf("chronostest: %s at %s: want %s, but %s%s", job, k.text(due), outcome(status, reason), k.whyNoRow(job, due), k.about(job, due))
		return chronos.Execution{}
	}
	for _, x := range rows {
		if x.Status != status || x.Reason != reason {
			k.tb.Errorf("chronostest: %s at %s: want %s, got %s: %s%s", job, k.text(due), outcome(status, reason),
				strings.TrimPrefix(k.line(x), k.text(x.Due)+" "), explain(x), k.about(job, due))
			return x
		}
	}
	return rows[0]
}

// AssertNotDue fails the test if the job was due at an instant, whether it ran or
// not, or will be.
func (k *Kit) AssertNotDue(job string, at time.Time) {
	k.tb.Helper()
	if rows := k.rowsAt(job, at); len(rows) > 0 {
		k.tb.Errorf("chronostest: %s was due at %s, and should not have been: %s%s", job, k.text(at), outcome(rows[0].Status, rows[0].Reason), k.about(job, at))
		return
	}
	if s := k.job(job).Schedule; at.After(time.Now()) && due(s, at) {
		k.tb.Errorf("chronostest: %s will be due at %s, and should not be%s", job, k.text(at), k.about(job, at))
	}
}

// rowsAt are the rows of the schedule that account for an instant.
func (k *Kit) rowsAt(job string, at time.Time) (rows []chronos.Execution) {
	k.tb.Helper()
	s := k.job(job).Schedule
	for _, x := range k.Executions(job) {
		inside := x.Count > 1 && !at.Before(x.Due) && !at.After(x.RangeTo) && due(s, at)
		if x.Origin == chronos.OriginSchedule && (x.Due.Equal(at) || inside) {
			rows = append(rows, x)
		}
	}
	return rows
}

func due(s chronos.Schedule, at time.Time) bool {
	t, ok := s.Next(at.Add(-1))
	return ok && t.Equal(at)
}

// whyNoRow says why an instant has no row.
func (k *Kit) whyNoRow(job string, at time.Time) string {
	k.tb.Helper()
	j := k.job(job)
	switch {
	case !due(j.Schedule, at):
		return "it was not due then: " + k.neighbours(j.Schedule, at)
	case at.After(time.Now()):
		return "that is still ahead: it is " + k.text(time.Now())
	case j.State.Paused:
		return fmt.Sprintf("it is paused since %s (%q), and what falls into a pause gets its row at the resume", k.text(j.State.PausedAt), j.State.PauseNote)
	case !at.After(j.State.CreatedAt):
		return "the job was put only at " + k.text(j.State.CreatedAt)
	case !j.State.NextDue.IsZero() && !j.State.NextDue.After(at):
		return "nobody has fired it: " + k.nodesText()
	}
	return "there is no row: retention has taken it, or the job had its last execution (MaxRuns) before, or it counts from a later change, of " + k.text(j.State.UpdatedAt)
}

// neighbours are the due instants around one that is not.
func (k *Kit) neighbours(s chronos.Schedule, at time.Time) string {
	if s.IsZero() {
		return "the job has no schedule"
	}
	next, ok := s.Next(at)
	after := "never afterwards"
	if ok {
		after = "next at " + k.text(next)
	}
	for _, back := range []time.Duration{time.Minute, time.Hour, 25 * time.Hour, 32 * 24 * time.Hour, 367 * 24 * time.Hour} {
		var last time.Time
		n := 0
		for t := range s.Between(at.Add(-back), at) {
			if last = t; n == 10_000 {
				break
			}
			n++
		}
		if !last.IsZero() && n < 10_000 {
			return "it is due at " + k.text(last) + ", and " + after
		}
	}
	return "it is due " + after
}

// about is what a message says of a job beside what is wrong.
func (k *Kit) about(job string, at time.Time) string {
	k.tb.Helper()
	rows := k.Executions(job)
	i, _ := slices.BinarySearchFunc(rows, at, func(x chronos.Execution, at time.Time) int { return x.Due.Compare(at) })
	from, to := max(0, i-around), min(len(rows), i+around+1)
	var lines []string
	for _, x := range rows[from:to] {
		line := k.line(x)
		if x.Error != "" {
			line += fmt.Sprintf(" (%.200s)", x.Error)
		}
		lines = append(lines, line)
	}
	return k.header(job) + "\n\tits ledger around then\n" + list(lines, 0)
}

func (k *Kit) header(job string) string {
	k.tb.Helper()
	j := k.job(job)
	text := "no schedule"
	if !j.Schedule.IsZero() {
		text = fmt.Sprintf("%s (%s)", j.Schedule, j.Schedule.Describe())
	}
	next := whyIdle(j)
	if !j.State.NextDue.IsZero() {
		next = "is next due at " + k.text(j.State.NextDue)
	}
	return fmt.Sprintf("\n\tthe job: %s; it %s; now it is %s", text, next, k.text(time.Now()))
}

// explain says in words what a row says.
func explain(x chronos.Execution) string {
	switch {
	case x.Status == chronos.StatusSucceeded:
		return "it ran"
	case x.Status == chronos.StatusRunning:
		return "it is still running; AdvanceToEnd lets it end"
	case x.Status == chronos.StatusPending:
		return waits(x)
	case x.Error != "":
		return fmt.Sprintf("%.300s", x.Error)
	case x.Status == chronos.StatusSkipped && x.Reason == chronos.ReasonOverlap:
		return "it was due while another execution of the job was unfinished (Job.Overlap)"
	}
	if text, ok := reasons[x.Reason]; ok {
		return text
	}
	return "docs/semantics.md has what that means"
}

func waits(x chronos.Execution) string {
	switch x.Waiting {
	case chronos.WaitingRoom:
		return "no node that is up has its handler and room for it"
	case chronos.WaitingInstant:
		return "it waits for its next attempt, at " + x.ReadyAt.UTC().Format(time.RFC3339) + "; AdvanceToEnd gets there"
	case chronos.WaitingOverlap:
		return "it waits until another execution of the job has ended (Job.Overlap)"
	case chronos.WaitingKey:
		return "it waits for a place of its concurrency key (Job.Concurrency)"
	}
	return "it has not begun"
}

var reasons = map[chronos.Reason]string{
	chronos.ReasonOverlap:    "another execution of the job came (Job.Overlap)",
	chronos.ReasonDeadline:   "it could not start in time (Job.StartDeadline)",
	chronos.ReasonPaused:     "the job was paused then",
	chronos.ReasonWindow:     "nobody could fire it in time, and it is older than Job.CatchUpWindow",
	chronos.ReasonCatchUp:    "nobody could fire it in time, and Job.Misfire chose others, or none",
	chronos.ReasonCatchUpMax: "nobody could fire it in time, and Job.CatchUpMax others were made up for",
	chronos.ReasonBuffer:     "Job.BufferMax others were waiting already",
	chronos.ReasonEdit:       "it had not fired when the job was changed",
	chronos.ReasonZone:       "it had passed when new time-zone data made it due",
	chronos.ReasonRestore:    "it is from before a backup was restored",
	chronos.ReasonDeleted:    "the job was deleted",
	chronos.ReasonShutdown:   "its node stopped, and the job is AtMostOnce",
	chronos.ReasonRequest:    "somebody asked for it",
	chronos.ReasonStuck:      "the handler ignored its ended context",
	chronos.ReasonNode:       "the job is for every node, and there was none",
}
