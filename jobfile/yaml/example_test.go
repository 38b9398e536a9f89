package yaml_test

import (
	"fmt"
	"strings"

	"github.com/chronos-go/chronos/jobfile"
	"github.com/chronos-go/chronos/jobfile/yaml"
)

func ExampleParse() {
	jobs, err := yaml.Parse(strings.NewReader(`
jobs:
  - id: nightly
    schedule: CRON_TZ=Europe/Berlin 30 2 * * *
    handler: report
    payload_json: {format: pdf}
`), jobfile.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(jobs[0].ID, jobs[0].Schedule.Describe())
	fmt.Println(string(jobs[0].Payload))
	// Output:
	// nightly At 02:30, Europe/Berlin
	// {"format":"pdf"}
}
