package chronos_test

import (
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// A killed process: its directory is copied while an attempt runs, and opened.
func TestDeliveryAfterACrash(t *testing.T) {
	for _, tc := range []struct {
		name  string
		job   chronos.Job
		row   string
		calls int
	}{
		{"at least once by default", chronos.Job{}, "00:01:00 succeeded #2", 1},
		{"at least once, said", chronos.Job{Delivery: chronos.AtLeastOnce}, "00:01:00 succeeded #2", 1},
		{"at most once", chronos.Job{Delivery: chronos.AtMostOnce}, "00:01:00 lost", 0},
		{"at most once with retries", chronos.Job{Delivery: chronos.AtMostOnce, Retry: chronos.Retry{MaxAttempts: 5}}, "00:01:00 lost", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onDisk(t, chronos.Options{}, func(r *rig) {
				r.handle(busy(10 * time.Second))
				tc.job.Schedule, tc.job.Payload = chronos.At(at("00:01:00")), []byte("mine")
				r.put(tc.job)
				r.start()
				r.until("00:01:05")
				r.wantLedger("00:01:00 running")
				after := r.crash()
				after.handle(busy(10 * time.Second))
				after.start()
				after.until("00:02:00")
				after.wantLedger(tc.row)
				if got := after.called(); len(got) != tc.calls {
					t.Fatalf("called %d times after the crash, want %d", len(got), tc.calls)
				}
				x := after.rows("job")[0]
				if x.Attempts[0].Status != chronos.StatusLost || x.Attempts[0].Error == "" {
					t.Errorf("first attempt %+v", x.Attempts[0])
				}
				first := r.called()[0]
				for _, again := range after.called() {
					if again.ID != first.ID || again.Attempt != 2 || again.FencingToken <= first.FencingToken || string(again.Payload) != "mine" {
						t.Errorf("first %+v\nthen %+v", first, again)
					}
				}
				if st := after.get("job").State; st.Unfinished != 0 {
					t.Errorf("state %+v", st)
				}
				after.shut()
			})
		})
	}
}

// What was only assigned ahead when the process died starts on time after it is
// back, as its first attempt.
func TestDeliveryCrashBeforeTheInstant(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.At(at("00:01:00"))})
		r.start()
		r.until("00:00:59")
		time.Sleep(200 * time.Millisecond)
		after := r.crash()
		after.handle(succeed)
		after.start()
		after.until("00:02:00")
		after.wantStarts("00:01:00")
		after.wantLedger("00:01:00 succeeded")
		after.shut()
	})
}

// One that takes its process down with it each time is spaced out, not spun.
func TestDeliveryRepeatedLosses(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(busy(time.Hour))
		r.put(chronos.Job{Schedule: chronos.At(at("00:01:00")), Retry: chronos.Retry{Initial: time.Minute}})
		r.start()
		r.until("00:01:01")
		one := r.crash()
		one.handle(busy(time.Hour))
		one.start()
		one.wantStarts("00:01:01") // the first loss is repeated at once
		two := one.crash()
		two.handle(busy(time.Second))
		two.start()
		two.wantLedger("00:01:00 pending[instant] #2")
		two.until("00:10:00")
		two.wantStarts("00:02:01")
		two.wantLedger("00:01:00 succeeded #3")
		two.shut()
		one.shut()
	})
}

// What waits in a buffer, for room, for a retry and for a trigger's payload
// survives a kill.
func TestDeliveryWaitingSurvivesACrash(t *testing.T) {
	onDisk(t, chronos.Options{Concurrency: 1}, func(r *rig) {
		r.handle(busy(10 * time.Minute))
		r.put(chronos.Job{ID: "first"})
		r.put(chronos.Job{ID: "room"})
		r.put(chronos.Job{ID: "job", Overlap: chronos.OverlapBufferAll})
		r.start()
		r.trigger("first", chronos.TriggerRequest{})
		r.trigger("room", chronos.TriggerRequest{Payload: []byte("for room")})
		r.trigger("job", chronos.TriggerRequest{Payload: []byte("one")})
		r.trigger("job", chronos.TriggerRequest{Payload: []byte("two")})
		after := r.crash()
		after.handle(busy(time.Minute))
		after.start()
		after.until("01:00:00")
		got := map[string]int{}
		for _, x := range after.called() {
			got[x.Job+" "+string(x.Payload)]++
		}
		for _, want := range []string{"first ", "room for room", "job one", "job two"} {
			if got[want] != 1 {
				t.Errorf("%q called %d times (%v)", want, got[want], got)
			}
		}
		after.shut()
	})
}
