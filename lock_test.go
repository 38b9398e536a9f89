package chronos_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// A lock has one holder in the cluster; who waits gets it when it is given back,
// and tokens grow.
func TestLock(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		ctx := t.Context()
		first, err := c.nodes["a"].Lock(ctx, "reports")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.nodes["a"].TryLock(ctx, "reports"); !errors.Is(err, chronos.ErrConflict) {
			t.Errorf("taken twice: %v", err)
		}
		if _, err := c.nodes["b"].TryLock(ctx, "reports"); !errors.Is(err, chronos.ErrConflict) {
			t.Errorf("taken by two: %v", err)
		}
		if other, err := c.nodes["b"].TryLock(ctx, "other"); err != nil || other.Unlock(ctx) != nil {
			t.Errorf("another name: %v", err)
		}
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		if _, err := c.nodes["c"].Lock(short, "reports"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited for %v", err)
		}
		cancel()
		got := make(chan *chronos.Lock)
		go func() {
			l, err := c.nodes["b"].Lock(ctx, "reports")
			if err != nil {
				t.Error(err)
			}
			got <- l
		}()
		time.Sleep(3 * time.Second)
		begun := time.Now()
		if err := first.Unlock(ctx); err != nil {
			t.Fatal(err)
		}
		second := <-got
		if waited := time.Since(begun); waited > 500*time.Millisecond {
			t.Errorf("the next one waited %v", waited)
		}
		if first.Context().Err() == nil || second.Context().Err() != nil || second.FencingToken() <= first.FencingToken() {
			t.Errorf("contexts %v, %v, tokens %d, %d", first.Context().Err(), second.Context().Err(), first.FencingToken(), second.FencingToken())
		}
		if err := first.Unlock(ctx); err != nil {
			t.Errorf("given back twice: %v", err)
		}
		if _, err := c.nodes["a"].TryLock(ctx, "no name!"); !errors.Is(err, chronos.ErrInvalid) {
			t.Errorf("a bad name: %v", err)
		}
		if err := second.Unlock(ctx); err != nil {
			t.Error(err)
		}
	})
}

// A node that is cut off loses its lock, and knows it, before another one has it.
func TestLockLost(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		ctx := t.Context()
		l, err := c.nodes["a"].Lock(ctx, "x")
		if err != nil {
			t.Fatal(err)
		}
		c.net.Isolate("addr-a")
		ended := make(chan time.Time, 1)
		go func() {
			<-l.Context().Done()
			ended <- time.Now()
		}()
		next, err := c.nodes["b"].Lock(ctx, "x")
		if err != nil {
			t.Fatal(err)
		}
		taken := time.Now()
		if lost := <-ended; !lost.Before(taken) || !errors.Is(context.Cause(l.Context()), chronos.ErrFenced) {
			t.Errorf("lost at %v, because %v, taken by another at %v", lost, context.Cause(l.Context()), taken)
		}
		c.net.Join("addr-a")
		time.Sleep(3 * time.Second)
		if err := l.Unlock(ctx); !errors.Is(err, chronos.ErrFenced) {
			t.Errorf("Unlock of a lost one: %v", err)
		}
		if next.Context().Err() != nil {
			t.Error("the new holder lost it by that")
		}
		if _, err := c.nodes["a"].TryLock(ctx, "x"); !errors.Is(err, chronos.ErrConflict) {
			t.Errorf("taken by two: %v", err)
		}
		if err := next.Unlock(ctx); err != nil {
			t.Error(err)
		}
	})
}

// A node that closes gives its locks back before its lease ends.
func TestLockClose(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		ctx := t.Context()
		var held []*chronos.Lock
		for _, name := range []string{"x", "y"} {
			l, err := c.nodes["a"].Lock(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, l)
		}
		took := make(chan time.Time)
		go func() {
			l, err := c.nodes["c"].Lock(ctx, "x")
			if err == nil {
				err = l.Unlock(ctx)
			}
			if err != nil {
				t.Error(err)
			}
			took <- time.Now()
		}()
		time.Sleep(time.Second)
		begun := time.Now()
		c.close("a")
		if d := (<-took).Sub(begun); d > 500*time.Millisecond {
			t.Errorf("the next one had it after %v", d)
		}
		if err := context.Cause(held[1].Context()); !errors.Is(err, chronos.ErrClosed) {
			t.Errorf("its context ended with %v", err)
		}
	})
}

// One that nobody hears of does not try for long.
func TestLockCloseAlone(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		time.Sleep(time.Second)
		if err := c.ends["a"](); err != nil {
			t.Error(err)
		}
		delete(c.ends, "a")
		if _, err := c.nodes["a"].Lock(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		c.net.Isolate("addr-a")
		begun := time.Now()
		if err := c.nodes["a"].Close(); err != nil {
			t.Error(err)
		}
		delete(c.nodes, "a")
		if d := time.Since(begun); d > 4*time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}

// A process that died has lost its locks when the next one opens its directory.
func TestLockAfterCrash(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		l, err := r.Lock(r.ctx, "x")
		if err != nil {
			t.Fatal(err)
		}
		next := r.crash()
		defer next.shut()
		again, err := next.TryLock(r.ctx, "x")
		if err != nil || again.FencingToken() <= l.FencingToken() {
			t.Errorf("%v, tokens %d, %d", err, l.FencingToken(), again.FencingToken())
		}
		r.must(r.Close())
		if !errors.Is(context.Cause(l.Context()), chronos.ErrClosed) {
			t.Errorf("after Close: %v", context.Cause(l.Context()))
		}
		r.open()
	})
}

// A leader whose disk is full takes nothing for a while, and says that it is not known
// what became of a lock that was asked for. Who waits for it asks again from time to
// time, not as fast as the leader answers.
func TestLockFullDisk(t *testing.T) {
	full := fullDisks(t)
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		leader := c.leader()
		other := slices.DeleteFunc(slices.Clone(c.names), func(name string) bool { return name == leader })[0]
		full.Store(&leader)
		time.AfterFunc(10*time.Second, func() { full.Store(nil) })
		begun := time.Now()
		l, err := c.nodes[other].TryLock(t.Context(), "lock")
		if err != nil || time.Since(begun) < 10*time.Second || time.Since(begun) > 15*time.Second {
			t.Fatalf("TryLock: %v after %v", err, time.Since(begun))
		}
		if err := l.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
