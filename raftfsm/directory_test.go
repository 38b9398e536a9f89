package raftfsm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/chronos-go/chronos/store"
)

// put is a command that leaves a trace: a job with that ID.
func put(id string) *Command {
	return &Command{Id: commandID(), Now: 1_000, Actor: "test", Body: &Command_Put{Put: &Put{
		Job: id, Definition: &store.Definition{Handler: "h", Payload: []byte("payload of " + id)},
	}}}
}

func commandID() []byte {
	id, _ := hex.DecodeString(randomID())
	return id
}

// fill commits jobs from..to-1, one entry each.
func fill(t testing.TB, n *Node, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		res, err := n.Propose(context.Background(), []*Command{put(fmt.Sprintf("job-%04d", i))})
		if err != nil || res[0].Code != Code_CODE_OK {
			t.Fatalf("put %d: %v %v", i, res, err)
		}
	}
}

// jobs counts the jobs in the state and fails unless they are the first ones,
// without a gap.
func jobs(t testing.TB, n *Node) int {
	t.Helper()
	count := 0
	err := n.Store().View(func(r *store.Reader) error {
		return r.Jobs("", func(id string, decode func() (*store.Job, error)) (bool, error) {
			j, err := decode()
			if err != nil {
				return false, err
			}
			if want := fmt.Sprintf("job-%04d", count); id != want || string(j.Definition.Payload) != "payload of "+id {
				t.Errorf("job %q instead of %q", id, want)
			}
			count++
			return true, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// sum is a digest over everything in the state.
func sum(t testing.TB, n *Node) string {
	t.Helper()
	h := sha256.New()
	err := n.Store().Dump(func(key, value []byte) error {
		var size [8]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(key)))
		binary.BigEndian.PutUint32(size[4:], uint32(len(value)))
		_, _ = h.Write(size[:])
		_, _ = h.Write(key)
		_, _ = h.Write(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// copyDir copies a directory, holes as holes: what a kill at this moment
// would leave, when nothing is being written.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	copyInto(t, from, to)
	return to
}

func copyInto(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		if d.Name() == "reserve" {
			return nil
		}
		return copyFile(path, filepath.Join(to, rel))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	buf, zero := make([]byte, 1<<16), make([]byte, 1<<16)
	var at int64
	for {
		n, err := io.ReadFull(in, buf)
		if n > 0 && string(buf[:n]) != string(zero[:n]) {
			if _, err := out.WriteAt(buf[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if err != nil {
			return out.Truncate(at)
		}
	}
}

// alter changes a file in place.
func alter(t testing.TB, path string, fn func([]byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fn(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, path ...string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(path...)); err != nil {
		t.Fatal(err)
	}
}

// snapshotDirs lists the snapshots, newest first.
func snapshotDirs(t testing.TB, dir string) []string {
	t.Helper()
	s, err := openSnapshots(dir, testConfig(t, dir).withDefaults().Logger)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.files.List()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range list {
		out = append(out, filepath.Join(dir, snapshotDir, m.ID))
	}
	return out
}
