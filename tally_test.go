package chronos_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

func (r *rig) ended() (out []string) {
	r.t.Helper()
	synctest.Wait()
	for _, e := range r.Status().Ended {
		text := string(e.Status)
		if e.Reason != "" {
			text += "(" + string(e.Reason) + ")"
		}
		out = append(out, fmt.Sprint(text, " ", e.Count))
	}
	return out
}

// Status counts every instant that has ended, also those that share a row which
// grows step by step, and those whose events are dropped.
func TestStatusEnded(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(time.Second)})
		r.put(chronos.Job{ID: "fails", Handler: "fail"})
		r.handleAs("fail", fail)
		r.start()
		r.until("00:00:10")
		x := r.trigger("fails", chronos.TriggerRequest{})
		synctest.Wait()
		if _, err := r.Redrive(r.ctx, x.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		same(t, "ended", r.ended(), []string{"failed 2", "succeeded 10"})
		r.away(25_000 * time.Second)
		r.handle(succeed)
		r.handleAs("fail", fail)
		same(t, "ended", r.ended(), nil)
		slow := r.Events(context.Background())
		instants, counted := 0, make(chan bool)
		fast := r.Events(context.Background())
		go func() {
			defer close(counted)
			for ev := range fast {
				if (ev.Kind == chronos.EventExecutionEnded) != (ev.Instants > 0) || ev.Dropped > 0 {
					t.Errorf("%s: %d instants, %d dropped", ev.Kind, ev.Instants, ev.Dropped)
				}
				instants += ev.Instants
			}
		}()
		r.start()
		time.Sleep(1000 * time.Second)
		same(t, "ended", r.ended(), []string{"missed(catch_up) 24999", "succeeded 1001"})
		r.shut()
		<-counted
		if instants != 26_000 {
			t.Errorf("events account for %d instants", instants)
		}
		if len(slow) != cap(slow) {
			t.Errorf("only %d events: none was dropped", len(slow))
		}
		r.open()
	})
}

func TestStatusDisk(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		if st := r.Status(); st.DiskFree == 0 || st.DiskTotal < st.DiskFree {
			t.Errorf("%d of %d bytes are free", st.DiskFree, st.DiskTotal)
		}
	})
	bubble(t, chronos.Options{}, func(r *rig) {
		if st := r.Status(); st.DiskFree != 0 || st.DiskTotal != 0 {
			t.Errorf("in memory, %d of %d bytes are free", st.DiskFree, st.DiskTotal)
		}
	})
}
