package chronos_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// rowsOf lists a job's rows as one node has them.
func (c *team) rowsOf(node, job string) (rows []chronos.Execution) {
	c.t.Helper()
	if err := c.nodes[node].Sync(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	for x, err := range c.nodes[node].Executions(c.t.Context(), chronos.Query{Job: job}) {
		if err != nil {
			c.t.Fatal(err)
		}
		rows = append(rows, x)
	}
	return rows
}

func (c *team) put(jobs ...chronos.Job) {
	c.t.Helper()
	if _, err := c.any().PutAll(c.t.Context(), jobs); err != nil {
		c.t.Fatal(err)
	}
}

// byNode counts a job's starts by node.
func (c *team) byNode(job string) map[string]int {
	out := map[string]int{}
	for _, s := range c.begun() {
		if s.job == job {
			out[s.node]++
		}
	}
	return out
}

// A job that asks for labels runs on nodes that have them, and on no other; while
// there is none it waits and is seen to.
func TestPlacementLabels(t *testing.T) {
	zones := map[string]map[string]string{"a": {"zone": "x"}, "b": {"zone": "y", "gpu": "1"}, "c": {"zone": "y"}}
	togetherAs(t, zones, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		c.put(
			chronos.Job{ID: "y", Handler: "h", Schedule: chronos.Every(time.Second), Placement: chronos.Placement{Labels: map[string]string{"zone": "y"}}},
			chronos.Job{ID: "y-gpu", Handler: "h", Schedule: chronos.Every(time.Second), Placement: chronos.Placement{Labels: map[string]string{"zone": "y", "gpu": "1"}}},
			chronos.Job{ID: "x-gpu", Handler: "h", Schedule: chronos.Every(time.Second), Placement: chronos.Placement{Labels: map[string]string{"zone": "x", "gpu": "1"}}},
			chronos.Job{ID: "any", Handler: "h", Schedule: chronos.Every(time.Second)},
		)
		time.Sleep(20 * time.Second)
		if n := c.byNode("y"); n["a"] != 0 || n["b"] == 0 || n["c"] == 0 {
			t.Errorf("y: %v", n)
		}
		if n := c.byNode("y-gpu"); len(n) != 1 || n["b"] < 18 {
			t.Errorf("y-gpu: %v", n)
		}
		if n := c.byNode("any"); n["a"]+n["b"]+n["c"] < 18 {
			t.Errorf("any: %v", n)
		}
		rows := c.rowsOf("a", "x-gpu")
		if oldest := rows[len(rows)-1]; len(c.byNode("x-gpu")) != 0 || oldest.Waiting != chronos.WaitingRoom {
			t.Errorf("x-gpu: %v, %+v", c.byNode("x-gpu"), oldest)
		}
		for _, m := range c.nodes["a"].Status().Members {
			if fmt.Sprint(m.Labels) != fmt.Sprint(zones[m.Node]) {
				t.Errorf("%s has labels %v", m.Node, m.Labels)
			}
		}
		c.put(chronos.Job{ID: "x-gpu", Handler: "h", Schedule: chronos.Every(time.Second), Placement: chronos.Placement{Labels: map[string]string{"zone": "x"}}})
		time.Sleep(3 * time.Second)
		if n := c.byNode("x-gpu"); n["a"] < 2 {
			t.Errorf("x-gpu after the edit: %v", n)
		}
	})
}

// A job for every node runs once on each at each instant, whatever happens to one
// of them: a node that is down has no part in what comes due meanwhile.
func TestPlacementEveryNode(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		c.put(chronos.Job{ID: "all", Handler: "h", Schedule: chronos.Every(time.Second), Placement: chronos.Placement{EveryNode: true}})
		time.Sleep(10 * time.Second)
		gone := "b"
		if c.leader() == gone {
			gone = "c"
		}
		c.close(gone)
		stopped := time.Now()
		time.Sleep(10 * time.Second)
		c.open(gone)
		c.run(gone, "h")
		back := time.Now()
		time.Sleep(10*time.Second + 500*time.Millisecond)

		type once struct {
			node string
			due  int64
		}
		seen := map[once]int{}
		for _, s := range c.begun() {
			seen[once{s.node, s.due.Unix()}]++
		}
		for due := epoch.Add(time.Minute); due.Before(time.Now().Add(-time.Second)); due = due.Add(time.Second) {
			first, _ := c.span("all")
			if due.Before(first) {
				continue
			}
			for _, n := range c.names {
				want := 1
				if n == gone && due.After(stopped) && due.Before(back) {
					want = 0
				}
				if near := due.Sub(stopped).Abs() < 2*time.Second || due.Sub(back).Abs() < 2*time.Second; n == gone && near {
					continue // on the way out or in
				}
				if got := seen[once{n, due.Unix()}]; got != want {
					t.Errorf("%s ran due %v %d times", n, due.Sub(epoch), got)
				}
			}
		}
		targets := map[string]int{}
		for _, x := range c.rowsOf("a", "all") {
			if x.Target == "" || x.Node != "" && x.Node != x.Target {
				t.Errorf("row %+v", x)
			}
			targets[x.Target]++
		}
		if len(targets) != 3 {
			t.Errorf("targets %v", targets)
		}
	})
}

