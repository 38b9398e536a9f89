package store

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
)

// watermark remembers the newest index that a commit has acknowledged, in a
// small file that is overwritten in place and never synced. It is written
// after the commit, so whatever of it survives a crash is at most what Badger
// must still have: a damaged write-ahead log, whose tail Badger drops without
// a word, shows as a state older than its watermark.
type watermark struct {
	f    *os.File
	keep bool
	last uint64
}

const nameWatermark = "APPLIED"

func openWatermark(dir string, keep bool) (*watermark, error) {
	f, err := os.OpenFile(filepath.Join(dir, nameWatermark), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	w := &watermark{f: f, keep: keep}
	var b [12]byte
	if _, err := f.ReadAt(b[:], 0); err == nil {
		if crc32.Checksum(b[:8], castagnoli) == binary.BigEndian.Uint32(b[8:]) {
			w.last = binary.BigEndian.Uint64(b[:])
		}
	}
	return w, nil
}

// set is best effort: without it damage is found a little later, by digest.
func (w *watermark) set(index uint64) {
	if !w.keep {
		return
	}
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], index)
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	_, _ = w.f.WriteAt(b[:], 0)
	w.last = index
}

// compare refuses a state that has lost acknowledged commits.
func (w *watermark) compare(applied uint64) error {
	if w.keep && applied < w.last {
		return corrupt("commits up to index %d were acknowledged, the state ends at %d", w.last, applied)
	}
	return nil
}

func (w *watermark) close() { _ = w.f.Close() }
