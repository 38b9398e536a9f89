package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestLaunch: of many attempts at one instant each begins, whatever the handlers of the
// others do, and each is reported once.
func TestLaunch(t *testing.T) {
	ends := map[string]struct {
		handler Handler
		want    Outcome
	}{
		"return": {func(context.Context, *Attempt) error { return nil }, Succeeded},
		"fail":   {func(context.Context, *Attempt) error { return errors.New("no") }, Failed},
		"panic":  {func(context.Context, *Attempt) error { panic("no") }, Failed},
		"exit":   {func(context.Context, *Attempt) error { runtime.Goexit(); return nil }, Failed},
		"block":  {func(ctx context.Context, _ *Attempt) error { <-ctx.Done(); return nil }, Succeeded},
	}
	const each = launchTurn/2 + launchMin
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		results := make(chan Result, each*len(ends))
		d := New(Config{Report: func(r Result) { results <- r }})
		var list []*Attempt
		at := time.Now().Add(time.Second)
		for name, end := range ends {
			if err := d.Handle(name, func(ctx context.Context, a *Attempt) error { begun.Add(1); return end.handler(ctx, a) }); err != nil {
				t.Fatal(err)
			}
		}
		for i := range each {
			for name := range ends {
				list = append(list, &Attempt{ID: fmt.Sprint(name, i), Job: name, Token: 1, Handler: name, StartAt: at})
			}
		}
		d.Assign(list)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := begun.Load(); n != int64(len(list)) || d.Beginning() != 0 || d.Running() != each {
			t.Errorf("%d of %d handlers began, %d are beginning, %d run; those that block are %d", n, len(list), d.Beginning(), d.Running(), each)
		}
		d.RevokeAll(errors.New("over"))
		synctest.Wait()
		d.Close()
		seen := map[string]int{}
		for range len(list) - each {
			r := <-results
			if seen[r.ID]++; seen[r.ID] != 1 || r.Outcome != ends[r.Job].want {
				t.Fatalf("%s was reported %d times, the last as %v", r.ID, seen[r.ID], r.Outcome)
			}
		}
		if len(results) > 0 {
			t.Errorf("what was revoked is reported: %+v", <-results)
		}
	})
}
