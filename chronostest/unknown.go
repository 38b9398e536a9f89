package chronostest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chronos-go/chronos"
)

// shown is how many job IDs a message names.
const shown = 10

// fatalJob ends the test because of an error of a call that names a job. If there is no
// such job, it says which there are.
func (k *Kit) fatalJob(what, job string, err error) {
	k.tb.Helper()
	if errors.Is(err, chronos.ErrNotFound) {
		k.tb.Fatalf("chronostest: %s %q: %v; %s", what, job, err, k.nearest(job))
	}
	k.tb.Fatalf("chronostest: %s %q: %v", what, job, err)
}

// mustHave ends the test if there never was a job of that ID: what is read of it is
// empty, and would pass for a job that has not run.
func (k *Kit) mustHave(job string) {
	k.tb.Helper()
	for _, err := range k.Scheduler().Versions(context.Background(), job) {
		if err != nil {
			k.fatalJob("reading job", job, err)
		}
		return
	}
}

// nearest names the jobs whose IDs are most like one that is none.
func (k *Kit) nearest(id string) string {
	k.tb.Helper()
	type candidate struct {
		id   string
		away int
	}
	var all []candidate
	for _, j := range k.Jobs() {
		all = append(all, candidate{j.ID, distance(strings.ToLower(id), strings.ToLower(j.ID))})
	}
	if len(all) == 0 {
		return "there are no jobs: Options.Declare has put none"
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return a.away - b.away }) // Jobs come by ID
	var names []string
	for _, c := range all[:min(len(all), shown)] {
		names = append(names, fmt.Sprintf("%q", c.id))
	}
	text := "there are " + strings.Join(names, ", ")
	if len(all) == 1 {
		text = "there is only " + names[0]
	}
	if more := len(all) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more, less like it (Kit.Jobs has all)", more)
	}
	return text
}

// distance is how many characters have to be put in, left out, replaced or swapped with
// the next one to make one text of another.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
