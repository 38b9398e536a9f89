package gocronlock_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
	"github.com/chronos-go/chronos/gocronlock"
)

func nothing(*chronos.Scheduler) error { return nil }

func cluster(t *testing.T) *chronostest.Kit {
	t.Helper()
	k := chronostest.New(t, chronostest.Options{Declare: nothing, Nodes: 3})
	k.Leader()
	return k
}

// runs are what ran where, by job and second.
type runs struct {
	mu   sync.Mutex
	ran  map[string][]string
	took time.Duration
}

func (r *runs) add(job, node string) {
	r.mu.Lock()
	key := job + " " + time.Now().UTC().Truncate(time.Second).Format("15:04:05")
	r.ran[key] = append(r.ran[key], node)
	r.mu.Unlock()
	time.Sleep(r.took)
}

// start runs real gocron schedulers, one for each node, with the same jobs. Each is later
// than the one before by skew, as their clocks would be.
func start(t *testing.T, k *chronostest.Kit, r *runs, skew time.Duration, option func(s *chronos.Scheduler) gocron.SchedulerOption, jobs ...string) map[string]gocron.Scheduler {
	t.Helper()
	out := map[string]gocron.Scheduler{}
	first := time.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	for i, name := range k.Nodes() {
		g, err := gocron.NewScheduler(option(k.Node(name)), gocron.WithLocation(time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		for _, job := range jobs {
			at := gocron.WithStartAt(gocron.WithStartDateTime(first.Add(time.Duration(i) * skew)))
			if _, err := g.NewJob(gocron.DurationJob(time.Minute), gocron.NewTask(r.add, job, name), gocron.WithName(job), at); err != nil {
				t.Fatal(err)
			}
		}
		g.Start()
		out[name] = g
		t.Cleanup(func() { _ = g.Shutdown() })
	}
	return out
}

// wantOnce fails unless each job ran in each of so many minutes, once.
func (r *runs) wantOnce(t *testing.T, jobs, minutes int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, nodes := range r.ran {
		if len(nodes) != 1 {
			t.Errorf("%s ran on %q", key, nodes)
		}
	}
	if len(r.ran) != jobs*minutes {
		t.Errorf("%d runs, want %d: %v", len(r.ran), jobs*minutes, r.ran)
	}
}

func locker(t *testing.T, o gocronlock.Options) func(s *chronos.Scheduler) gocron.SchedulerOption {
	return func(s *chronos.Scheduler) gocron.SchedulerOption {
		l, err := gocronlock.NewLocker(s, o)
		if err != nil {
			t.Fatal(err)
		}
		return gocron.WithDistributedLocker(l)
	}
}

// Three processes with the same jobs, whose clocks differ: each minute runs once.
func TestLocker(t *testing.T) {
	for name, took := range map[string]time.Duration{"short": 0, "long": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := cluster(t)
				r := &runs{ran: map[string][]string{}, took: took}
				start(t, k, r, 200*time.Millisecond, locker(t, gocronlock.Options{}), "one", "two")
				k.Advance(4*time.Minute + 30*time.Second)
				r.wantOnce(t, 2, 4)
			})
		})
	}
}

// Without Hold a job that is over before the next clock is there runs again: that is what
// Hold is for.
func TestLockerWithoutHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := cluster(t)
		r := &runs{ran: map[string][]string{}}
		start(t, k, r, 200*time.Millisecond, locker(t, gocronlock.Options{Hold: -1}), "one")
		k.Advance(90 * time.Second)
		for key, nodes := range r.ran {
			if len(nodes) != 3 {
				t.Errorf("%s ran on %q", key, nodes)
			}
		}
	})
}

// A node that dies takes nothing with it: the others run its jobs from the next minute on.
func TestLockerKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := cluster(t)
		r := &runs{ran: map[string][]string{}}
		start(t, k, r, 0, locker(t, gocronlock.Options{}), "one")
		k.Advance(2*time.Minute + 30*time.Second)
		k.Kill(k.Leader())
		k.Advance(2 * time.Minute)
		r.wantOnce(t, 1, 4)
	})
}

// Names that no lock could have work, and are kept apart; those of two applications, too.
func TestLockerNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := cluster(t)
		ctx := t.Context()
		l, err := gocronlock.NewLocker(k.Node("node-1"), gocronlock.Options{Hold: -1})
		if err != nil {
			t.Fatal(err)
		}
		other, err := gocronlock.NewLocker(k.Node("node-2"), gocronlock.Options{Hold: -1, Prefix: "other"})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"plain", "", "pkg.(*T).Run-fm", "pkg.(*T).Stop-fm", "with blanks", strings.Repeat("long", 100)} {
			a, err := l.Lock(ctx, key)
			if err != nil {
				t.Errorf("%q: %v", key, err)
				continue
			}
			if _, err := l.Lock(ctx, key); !errors.Is(err, chronos.ErrConflict) || !strings.Contains(err.Error(), `held by node "node-1"`) {
				t.Errorf("%q twice: %v", key, err)
			}
			b, err := other.Lock(ctx, key)
			if err != nil {
				t.Errorf("%q of another application: %v", key, err)
				continue
			}
			if err := errors.Join(a.Unlock(ctx), b.Unlock(ctx)); err != nil {
				t.Error(err)
			}
		}
		for _, prefix := range []string{"no blanks", "/", strings.Repeat("x", 41)} {
			if _, err := gocronlock.NewLocker(k.Node("node-1"), gocronlock.Options{Prefix: prefix}); err == nil {
				t.Errorf("%q is a prefix", prefix)
			}
			if _, err := gocronlock.NewElector(k.Node("node-1"), gocronlock.Options{Prefix: prefix}); err == nil {
				t.Errorf("%q is a prefix", prefix)
			}
		}
	})
}

