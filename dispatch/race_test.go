package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Every attempt is reported exactly once, or recalled or revoked; what was
// recalled never runs.
func TestRaces(t *testing.T) { synctest.Test(t, testRaces) }

func testRaces(t *testing.T) {
	const attempts = 3000
	var reports, calls [attempts]atomic.Int32
	var index sync.Map
	d := New(Config{Grace: 10 * time.Millisecond, Report: func(r Result) {
		i, _ := index.Load(r.ID)
		reports[i.(int)].Add(1)
	}})
	mustHandle(t, d, "h", func(ctx context.Context, a *Attempt) error {
		calls[a.Number].Add(1)
		switch a.Number % 4 {
		case 0:
			return nil
		case 1:
			panic("x")
		case 2:
			<-ctx.Done()
			return ctx.Err()
		}
		time.Sleep(20 * time.Millisecond) // deaf
		return errors.New("late")
	})
	var recalled, revoked [attempts]atomic.Bool
	var wg sync.WaitGroup
	batch := make([]*Attempt, attempts)
	for i := range batch {
		a := attempt(fmt.Sprint(i), "h")
		a.Number = i
		a.Timeout = time.Duration(1+rand.IntN(20)) * time.Millisecond
		a.StartAt = time.Now().Add(time.Duration(rand.IntN(20)) * time.Millisecond)
		index.Store(a.ID, i)
		batch[i] = a
	}
	for i := range attempts {
		wg.Go(func() {
			d.Assign(batch[i : i+1])
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			id := batch[i].ID
			switch rand.IntN(5) {
			case 0:
				recalled[i].Store(d.Recall(id, 1))
			case 1:
				d.Cancel(id, 1, nil)
			case 2:
				revoked[i].Store(true)
				d.Revoke(id, 1, nil)
			case 3:
				d.Assign([]*Attempt{batch[i], attempt(id, "h")})
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = d.Drain(ctx) // may name those that are deaf: they have been given up
	d.Close()
	synctest.Wait()
	for i := range attempts {
		n, c := reports[i].Load(), calls[i].Load()
		switch {
		case c > 1, n > 1:
			t.Errorf("%d: called %d times, reported %d times", i, c, n)
		case recalled[i].Load() && (c != 0 || n != 0):
			t.Errorf("%d: recalled, called %d times, reported %d times", i, c, n)
		case !recalled[i].Load() && !revoked[i].Load() && n != 1:
			t.Errorf("%d: reported %d times", i, n)
		}
	}
	if d.Running() != 0 || d.Beginning() != 0 || d.Pending() != 0 || len(d.live) != 0 {
		t.Errorf("running %d, pending %d, live %d", d.Running(), d.Pending(), len(d.live))
	}
}
