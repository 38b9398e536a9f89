package chronos_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// Three voters and five workers share the work equally, within a tenth; a job
// whose handler only some of them have is shared by those.
func TestClusterSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b", "c")
		c.open("a", "b", "c")
		defer c.closeAll()
		for _, name := range c.names {
			c.run(name, "h")
		}
		workers := []string{"v", "w", "x", "y", "z"}
		c.names = append(c.names, workers...)
		for _, name := range workers {
			c.workers[name] = true
		}
		c.open(workers...)
		for _, name := range workers {
			c.run(name, "h", "own")
		}
		for _, m := range c.nodes["z"].Status().Members {
			if m.Voter == c.workers[m.Node] {
				t.Errorf("%s votes: %v", m.Node, m.Voter)
			}
		}
		var jobs []chronos.Job
		for i := range 40 {
			jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("h-%d", i), Handler: "h", Schedule: chronos.Every(time.Second)})
		}
		c.share(jobs, c.names)
		for i := range jobs {
			jobs[i].Handler = "own"
		}
		c.share(jobs, workers)
	})
}

// share puts jobs, lets them run for a while, and checks that the nodes have
// equal shares, and nobody else any.
func (c *team) share(jobs []chronos.Job, nodes []string) {
	c.t.Helper()
	if _, err := c.any().PutAll(c.t.Context(), jobs); err != nil {
		c.t.Fatal(err)
	}
	begin := time.Now().Truncate(time.Second).Add(2 * time.Second) // of what was due before, some may still start
	const seconds = 15
	time.Sleep(time.Until(begin) + seconds*time.Second - 500*time.Millisecond)
	total, byNode := 0, map[string]int{}
	for _, s := range c.begun() {
		if !s.due.Before(begin) {
			byNode[s.node]++
			total++
		}
	}
	if total != seconds*len(jobs) || len(byNode) != len(nodes) {
		c.t.Errorf("%d starts of %d, on %d nodes: %v", total, seconds*len(jobs), len(byNode), byNode)
	}
	for _, n := range nodes {
		if fair := float64(total) / float64(len(nodes)); float64(byNode[n]) < 0.9*fair || float64(byNode[n]) > 1.1*fair {
			c.t.Errorf("%s ran %d of %d: %v", n, byNode[n], total, byNode)
		}
	}
	c.t.Logf("%v", byNode)
}
