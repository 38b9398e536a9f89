package raftfsm

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

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
	b, err := openBolt(c.path(), c.noSync)
	if err != nil {
		return err
	}
	l := newLogStore(b, c.path(), 0)
	defer func() { err = errors.Join(err, l.close()) }()
	return c.fill(l, first)
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
	b, err := openBolt(path, noSync)
	if err != nil {
		return nil, fmt.Errorf("raftfsm: open %s: %w", path, err)
	}
	return newLogStore(b, path, limit), nil
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

// extent walks the log, reading and verifying every entry. visit sees the
// intact ones.
func (s *logStore) extent(visit func(*raft.Log)) (logExtent, error) {
	var e logExtent
	err := guarded(func() (err error) {
		if e.first, err = s.FirstIndex(); err != nil {
			return err
		}
		if e.last, err = s.LastIndex(); err != nil {
			return err
		}
		e.good = e.first
		for i := e.first; i <= e.last && i > 0; i++ {
			var l raft.Log
			err := s.GetLog(i, &l)
			if err == nil && l.Term < e.term {
				err = fmt.Errorf("term %d after term %d", l.Term, e.term)
			}
			if err != nil {
				e.good, e.reason = i+1, fmt.Sprintf("entry %d: %v", i, err)
				continue
			}
			e.term = l.Term
			visit(&l)
		}
		return nil
	})
	e.command = s.hasCommand
	return e, err
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