// span is from the first start of a job to the last.
func (c *team) span(job string) (first, last time.Time) {
	for _, s := range c.begun() {
		if s.job == job {
			if first.IsZero() || s.due.Before(first) {
				first = s.due
			}
			last = s.due
		}
	}
	return first, last
}

// On each node the overlap policy looks at that node only; a trigger runs on
// every one, and its ID is that of one of them.
func TestPlacementEveryNodeOverlapAndTrigger(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		c.put(chronos.Job{ID: "all", Handler: "h", Placement: chronos.Placement{EveryNode: true}})
		time.Sleep(time.Second) // a trigger is for the nodes that run then: now all do
		first, err := c.nodes["b"].Trigger(t.Context(), "all", chronos.TriggerRequest{Key: "k", Payload: []byte("p")})
		if err != nil {
			t.Fatal(err)
		}
		second, err := c.nodes["c"].Trigger(t.Context(), "all", chronos.TriggerRequest{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.nodes["a"].Trigger(t.Context(), "all", chronos.TriggerRequest{Key: "k"})
		if err != nil || again.ID != first.ID || second.ID == first.ID {
			t.Errorf("%v: the same key gave %s and %s", err, first.ID, again.ID)
		}
		time.Sleep(2 * time.Second)
		got := map[string]int{}
		for _, x := range c.rowsOf("a", "all") {
			got[x.Target+" "+string(x.Status)]++
		}
		want := map[string]int{"a succeeded": 1, "b succeeded": 1, "c succeeded": 1, "a skipped": 1, "b skipped": 1, "c skipped": 1}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("rows %v", got)
		}
	})
}

// At an instant for which there is no node the ledger says so, in one row.
func TestPlacementEveryNodeNowhere(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.put(chronos.Job{ID: "all", Handler: "nobody", Schedule: chronos.At(at("00:01:00")), Placement: chronos.Placement{EveryNode: true}})
		r.start()
		r.until("00:02:00")
		same(t, "ledger", r.ledgerText("all"), []string{"00:01:00 missed(node)"})
		if _, err := r.Trigger(r.ctx, "all", chronos.TriggerRequest{}); !errors.Is(err, chronos.ErrConflict) {
			t.Errorf("trigger with no node to run it: %v", err)
		}
	})
}

// A sticky job stays where it is as long as that node takes it, and moves when it
// is gone.
func TestPlacementSticky(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		var jobs []chronos.Job
		for i := range 6 {
			jobs = append(jobs, chronos.Job{ID: fmt.Sprint("job-", i), Handler: "h", Schedule: chronos.Every(time.Second), Placement: chronos.Placement{Sticky: true}})
		}
		c.put(jobs...)
		time.Sleep(15 * time.Second)
		homes := map[string]string{}
		for _, j := range jobs {
			on := c.byNode(j.ID)
			if len(on) != 1 {
				t.Errorf("%s ran on %v", j.ID, on)
			}
			for n := range on {
				homes[j.ID] = n
			}
		}
		gone := homes["job-0"]
		c.close(gone)
		time.Sleep(15 * time.Second)
		for _, j := range jobs {
			on := c.byNode(j.ID)
			if want := 1; homes[j.ID] == gone {
				if want = 2; len(on) != want {
					t.Errorf("%s moved to %v", j.ID, on)
				}
			} else if len(on) != want {
				t.Errorf("%s ran on %v without need", j.ID, on)
			}
		}
	})
}

// A concurrency key holds over the whole cluster.
func TestConcurrencyKeyInCluster(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		var jobs []chronos.Job
		for i := range 9 {
			jobs = append(jobs, chronos.Job{ID: fmt.Sprint("job-", i), Handler: "h", Schedule: chronos.Every(time.Second),
				Concurrency: chronos.Concurrency{Key: "k", Limit: 2}})
		}
		c.together("k", jobs)
		c.put(jobs...)
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		time.Sleep(10 * time.Second)
		leader := c.leader()
		c.close(leader)
		time.Sleep(10 * time.Second)
		if most := c.mostOf("group k"); most != 2 {
			t.Errorf("%d at once", most)
		}
		for _, j := range jobs {
			c.complete(c.leader(), j.ID, begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
		}
	})
}
