package chronos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// many is a backup of so many jobs.
func many(r *rig, n int) []byte {
	r.t.Helper()
	jobs := make([]chronos.Job, n)
	for i := range jobs {
		jobs[i] = chronos.Job{ID: fmt.Sprintf("job-%05d", i), Handler: "h", Schedule: chronos.Every(time.Hour)}
	}
	_, err := r.PutAll(r.ctx, jobs)
	r.must(err)
	var file bytes.Buffer
	r.must(r.Backup(r.ctx, &file))
	r.shut()
	return file.Bytes()
}

// restoring runs a test with a backup and a new cluster of three, which runs.
func restoring(t *testing.T, backup func(r *rig) []byte, test func(r *rig, c *team, file []byte)) {
	t.Helper()
	bubble(t, chronos.Options{}, func(r *rig) {
		file := backup(r)
		c := &team{t: t, dir: r.t.TempDir(), names: []string{"a", "b", "c"}, nodes: map[string]*chronos.Scheduler{},
			ends: map[string]func() error{}, live: map[string]int{}, most: map[string]int{}}
		c.open(c.names...)
		for _, name := range c.names {
			c.run(name, "h", "slow", "long", "fail")
		}
		defer c.closeAll()
		time.Sleep(2 * time.Second) // all have agreed on a feature level
		test(r, c, file)
	})
}

