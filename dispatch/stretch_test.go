package dispatch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestStretch(t *testing.T) {
	if !stretches {
		t.Skip("timers are as good as the system's here")
	}
	s := newStretch()
	if d := s.approach(time.Now().Add(time.Hour)); s.asleep || d > time.Hour-stretchLead {
		t.Errorf("an hour before: %v, asleep %v", d, s.asleep)
	}
	if d := s.approach(time.Now()); s.asleep || d > 0 {
		t.Errorf("due: %v, asleep %v", d, s.asleep)
	}
	s.until = time.Time{}
	at := time.Now().Add(stretchLead / 2)
	if d := s.approach(at); !s.asleep || d > stretchLead/2 {
		t.Fatalf("shortly before: %v, asleep %v", d, s.asleep)
	}
	s.until = time.Time{}
	if s.approach(at); !s.until.IsZero() {
		t.Error("sleeps twice")
	}
	if s.wait(); s.asleep || s.off || time.Now().Before(at) {
		t.Errorf("asleep %v, off %v, before the instant %v", s.asleep, s.off, time.Now().Before(at))
	}
	s.until = time.Now()
	if s.approach(s.until.Add(stretchLead / 2)); s.asleep {
		t.Error("sleeps again at once")
	}
	s.wait() // nothing is under way
}

// TestStretchStandsStill: where time is not the machine's it is not slept through for long.
func TestStretchStandsStill(t *testing.T) {
	if !stretches {
		t.Skip("timers are as good as the system's here")
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStretch()
		at := time.Now().Add(stretchLead)
		if d := s.approach(at); d != stretchLead || !s.asleep {
			t.Fatalf("%v, asleep %v", d, s.asleep)
		}
		if s.wait(); !s.off || s.asleep {
			t.Errorf("off %v, asleep %v", s.off, s.asleep)
		}
		for range 3 {
			if d := s.approach(time.Now().Add(time.Minute)); d != time.Minute {
				t.Errorf("%v to wait for a minute", d)
			}
			if d := s.approach(time.Now().Add(stretchLead)); d != stretchLead || s.asleep {
				t.Errorf("%v, asleep %v", d, s.asleep)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestStretchEnds: the dispatcher starts at the very instant on a clock that stands still
// meanwhile, and nothing of the last stretch outlives it.
func TestStretchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan time.Duration, 3)
		d := New(Config{})
		if err := d.Handle("h", func(_ context.Context, a *Attempt) error {
			late <- time.Since(a.StartAt)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			d.Assign([]*Attempt{{ID: "x", Token: uint64(i + 1), Number: 1, Handler: "h", StartAt: time.Now().Add(time.Duration(i+1) * time.Second)}})
		}
		for range 3 {
			if by := <-late; by != 0 {
				t.Errorf("%v late", by)
			}
		}
		d.Assign([]*Attempt{{ID: "y", Token: 9, Number: 1, Handler: "h", StartAt: time.Now().Add(stretchLead / 2)}})
		d.Close()
	})
}
