package chronos_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// A node whose state was changed beside the log stops within a few beats, and says
// why; the others go on, and lose nothing. Opened again it joins anew, and runs.
func TestClusterDivergedNode(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		if _, err := c.any().Put(t.Context(), chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second)}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		time.Sleep(3*time.Second + 500*time.Millisecond)
		lead := c.leader()
		odd := c.names[slices.IndexFunc(c.names, func(n string) bool { return n != lead })]
		synctest.Wait()
		if err := chronos.Corrupt(c.nodes[odd]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		st := c.nodes[odd].Status()
		if !errors.Is(st.Err, chronos.ErrDiverged) || !errors.Is(st.Err, chronos.ErrStopped) || st.Ready {
			t.Errorf("after some beats: ready %v, %v", st.Ready, st.Err)
		}
		if err := c.ends[odd](); !errors.Is(err, chronos.ErrDiverged) {
			t.Errorf("Run returned %v", err)
		}
		for _, m := range c.nodes[lead].Status().Members {
			if m.Differs != (m.Node == odd) {
				t.Errorf("the leader says %+v", m)
			}
		}
		if err := c.nodes[odd].Close(); err != nil {
			t.Fatal(err)
		}
		delete(c.nodes, odd)
		c.open(odd)
		c.run(odd, "h")
		time.Sleep(10 * time.Second)
		for _, m := range c.nodes[lead].Status().Members {
			if m.Differs || m.Removed || !m.Voter || m.Behind > 2 {
				t.Errorf("when it was back: %+v", m)
			}
		}
		c.complete(odd, "job", begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
		if c.mostOf("job") > 1 {
			t.Errorf("%d live attempts", c.mostOf("job"))
		}
	})
}
