package raftfsm

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// TestUnknownCommandStopsTheNode, and goes on stopping it until a build comes
// that knows it. Nothing is skipped.
func TestUnknownCommandStopsTheNode(t *testing.T) {
	for name, data := range map[string][]byte{
		"unknown command": sealEntry([]byte{0x0a, 0x00}),
		"unknown version": {envelopeVersion + 1, 0, 0, 0, 0},
		"garbage":         []byte("garbage"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			n := mustOpen(t, testConfig(t, dir))
			fill(t, n, 0, 3)
			at := n.Status().AppliedIndex
			_ = n.raft.Apply(data, time.Second).Error()
			for range 2 {
				if _, err := n.Propose(t.Context(), []*Command{put("x")}); !errors.Is(err, ErrStopped) {
					t.Errorf("a stopped node took a command: %v", err)
				}
			}
			if s := n.Status(); s.Stopped == nil || s.Leader || s.AppliedIndex != at {
				t.Errorf("status %+v, was at %d", s, at)
			}
			if err := n.Snapshot(); !errors.Is(err, ErrStopped) {
				t.Errorf("a snapshot that would lack an entry: %v", err)
			}
			if jobs(t, n) != 3 {
				t.Error("cannot be read any more")
			}
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			if _, err := OpenNode(testConfig(t, dir)); !errors.Is(err, ErrStopped) {
				t.Errorf("opened again: %v", err)
			}
		})
	}
}

// TestFullDisk: commands are refused, nothing is damaged, and it goes on by
// itself. Opening on a full disk refuses, too.
func TestFullDisk(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	cfg := testConfig(t, t.TempDir())
	cfg.Guard = store.GuardOptions{Free: func(string) (uint64, uint64, error) { return free.Load(), 1 << 40, nil }}
	n := mustOpen(t, cfg)
	fill(t, n, 0, 10)
	free.Store(1 << 20)
	for range 3 {
		if _, err := n.Propose(t.Context(), []*Command{put("x")}); !errors.Is(err, store.ErrDiskFull) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	if s := n.Status(); !s.DiskFull || !s.Leader {
		t.Errorf("status %+v", s)
	}
	if err := n.Snapshot(); err == nil {
		t.Error("a snapshot was written to a full disk")
	}
	if jobs(t, n) != 10 {
		t.Error("cannot be read any more")
	}
	free.Store(1 << 40)
	fill(t, n, 10, 20)
	if n.Status().DiskFull {
		t.Error("still full")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	free.Store(1 << 20)
	if _, err := OpenNode(cfg); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("opened on a full disk: %v", err)
	}
	free.Store(1 << 40)
	if got := jobs(t, mustOpen(t, cfg)); got != 20 {
		t.Errorf("%d jobs", got)
	}
}

// TestLogWriteErrors: no room in the log's file is passed on and passes; any
// other write error is fail-stop and never acknowledged.
func TestLogWriteErrors(t *testing.T) {
	dir := t.TempDir()
	fault := &faultyBackend{}
	cfg := testConfig(t, dir)
	cfg.backend = func(b logBackend) logBackend { fault.logBackend = b; return fault }
	n := mustOpen(t, cfg)
	fill(t, n, 0, 5)
	fault.breakWith(syscall.ENOSPC)
	if _, err := n.Propose(t.Context(), []*Command{put("job-0005")}); !errors.Is(err, store.ErrDiskFull) || !errors.Is(err, ErrUncertain) {
		t.Errorf("no room in the log: %v", err)
	}
	time.Sleep(1200 * time.Millisecond) // Raft stands for election and waits for room
	fault.breakWith(nil)
	fill(t, n, 5, 10)

	fault.breakWith(syscall.EIO)
	if _, err := n.Propose(t.Context(), []*Command{put("never")}); !errors.Is(err, ErrStopped) {
		t.Errorf("failed fsync: %v", err)
	}
	fault.breakWith(nil)
	if _, err := n.Propose(t.Context(), []*Command{put("never")}); !errors.Is(err, ErrStopped) || !errors.Is(err, syscall.EIO) {
		t.Errorf("after a failed fsync: %v", err)
	}
	time.Sleep(1200 * time.Millisecond) // Raft stands for election again, which ends it
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if got := jobs(t, mustOpen(t, testConfig(t, dir))); got != 10 {
		t.Errorf("%d jobs", got)
	}
}

// hungBackend stops answering while it is hung, as a sick disk does.
type hungBackend struct {
	logBackend
	hung atomic.Bool
	free chan struct{}
}

func (h *hungBackend) StoreLogs(l []*raft.Log) error {
	if h.hung.Load() {
		<-h.free
	}
	return h.logBackend.StoreLogs(l)
}

// TestHungDisk: Propose and Close are bounded even when a write never ends;
// the directory then stays locked, because the write may still come.
func TestHungDisk(t *testing.T) {
	dir := t.TempDir()
	disk := &hungBackend{free: make(chan struct{})}
	cfg := testConfig(t, dir)
	cfg.EntryTimeout, cfg.CloseTimeout = 200*time.Millisecond, time.Second
	cfg.backend = func(b logBackend) logBackend { disk.logBackend = b; return disk }
	n := mustOpen(t, cfg)
	fill(t, n, 0, 3)
	disk.hung.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := n.Propose(ctx, []*Command{put("x")}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUncertain) {
		t.Errorf("got %v", err)
	}
	start := time.Now()
	if err := n.Close(); err == nil {
		t.Error("close found nothing wrong")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("close took %v", d)
	}
	if _, err := OpenNode(testConfig(t, dir)); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opened under a write that hangs: %v", err)
	}
	close(disk.free)
	time.Sleep(50 * time.Millisecond)
	_ = disk.logBackend.(io.Closer).Close()
	_ = n.st.Close()
	n.lock.Unlock()
}
