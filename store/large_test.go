package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestLargeCommit: what exceeds one Badger transaction, by cells or by bytes,
// is committed all the same, with the right digest, and is there after a
// restart.
func TestLargeCommit(t *testing.T) {
	for name, fill := range map[string]func(tx *Tx, i int) error{
		"cells": func(tx *Tx, i int) error { return tx.PutDue(DueEntry{At: int64(i), Kind: DueTick, Job: "j"}) },
		"bytes": func(tx *Tx, i int) error {
			return tx.PutJob(fmt.Sprint(i), &Job{Note: strings.Repeat("x", 100_000)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, Options{Dir: dir})
			n := fillLarge(t, s, fill)
			if err := s.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, Options{Dir: dir})
			if got := s.Applied().GetRecords(); got != uint64(n) {
				t.Errorf("%d records are there after a restart, not %d", got, n)
			}
			if err := s.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func fillLarge(t *testing.T, s *Store, fill func(tx *Tx, i int) error) (n int) {
	t.Helper()
	tx := s.Begin()
	for cells, size := 0, 0; cells < 2*MaxCells && size < 3*MaxBytes; n++ {
		if err := fill(tx, n); err != nil {
			t.Fatal(err)
		}
		cells, size = tx.Size()
	}
	tx.Applied().Index++
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTornLargeCommit: a start that finds a large commit cut short does not
// take the half of it for the state.
func TestTornLargeCommit(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	if err := s.gen.tear(s.Applied()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(Options{Dir: dir}); !errors.Is(err, ErrCorrupt) {
		if err == nil {
			_ = s.Close()
		}
		t.Fatalf("half a commit was opened: %v", err)
	}
}

// TestNoCompaction: without compactors a store takes as much as with them. Badger
// waits for them when it has written out a few memtables.
func TestNoCompaction(t *testing.T) {
	for name, o := range map[string]Options{"memory": {InMemory: true}, "disk": {NoSync: true}} {
		t.Run(name, func(t *testing.T) {
			o.NoCompaction = true
			s := open(t, o)
			for n := range 14 * memTableSize / MaxBytes {
				tx := s.Begin()
				for i := range 4 {
					text := bytes.Repeat([]byte{byte(n), byte(i)}, MaxBytes/10)
					if err := tx.PutPayload("job", fmt.Sprintf("%d-%d", n, i), text); err != nil {
						t.Fatal(err)
					}
				}
				tx.Applied().Index++
				if err := tx.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
