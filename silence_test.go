package chronos_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// everySecond are jobs that are due each second, one so much after the other, and may
// overlap.
func everySecond(n int, apart time.Duration) (jobs []chronos.Job) {
	base := time.Now().Truncate(time.Second)
	for i := range n {
		every := chronos.Every(time.Second).Anchor(base.Add(time.Duration(i) * apart))
		jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: every, Overlap: chronos.OverlapAllowAll})
	}
	return jobs
}

// A node falls silent. What is due from the third missing beat on goes to the others,
// in time: nobody waits for the lease. When it is back it gets work again.
func TestClusterSilentNode(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		const jobs = 24
		c.put(everySecond(jobs, 0)...)
		time.Sleep(5*time.Second + 300*time.Millisecond)
		lead := c.leader()
		silent := c.names[slices.IndexFunc(c.names, func(n string) bool { return n != lead })]
		cut := time.Now()
		c.net.Isolate("addr-" + silent)
		time.Sleep(3 * time.Second)
		for _, m := range c.nodes[lead].Status().Members {
			if m.Held != (m.Node == silent) || m.Expired {
				t.Errorf("after 3 s: %+v", m)
			}
		}
		time.Sleep(7 * time.Second)
		healed := time.Now()
		c.net.Join("addr-" + silent)
		time.Sleep(10 * time.Second)
		c.lateness(t, cut, healed)
		byNode := map[string]int{}
		for _, s := range c.begun() {
			if s.at.After(healed.Add(5 * time.Second)) {
				byNode[s.node]++
			}
		}
		if byNode[silent] < jobs {
			t.Errorf("starts by node when %s was back: %v", silent, byNode)
		}
		for i := range jobs {
			c.complete(lead, fmt.Sprintf("job-%d", i), cut.Truncate(time.Second), healed.Truncate(time.Second))
		}
	})
}

// A leader is cut off. The next one gives it nothing from the beginning, without waiting
// for beats to be missed: all that is due since begins as soon as there is a leader.
func TestClusterSilentLeader(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		const jobs = 48
		c.put(everySecond(jobs, time.Second/jobs)...)
		time.Sleep(5*time.Second + 300*time.Millisecond)
		lead := c.leader()
		cut := time.Now()
		c.net.Isolate("addr-" + lead)
		time.Sleep(8 * time.Second)
		c.net.Join("addr-" + lead)
		time.Sleep(10 * time.Second)
		began := map[string]time.Duration{}
		for _, s := range c.begun() {
			id := fmt.Sprint(s.job, s.due)
			if late, ok := began[id]; s.due.After(cut) && s.due.Before(cut.Add(8*time.Second)) && (!ok || s.at.Sub(s.due) < late) {
				began[id] = s.at.Sub(s.due)
			}
		}
		worst := time.Duration(0)
		for id, late := range began {
			if worst = max(worst, late); late > 1500*time.Millisecond {
				t.Errorf("%s began %v late", id, late)
			}
		}
		t.Logf("%d since the cut, the latest %v late", len(began), worst)
		for i := range jobs {
			c.complete(c.leader(), fmt.Sprintf("job-%d", i), cut, cut.Add(8*time.Second))
		}
		for _, m := range c.nodes[c.leader()].Status().Members {
			if m.Held {
				t.Errorf("it was back 10 s ago: %+v", m)
			}
		}
	})
}

// Who leads after the one that held a dead node does not take it back: there was no beat.
func TestClusterHeldStaysHeld(t *testing.T) {
	together(t, []string{"a", "b", "c", "d", "e"}, func(t *testing.T, c *team) {
		const jobs = 40
		c.put(everySecond(jobs, 0)...)
		time.Sleep(5*time.Second + 300*time.Millisecond)
		dead := c.leader()
		c.net.Isolate("addr-" + dead)
		time.Sleep(2500 * time.Millisecond)
		c.close(c.leader()) // it hands over, within the lease of the dead one
		handed := time.Now()
		time.Sleep(700 * time.Millisecond)
		for _, m := range c.nodes[c.leader()].Status().Members {
			if m.Node == dead && !m.Held {
				t.Errorf("%s was taken back: %+v", dead, m)
			}
		}
		time.Sleep(10 * time.Second)
		for _, s := range c.begun() {
			if late := s.at.Sub(s.due); s.due.After(handed.Add(time.Second)) && late > 500*time.Millisecond {
				t.Errorf("%s, due %v after the hand-over, began %v late", s.job, s.due.Sub(handed), late)
			}
		}
	})
}

// lateness checks how late what was due in a time began, by the first start of
// each: nothing later than two and a half beats, a look and the look-ahead after the
// beginning.
func (c *team) lateness(t *testing.T, from, to time.Time) {
	t.Helper()
	first := map[string]begun{}
	for _, s := range c.begun() {
		id := fmt.Sprint(s.job, s.due)
		if old, ok := first[id]; !ok || s.at.Before(old.at) {
			first[id] = s
		}
	}
	var late []time.Duration
	for _, s := range first {
		if s.due.Before(from) || s.due.After(to) {
			continue
		}
		if d := s.at.Sub(s.due); d > 100*time.Millisecond {
			late = append(late, d)
			if s.due.Sub(from) > 2750*time.Millisecond {
				t.Errorf("%s, due %v after the cut, began %v late", s.job, s.due.Sub(from), d)
			}
		}
	}
	slices.Sort(late)
	if len(late) > 0 {
		t.Logf("%d began late, from %v to %v", len(late), late[0], late[len(late)-1])
	}
}
