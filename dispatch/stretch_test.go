package dispatch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func needTimer(t *testing.T) {
	t.Helper()
	timer, err := newKernelTimer()
	if err != nil {
		t.Skip("no timer of the kernel: ", err)
	}
	timer.close()
}

func TestStretch(t *testing.T) {
	needTimer(t)
	s := newStretch()
	if d := s.approach(time.Now().Add(time.Hour)); s.waiting || d > time.Hour-stretchLead {
		t.Errorf("an hour before: %v, waiting %v", d, s.waiting)
	}
	if d := s.approach(time.Now()); s.waiting || d > 0 {
		t.Errorf("due: %v, waiting %v", d, s.waiting)
	}
	var at time.Time
	for !s.waiting && !s.off { // unless this goroutine has had no processor meanwhile
		at = time.Now().Add(stretchLead / 2)
		if d := s.approach(at); d > stretchLead/2 {
			t.Fatalf("shortly before: %v", d)
		}
	}
	s.until = time.Time{}
	if s.approach(at); !s.until.IsZero() {
		t.Error("waits twice")
	}
	if s.close(); s.waiting || s.off || time.Now().Before(at) {
		t.Errorf("waiting %v, off %v, before the instant %v", s.waiting, s.off, time.Now().Before(at))
	}
	s.until = time.Now()
	if s.approach(s.until.Add(stretchLead / 2)); s.waiting {
		t.Error("waits again at once")
	}
	s.close() // nothing is under way
}

// TestStretchStandsStill: where time is not the machine's the kernel is not asked again.
func TestStretchStandsStill(t *testing.T) {
	needTimer(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStretch()
		at := time.Now().Add(stretchLead)
		if d := s.approach(at); d != stretchLead || !s.waiting {
			t.Fatalf("%v, waiting %v", d, s.waiting)
		}
		if s.close(); !s.off || s.waiting {
			t.Errorf("off %v, waiting %v", s.off, s.waiting)
		}
		for range 3 {
			if d := s.approach(time.Now().Add(time.Minute)); d != time.Minute {
				t.Errorf("%v to wait for a minute", d)
			}
			if d := s.approach(time.Now().Add(stretchLead)); d != stretchLead || s.waiting {
				t.Errorf("%v, waiting %v", d, s.waiting)
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
		d.Close()
		d = New(Config{}) // closes while it waits
		d.Assign([]*Attempt{{ID: "x", Token: 9, Number: 1, Handler: "h", StartAt: time.Now().Add(stretchLead / 2)}})
		d.Close()
	})
}
