package raftfsm

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// Names in the host's directory, and settings in raft.db beside Raft's own.
const (
	logName   = "raft.db"
	keyLogID  = "ChronosLogID"
	keyNodeID = "ChronosNodeID"
	keyTerm   = "CurrentTerm" // Raft's
)

// openBolt opens or creates a Bolt file. An existing one was checked before.
func openBolt(path string, noSync bool) (*raftboltdb.BoltStore, error) {
	o := &bbolt.Options{
		Timeout:        2 * time.Second, // else a locked file is waited for, for ever
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		NoSync:         noSync,
		NoStatistics:   true,
	}
	if runtime.GOOS != "windows" { // where the file would be made as large
		o.InitialMmapSize = 16 << 20
	}
	var b *raftboltdb.BoltStore
	err := guarded(func() (err error) {
		b, err = raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: o, NoSync: noSync})
		return err
	})
	return b, err
}

// createLog makes a complete raft.db under another name; rename puts it in
// place when everything else is ready, so that a raft.db is never half-made.
type createLog struct {
	dir    string
	logID  string
	nodeID string
	term   uint64
	noSync bool
}

func (c *createLog) path() string { return filepath.Join(c.dir, logName+".new") }

// write makes the file. A first member is given its configuration as entry 1;
// otherwise the log is empty and a snapshot is what Raft starts from.
func (c *createLog) write(first *raft.Configuration) (err error) {
	if err := os.Remove(c.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b, err := openBolt(c.path(), true) // one sync at the end is as good
	if err != nil {
		return err
	}
	l := newLogStore(b, c.path(), 0)
	defer func() { err = errors.Join(err, l.close()) }()
	if err := c.fill(l, first); err != nil || c.noSync {
		return err
	}
	return b.Sync()
}

func (c *createLog) fill(l *logStore, first *raft.Configuration) error {
	if err := l.Set([]byte(keyLogID), []byte(c.logID)); err != nil {
		return err
	}
	if err := l.Set([]byte(keyNodeID), []byte(c.nodeID)); err != nil {
		return err
	}
	if err := l.SetUint64([]byte(keyTerm), c.term); err != nil {
		return err
	}
	if first == nil {
		return nil
	}
	return l.StoreLog(&raft.Log{
		Index: 1, Term: c.term, Type: raft.LogConfiguration,
		Data: raft.EncodeConfiguration(*first),
	})
}

// rename puts the file in place.
func (c *createLog) rename() error {
	if err := removeWatermark(c.dir); err != nil {
		return err
	}
	if err := os.Rename(c.path(), filepath.Join(c.dir, logName)); err != nil {
		return err
	}
	return syncDir(c.dir)
}

// openLog checks and opens an existing raft.db. fs.ErrNotExist says that
// there is none; a DamageError that it cannot be used at all.
func openLog(dir string, noSync bool, limit int64) (*logStore, error) {
	path := filepath.Join(dir, logName)
	if err := checkBoltFile(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		return nil, &DamageError{Path: path, Reason: err.Error(), Remedy: remedyLog}
	}
	found, err := newestIn(path)
	if err != nil {
		return nil, err
	}
	b, err := openBolt(path, noSync)
	if err != nil {
		return nil, fmt.Errorf("raftfsm: open %s: %w", path, err)
	}
	l := newLogStore(b, path, limit)
	l.found = found
	return l, nil
}

func newestIn(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return newestOf(f)
}

// identity reads who the log and the node are.
func (s *logStore) identity() (logID, nodeID string, err error) {
	for _, k := range []struct {
		key string
		to  *string
	}{{keyLogID, &logID}, {keyNodeID, &nodeID}} {
		val, err := s.Get([]byte(k.key))
		if err != nil {
			return "", "", &DamageError{Path: s.path, Reason: k.key + ": " + err.Error(), Remedy: remedyLog}
		}
		*k.to = string(val)
	}
	if _, err := s.GetUint64([]byte(keyTerm)); err != nil {
		return "", "", &DamageError{Path: s.path, Reason: keyTerm + ": " + err.Error(), Remedy: remedyLog}
	}
	return logID, nodeID, nil
}

// extent reads and verifies every entry, without Bolt and without
// raft-boltdb's decoder, which takes its time. What Raft will want to read
// again to start, the entries behind base, is kept until forget.
func (s *logStore) extent(base uint64, visit func(*raft.Log)) (logExtent, error) {
	var e logExtent
	kept := map[uint64]*raft.Log{}
	size := 0
	open := newEntryDecoder()
	err := readBoltFile(s.path, func(key, value []byte) {
		i := binary.BigEndian.Uint64(key)
		if e.first == 0 {
			e.first, e.good = i, i
		} else if i != e.last+1 {
			e.good, e.reason = i, fmt.Sprintf("entries %d to %d are missing", e.last+1, i-1)
		}
		e.last = i
		l, err := open(value)
		if err == nil && l.Index != i {
			err = fmt.Errorf("holds index %d", l.Index)
		}
		if err == nil && l.Term < e.term {
			err = fmt.Errorf("term %d after term %d", l.Term, e.term)
		}
		if err != nil {
			e.good, e.reason = i+1, fmt.Sprintf("entry %d: %v", i, err)
			return
		}
		e.term = l.Term
		visit(l)
		if size += len(l.Data); i > base && size < keptBytes {
			kept[i] = l
		}
	})
	e.command = s.hasCommand
	s.kept.Store(&kept)
	return e, err
}

// keptBytes bounds what is kept of the log while the node opens.
const keptBytes = 64 << 20

// newEntryDecoder reads entries as raft-boltdb writes them.
func newEntryDecoder() func([]byte) (*raft.Log, error) {
	var handle codec.MsgpackHandle
	dec := codec.NewDecoderBytes(nil, &handle)
	return func(value []byte) (l *raft.Log, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("unreadable: %v", p)
			}
		}()
		l = &raft.Log{}
		dec.ResetBytes(value)
		if err := dec.Decode(l); err != nil {
			return nil, err
		}
		return l, openChecksum(l)
	}
}

// hasCommand says whether a command stands in from..to, or may stand there.
func (s *logStore) hasCommand(from, to uint64) bool {
	for i := from; i <= to; i++ {
		var l raft.Log
		if err := s.GetLog(i, &l); err != nil || l.Type == raft.LogCommand {
			return true
		}
	}
	return false
}

// guarded runs what reads files that may be damaged: panics and faults on a
// memory map become errors, as long as they happen in fn's own goroutine.
func guarded(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("ended without a result")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panicked: %v", p)
			}
			done <- err
		}()
		debug.SetPanicOnFault(true)
		err = fn()
	}()
	return <-done
}

// randomID is 16 random bytes in hexadecimal.
func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// syncDir makes names in a directory durable. Windows has no such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
