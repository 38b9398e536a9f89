package chronos_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

func (c *team) status(name string) (chronos.NodeStatus, map[string]chronos.Member) {
	st, members := c.nodes[name].Status(), map[string]chronos.Member{}
	for _, m := range st.Members {
		members[m.Node] = m
	}
	return st, members
}

// Every node knows how the others are, what is due next, and what waits for room.
func TestClusterStatus(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		noon := epoch.Add(12 * time.Hour)
		for _, j := range []chronos.Job{
			{ID: "often", Handler: "h", Schedule: chronos.Every(time.Second)},
			{ID: "noon", Handler: "z", Schedule: chronos.At(noon)},
			{ID: "nobody", Handler: "z"},
		} {
			if _, err := c.any().Put(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
		var first chronos.Execution
		for i := range 2 {
			x, err := c.any().Trigger(t.Context(), "nobody", chronos.TriggerRequest{Overlap: chronos.OverlapAllowAll})
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = x
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(3*time.Second + 100*time.Millisecond)
		lead := c.leader()
		for _, name := range c.names {
			st, members := c.status(name)
			if st.Leader != lead || !st.Ready || !st.Running || time.Since(st.LastContact) > time.Second {
				t.Errorf("%s: leader %s, ready %v, running %v, contact %v ago", name, st.Leader, st.Ready, st.Running, time.Since(st.LastContact))
			}
			if want := []chronos.Backlog{{Handler: "z", Count: 2, Nobody: true, Since: first.ReadyAt}}; !reflect.DeepEqual(st.Waiting, want) {
				t.Errorf("%s: waiting %+v", name, st.Waiting)
			}
			if wait := time.Until(st.NextDue); wait < -time.Second || wait > 2*time.Second {
				t.Errorf("%s: next due in %v", name, wait)
			}
			attempts := 0
			for _, m := range members {
				attempts += m.Attempts
				if m.Addr != "addr-"+m.Node || !m.Voter || m.Held || m.Differs || m.AppliedIndex == 0 || m.Behind > 5 || m.Delay > 1100*time.Millisecond ||
					time.Since(m.LastBeat) > 1100*time.Millisecond {
					t.Errorf("%s says of %s: %+v", name, m.Node, m)
				}
			}
			if attempts != 1 || len(members) != 3 {
				t.Errorf("%s: %d attempts on %d members", name, attempts, len(members))
			}
		}
		if err := c.any().Delete(t.Context(), "often"); err != nil {
			t.Fatal(err)
		}
		for _, name := range c.names {
			if err := c.nodes[name].Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if st, _ := c.status(name); !st.NextDue.Equal(noon) {
				t.Errorf("%s: next due %v", name, st.NextDue)
			}
		}
	})
}

// A node that hears no leader is not ready, and says since when; the leader tells how
// far behind it is. One that was removed is not ready either, and one that is closed.
func TestClusterReady(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		if _, err := c.any().Put(t.Context(), chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		lead := c.leader()
		cut := c.names[slices.IndexFunc(c.names, func(n string) bool { return n != lead })]
		at := time.Now()
		c.net.Isolate("addr-" + cut)
		time.Sleep(10 * time.Second)
		st, _ := c.status(cut)
		if silent := time.Since(st.LastContact); st.Ready || silent < 10*time.Second || silent > 11*time.Second {
			t.Errorf("cut off: ready %v, last contact %v ago", st.Ready, silent)
		}
		_, members := c.status(lead)
		if m := members[cut]; m.Behind < 8 || m.Delay < 8*time.Second || m.Delay > 11*time.Second || m.LastBeat.After(at) || !m.Expired {
			t.Errorf("the leader says %+v", m)
		}
		c.net.Join("addr-" + cut)
		time.Sleep(5 * time.Second)
		if st, _ := c.status(cut); !st.Ready {
			t.Error("it is back and not ready")
		}
		if err := c.nodes[lead].RemoveMember(t.Context(), cut); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if st, _ := c.status(cut); st.Ready {
			t.Error("it was removed and is ready")
		}
		s := c.nodes[cut]
		_ = c.ends[cut]()
		_ = s.Close()
		delete(c.nodes, cut)
		if st := s.Status(); st.Ready || st.Running {
			t.Errorf("closed: ready %v, running %v", st.Ready, st.Running)
		}
	})
}

// The next instant is known without Run, after an edit, and after a restart.
func TestNextDue(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		want := func(text string) {
			t.Helper()
			next := ""
			if due := r.Status().NextDue; !due.IsZero() {
				next = clockText(due)
			}
			if next != text {
				t.Errorf("next due %q, want %q", next, text)
			}
		}
		want("")
		r.put(chronos.Job{ID: "late", Schedule: chronos.At(at("06:00:00"))})
		want("06:00:00")
		r.put(chronos.Job{ID: "soon", Schedule: chronos.At(at("03:00:00"))})
		want("03:00:00")
		r.away(time.Minute)
		want("03:00:00")
		r.put(chronos.Job{ID: "soon", Schedule: chronos.At(at("04:00:00"))})
		want("04:00:00")
		r.must(r.Delete(r.ctx, "soon"))
		want("06:00:00")
		r.handle(succeed)
		r.start()
		r.until("05:00:00")
		r.put(chronos.Job{ID: "now", Schedule: chronos.At(at("05:00:05"))})
		want("05:00:05")
		r.until("05:00:06")
		want("06:00:00")
		r.until("06:00:01")
		want("")
		r.shut()
		want("")
		r.open()
	})
}
