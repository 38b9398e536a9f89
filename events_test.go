package chronos_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

// listen collects events as text until the test ends the context.
func (r *rig) listen(ctx context.Context) func() []string {
	ch := r.Events(ctx)
	var out []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ev := range ch {
			text := string(ev.Kind)
			if ev.Execution != nil {
				text += " " + rowText(*ev.Execution)
			} else {
				text += fmt.Sprintf(" %s v%d", ev.Job, ev.Version)
			}
			out = append(out, text)
		}
	}()
	return func() []string {
		<-done
		return out
	}
}

func TestEventsInOrder(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		ctx, cancel := context.WithCancel(r.ctx)
		events := r.listen(ctx)
		r.handle(func(_ context.Context, x chronos.Execution) error {
			if x.Attempt == 1 {
				return errBoom
			}
			return nil
		})
		r.put(chronos.Job{Schedule: chronos.Every(time.Minute), Retry: chronos.Retry{MaxAttempts: 2, Initial: 10 * time.Second, NoJitter: true}})
		r.start()
		r.until("00:01:30")
		r.must(r.Pause(r.ctx, "job", ""))
		r.until("00:02:30")
		r.must(r.Resume(r.ctx, "job"))
		r.until("00:02:59")
		time.Sleep(500 * time.Millisecond)
		r.put(chronos.Job{Schedule: chronos.Every(time.Hour)})
		synctest.Wait()
		r.must(r.Delete(r.ctx, "job"))
		synctest.Wait()
		cancel()
		got := strings.Join(events(), "\n")
		// The row in an event is the one at the end of its log entry.
		for _, want := range []string{
			"job.put job v1", "execution.created 00:01:00 pending", "execution.assigned 00:01:00 pending",
			"execution.retrying 00:01:00 pending[instant]", "execution.assigned 00:01:00", "execution.ended 00:01:00 succeeded #2",
			"job.paused job v1", "execution.ended 00:02:00 skipped(paused)", "job.resumed job v1",
			"execution.created 00:03:00", "execution.assigned 00:03:00", "job.put job v2", "execution.withdrawn 00:03:00", "job.deleted job v3",
		} {
			_, rest, ok := strings.Cut(got, want)
			if !ok {
				t.Fatalf("%q is missing in\n%s", want, got)
			}
			got = rest
		}
	})
}

// A reader that does not read holds up nothing; what it lost is counted.
func TestEventsSlowReader(t *testing.T) {
	bubble(t, chronos.Options{Retention: chronos.Retention{Count: -1}}, func(r *rig) {
		ctx, cancel := context.WithCancel(r.ctx)
		defer cancel()
		slow := r.Events(ctx)
		fast, total := r.Events(ctx), 0
		go func() {
			for ev := range fast {
				total += 1 + ev.Dropped
			}
		}()
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Every(time.Second)})
		r.start()
		r.until("00:20:00")
		r.halt()
		if n := r.count("job"); n < 1199 {
			t.Errorf("%d rows: scheduling was held up", n)
		}
		n := 0
		for len(slow) > 0 {
			if ev := <-slow; ev.Dropped != 0 {
				t.Errorf("event %d dropped %d", n, ev.Dropped)
			}
			n++
		}
		if n != 1024 {
			t.Errorf("%d events waited", n)
		}
		r.put(chronos.Job{ID: "last"})
		synctest.Wait()
		ev := <-slow
		if ev.Job != "last" || ev.Dropped != total-1-n {
			t.Errorf("dropped %d of %d, event %+v", ev.Dropped, total, ev)
		}
		r.put(chronos.Job{ID: "very-last"})
		if ev := <-slow; ev.Dropped != 0 {
			t.Errorf("counted twice: %+v", ev)
		}
	})
}

func TestEventsEnd(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		ctx, cancel := context.WithCancel(r.ctx)
		ended, open := r.Events(ctx), r.Events(r.ctx)
		cancel()
		if _, ok := <-ended; ok {
			t.Error("the channel is open after the end of its context")
		}
		if _, ok := <-r.Events(ctx); ok {
			t.Error("the channel of an ended context is open")
		}
		r.put(chronos.Job{})
		r.shut()
		if ev := <-open; ev.Kind != chronos.EventJobPut {
			t.Errorf("got %+v", ev)
		}
		if _, ok := <-open; ok {
			t.Error("the channel is open after Close")
		}
		if _, ok := <-r.Events(r.ctx); ok {
			t.Error("Events after Close gives an open channel")
		}
	})
}