// wantEqual waits until all nodes have applied the same, and compares the bytes.
func (c *team) wantEqual() {
	c.t.Helper()
	for range 600 {
		var at, sums []uint64
		for _, name := range c.names {
			index, sum := chronos.StateOf(c.nodes[name])
			at, sums = append(at, index), append(sums, sum)
		}
		if slices.Min(at) == slices.Max(at) {
			if slices.Min(sums) != slices.Max(sums) {
				c.t.Errorf("at entry %d the states differ: %x", at[0], sums)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Error("the nodes do not come to the same entry")
}

func (c *team) follower() string {
	leader := c.leader()
	return c.names[(slices.Index(c.names, leader)+1)%len(c.names)]
}

func (c *team) jobs(name string) (n int) {
	for _, err := range c.nodes[name].Jobs(c.t.Context(), nil) {
		if err != nil {
			c.t.Fatal(err)
		}
		n++
	}
	return n
}

// TestClusterRestore: any node may take the backup, all have the same bytes
// afterwards, each further instant runs once, and none of the past.
func TestClusterRestore(t *testing.T) {
	later := func(r *rig) []byte {
		file := backed(r)
		r.until("01:00:00")
		return file
	}
	restoring(t, later, func(r *rig, c *team, file []byte) {
		t := r.t
		r.until("01:00:04")
		if err := c.nodes[c.follower()].Restore(t.Context(), bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
		when := time.Now()
		c.wantEqual()
		for _, name := range c.names {
			if err := c.nodes[name].Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			restored(t, c.nodes[name], when)
		}
		time.Sleep(70 * time.Second)
		c.wantEqual()
		once := map[string]int{}
		for _, b := range c.begun() {
			if !b.due.After(when) {
				t.Errorf("%s ran, of the past: due %s", b.job, clockText(b.due))
			}
			if k := b.job + clockText(b.due); once[k] > 0 {
				t.Errorf("%s ran twice", k)
			} else {
				once[k]++
			}
		}
		for id, j := range zoo() {
			accounts(t, c.any(), id, periodOf(j), time.Now())
		}
		if err := c.any().Restore(t.Context(), bytes.NewReader(file)); !errors.Is(err, chronos.ErrConflict) {
			t.Errorf("Restore once more: %v", err)
		}
		var again bytes.Buffer
		if err := c.nodes[c.follower()].Backup(t.Context(), &again); err != nil || again.Len() < len(file)/2 {
			t.Errorf("Backup of a follower: %v, %d bytes", err, again.Len())
		}
	})
}

// midway calls Restore on a node, and fn when some of it has come in. On a leader
// no time passes meanwhile; another node waits for the next commit.
func (c *team) midway(name string, file []byte, fn func()) (result chan error) {
	result = make(chan error, 1)
	s := c.nodes[name]
	go func() { result <- s.Restore(context.Background(), bytes.NewReader(file)) }()
	for leads := s.Status().Leading; s.Status().Records < 2_000; {
		if leads {
			runtime.Gosched()
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	fn()
	return result
}

// TestClusterRestoreLeaderDies: the leader is lost while a backup comes in by
// another node. The next one takes the rest.
func TestClusterRestoreLeaderDies(t *testing.T) {
	restoring(t, func(r *rig) []byte { return many(r, 4_000) }, func(r *rig, c *team, file []byte) {
		t := r.t
		leader := c.leader()
		result := c.midway(c.follower(), file, func() {
			if _, err := c.nodes[c.follower()].Put(t.Context(), chronos.Job{ID: "other", Handler: "h"}); !errors.Is(err, chronos.ErrConflict) {
				t.Errorf("Put while a backup comes in: %v", err)
			}
			if err := c.nodes[leader].Backup(t.Context(), io.Discard); !errors.Is(err, chronos.ErrConflict) {
				t.Errorf("Backup while another comes in: %v", err)
			}
			if err := c.nodes[leader].Restore(t.Context(), bytes.NewReader(file)); !errors.Is(err, chronos.ErrConflict) {
				t.Errorf("a second Restore while a backup comes in: %v", err)
			}
			c.net.Isolate("addr-" + leader)
		})
		if err := <-result; err != nil {
			t.Fatal(err)
		}
		c.net.Join("addr-" + leader)
		time.Sleep(20 * time.Second)
		c.wantEqual()
		for _, name := range c.names {
			if n := c.jobs(name); n != 4_000 {
				t.Errorf("%s has %d jobs", name, n)
			}
		}
	})
}

// TestClusterRestoreCallerDies: the node that restores is lost in the middle. What
// it had brought is taken away, and another one may restore.
func TestClusterRestoreCallerDies(t *testing.T) {
	t.Run("leader", func(t *testing.T) { restoreLost(t, true) })
	t.Run("follower", func(t *testing.T) { restoreLost(t, false) })
}

func restoreLost(t *testing.T, leader bool) {
	restoring(t, func(r *rig) []byte { return many(r, 4_000) }, func(r *rig, c *team, file []byte) {
		t := r.t
		caller, other := c.leader(), c.follower()
		if !leader {
			caller, other = other, caller
		}
		result := c.midway(caller, file, func() { c.net.Isolate("addr-" + caller) })
		time.Sleep(20 * time.Second)
		if n := c.jobs(other); n != 0 {
			t.Errorf("%d jobs are left of a restore that was given up", n)
		}
		if err := c.nodes[other].Restore(t.Context(), bytes.NewReader(file)); err != nil {
			t.Error(err)
		}
		c.net.Join("addr-" + caller)
		if err := <-result; err == nil {
			t.Error("the node that was lost says that it has restored")
		}
		time.Sleep(20 * time.Second)
		c.wantEqual()
		for _, name := range c.names {
			if n := c.jobs(name); n != 4_000 {
				t.Errorf("%s has %d jobs", name, n)
			}
		}
	})
}

// TestRestoreInterrupted: the process ends while a backup comes in. The next one
// has nothing, and may restore again.
func TestRestoreInterrupted(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		file := many(r, 6_000)
		r.opts.InMemory, r.opts.Dir = false, t.TempDir()
		r.open()
		s, result := r.Scheduler, make(chan error, 1)
		go func() { result <- s.Restore(r.ctx, bytes.NewReader(file)) }()
		for s.Status().Records < 2_000 {
			runtime.Gosched()
		}
		r.shut()
		if err := <-result; !errors.Is(err, chronos.ErrClosed) {
			t.Errorf("Restore of a scheduler that was closed: %v", err)
		}
		r.must(os.MkdirAll(filepath.Join(r.opts.Dir, "restore", "state"), 0o700)) // as a killed process leaves it
		r.open()
		r.wantClean()
		for j := range r.Jobs(r.ctx, nil) {
			t.Fatalf("%s is left of a restore that was interrupted", j.ID)
		}
		ctx, cancel := context.WithCancel(r.ctx)
		go func() { result <- r.Restore(ctx, bytes.NewReader(file)) }()
		for r.Status().Records < 2_000 {
			runtime.Gosched()
		}
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("Restore with a context that ends: %v", err)
		}
		for j := range r.Jobs(r.ctx, nil) {
			t.Fatalf("%s is left of a restore that was canceled", j.ID)
		}
		r.must(r.Restore(r.ctx, bytes.NewReader(file)))
		n := 0
		for range r.Jobs(r.ctx, nil) {
			n++
		}
		if n != 6_000 {
			t.Errorf("%d jobs", n)
		}
		r.wantClean()
	})
}
