package store

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

const (
	// firstFormat is what a new store is of.
	firstFormat = 1
	// newestFormat is the newest that this build reads.
	newestFormat = 2
)

// formatOf is the format of a state: it follows the feature level that the log
// has reached, so that a build which does not know that level refuses the
// directory, and the snapshots made of it, before it does anything.
func formatOf(a *Applied) uint32 { return max(a.GetLevel(), firstFormat) }

var (
	keyApplied = []byte(prefixMeta + "applied")
	keyFormat  = []byte(prefixMeta + "format")
)

// readMeta reads one of the engine's own records, which every store has.
func readMeta(txn *badger.Txn, key []byte, into Message) error {
	value, err := fetch(txn, key)
	if err != nil {
		return err
	}
	if value == nil {
		return corrupt("record %q is missing", key)
	}
	return decode(key, value[envelopeHeader:], into)
}

func readApplied(txn *badger.Txn) (*Applied, error) {
	a := &Applied{}
	return a, readMeta(txn, keyApplied, a)
}

// writeMeta writes the engine's own records, all or none.
func writeMeta(db *badger.DB, format *Format, applied *Applied) error {
	w := db.NewTransaction(true)
	defer w.Discard()
	if err := stageMeta(w, format, applied); err != nil {
		return err
	}
	return w.Commit()
}

// checkFormat refuses what a newer build wrote, before anything is read that
// may have another meaning by then.
func checkFormat(version uint32, dir string) error {
	switch {
	case version == 0:
		return corrupt("%q has no format version", dir)
	case version > newestFormat:
		return fmt.Errorf("%w: %q is of format version %d, this build reads up to %d: "+
			"upgrade the module github.com/chronos-go/chronos", ErrFormat, dir, version, newestFormat)
	}
	return nil
}
