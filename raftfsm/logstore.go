package raftfsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// logBackend is what a logStore stands on: raft-boltdb, or memory.
type logBackend interface {
	raft.LogStore
	raft.StableStore
}

// logStore is Raft's log and stable store with what raft-boltdb lacks:
// checksums (Bolt has none for its values), typed errors for a full disk, a
// stop for every other write error (what a failed fsync left behind is
// unknown), and a lower bound to what compaction may delete.
//
// Raft panics in goroutines of its own when the stable store fails or a
// committed entry cannot be read, which would end the host. So once Raft runs,
// such errors stop the node and end Raft's goroutine instead of returning.
type logStore struct {
	backend logBackend
	file    io.Closer // what the backend keeps open; nil: nothing
	path    string
	limit   int64 // bytes appended since the newest snapshot that ask for another

	// keepFrom tells the lowest index, at least 1, that compaction must spare;
	// nil: Raft knows best.
	keepFrom func() uint64

	running atomic.Bool // Raft has started: errors stop the node
	closing chan struct{}
	once    sync.Once
	fail    func(error) // stops the node

	mu     sync.Mutex
	failed error

	one  chan struct{} // held by who writes; no mutex, for simulated time goes on meanwhile
	mark *watermark    // nil: nobody would ask

	found uint64 // newest transaction in the file, before it was opened

	kept atomic.Pointer[map[uint64]*raft.Log] // read already, while the node opens

	cut atomic.Uint64 // Raft has cut off the log's end here, and not yet stored another; 0: it has

	writing stopwatch // operations that Raft's main loop waits for

	since atomic.Int64  // bytes appended since the newest snapshot
	heavy chan struct{} // signals that since went over the limit
}

const checksumSize = 4

var errChecksum = errors.New("checksum mismatch")

func newLogStore(backend logBackend, path string, limit int64) *logStore {
	file, _ := backend.(io.Closer)
	return &logStore{
		backend: backend,
		file:    file,
		path:    path,
		limit:   limit,
		closing: make(chan struct{}),
		one:     make(chan struct{}, 1),
		fail:    func(error) {},
		heavy:   make(chan struct{}, 1),
	}
}

// release ends every wait for room, so that Raft can shut down.
func (s *logStore) release() { s.once.Do(func() { close(s.closing) }) }

// close closes the file. Raft must be down.
func (s *logStore) close() error {
	s.release()
	if s.mark != nil {
		s.mark.close()
	}
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// FirstIndex implements raft.LogStore.
func (s *logStore) FirstIndex() (uint64, error) { return s.backend.FirstIndex() }

// LastIndex implements raft.LogStore.
func (s *logStore) LastIndex() (uint64, error) { return s.backend.LastIndex() }

// GetLog implements raft.LogStore. What it returns is what was stored.
func (s *logStore) GetLog(index uint64, l *raft.Log) error {
	if kept := s.kept.Load(); kept != nil && (*kept)[index] != nil {
		*l = *(*kept)[index]
		return nil
	}
	var got raft.Log
	err := s.backend.GetLog(index, &got)
	if errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	if err == nil && got.Index != index {
		err = fmt.Errorf("holds index %d", got.Index)
	}
	if err == nil {
		err = openChecksum(&got)
	}
	if err != nil {
		return s.stop(fmt.Errorf("%s: log entry %d: %w", s.path, index, err))
	}
	*l = got
	return nil
}

// StoreLog implements raft.LogStore.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore. On a full disk Raft steps down and the
// node becomes leader again when there is room. Where it replaces what has been cut off,
// it waits for room: Raft goes by the old end until then, and would panic.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	defer s.writing.begin()()
	if err := s.failure(); err != nil {
		return err
	}
	if kept := s.kept.Load(); kept != nil && len(logs) > 0 && (*kept)[logs[0].Index] != nil {
		s.forget() // it is replaced
	}
	sealed := make([]*raft.Log, len(logs))
	var size int64
	for i, l := range logs {
		sealed[i] = sealChecksum(l)
		size += int64(len(sealed[i].Data) + len(sealed[i].Extensions))
	}
	for {
		err := s.append(sealed)
		if err == nil {
			break
		}
		err = s.writeError("append to the log", err)
		if s.cut.Load() == 0 {
			return err
		}
		if err := s.awaitRoom(err); err != nil {
			return s.stop(err)
		}
	}
	s.cut.Store(0)
	if s.since.Add(size) > s.limit && s.limit > 0 {
		select {
		case s.heavy <- struct{}{}:
		default:
		}
	}
	return nil
}

func (s *logStore) append(logs []*raft.Log) error {
	return s.write(func() error {
		err := s.backend.StoreLogs(logs)
		if err == nil && s.mark != nil && len(logs) > 0 {
			s.mark.set(logs[len(logs)-1].Index)
		}
		return err
	})
}

// write runs what writes to the backend, one after the other, as Bolt does as well: what
// the watermark finds is what was synced.
func (s *logStore) write(fn func() error) error {
	s.one <- struct{}{}
	defer func() { <-s.one }()
	return fn()
}

