package store

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

// Badger still has the pool that a simulated year is spent with, and works without
// it, also when memtables become tables.
func TestRest(t *testing.T) {
	db := openResting(t, Options{InMemory: true})
	if !rest(db) || rest(db) {
		t.Error("Badger's pool of allocators is not found, or not gone: simulated time is slow")
	}
	closeResting(t, db)

	db = openResting(t, Options{InMemory: true, NoCompaction: true, memTable: 8 << 20})
	if rest(db) {
		t.Error("a simulated store is opened with the pool")
	}
	const n, value = 10_000, 4 << 10 // five memtables, of which two may wait
	for from := 0; from < n; from += 100 {
		err := db.Update(func(tx *badger.Txn) error {
			for i := from; i < from+100; i++ {
				if err := tx.Set(fmt.Appendf(nil, "key-%d", i), make([]byte, value)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(db.Tables()) == 0 {
		t.Error("no memtable became a table: the test shows nothing")
	}
	err := db.View(func(tx *badger.Txn) error {
		for i := range n {
			if _, err := tx.Get(fmt.Appendf(nil, "key-%d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	closeResting(t, db)
}

func openResting(t *testing.T, o Options) *badger.DB {
	t.Helper()
	db, err := openBadger(o.Dir, o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func closeResting(t *testing.T, db *badger.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
