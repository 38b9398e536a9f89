package chronostest

import (
	"context"
	"fmt"
	"strings"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// patience is how much virtual time AdvanceToEnd and RunNow let pass: more than
// any chain of retries that somebody would want to see the end of.
const patience = 366 * 24 * time.Hour

// Advance lets d of virtual time pass, and returns when everything that has come
// due by then has begun, and what takes no time has ended. Fires are committed up to
// a second before they are due, so that an instant shortly ahead may have its row
// already.
func (k *Kit) Advance(d time.Duration) {
	k.tb.Helper()
	if d < 0 {
		k.tb.Fatalf("chronostest: Advance: %v is negative, and no clock goes back", d)
	}
	time.Sleep(d)
	synctest.Wait()
}

// AdvanceTo is Advance up to an instant that has not passed.
func (k *Kit) AdvanceTo(t time.Time) {
	k.tb.Helper()
	if time.Until(t) < 0 {
		k.tb.Fatalf("chronostest: AdvanceTo: it is %s, and past %s already", k.text(time.Now()), k.text(t))
	}
	k.Advance(time.Until(t))
}

// AdvanceToDue is Advance up to the next instant at which one of the jobs is due,
// which it returns in UTC. Without jobs it is any of all jobs. Retries are not due
// instants. If nothing is ever due, the test ends, and says for each job why.
func (k *Kit) AdvanceToDue(jobs ...string) time.Time {
	k.tb.Helper()
	due, why := k.nextDue(jobs)
	if due.IsZero() {
		k.tb.Fatalf("chronostest: AdvanceToDue: nothing is due any more: %s", why)
	}
	k.AdvanceTo(due)
	return due.UTC()
}

// nextDue is the first instant after now that is due, or may be in the ledger as
// such; and what is to be said if there is none.
func (k *Kit) nextDue(jobs []string) (due time.Time, why string) {
	k.tb.Helper()
	now := time.Now()
	earlier := func(t time.Time) {
		if t.After(now) && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	var reasons []string
	for _, j := range k.jobs(jobs) {
		earlier(j.State.NextDue)
		q := chronos.Query{Job: j.ID, From: now.Add(1), Status: []chronos.Status{chronos.StatusPending}}
		for x, err := range k.Scheduler().Executions(context.Background(), q) {
			if err != nil {
				k.tb.Fatalf("chronostest: reading the ledger of %s: %v", j.ID, err)
			}
			if x.Origin == chronos.OriginSchedule {
				earlier(x.Due)
			}
		}
		reasons = append(reasons, j.ID+" "+whyIdle(j))
	}
	if len(reasons) == 0 {
		reasons = []string{"there are no jobs"}
	}
	return due, strings.Join(reasons, "; ")
}

// Jobs are all jobs as they are stored, by ID: for chronos.Simulate, say.
func (k *Kit) Jobs() []chronos.Job {
	k.tb.Helper()
	return k.jobs(nil)
}

// jobs reads the named jobs, or all.
func (k *Kit) jobs(names []string) (out []chronos.Job) {
	k.tb.Helper()
	for _, name := range names {
		out = append(out, k.job(name))
	}
	if len(names) > 0 {
		return out
	}
	for j, err := range k.Scheduler().Jobs(context.Background(), nil) {
		if err != nil {
			k.tb.Fatalf("chronostest: reading the jobs: %v", err)
		}
		out = append(out, j)
	}
	return out
}

func (k *Kit) job(name string) chronos.Job {
	k.tb.Helper()
	j, err := k.Scheduler().Get(context.Background(), name)
	if err != nil {
		k.fatalJob("reading job", name, err)
	}
	return j
}

// whyIdle says why a job has no next instant.
func whyIdle(j chronos.Job) string {
	switch {
	case j.State.Paused:
		return fmt.Sprintf("is paused (%q)", j.State.PauseNote)
	case j.Schedule.IsZero():
		return "has no schedule"
	case j.State.Exhausted:
		return "has had its last instant"
	case j.State.Unfinished > 0:
		return "is unfinished, and counts from its end"
	}
	return "has no next instant"
}

// AdvanceToEnd lets time pass until the newest execution of a job is over, retries
// included, and returns it. If it is not over after a year, the test ends.
func (k *Kit) AdvanceToEnd(job string) chronos.Execution {
	k.tb.Helper()
	rows := k.Executions(job)
	for i := len(rows) - 1; i >= 0; i-- {
		if !rows[i].Due.After(time.Now()) {
			return k.toEnd(rows[i].ID)
		}
	}
	k.tb.Fatalf("chronostest: AdvanceToEnd: no execution of %s has come due yet%s", job, k.about(job, time.Now()))
	return chronos.Execution{}
}

func (k *Kit) toEnd(id string) chronos.Execution {
	k.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	x, err := k.Scheduler().Wait(ctx, id)
	if err != nil {
		row, _ := k.Scheduler().Execution(context.Background(), id)
		k.tb.Fatalf("chronostest: %s is not over: %s (%v)", id, k.line(row), err)
	}
	synctest.Wait()
	return x
}
