package raftfsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"github.com/chronos-go/chronos/store"
)

// faultyBackend fails writes with err while it is set.
type faultyBackend struct {
	logBackend
	err atomic.Pointer[error]
}

func (f *faultyBackend) breakWith(err error) {
	if err == nil {
		f.err.Store(nil)
		return
	}
	f.err.Store(&err)
}

func (f *faultyBackend) fault() error {
	if p := f.err.Load(); p != nil {
		return *p
	}
	return nil
}

func (f *faultyBackend) Close() error {
	if c, ok := f.logBackend.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (f *faultyBackend) StoreLogs(l []*raft.Log) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.logBackend.StoreLogs(l)
}

func (f *faultyBackend) Set(k, v []byte) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.logBackend.Set(k, v)
}

func sampleLog(i uint64) *raft.Log {
	return &raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: fmt.Appendf(nil, "data %d", i)}
}

func eachBackend(t *testing.T, fn func(t *testing.T, b logBackend)) {
	t.Run("memory", func(t *testing.T) { fn(t, raft.NewInmemStore()) })
	t.Run("bolt", func(t *testing.T) {
		b, err := openBolt(filepath.Join(t.TempDir(), "x.db"), true)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		fn(t, b)
	})
}

func TestLogStoreRoundTrip(t *testing.T) {
	eachBackend(t, func(t *testing.T, b logBackend) {
		s := newLogStore(b, "x", 0)
		in := sampleLog(1)
		in.Extensions = []byte("ext")
		if err := s.StoreLogs([]*raft.Log{in, sampleLog(2)}); err != nil {
			t.Fatal(err)
		}
		if string(in.Extensions) != "ext" {
			t.Errorf("the caller's entry was changed: %q", in.Extensions)
		}
		var got raft.Log
		if err := s.GetLog(1, &got); err != nil || string(got.Extensions) != "ext" || !bytes.Equal(got.Data, in.Data) {
			t.Errorf("got %+v, %v", got, err)
		}
		var plain raft.Log
		if err := s.GetLog(2, &plain); err != nil || len(plain.Extensions) != 0 {
			t.Errorf("got %+v, %v", plain, err)
		}
		if err := s.GetLog(3, &got); !errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("absent entry: %v", err)
		}
	})
}

func TestLogStoreNoticesChangedEntry(t *testing.T) {
	change := map[string]func(*raft.Log){
		"data":       func(l *raft.Log) { l.Data[0] ^= 1 },
		"term":       func(l *raft.Log) { l.Term++ },
		"type":       func(l *raft.Log) { l.Type = raft.LogNoop },
		"extensions": func(l *raft.Log) { l.Extensions = l.Extensions[1:] },
		"no sum":     func(l *raft.Log) { l.Extensions = nil },
		"index":      func(l *raft.Log) { l.Index++ },
	}
	for name, fn := range change {
		t.Run(name, func(t *testing.T) {
			b := raft.NewInmemStore()
			s := newLogStore(b, "x", 0)
			if err := s.StoreLog(sampleLog(1)); err != nil {
				t.Fatal(err)
			}
			var raw raft.Log
			_ = b.GetLog(1, &raw)
			c := *sealChecksum(sampleLog(1))
			fn(&c)
			if name == "index" { // an entry that stands at another's place
				key := c.Index
				c.Index = 1
				_ = b.StoreLog(&c)
				c.Index = key
			} else {
				_ = b.StoreLog(&c)
			}
			var got raft.Log
			if err := s.GetLog(1, &got); err == nil {
				t.Errorf("read back as %+v", got)
			}
		})
	}
}

