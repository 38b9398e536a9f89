package chronostest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

// Who has mistyped a job's ID is told which jobs there are.
func TestUnknownJob(t *testing.T) {
	jobs := []chronos.Job{{ID: "nightly-backup"}, {ID: "Report"}, {ID: "report-eu"}}
	for i := range 20 {
		jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("sync/customer-%02d", i)})
	}
	observed(t, chronostest.Options{Declare: declare(succeed, jobs...)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		const backup = `"nightly-bachup" does not exist; there are "nightly-backup", "`
		f.fails(t, func() { k.RunNow("nightly-bachup", nil) }, `triggering "nightly-bachup": chronos: not found`, backup, "and 13 more, less like it")
		f.fails(t, func() { k.AssertRan("nightly-bachup", time.Now()) }, `reading job "nightly-bachup": chronos: not found`, backup)
		f.fails(t, func() { k.AssertNotDue("nightly-bachup", time.Now()) }, backup)
		f.fails(t, func() { k.AdvanceToDue("nightly-bachup") }, backup)
		f.fails(t, func() { k.RunNow("report", nil) }, `there are "Report", "report-eu", "`)
		const never = `job "report_eu" never existed, or is forgotten; there are "report-eu", "Report", "`
		f.fails(t, func() { k.AssertLedger("report_eu") }, never) // nothing is no proof
		f.fails(t, func() { k.Executions("report_eu") }, never)
		f.fails(t, func() { k.AdvanceToEnd("report_eu") }, never)
		f.fails(t, func() { k.RunNow("no job", nil) }, `triggering "no job": chronos: invalid id`)

		// A job that was deleted has no executions, and had a place here.
		if err := k.Scheduler().Delete(t.Context(), "Report"); err != nil {
			t.Fatal(err)
		}
		f.passes(t, func() { k.AssertLedger("Report") })
	})
	observed(t, chronostest.Options{Declare: declare(succeed)}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		f.fails(t, func() { k.RunNow("job", nil) }, "there are no jobs")
	})
	observed(t, chronostest.Options{Declare: declare(succeed, chronos.Job{})}, func(t *testing.T, f *fake, k *chronostest.Kit) {
		f.fails(t, func() { k.RunNow("jop", nil) }, `there is only "job"`)
	})
}
