package dispatch

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestKernelTimerFails: what cannot wait says so.
func TestKernelTimerFails(t *testing.T) {
	if (&kernelTimer{fd: -1}).wait(time.Now().Add(time.Minute)) {
		t.Error("a timer that is none has fired")
	}
}

func TestStretch(t *testing.T) {
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

// timers counts this process's timers of the kernel.
func timers(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if to, err := os.Readlink(file); err == nil && strings.Contains(to, "timerfd") { // it may be closed by now
			n++
		}
	}
	return n
}

// TestStretchCloses: a dispatcher leaves no timer of the kernel behind.
func TestStretchCloses(t *testing.T) {
	before := timers(t)
	d := New(Config{})
	began := make(chan struct{})
	if err := d.Handle("h", func(context.Context, *Attempt) error { began <- struct{}{}; return nil }); err != nil {
		t.Fatal(err)
	}
	for token := uint64(1); timers(t) == before; token++ { // an instant may have passed before it was looked at
		d.Assign([]*Attempt{{ID: "x", Token: token, Number: 1, Handler: "h", StartAt: time.Now().Add(10 * time.Millisecond)}})
		<-began
	}
	d.Close()
	if n := timers(t); n != before {
		t.Errorf("%d timers, and %d before", n, before)
	}
}