func TestLogStoreStableValues(t *testing.T) {
	eachBackend(t, func(t *testing.T, b logBackend) {
		s := newLogStore(b, "x", 0)
		for _, get := range []func() error{
			func() error { _, err := s.Get([]byte("absent")); return err },
			func() error { _, err := s.GetUint64([]byte("absent")); return err },
		} {
			if err := get(); err == nil || err.Error() != "not found" { // the text is Raft's protocol
				t.Errorf("absent key: %v", err)
			}
		}
		if err := s.SetUint64([]byte("n"), 7); err != nil {
			t.Fatal(err)
		}
		if n, err := s.GetUint64([]byte("n")); n != 7 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		raw, _ := b.Get([]byte("n"))
		raw = bytes.Clone(raw)
		raw[len(raw)-1] ^= 1
		_ = b.Set([]byte("n"), raw)
		if n, err := s.GetUint64([]byte("n")); !errors.Is(err, errChecksum) {
			t.Errorf("damaged value read as %d, %v", n, err)
		}
		_ = b.Set([]byte("m"), raw) // a value under another's name
		if _, err := s.Get([]byte("m")); !errors.Is(err, errChecksum) {
			t.Errorf("moved value: %v", err)
		}
	})
}

func TestLogStoreFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &faultyBackend{logBackend: raft.NewInmemStore()}
		s := newLogStore(b, "x", 0)
		s.fail = func(err error) { t.Errorf("a full disk stopped the node: %v", err) }
		s.running.Store(true)
		for _, full := range []error{syscall.ENOSPC, fmt.Errorf("file resize error: %s", syscall.ENOSPC), syscall.EDQUOT} {
			b.breakWith(full)
			if err := s.StoreLog(sampleLog(1)); !errors.Is(err, store.ErrDiskFull) {
				t.Errorf("%v came out as %v", full, err)
			}
		}
		go func() {
			time.Sleep(3 * time.Second)
			b.breakWith(nil)
		}()
		start := time.Now()
		if err := s.SetUint64([]byte("term"), 3); err != nil {
			t.Error(err)
		}
		if waited := time.Since(start); waited < 3*time.Second {
			t.Errorf("did not wait for room: %v", waited)
		}
		if err := s.StoreLog(sampleLog(1)); err != nil {
			t.Error(err)
		}
	})
}

// TestLogStoreCutEnd: Raft goes by the old end of its log until what replaces it is stored.
// So on a full disk this waits for room, and where it cannot be done, Raft's goroutine ends.
func TestLogStoreCutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &faultyBackend{logBackend: raft.NewInmemStore()}
		s := newLogStore(b, "x", 0)
		var stops atomic.Int32
		s.fail = func(error) { stops.Add(1) }
		s.running.Store(true)
		replace := func() error {
			for i := range uint64(3) {
				_ = b.logBackend.StoreLog(sampleLog(i + 1))
			}
			if err := s.DeleteRange(2, 3); err != nil {
				t.Fatal(err)
			}
			return s.StoreLog(sampleLog(2))
		}
		b.breakWith(syscall.ENOSPC)
		go func() {
			time.Sleep(3 * time.Second)
			b.breakWith(nil)
		}()
		start := time.Now()
		if err := replace(); err != nil || time.Since(start) < 3*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if last, _ := s.LastIndex(); last != 2 || stops.Load() != 0 {
			t.Errorf("the log ends at %d, %d stops", last, stops.Load())
		}
		b.breakWith(syscall.ENOSPC)
		if err := s.StoreLog(sampleLog(3)); !errors.Is(err, store.ErrDiskFull) {
			t.Errorf("nothing was cut off: %v", err)
		}
		ended := func(what string) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				err := replace()
				t.Errorf("%s: returned %v to Raft, which would panic", what, err)
			}()
			<-done
		}
		go func() {
			time.Sleep(time.Second)
			s.release()
		}()
		ended("closed while it waited")
		b.breakWith(syscall.EIO)
		ended("failed")
		if stops.Load() == 0 {
			t.Error("the node was not stopped")
		}
	})
}

