package store

import (
	"bytes"
	"errors"
	"testing"
)

// The format of a directory, and of snapshots made of it, follows the feature
// level: a build that does not know the level refuses both.
func TestFormatFollowsLevel(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetLogID("log"); err != nil {
		t.Fatal(err)
	}
	var first, risen bytes.Buffer
	raise := func(index uint64, level uint32, jobs int) {
		tx := s.Begin()
		defer tx.Discard()
		tx.Applied().Index, tx.Applied().Level = index, level
		for i := range jobs {
			if err := tx.PutJob(string(rune('a'+i)), &Job{Version: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	raise(1, 0, 1)
	write := func(to *bytes.Buffer) {
		t.Helper()
		sn := s.Snapshot()
		defer sn.Release()
		if _, err := sn.WriteTo(to); err != nil {
			t.Fatal(err)
		}
	}
	write(&first)
	raise(2, 2, 1)
	write(&risen)
	for _, one := range []struct {
		stream  *bytes.Buffer
		version uint32
	}{{&first, 1}, {&risen, 2}} {
		in, err := openSnapshot(one.stream)
		if err != nil || in.format.Version != one.version || in.format.LogId != "log" {
			t.Errorf("%v: a snapshot of format %v, want %d", err, in.format, one.version)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	raise(3, newestFormat+1, 2)
	var newer bytes.Buffer
	write(&newer)
	if _, err := openSnapshot(&newer); !errors.Is(err, ErrFormat) {
		t.Errorf("a snapshot of a newer format: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Dir: dir}); !errors.Is(err, ErrFormat) {
		t.Errorf("a directory of a newer format: %v", err)
		_ = s.Close()
	}
}
