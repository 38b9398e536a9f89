package chronos_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// kill stops nodes as a kill would, as far as the others can tell: they are cut
// off at once, and what they have on disk then is what is left of them.
func (c *team) kill(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.net.Isolate("addr-" + name)
	}
	for _, name := range names {
		dead := c.nodes[name]
		end := c.ends[name]
		delete(c.nodes, name)
		delete(c.ends, name)
		if end != nil {
			_ = end()
		}
		_ = dead.Close()
		c.net.Join("addr-" + name)
	}
}

func (c *team) peersFile(names ...string) {
	c.t.Helper()
	var entries []string
	for _, name := range names {
		entries = append(entries, fmt.Sprintf(`{"node": %q, "addr": %q}`, name, "addr-"+name))
	}
	for _, name := range names {
		path := filepath.Join(c.dir, name, "peers.json")
		if err := os.WriteFile(path, []byte("["+strings.Join(entries, ",\n")+"]\n"), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}

// Two of three are lost while they run jobs. The survivor goes on alone with a
// peers file; what the dead ran is resolved after a lease, no instant is left out,
// and the dead are refused with their disks and join with empty ones.
func TestClusterRecoversFromLostMajority(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		for i := range 6 {
			if _, err := c.nodes["b"].Put(t.Context(), chronos.Job{ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: chronos.Every(time.Second)}); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		time.Sleep(4*time.Second + 100*time.Millisecond) // in the midst of it
		if err := c.nodes["a"].Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.kill("b", "c")
		if _, err := c.nodes["a"].Put(t.Context(), chronos.Job{ID: "late", Handler: "h"}); !errors.Is(err, chronos.ErrNoLeader) {
			t.Errorf("a minority of one takes writes: %v", err)
		}
		_ = c.ends["a"]()
		if err := c.nodes["a"].Close(); err != nil {
			t.Fatal(err)
		}
		c.peersFile("a")
		c.open("a")
		c.run("a", "h")
		back := time.Now()
		time.Sleep(15 * time.Second)
		for i := range 6 {
			job := fmt.Sprintf("job-%d", i)
			c.complete("a", job, begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
			if c.mostOf(job) > 1 {
				t.Errorf("%s had %d live attempts", job, c.mostOf(job))
			}
			for x := range openRows(t, c.nodes["a"], job) {
				if x.Node != "a" && x.Node != "" {
					t.Errorf("%s is still %s's, %v after the recovery", x.ID, x.Node, time.Since(back))
				}
			}
		}
		o := c.options("b")
		if s, err := chronos.New(o); !errors.Is(err, chronos.ErrConflict) || !strings.Contains(err.Error(), "recovered") {
			t.Errorf("the dead came back: %v, %v", s, err)
		}
		if err := os.RemoveAll(filepath.Join(c.dir, "b")); err != nil {
			t.Fatal(err)
		}
		c.names = []string{"a", "b", "d"}
		c.open("b", "d")
		c.run("b", "h")
		c.run("d", "h")
		time.Sleep(5 * time.Second)
		voters := 0
		for _, m := range c.nodes["d"].Status().Members {
			if m.Voter {
				voters++
			}
		}
		if voters != 3 {
			t.Errorf("members %+v", c.nodes["d"].Status().Members)
		}
		c.close(c.leader())
		time.Sleep(5 * time.Second)
		for i := range 6 {
			job := fmt.Sprintf("job-%d", i)
			c.complete(c.leader(), job, begin, time.Now().Add(-3*time.Second).Truncate(time.Second))
			if c.mostOf(job) > 1 {
				t.Errorf("%s had %d live attempts", job, c.mostOf(job))
			}
		}
	})
}

// openRows walks the rows of a job that have not ended.
func openRows(t *testing.T, s *chronos.Scheduler, job string) func(yield func(chronos.Execution) bool) {
	return func(yield func(chronos.Execution) bool) {
		for x, err := range s.Executions(t.Context(), chronos.Query{Job: job}) {
			if err != nil {
				t.Fatal(err)
			}
			if x.EndedAt.IsZero() && !yield(x) {
				return
			}
		}
	}
}

// Two of five are left: both are given the file, and are a cluster of two.
func TestClusterRecoversTwoOfFive(t *testing.T) {
	together(t, []string{"a", "b", "c", "d", "e"}, func(t *testing.T, c *team) {
		if _, err := c.nodes["e"].Put(t.Context(), chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second)}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		time.Sleep(3 * time.Second)
		for _, name := range []string{"a", "b"} {
			if err := c.nodes[name].Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		c.kill("c", "d", "e")
		for _, name := range []string{"a", "b"} {
			_ = c.ends[name]()
			if err := c.nodes[name].Close(); err != nil {
				t.Fatal(err)
			}
		}
		c.peersFile("a", "b")
		c.open("a", "b")
		c.run("a", "h")
		c.run("b", "h")
		time.Sleep(12 * time.Second)
		c.complete("b", "job", begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
		if c.mostOf("job") > 1 {
			t.Errorf("%d live attempts", c.mostOf("job"))
		}
	})
}

// A list that cannot be meant is an error that names the file and says what is
// wrong with it.
func TestClusterPeersFileRefused(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		time.Sleep(time.Second)
		c.close("a")
		path := filepath.Join(c.dir, "a", "peers.json")
		for text, want := range map[string]string{
			`{}`:                                 "JSON list",
			`[{"node": "b", "addr": "addr-b"}]`:  "does not list this node",
			`[{"node": "a", "addr": "addr-a"}]`:  "is there and answers", // the others are alive
			`[{"node": "a", "address": "addr"}]`: "address",
		} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := chronos.New(c.options("a"))
			wantField(t, err, path)
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", text, err)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		c.open("a")
		c.run("a", "h")
	})
}
