package chronos_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// Who gets an execution: the node with the fewest attempts, whatever it has room for; of
// several with as few the one whose name sorts first, whoever leads. So where all are
// idle, one node runs everything.
func TestClusterWhoGetsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b", "c")
		c.change = func(o *chronos.Options) {
			if o.Node == "c" {
				o.Concurrency = 20_000 // does not count
			}
		}
		c.open("a", "b", "c")
		defer c.closeAll()
		for _, name := range c.names {
			c.run(name, "h")
		}
		every := chronos.Every(4 * time.Second)
		c.put(chronos.Job{ID: "alone", Handler: "h", Schedule: every})
		time.Sleep(40 * time.Second)
		if n := c.byNode("alone"); len(n) != 1 || n["a"] < 8 {
			t.Errorf("one at a time: %v", n)
		}
		// Handlers take 300 ms: what is due at the same instant is shared.
		for i := range 3 {
			c.put(chronos.Job{ID: fmt.Sprintf("side-%d", i), Handler: "h", Schedule: every})
		}
		c.put(chronos.Job{ID: "alone", Handler: "h"}) // is not due any more
		before := len(c.begun())
		time.Sleep(40 * time.Second)
		got := map[string]int{}
		for _, b := range c.begun()[before:] {
			got[b.node]++
		}
		if got["a"] < 8 || got["a"] != got["b"] || got["b"] != got["c"] {
			t.Errorf("three at a time: %v", got)
		}
		// The next name is next.
		c.close("a")
		for i := range 3 {
			c.put(chronos.Job{ID: fmt.Sprintf("side-%d", i), Handler: "h"})
		}
		time.Sleep(10 * time.Second)
		c.put(chronos.Job{ID: "rest", Handler: "h", Schedule: every})
		time.Sleep(40 * time.Second)
		if n := c.byNode("rest"); len(n) != 1 || n["b"] < 8 {
			t.Errorf("one at a time, without a: %v", n)
		}
	})
}
