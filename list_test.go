package chronos_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

func (r *rig) list(q chronos.Query) []string {
	r.t.Helper()
	var out []string
	for x, err := range r.Executions(r.ctx, q) {
		if err != nil {
			r.t.Fatalf("Executions(%+v): %v", q, err)
		}
		out = append(out, x.ID)
	}
	return out
}

func TestExecutionsFiltersAndPages(t *testing.T) {
	bubble(t, chronos.Options{Retention: chronos.Retention{Count: -1}}, func(r *rig) {
		r.handle(succeed)
		r.handleAs("bad", fail)
		r.put(chronos.Job{ID: "a", Schedule: chronos.Every(time.Second)})
		r.put(chronos.Job{ID: "a/b", Schedule: chronos.Every(3 * time.Second), Handler: "bad"})
		r.put(chronos.Job{ID: "a-b", Schedule: chronos.Every(5 * time.Second)})
		r.put(chronos.Job{ID: "empty"})
		r.put(chronos.Job{ID: "deleted", Schedule: chronos.Every(7 * time.Second)})
		r.start()
		r.until("00:08:00")
		r.must(r.Delete(r.ctx, "deleted"))
		r.until("00:10:00")
		r.halt()

		// All of them, by an independent route: every job's list, sorted.
		var all []chronos.Execution
		for _, job := range []string{"a", "a/b", "a-b", "empty", "deleted"} {
			all = append(all, r.rows(job)...)
		}
		slices.SortFunc(all, func(x, y chronos.Execution) int {
			if c := y.Due.Compare(x.Due); c != 0 {
				return c
			}
			return -1 * compare(x.ID, y.ID)
		})
		if len(all) < 600+200+120+68 {
			t.Fatalf("%d rows", len(all))
		}
		pick := func(want func(chronos.Execution) bool) (out []string) {
			for _, x := range all {
				if want(x) {
					out = append(out, x.ID)
				}
			}
			return out
		}
		failed := []chronos.Status{chronos.StatusFailed}
		from, to := at("00:03:00"), at("00:03:30")
		for name, tc := range map[string]struct {
			q    chronos.Query
			want func(chronos.Execution) bool
		}{
			"all":            {chronos.Query{}, func(chronos.Execution) bool { return true }},
			"job":            {chronos.Query{Job: "a"}, func(x chronos.Execution) bool { return x.Job == "a" }},
			"status":         {chronos.Query{Status: failed}, func(x chronos.Execution) bool { return x.Status == chronos.StatusFailed }},
			"job and status": {chronos.Query{Job: "a", Status: failed}, func(x chronos.Execution) bool { return false }},
			"from":           {chronos.Query{From: from}, func(x chronos.Execution) bool { return !x.Due.Before(from) }},
			"to":             {chronos.Query{To: to}, func(x chronos.Execution) bool { return !x.Due.After(to) }},
			"range":          {chronos.Query{From: from, To: to}, func(x chronos.Execution) bool { return !x.Due.Before(from) && !x.Due.After(to) }},
			"job and range":  {chronos.Query{Job: "a/b", From: from, To: to}, func(x chronos.Execution) bool { return x.Job == "a/b" && !x.Due.Before(from) && !x.Due.After(to) }},
			"deleted job":    {chronos.Query{Job: "deleted"}, func(x chronos.Execution) bool { return x.Job == "deleted" }},
			"unknown job":    {chronos.Query{Job: "nobody"}, func(x chronos.Execution) bool { return false }},
			"nothing":        {chronos.Query{From: to, To: from}, func(x chronos.Execution) bool { return false }},
		} {
			want := pick(tc.want)
			if got := r.list(tc.q); !slices.Equal(got, want) {
				t.Errorf("%s: %d rows, want %d", name, len(got), len(want))
			}
			for _, size := range []int{1, 7, 256, 257} {
				if size == 1 && len(want) > 100 {
					continue
				}
				var got []string
				for q := tc.q; ; {
					q.Limit = size
					page := r.list(q)
					got = append(got, page...)
					if len(page) < size {
						break
					}
					q.After = page[len(page)-1]
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %d a page: %d rows, want %d", name, size, len(got), len(want))
				}
			}
		}
	})
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Rows that are added or pruned while a list is read neither repeat nor hide others.
func TestExecutionsWhileRowsAreAdded(t *testing.T) {
	for _, job := range []string{"job", ""} {
		bubble(t, chronos.Options{Retention: chronos.Retention{Count: -1}}, func(r *rig) {
			r.handle(succeed)
			r.put(chronos.Job{Schedule: chronos.Every(time.Second)})
			r.put(chronos.Job{ID: "other", Schedule: chronos.Every(2 * time.Second)})
			r.start()
			r.until("00:20:00")
			before := r.list(chronos.Query{Job: job})
			n, seen := 0, map[string]bool{}
			for x, err := range r.Executions(r.ctx, chronos.Query{Job: job}) {
				r.must(err)
				if seen[x.ID] {
					t.Errorf("%s twice", x.ID)
				}
				seen[x.ID] = true
				if n++; n%100 == 0 {
					time.Sleep(10 * time.Second) // ten more rows
				}
			}
			for _, id := range before {
				if !seen[id] {
					t.Errorf("%s is missing", id)
				}
			}
			// Paging by cursor, in the same way.
			var last string
			got := 0
			for {
				page := r.list(chronos.Query{Job: job, After: last, Limit: 100, To: at("00:20:00")})
				got += len(page)
				if len(page) < 100 {
					break
				}
				last = page[99]
				time.Sleep(5 * time.Second)
			}
			if got < len(before)-2 || got > len(before) {
				t.Errorf("%d rows by pages, %d before", got, len(before))
			}
		})
	}
}

// A list may be left early, and read twice.
func TestListsMayBeLeftEarly(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		for i := range 600 {
			r.put(chronos.Job{ID: fmt.Sprintf("%03d", i), Labels: map[string]string{"odd": fmt.Sprint(i % 2)}})
			r.trigger(fmt.Sprintf("%03d", i), chronos.TriggerRequest{})
		}
		jobs := r.Jobs(r.ctx, chronos.Selector{"odd": "1"})
		for range 2 {
			n := 0
			for j, err := range jobs {
				r.must(err)
				if want := fmt.Sprintf("%03d", 2*n+1); j.ID != want {
					t.Fatalf("job %s, want %s", j.ID, want)
				}
				if n++; n == 200 {
					break
				}
			}
		}
		n := 0
		for range jobs {
			n++
		}
		if n != 300 {
			t.Errorf("%d jobs", n)
		}
		for range r.Executions(r.ctx, chronos.Query{}) {
			break
		}
		for range r.Versions(r.ctx, "000") {
			break
		}
		if got := len(r.list(chronos.Query{})); got != 600 {
			t.Errorf("%d executions", got)
		}
	})
}

func TestJobsAfter(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		ids := []string{"a", "a-b", "a.b", "a/b", "ab", "b", "c"}
		for i, id := range ids {
			r.put(chronos.Job{ID: id, Labels: map[string]string{"odd": fmt.Sprint(i % 2)}})
		}
		after := func(sel chronos.Selector, id string) (out []string) {
			for j, err := range r.JobsAfter(r.ctx, sel, id) {
				r.must(err)
				out = append(out, j.ID)
			}
			return out
		}
		for i, id := range ids {
			same(t, "after "+id, after(nil, id), ids[i+1:])
		}
		same(t, "all", after(nil, ""), ids)
		same(t, "after what is not there", after(nil, "a0"), ids[4:])
		same(t, "of those picked", after(chronos.Selector{"odd": "1"}, "a/b"), []string{"b"})
		r.must(r.Delete(r.ctx, "b"))
		same(t, "after what was deleted", after(nil, "b"), ids[6:])
		for _, err := range r.JobsAfter(r.ctx, nil, "!") {
			wantField(t, err, "id")
		}
	})
}