// TestLogStoreFailedWrite: after any other error nothing is written any more,
// and where Raft would panic its goroutine ends instead.
func TestLogStoreFailedWrite(t *testing.T) {
	b := &faultyBackend{logBackend: raft.NewInmemStore()}
	s := newLogStore(b, "x", 0)
	var stops atomic.Int32
	s.fail = func(error) { stops.Add(1) }
	s.running.Store(true)
	b.breakWith(syscall.EIO)
	if err := s.StoreLog(sampleLog(1)); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	b.breakWith(nil)
	if err := s.StoreLog(sampleLog(1)); !errors.Is(err, syscall.EIO) {
		t.Errorf("a write after a failed one: %v", err)
	}
	var wg sync.WaitGroup
	for _, fn := range []func(){
		func() { _ = s.SetUint64([]byte("term"), 3) },
		func() { _ = b.logBackend.StoreLog(sampleLog(1)); _ = s.GetLog(1, &raft.Log{}) },
	} {
		wg.Go(func() {
			fn()
			t.Error("returned to Raft, which would panic")
		})
	}
	wg.Wait()
	if stops.Load() < 2 {
		t.Errorf("the node was not stopped: %d", stops.Load())
	}
}

func TestLogStoreKeepsWhatTheOlderSnapshotNeeds(t *testing.T) {
	eachBackend(t, func(t *testing.T, b logBackend) {
		s := newLogStore(b, "x", 0)
		keep := uint64(1)
		s.keepFrom = func() uint64 { return keep }
		for i := range uint64(20) {
			if err := s.StoreLog(sampleLog(i + 1)); err != nil {
				t.Fatal(err)
			}
		}
		want := func(first, last uint64) {
			t.Helper()
			f, _ := s.FirstIndex()
			l, _ := s.LastIndex()
			if f != first || l != last {
				t.Errorf("log is %d to %d, want %d to %d", f, l, first, last)
			}
		}
		compact := func(to uint64) {
			t.Helper()
			from, _ := s.FirstIndex()
			if err := s.DeleteRange(from, to); err != nil {
				t.Fatal(err)
			}
		}
		compact(10)
		want(1, 20)
		keep = 6
		compact(10)
		want(6, 20)
		keep = 15
		compact(10)
		want(11, 20)
		if err := s.DeleteRange(18, 20); err != nil { // a follower's conflict: from the end
			t.Fatal(err)
		}
		want(11, 17)
	})
}

func TestLogStoreAsksForSnapshot(t *testing.T) {
	s := newLogStore(raft.NewInmemStore(), "x", 100)
	for i := range uint64(30) {
		_ = s.StoreLog(sampleLog(i + 1))
	}
	select {
	case <-s.heavy:
	default:
		t.Error("the log grew over the limit and nobody was told")
	}
	s.snapshotTaken()
	_ = s.StoreLog(sampleLog(31))
	select {
	case <-s.heavy:
		t.Error("asked again right after a snapshot")
	default:
	}
}

// TestBoltFileAccepts: whatever Bolt writes is well-formed to the checker.
func TestBoltFileAccepts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	c := &createLog{dir: filepath.Dir(path), logID: "l", nodeID: "n", term: 1, noSync: true}
	if err := c.write(nil); err != nil {
		t.Fatal(err)
	}
	if err := c.rename(); err != nil {
		t.Fatal(err)
	}
	var b *raftboltdb.BoltStore
	reopen := func() *logStore {
		t.Helper()
		if err := checkBoltFile(path); err != nil {
			t.Fatal(err)
		}
		var err error
		if b, err = openBolt(path, true); err != nil {
			t.Fatal(err)
		}
		return newLogStore(b, path, 0)
	}
	next := uint64(1)
	for round := range 40 {
		s := reopen()
		var logs []*raft.Log
		for range 1 + round*round%300 {
			l := sampleLog(next)
			l.Data = bytes.Repeat(l.Data, 1+int(next*next%97)*(round%7))
			logs = append(logs, l)
			next++
		}
		if err := s.StoreLogs(logs); err != nil {
			t.Fatal(err)
		}
		if err := s.SetUint64([]byte(keyTerm), next); err != nil {
			t.Fatal(err)
		}
		if round%3 == 2 {
			first, _ := s.FirstIndex()
			if err := s.DeleteRange(first, first+(next-first)/2); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	e, err := reopen().extent(0, func(*raft.Log) {})
	if err != nil || e.last != next-1 || e.good != e.first || e.reason != "" {
		t.Errorf("extent %+v, %v", e, err)
	}
	b.Close()
}
