package chronos_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/testhook"
	"github.com/chronos-go/chronos/raftfsm"
)

// fullDisks lets disks of nodes be full: of the one that is stored, if any.
func fullDisks(t *testing.T) *atomic.Pointer[string] {
	before := testhook.Raft
	t.Cleanup(func() { testhook.Raft = before })
	var full atomic.Pointer[string]
	testhook.Raft = func(c *raftfsm.Config) {
		before(c)
		node := c.ID
		c.Guard.Reserve = -1
		c.Guard.Free = func(string) (free, total uint64, err error) {
			if p := full.Load(); p != nil && *p == node {
				return 0, 1 << 40, nil
			}
			return 1 << 40, 1 << 40, nil
		}
	}
	return &full
}

// A node that cannot apply the log, because its disk is full, shows that it lives all
// the same, and is given work. When there is room again it hears first that it was to
// run a job, and then that the job was edited before that: it does not begin the old one.
func TestClusterEditUnheardOf(t *testing.T) {
	for _, before := range []time.Duration{
		1800 * time.Millisecond, // all are assigned to it by then, for in 200 ms
		2200 * time.Millisecond, // their instant has passed
	} {
		t.Run(before.String(), func(t *testing.T) { editUnheardOf(t, before) })
	}
}

func editUnheardOf(t *testing.T, before time.Duration) {
	full := fullDisks(t)
	labels := map[string]map[string]string{"a": {"is": "a"}, "b": {"is": "b"}, "c": {"is": "c"}}
	togetherAs(t, labels, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		slow := slices.DeleteFunc(slices.Clone(c.names), func(name string) bool { return name == c.leader() })[0]
		on := c.leader()
		job := func(i int, text string) chronos.Job {
			return chronos.Job{
				ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: chronos.Every(10 * time.Second), Description: text,
				Placement: chronos.Placement{Labels: map[string]string{"is": slow}}, Overlap: chronos.OverlapAllowAll,
			}
		}
		const jobs = 20
		put := func(text string) {
			for i := range jobs {
				if _, err := c.nodes[on].Put(t.Context(), job(i, text)); err != nil {
					t.Fatal(err)
				}
			}
		}
		put("old")
		time.Sleep(time.Until(time.Now().Truncate(10 * time.Second).Add(18 * time.Second)))
		full.Store(&slow)
		time.Sleep(before)
		put("new")
		edited := time.Now()
		time.Sleep(4 * time.Second)
		full.Store(nil)
		time.Sleep(26 * time.Second)
		ran := 0
		for i := range jobs {
			for x, err := range c.nodes[on].Executions(t.Context(), chronos.Query{Job: fmt.Sprintf("job-%d", i)}) {
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range x.Attempts {
					if a.Version == 1 && a.Started.After(edited) {
						t.Errorf("%s began %v after the edit: %+v", x.ID, a.Started.Sub(edited), a)
					}
					ran++
				}
			}
		}
		if ran < 2*jobs {
			t.Errorf("%d attempts", ran)
		}
	})
}