// DeleteRange implements raft.LogStore. A compaction, which deletes from the
// front, spares what the older of the two kept snapshots needs: were the newer
// one damaged, the older one and the log still make the whole state.
func (s *logStore) DeleteRange(from, to uint64) error {
	s.forget()
	last, err := s.backend.LastIndex()
	if err != nil {
		return err
	}
	if s.keepFrom != nil && to < last {
		to = min(to, s.keepFrom()-1)
	}
	if to < from {
		return nil
	}
	if err := s.write(func() error { return s.backend.DeleteRange(from, to) }); err != nil {
		return s.writeError("shorten the log", err)
	}
	if to >= last {
		s.cut.Store(from)
	}
	return nil
}

// awaitRoom waits a little after a write that failed for want of room, when the node runs.
// It returns any other failure, and whatever it is once the node closes.
func (s *logStore) awaitRoom(failed error) error {
	if !errors.Is(failed, store.ErrDiskFull) || !s.running.Load() {
		return failed
	}
	select {
	case <-s.closing:
		return failed
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

// Set implements raft.StableStore. Raft cannot go on without: on a full disk
// Set waits for room. What is there already is not written again: each start
// would pay for it with four syncs.
func (s *logStore) Set(key, val []byte) error {
	defer s.writing.begin()()
	if have, err := s.Get(key); err == nil && bytes.Equal(have, val) {
		return nil
	}
	sealed := binary.BigEndian.AppendUint32(nil, stableChecksum(key, val))
	sealed = append(sealed, val...)
	for {
		if err := s.failure(); err != nil {
			return s.stop(err)
		}
		err := s.write(func() error { return s.backend.Set(key, sealed) })
		if err == nil {
			return nil
		}
		if err := s.awaitRoom(s.writeError("write "+string(key), err)); err != nil {
			return s.stop(err)
		}
	}
}

// Get implements raft.StableStore. Raft tells an absent key by the error's
// text, "not found", which both backends return.
func (s *logStore) Get(key []byte) ([]byte, error) {
	sealed, err := s.backend.Get(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < checksumSize ||
		binary.BigEndian.Uint32(sealed) != stableChecksum(key, sealed[checksumSize:]) {
		return nil, fmt.Errorf("%s: %s: %w", s.path, key, errChecksum)
	}
	return bytes.Clone(sealed[checksumSize:]), nil
}

// SetUint64 implements raft.StableStore.
func (s *logStore) SetUint64(key []byte, val uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, val))
}

// GetUint64 implements raft.StableStore.
func (s *logStore) GetUint64(key []byte) (uint64, error) {
	val, err := s.Get(key)
	if err != nil {
		return 0, err
	}
	if len(val) != 8 {
		return 0, fmt.Errorf("%s: %s: %d bytes instead of 8", s.path, key, len(val))
	}
	return binary.BigEndian.Uint64(val), nil
}

func (s *logStore) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// writeError types a write error. Anything but a full disk ends all writing:
// after a failed fsync neither the file nor the page cache can be trusted.
func (s *logStore) writeError(what string, err error) error {
	if store.DiskFull(err) {
		return fmt.Errorf("%w: cannot %s %s: %w", store.ErrDiskFull, what, s.path, err)
	}
	err = fmt.Errorf("cannot %s %s: %w", what, s.path, err)
	s.mu.Lock()
	if s.failed == nil {
		s.failed = err
	}
	s.mu.Unlock()
	if s.running.Load() {
		s.fail(err)
	}
	return err
}

// stop returns err while the node opens. Once Raft runs, to return it is to
// crash the host, so the node is stopped and the calling goroutine, which is
// Raft's, ends; its deferred functions answer who waits.
func (s *logStore) stop(err error) error {
	if !s.running.Load() {
		return err
	}
	s.fail(err)
	runtime.Goexit()
	return err
}

// forget lets go of what extent kept for the start.
func (s *logStore) forget() { s.kept.Store(nil) }

// appended tells the bytes appended since the newest snapshot.
func (s *logStore) appended() int64 { return s.since.Load() }

// snapshotTaken starts the count anew.
func (s *logStore) snapshotTaken() { s.since.Store(0) }

// sealChecksum is a copy of l with its checksum behind the extensions. The
// caller's entry goes to the state machine as it is.
func sealChecksum(l *raft.Log) *raft.Log {
	c := *l
	c.Extensions = make([]byte, 0, len(l.Extensions)+checksumSize)
	c.Extensions = append(c.Extensions, l.Extensions...)
	c.Extensions = binary.BigEndian.AppendUint32(c.Extensions, logChecksum(l))
	return &c
}

// openChecksum verifies an entry as read and takes the checksum off.
func openChecksum(l *raft.Log) error {
	n := len(l.Extensions) - checksumSize
	if n < 0 {
		return fmt.Errorf("%w: there is none", errChecksum)
	}
	want := binary.BigEndian.Uint32(l.Extensions[n:])
	l.Extensions = l.Extensions[:n:n]
	if n == 0 {
		l.Extensions = nil
	}
	if logChecksum(l) != want {
		return errChecksum
	}
	return nil
}

func logChecksum(l *raft.Log) uint32 {
	var head [25]byte
	binary.BigEndian.PutUint64(head[0:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	binary.BigEndian.PutUint64(head[17:], uint64(len(l.Data)))
	sum := crc32.Checksum(head[:], castagnoli)
	sum = crc32.Update(sum, castagnoli, l.Data)
	return crc32.Update(sum, castagnoli, l.Extensions)
}

func stableChecksum(key, val []byte) uint32 {
	return crc32.Update(crc32.Checksum(append(bytes.Clone(key), 0), castagnoli), castagnoli, val)
}
