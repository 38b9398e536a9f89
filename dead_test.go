package chronos_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// voters lists who votes, as a node sees it.
func voters(s *chronos.Scheduler) (names []string) {
	for _, m := range s.Status().Members {
		if m.Voter {
			names = append(names, m.Node)
		}
	}
	return names
}

// Two of five die one after the other, and a worker: all are taken out, so that
// another one may die; three stay, whatever happens to them. No instant is lost.
func TestClusterRemovesTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b", "c", "d", "e")
		defer c.closeAll()
		c.change = func(o *chronos.Options) { o.Cluster.RemoveDeadAfter = time.Minute }
		c.open(c.names...)
		c.worker = "w"
		c.names = append(c.names, "w")
		c.open("w")
		for _, name := range c.names {
			c.run(name, "h")
		}
		for i := range 3 {
			job := chronos.Job{ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: chronos.Every(time.Second)}
			if _, err := c.nodes["a"].Put(t.Context(), job); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		want := []string{"a", "b", "c", "d", "e"}
		for _, dead := range []string{c.leader(), "w", "any"} {
			if dead == "any" {
				dead = slices.DeleteFunc(slices.Clone(want), func(name string) bool { return name == c.leader() })[0]
			}
			c.kill(dead)
			time.Sleep(50 * time.Second)
			if got := voters(c.any()); !slices.Equal(got, want) {
				t.Errorf("voters before the time: %v, want %v", got, want)
			}
			time.Sleep(40 * time.Second)
			want = slices.DeleteFunc(want, func(name string) bool { return name == dead })
			if got := voters(c.any()); !slices.Equal(got, want) {
				t.Errorf("%s died: voters %v, want %v", dead, got, want)
			}
		}
		c.kill(slices.DeleteFunc(slices.Clone(want), func(name string) bool { return name == c.leader() })[0])
		time.Sleep(3 * time.Minute)
		if got := voters(c.any()); !slices.Equal(got, want) {
			t.Errorf("one of three died: voters %v, want %v", got, want)
		}
		for i := range 3 {
			job := fmt.Sprintf("job-%d", i)
			c.complete(c.leader(), job, begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
			if c.mostOf(job) > 1 {
				t.Errorf("%s had %d live attempts", job, c.mostOf(job))
			}
		}
	})
}

// Processes with names of their own come and go, killed or removed. When what they
// ran is resolved nothing is left of them, and their names can be used again.
func TestClusterForgetsTheRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b", "c")
		defer c.closeAll()
		c.change = func(o *chronos.Options) { o.Cluster.RemoveDeadAfter = time.Minute }
		c.open("a", "b", "c")
		for _, name := range c.names {
			c.run(name, "h")
		}
		if _, err := c.nodes["a"].Put(t.Context(), chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second)}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		pod := func(name string) {
			c.worker, c.names = name, []string{"a", "b", "c", name}
			c.open(name)
			c.run(name, "h")
		}
		for i := range 6 {
			name := fmt.Sprintf("pod-%d", i%4)
			if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
				t.Fatal(err)
			}
			pod(name)
			time.Sleep(3*time.Second + 100*time.Millisecond)
			if got := len(c.any().Status().Members); got != 4 {
				t.Errorf("%d members: %+v", got, c.any().Status().Members)
			}
			if i%2 == 0 {
				c.kill(name)
				time.Sleep(90 * time.Second)
				continue
			}
			if err := c.any().RemoveMember(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			listed := func() bool {
				return slices.ContainsFunc(c.any().Status().Members, func(m chronos.Member) bool { return m.Node == name && m.Removed })
			}
			if !listed() {
				t.Errorf("%s is not listed as removed while it may still run something", name)
			}
			c.kill(name)
			time.Sleep(15 * time.Second)
			if listed() {
				t.Errorf("%s is still there: %+v", name, c.any().Status().Members)
			}
		}
		if got := len(c.any().Status().Members); got != 3 {
			t.Errorf("%d members are left: %+v", got, c.any().Status().Members)
		}
		c.complete(c.leader(), "job", begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
		if c.mostOf("job") > 1 {
			t.Errorf("%d live attempts", c.mostOf("job"))
		}
	})
}

// A leader dies while it resolves what a dead node ran. The next one goes on.
func TestClusterTakesOverTakeover(t *testing.T) {
	together(t, []string{"a", "b", "c", "d", "e"}, func(t *testing.T, c *team) {
		first := c.leader()
		others := slices.DeleteFunc(slices.Clone(c.names), func(name string) bool { return name == first })
		victim, heir := others[0], others[1]
		long := func(ctx context.Context, _ chronos.Execution) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		if err := c.nodes[victim].Handle("long", long); err != nil {
			t.Fatal(err)
		}
		if _, err := c.nodes[first].Put(t.Context(), chronos.Job{ID: "job", Handler: "long", Schedule: chronos.Every(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		x, err := c.nodes[first].Trigger(t.Context(), "job", chronos.TriggerRequest{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		c.net.Isolate("addr-" + victim)
		if err := chronos.ExpireInPart(t.Context(), c.nodes[first], victim); err != nil {
			t.Fatal(err)
		}
		if x, err = c.nodes[first].Execution(t.Context(), x.ID); err != nil || x.Node != victim {
			t.Fatalf("%+v, %v: this test is about what is left", x, err)
		}
		c.kill(victim, first)
		if err := c.nodes[heir].Handle("long", succeed); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if x, err = c.nodes[heir].Execution(t.Context(), x.ID); err != nil || x.Status != chronos.StatusSucceeded || x.Node != heir {
			t.Errorf("%+v, %v: want it to have run on %s", x, err, heir)
		}
	})
}
