package jobfile_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func Example() {
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	check(err)
	defer s.Close()
	ctx := context.Background()

	for _, file := range []string{
		`{"jobs": [
			{"id": "nightly", "schedule": "30 2 * * *", "handler": "report"},
			{"id": "poll", "schedule": "@every 90s", "handler": "poll"}
		]}`,
		`{"jobs": [
			{"id": "nightly", "schedule": "30 3 * * *", "handler": "report", "timeout": "1h"}
		]}`,
	} {
		jobs, err := jobfile.Parse(strings.NewReader(file))
		check(err)
		plan, err := jobfile.Reconcile(ctx, s, "shop/jobs.json", jobs, jobfile.ReconcileOptions{})
		check(err)
		fmt.Println(plan)
	}
	// Output:
	// + nightly
	// + poll
	// 2 to add, 0 to change, 0 to remove, 0 unchanged
	// ~ nightly (schedule, timeout)
	// - poll
	// 0 to add, 1 to change, 1 to remove, 0 unchanged
}

// A misspelled field is not passed over.
func ExampleParse() {
	_, err := jobfile.Parse(strings.NewReader(`{"jobs": [
		{"id": "nightly", "schedule": "30 2 * * *", "handler": "report", "timout": "1h"}
	]}`))
	fmt.Println(err)
	// Output:
	// chronos: job file: line 2: jobs[0].timout (job "nightly") is no field that a job file knows; "timeout" was meant, perhaps
}

// What a scheduler has, as a file to begin with.
func ExampleWrite() {
	check(jobfile.Write(os.Stdout, []chronos.Job{{
		ID: "nightly", Schedule: chronos.Cron("30 2 * * *"), Handler: "report", Payload: []byte(`{"format":"pdf"}`), Timeout: time.Hour,
	}}, jobfile.WriteOptions{}))
	// Output:
	// {
	//   "jobs": [
	//     {
	//       "id": "nightly",
	//       "schedule": "30 2 * * *",
	//       "handler": "report",
	//       "payload_json": {
	//         "format": "pdf"
	//       },
	//       "timeout": "1h0m0s"
	//     }
	//   ]
	// }
}

func ExampleParseCrontab() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	check(err)
	jobs, notes, err := jobfile.ParseCrontab(strings.NewReader(`
MAILTO=ops@example.com
30 2 * * *  /usr/local/bin/backup --full
`), jobfile.CrontabOptions{Zone: berlin})
	check(err)
	fmt.Println(jobs[0].ID, jobs[0].Schedule.Describe())
	fmt.Println(notes[0])
	// Output:
	// backup-full-f3e91709 At 02:30, Europe/Berlin
	// line 2: MAILTO is not carried over: the error and the output of each execution are in the ledger, and Events and the metrics tell of failures
}
