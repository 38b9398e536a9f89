package store

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// refused is a layer that Badger does not take: the key is one of its own.
func refused(s *Store, size int) *layer {
	return newLayer([]delta{{key: []byte("!badger!x"), value: bytes.Repeat([]byte("x"), size)}}, s.Applied())
}

// job tells if a job can be read.
func job(t *testing.T, s *Store, id string) bool {
	t.Helper()
	found := false
	err := s.View(func(r *Reader) error {
		j, err := r.Job(id)
		found = j != nil
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestFlushBehindFailedOne: a flush that waited while another one failed fails as well,
// and everybody goes on reading what neither has written.
func TestFlushBehindFailedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{InMemory: true})
		jobs(t, s, 0, 10)
		flush(t, s)
		g := s.live()
		g.writing.Lock()
		jobs(t, s, 10, 10)
		g.pending.add(refused(s, 1))
		var both sync.WaitGroup
		var errs [2]error
		for i := range errs {
			both.Go(func() { errs[i] = s.Flush() })
		}
		synctest.Wait()
		g.writing.Unlock()
		both.Wait()
		for i, err := range errs {
			if !errors.Is(err, ErrFailed) {
				t.Errorf("flush %d: %v", i, err)
			}
		}
		if !job(t, s, "job-000012") {
			t.Error("a committed job is not there any more")
		}
	})
}

// TestFlushFollowsFailedOne: what was committed while a flush failed is not written
// without what was before it.
func TestFlushFollowsFailedOne(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	jobs(t, s, 0, 10)
	flush(t, s)
	jobs(t, s, 10, 10)
	g := s.live()
	begun, end := make(chan struct{}), make(chan struct{})
	var failed sync.WaitGroup
	failed.Go(func() {
		_ = g.write(func() error {
			g.pending.freeze()
			close(begun)
			<-end
			return s.fail(errors.New("fsync: input/output error"))
		})
	})
	<-begun
	jobs(t, s, 20, 10)
	close(end)
	failed.Wait()
	if err := s.flush(g, awaited); !errors.Is(err, ErrFailed) { // Flush looked before
		t.Error(err)
	}
	for _, id := range []string{"job-000012", "job-000022"} {
		if !job(t, s, id) {
			t.Errorf("%s is not there any more", id)
		}
	}
	closeStore(t, s)
	if s = open(t, Options{Dir: dir}); s.Index() != 1 {
		t.Errorf("opened again at %d", s.Index())
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestFlushAfterFullDisk: what a full disk kept from being written is written when there
// is room again, without another commit.
func TestFlushAfterFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := newDisk(1 << 30)
		s := open(t, Options{Dir: dir, Guard: guardOn(t, dir, d)})
		time.Sleep(2 * flushDelay)
		jobs(t, s, 0, 10)
		d.free.Store(1 << 20)
		time.Sleep(2 * flushDelay)
		if s.live().pending.size() == 0 {
			t.Fatal("it was written to a full disk: this shows nothing")
		}
		d.free.Store(1 << 30)
		time.Sleep(3 * flushDelay)
		if n := s.live().pending.size(); n > 0 {
			t.Errorf("%d bytes are still pending", n)
		}
	})
}

// TestCommitEndsWithFailedFlush: a commit that waits for a flush, and sees it fail, is over.
func TestCommitEndsWithFailedFlush(t *testing.T) {
	s := open(t, Options{InMemory: true})
	s.live().pending.add(refused(s, 2*pendingBytes))
	tx := s.Begin()
	defer tx.Discard()
	if err := tx.PutJob("a", &Job{}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); !errors.Is(err, ErrFailed) || !errors.Is(tx.over, ErrFailed) {
		t.Errorf("%v; the transaction is over: %v", err, tx.over)
	}
}

// TestFailedIsNotFull: who waits for room on the disk does not wait for a store that has
// failed, whatever made it fail.
func TestFailedIsNotFull(t *testing.T) {
	var heard []error
	s := open(t, Options{InMemory: true, OnFailed: func(err error) { heard = append(heard, err) }})
	for range 2 {
		err := s.fail(blameState(fmt.Errorf("read: %w", syscall.ENOSPC)))
		if !errors.Is(err, ErrFailed) || errors.Is(err, ErrDiskFull) {
			t.Error(err)
		}
	}
	if len(heard) != 1 || !errors.Is(heard[0], ErrFailed) {
		t.Errorf("the caller heard of it: %v", heard)
	}
}

// TestFlushGivesWay: a flush that nobody waits for waits while there is something more urgent,
// before it begins and between its parts, but not without end, and not where a commit waits.
func TestFlushGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var end time.Time
		var list []time.Duration
		s := open(t, Options{InMemory: true, NoCompaction: true, Busy: func(within time.Duration) bool {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, within)
			return time.Now().Before(end)
		}})
		busy := func(until time.Time) {
			mu.Lock()
			defer mu.Unlock()
			end = until
		}
		asked := func() (out []time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			out, list = list, nil
			return out
		}
		written := func() bool { return s.live().pending.size() == 0 }
		begun := time.Now()
		jobs(t, s, 0, 10)
		busy(begun.Add(flushDelay + flushPatience/2))
		time.Sleep(flushDelay + flushPatience/4)
		synctest.Wait()
		if a := asked(); written() || len(a) == 0 || a[0] != flushAhead {
			t.Errorf("it did not wait: asked %v", a)
		}
		time.Sleep(flushPatience / 2)
		synctest.Wait()
		if !written() {
			t.Error("it waits for nothing")
		}
		busy(begun.Add(time.Hour))
		jobs(t, s, 10, 10)
		time.Sleep(flushDelay + 3*flushPatience)
		synctest.Wait()
		if !written() {
			t.Error("it waits without end")
		}
		jobs(t, s, 20, 10)
		at := time.Now()
		flush(t, s)
		if !time.Now().Equal(at) || !written() {
			t.Error("a flush that somebody waits for has waited")
		}
		large(t, s)
		asked()
		time.Sleep(flushDelay + 3*flushPatience)
		synctest.Wait()
		if a := asked(); !written() || len(a) == 0 || a[len(a)-1] != partAhead {
			t.Errorf("parts of a flush do not wait: asked %d times", len(a))
		}
	})
}

func large(t *testing.T, s *Store) {
	t.Helper()
	change(t, s, func(tx *Tx) error {
		for n := range 3 {
			if err := tx.PutPayload("j", fmt.Sprint(n), bytes.Repeat([]byte{byte(n)}, MaxRecord-4096)); err != nil {
				return err
			}
		}
		return nil
	})
}
