package dispatch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

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