// Who is a little late, and then hears of no majority for a while, does not get the lock
// of an instant that another process has had.
func TestLockerLateAndCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := cluster(t)
		o := gocronlock.Options{Hold: 4 * time.Second}
		names := slices.DeleteFunc(k.Nodes(), func(name string) bool { return name == k.Leader() })
		first, err := gocronlock.NewLocker(k.Node(names[0]), o)
		if err != nil {
			t.Fatal(err)
		}
		leader := k.Leader()
		late, err := gocronlock.NewLocker(k.Node(leader), o)
		if err != nil {
			t.Fatal(err)
		}
		lock, err := first.Lock(t.Context(), "job")
		if err != nil {
			t.Fatal(err)
		}
		if err := lock.Unlock(t.Context()); err != nil { // the job was short
			t.Fatal(err)
		}
		time.Sleep(1900 * time.Millisecond)
		k.CutOff(leader)
		time.AfterFunc(2150*time.Millisecond, func() { k.Reconnect(leader) })
		if _, err := late.Lock(t.Context(), "job"); err == nil {
			t.Error("the instant runs twice")
		}
		time.Sleep(4 * time.Second) // what was asked for comes to its end
	})
}

// Who loses the lock is told so.
func TestLockerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := cluster(t)
		l, err := gocronlock.NewLocker(k.Node("node-1"), gocronlock.Options{})
		if err != nil {
			t.Fatal(err)
		}
		lock, err := l.Lock(t.Context(), "job")
		if err != nil {
			t.Fatal(err)
		}
		k.CutOff("node-1")
		k.Advance(time.Minute)
		if err := lock.Unlock(t.Context()); !errors.Is(err, chronos.ErrFenced) {
			t.Error(err)
		}
	})
}

// One process runs everything; when it is cut off, another one does, and never both.
func TestElector(t *testing.T) {
	for name, option := range map[string]func(t *testing.T) func(s *chronos.Scheduler) gocron.SchedulerOption{
		"lock": func(t *testing.T) func(s *chronos.Scheduler) gocron.SchedulerOption {
			return func(s *chronos.Scheduler) gocron.SchedulerOption {
				e, err := gocronlock.NewElector(s, gocronlock.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return gocron.WithDistributedElector(e)
			}
		},
		"leadership": func(*testing.T) func(s *chronos.Scheduler) gocron.SchedulerOption {
			return func(s *chronos.Scheduler) gocron.SchedulerOption {
				return gocron.WithDistributedElector(gocronlock.NewLeadership(s))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := cluster(t)
				r := &runs{ran: map[string][]string{}}
				start(t, k, r, 0, option(t), "one", "two")
				k.Advance(2*time.Minute + 30*time.Second)
				r.wantOnce(t, 2, 2)
				before := r.leaders()
				if len(before) != 1 {
					t.Fatalf("led by %q", before)
				}
				k.CutOff(before[0])
				k.Advance(2 * time.Minute) // from half a minute before the next instant: long enough to take over
				r.wantOnce(t, 2, 4)
				if after := r.leaders(); len(after) != 2 {
					t.Errorf("led by %q", after)
				}
				k.Reconnect(before[0])
				k.Advance(time.Minute)
				r.wantOnce(t, 2, 5)
			})
		})
	}
}

func (r *runs) leaders() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, nodes := range r.ran {
		for _, n := range nodes {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// An elector that is closed lets another one lead.
func TestElectorClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := cluster(t)
		ctx := context.Background()
		a, err := gocronlock.NewElector(k.Node("node-1"), gocronlock.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := gocronlock.NewElector(k.Node("node-2"), gocronlock.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(a.IsLeader(ctx), a.IsLeader(ctx)); err != nil {
			t.Fatal(err)
		}
		if err := b.IsLeader(ctx); !errors.Is(err, chronos.ErrConflict) || !strings.Contains(fmt.Sprint(err), `"node-1"`) {
			t.Error(err)
		}
		if err := a.Close(ctx); err != nil {
			t.Error(err)
		}
		if a.IsLeader(ctx) == nil {
			t.Error("it leads when it is closed")
		}
		if err := errors.Join(b.IsLeader(ctx), b.Close(ctx), b.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
}
