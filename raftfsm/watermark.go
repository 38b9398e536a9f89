package raftfsm

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/chronos-go/chronos/store"
)

// watermark remembers what raft.db has acknowledged, in a small file beside it that is
// overwritten in place and never synced: Bolt's newest transaction that stored entries,
// and the last of these. Bolt has two meta pages; where the newer one is damaged it takes
// the older, without a word, and what was acknowledged last is gone. The state cannot
// tell, because Badger gets commits later.
//
// It never stops a node that has lost nothing:
//
//   - Bolt counts its transactions, and every write is one: that a new leader cuts off the
//     end of the log, that a snapshot from it replaces all of it, that a recovery by
//     peers.json changes configurations. So a log that became shorter by what Raft does
//     has a higher count. The watermark is believed only where raft.db has a lower one
//     than it had, and then something is lost that had been synced.
//   - It is written after Bolt has synced, by whoever may write (logStore.write), so what
//     survives of it is about a transaction that survives as well. One that is older,
//     torn, or missing says less, or nothing.
//   - It is about one log of one node, and goes before a raft.db is made anew.
//   - Where what it speaks of is in the state or in a snapshot, the node goes on with that.
//   - Where a person has said that what is there has to do (TrustView), it is not asked.
type watermark struct {
	path  string
	owner []byte // log and node; part of the checksum
	log   *os.File
	file  *os.File // nil until there is something to say
}

const (
	watermarkName = "raft.last"
	watermarkSize = 20 // transaction, entry, checksum
)

func openWatermark(dir, logID, nodeID string) (*watermark, error) {
	log, err := os.Open(filepath.Join(dir, logName))
	if err != nil {
		return nil, err
	}
	return &watermark{path: filepath.Join(dir, watermarkName), owner: []byte(logID + "\x00" + nodeID), log: log}, nil
}

func (w *watermark) close() {
	_ = w.log.Close()
	if w.file != nil {
		_ = w.file.Close()
	}
}

// newestOf is the newest transaction in a Bolt file.
func newestOf(log io.ReaderAt) (uint64, error) {
	h, err := (&boltFile{f: log}).header()
	return h.txid, err
}

// lost is the last entry that raft.db once held and, being older than it was, may have
// no more; 0 if there is none. It is asked with the newest transaction that the file had
// before Bolt opened it, which is one more. The next start has to find the same: so what
// was lost stays so until entries are stored again.
func (w *watermark) lost(found uint64) (uint64, error) {
	b, err := os.ReadFile(w.path)
	if err != nil || len(b) != watermarkSize || binary.BigEndian.Uint32(b[16:]) != w.sum(b) {
		return 0, nil //nolint:nilerr // it knows nothing then
	}
	if found >= binary.BigEndian.Uint64(b) {
		return 0, nil
	}
	last := binary.BigEndian.Uint64(b[8:])
	return last, store.WriteDurably(w.path, w.record(math.MaxUint64, last))
}

// set says that the transaction that has just ended stored entries up to last. It is best
// effort: without it damage may not be found.
func (w *watermark) set(last uint64) {
	newest, err := newestOf(w.log)
	if err != nil {
		return
	}
	if w.file == nil {
		if w.file, err = os.OpenFile(w.path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			w.file = nil
			return
		}
	}
	_, _ = w.file.WriteAt(w.record(newest, last), 0)
}

func (w *watermark) record(transaction, last uint64) []byte {
	b := make([]byte, watermarkSize)
	binary.BigEndian.PutUint64(b, transaction)
	binary.BigEndian.PutUint64(b[8:], last)
	binary.BigEndian.PutUint32(b[16:], w.sum(b))
	return b
}

func (w *watermark) sum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:16], castagnoli), castagnoli, w.owner)
}

// removeWatermark comes before a raft.db is made anew, whose transactions are counted from
// the beginning.
func removeWatermark(dir string) error {
	err := os.Remove(filepath.Join(dir, watermarkName))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}
