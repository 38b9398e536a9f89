package jobfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/chronos-go/chronos"
)

// Action is what Reconcile does with a job.
type Action string

// The actions.
const (
	Add       Action = "add"
	Update    Action = "change"
	Remove    Action = "remove"
	Unchanged Action = "unchanged"
	// Over: it has RemoveAfter, has run its course and is gone; or it is there, differs, and
	// its last instant has passed. There is nothing to do.
	Over Action = "over"
)

// Step is what becomes of one job.
type Step struct {
	Job    string
	Action Action
	// Fields are what differs, by their names in a job file, sorted. A secret is named
	// where nothing else differs.
	Fields []string
	// Note says what became of a job that is Over.
	Note string
	// Version is the one that the plan was made for (0: there was none), and once the
	// step is done the new one (Remove: the one that was removed).
	Version uint64
	// Done: it was done, by this call or, just before, by another one that wanted the
	// same. Err: it was not, and why.
	Done bool
	Err  error

	job chronos.Job // as it is to be put
}

// Plan is what Reconcile is about to do, or has done: the jobs of the file in its
// order, then those that are to be removed, by ID.
type Plan struct {
	Owner string
	Steps []Step
}

// Count is how many jobs have an action.
func (p Plan) Count(a Action) int {
	n := 0
	for _, s := range p.Steps {
		if s.Action == a {
			n++
		}
	}
	return n
}

// Changes tells if there is anything to do.
func (p Plan) Changes() bool { return p.Count(Unchanged)+p.Count(Over) != len(p.Steps) }

// Err joins the errors of all steps.
func (p Plan) Err() error {
	var all []error
	for _, s := range p.Steps {
		if s.Err != nil {
			all = append(all, fmt.Errorf("job %q was not %s: %w", s.Job, past[s.Action], s.Err))
		}
	}
	return errors.Join(all...)
}

var past = map[Action]string{Add: "added", Update: "changed", Remove: "removed", Unchanged: "looked at", Over: "looked at"}

var signs = map[Action]string{Add: "+", Update: "~", Remove: "-", Over: "."}

// String shows what changes and what is over, a line for each job, and what it comes to.
func (p Plan) String() string {
	var b strings.Builder
	for _, s := range p.Steps {
		if s.Action == Unchanged && s.Err == nil {
			continue
		}
		fmt.Fprintf(&b, "%s %s", signs[s.Action], s.Job)
		if len(s.Fields) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(s.Fields, ", "))
		}
		if s.Note != "" {
			fmt.Fprintf(&b, " (%s)", s.Note)
		}
		if s.Err != nil {
			fmt.Fprintf(&b, ": %v", s.Err)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d to add, %d to change, %d to remove, %d unchanged", p.Count(Add), p.Count(Update), p.Count(Remove), p.Count(Unchanged))
	if n := p.Count(Over); n > 0 {
		fmt.Fprintf(&b, ", %d over", n)
	}
	return b.String()
}

// differences are the fields in which two jobs differ, both as a read shows them.
func differences(before, after chronos.Job) []string {
	a, b := leaves(before), leaves(after)
	names := maps.Clone(a)
	maps.Copy(names, b)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(a[name], b[name]) {
			out = append(out, name)
		}
	}
	if before.Labels[OwnerLabel] != after.Labels[OwnerLabel] {
		out = append(out, "labels["+OwnerLabel+"]")
	}
	if len(out) == 0 {
		out = []string{"a secret of webhook"}
	}
	return out
}

// leaves are a job's fields by their path. A list is a leaf, and so is a payload.
func leaves(j chronos.Job) map[string]any {
	out := map[string]any{}
	written, err := jobToJSON(j, WriteOptions{})
	if err != nil {
		return out // a schedule that this program no longer reads
	}
	written.Note = "" // makes no version
	text, err := json.Marshal(written)
	if err != nil {
		return out
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return out
	}
	for name, v := range tree {
		inner, ok := v.(map[string]any)
		if !ok || name == "payload_json" {
			out[name] = v
			continue
		}
		for key, v := range inner {
			if name == "labels" {
				out["labels["+key+"]"] = v
			} else {
				out[name+"."+key] = v
			}
		}
	}
	return out
}
