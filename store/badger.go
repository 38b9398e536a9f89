package store

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// The profile. These sizes are part of format version 1: a smaller memtable
// than the one a log was written with makes Badger exit the process (#2002).
const (
	memTableSize = 16 << 20
	// maxValue is the largest value that stays in the tree. Nothing larger is
	// accepted, so the value log stays empty.
	maxValue         = 1 << 20
	valueLogFileSize = 2 << 20
	// batchBytes and batchCells are what Badger takes in one transaction:
	// 15 % of the memtable, and as many skip list nodes as that holds.
	batchBytes = memTableSize * 15 / 100
	batchCells = batchBytes / 96
)

// badgerOptions is a small profile: no caches, because uncompressed blocks
// are read from the mapped file, and at most two memtables that wait to be
// written, so that a bulk load slows down instead of growing. How large a
// compaction may be goes by the room that the disk has to have.
func badgerOptions(dir string, o Options, log *slog.Logger) badger.Options {
	b := badger.DefaultOptions(dir)
	b.InMemory = o.InMemory
	b.SyncWrites = !o.NoSync
	b.MemTableSize = memTableSize
	if o.memTable > 0 {
		b.MemTableSize = o.memTable
	}
	b.NumMemtables = 2
	b.BaseTableSize = 1 << 20 // what a compaction holds in memory is a multiple of it
	b.NumLevelZeroTables = 2
	b.NumLevelZeroTablesStall = 4
	if o.roomy {
		// Compactions are rare, and begin with much at once: at 10,000 executions a second
		// they take half as much of the processors, and room on the disk for it.
		b.BaseTableSize = 4 << 20
		b.BaseLevelSize = 64 << 20
		b.NumLevelZeroTables = 5
		b.NumLevelZeroTablesStall = 10
	}
	b.NumCompactors = 2
	if o.NoCompaction {
		b.NumCompactors = 0
		b.NumLevelZeroTablesStall = math.MaxInt // nobody would ever end the wait
	}
	b.ValueThreshold = maxValue
	b.ValueLogFileSize = valueLogFileSize
	b.Compression = options.None
	b.BlockCacheSize = 0
	b.IndexCacheSize = 0
	b.NumVersionsToKeep = 1
	b.DetectConflicts = false
	b.MetricsEnabled = false
	b.VerifyValueChecksum = false
	b.ChecksumVerificationMode = options.NoVerification
	b.BypassLockGuard = true // state/LOCK is ours and covers all generations
	b.Logger = badgerLog{log}
	return b
}

// openBadger opens under recover: what Badger finds in its files can make it
// panic, and a fault on a mapped page is one panic among others here.
func openBadger(dir string, o Options, log *slog.Logger) (db *badger.DB, err error) {
	defer trap(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db, err = badger.Open(badgerOptions(dir, o, log))
	if err != nil {
		return nil, blameState(fmt.Errorf("opening Badger in %q: %w", dir, err))
	}
	if o.NoCompaction && o.InMemory {
		rest(db)
	}
	return db, nil
}

// trap turns a panic of Badger's own code into ErrCorrupt. It must never
// stand around a callback, whose panics are none of its business.
func trap(err *error) {
	if p := recover(); p != nil {
		*err = corrupt("reading it panicked: %v", p)
	}
}

// badgerLog brings what Badger says to slog, one level down: its progress
// reports are of no interest to a host.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) Errorf(f string, a ...any)   { l.log.Error(badgerText(f, a)) }
func (l badgerLog) Warningf(f string, a ...any) { l.log.Warn(badgerText(f, a)) }
func (l badgerLog) Infof(f string, a ...any)    { l.log.Debug(badgerText(f, a)) }
func (l badgerLog) Debugf(string, ...any)       {}

func badgerText(format string, args []any) string {
	return "badger: " + strings.TrimSpace(fmt.Sprintf(format, args...))
}
