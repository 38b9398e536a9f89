package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// FuzzRestore: whatever the stream, there is an error or the very state that
// it describes.
func FuzzRestore(f *testing.F) {
	stream, err := os.ReadFile(filepath.Join("testdata", "snapshot-1.golden"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stream)
	f.Add(stream[:len(stream)/2])
	f.Add([]byte(snapshotMagic + "\x00\x00\x00\x01H\x00\x00\x00\x00\x00\x00\x00\x00"))
	var empty bytes.Buffer
	sn := open(f, Options{InMemory: true}).Snapshot()
	if _, err := sn.WriteTo(&empty); err != nil {
		f.Fatal(err)
	}
	sn.Release()
	f.Add(empty.Bytes())
	s := open(f, Options{InMemory: true})
	f.Fuzz(func(t *testing.T, stream []byte) {
		want, err := readAll(bytes.NewReader(stream))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if err := s.Restore(bytes.NewReader(stream)); err != nil {
			t.Fatal(err)
		}
		if got := dump(t, s); !strings.HasPrefix(got, want) {
			t.Fatal("restored something else")
		}
	})
}

// FuzzEnvelope: only what seal made is opened, and only under its key.
func FuzzEnvelope(f *testing.F) {
	value, err := seal([]byte("jobs/a"), &Job{Version: 3, Note: "n"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("jobs/a"), value)
	f.Add([]byte("jobs/b"), value)
	f.Add([]byte(""), []byte{1, 0, 0, 0, 0})
	f.Add([]byte("k"), []byte{})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		payload, err := unseal(key, value)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		j := &Job{}
		if err := decode(key, payload, j); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		again, err := seal(key, j)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unseal(key, again); err != nil {
			t.Fatal(err)
		}
		again[len(again)-1] ^= 1
		if _, err := unseal(key, again); !errors.Is(err, ErrCorrupt) {
			t.Fatal("a flipped bit went unseen")
		}
	})
}

// FuzzKeys: keys are taken apart without panic, and put together again.
func FuzzKeys(f *testing.F) {
	f.Add(dueKey(-5, DueReady, "job", "exec")[len(prefixDue):])
	f.Add(waitingKey(WaitingEntry{Class: "c", Rank: 9, Job: "j", Exec: "e"})[len(prefixWaiting):])
	f.Add([]byte(ScheduledKey(12345, 7)))
	f.Add([]byte("job:exec"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, rest []byte) {
		if e, err := parseDueKey(append([]byte(prefixDue), rest...)); err == nil {
			if got := dueKey(e.At, e.Kind, e.Job, e.Exec); string(got[len(prefixDue):]) != string(rest) {
				t.Fatalf("due %x became %x", rest, got)
			}
		}
		if w, err := parseWaitingKey(append([]byte(prefixWaiting), rest...)); err == nil {
			if got := waitingKey(w); string(got[len(prefixWaiting):]) != string(rest) {
				t.Fatalf("waiting %x became %x", rest, got)
			}
		}
		if job, exec, err := parseJobKey(prefixActive, append([]byte(prefixActive), rest...)); err == nil {
			if got := activeKey(job, exec); string(got[len(prefixActive):]) != string(rest) {
				t.Fatalf("active %x became %x", rest, got)
			}
		}
		if job, exec, ok := SplitID(string(rest)); ok && JoinID(job, exec) != string(rest) {
			t.Fatalf("id %q", rest)
		}
		if due, ok := KeyDue(string(rest)); ok && !strings.HasPrefix(string(rest), KeyFloor(due)) && !nonCanonical(rest) {
			t.Fatalf("execution key %q", rest)
		}
		_, _ = versionOf(rest)
	})
}

// nonCanonical tells a base32 text whose unused last bit is set.
func nonCanonical(key []byte) bool {
	return strings.IndexByte("02468acegikmoqsu", key[12]) < 0 || bytes.ContainsAny(key[:13], "\r\n")
}

// FuzzBackup: whatever the file, its head is refused or is what was written; and
// what is taken for a loadable record has a key and a value that can be read.
func FuzzBackup(f *testing.F) {
	var file bytes.Buffer
	sn := open(f, Options{InMemory: true}).Snapshot()
	if err := sn.WriteBackup(&file, &Backup{LogId: "log", Cluster: "c", Node: "n", At: 5}); err != nil {
		f.Fatal(err)
	}
	sn.Release()
	f.Add(file.Bytes(), []byte{})
	f.Add(file.Bytes()[:20], jobKey("a"))
	f.Add([]byte(backupMagic), dueKey(7, DueTick, "a", ""))
	f.Add([]byte{}, versionKey("a", 1))
	f.Fuzz(func(t *testing.T, file, key []byte) {
		head, err := ReadBackup(bytes.NewReader(file))
		switch {
		case err == nil:
			body, err := head.MarshalVT()
			if err != nil || len(body) > len(file) {
				t.Fatalf("%d bytes of head in a file of %d: %v", len(body), len(file), err)
			}
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat):
			t.Fatal(err)
		}
		if err := CheckLoaded(key, file); err == nil && (leftBehind(key) || writableKey(key) != nil) {
			t.Fatalf("%q may be loaded", key)
		}
	})
}

// FuzzClean: the list that a clean stop leaves is refused, or is the one that was
// written; a name in it may lead nowhere else.
func FuzzClean(f *testing.F) {
	sealed := func(body string) []byte {
		return fmt.Appendf([]byte(body), "%08x\n", crc32.Checksum([]byte(body), castagnoli))
	}
	f.Add([]byte("chronos clean 000001\n16 00ff name.sst\n"), true)
	f.Add([]byte("chronos clean 000001\n-1 zz ../name\n"), true)
	f.Add(sealed("chronos clean 000001\n"), false)
	f.Add([]byte("\n\n"), false)
	f.Fuzz(func(t *testing.T, content []byte, seal bool) {
		if seal { // get past the checksum
			content = sealed(string(content))
		}
		files, err := parseClean(content, "000001")
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if lines := bytes.Count(content, []byte("\n")); len(files) > lines {
			t.Fatalf("%d files in %d lines", len(files), lines)
		}
	})
}
