package store

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Dir == "" && !o.InMemory {
		o.Dir = t.TempDir()
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// change commits one batch and advances the applied index by one.
func change(t testing.TB, s *Store, fn func(tx *Tx) error) {
	t.Helper()
	tx := s.Begin()
	defer tx.Discard()
	if err := fn(tx); err != nil {
		t.Fatal(err)
	}
	tx.Applied().Index++
	tx.Applied().Term = 1
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// jobs commits n jobs with some text in them.
func jobs(t testing.TB, s *Store, from, n int) {
	t.Helper()
	change(t, s, func(tx *Tx) error {
		for i := range n {
			j := &Job{Version: uint64(from + i), Note: strings.Repeat("note ", 20)}
			if err := tx.PutJob(fmt.Sprintf("job-%06d", from+i), j); err != nil {
				return err
			}
		}
		return nil
	})
}

// flush writes what is pending, as a kill does not.
func flush(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
}

// dump is everything two equal stores agree on, as text.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var b bytes.Buffer
	err := s.Dump(func(key, value []byte) error {
		_, err := fmt.Fprintf(&b, "%x %x\n", key, value)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// image is a copy of a directory tree, taken while it may be in use: what a
// kill at that moment leaves. Trailing zeros of sparse files cost nothing.
type image map[string]imageFile

type imageFile struct {
	size    int64
	content []byte
}

func takeImage(t testing.TB, dir string) image {
	t.Helper()
	im := image{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == nameReserve {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		im[name] = imageFile{int64(len(content)), bytes.Clone(bytes.TrimRight(content, "\x00"))}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func (im image) write(t testing.TB, dir string) {
	t.Helper()
	for name, f := range im {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, f.size); err != nil {
			t.Fatal(err)
		}
	}
}

// fastDir is a directory in memory where the platform has such a thing: the
// time of tests that open a thousand stores goes into fsync otherwise.
func fastDir(t testing.TB) string {
	t.Helper()
	const shm = "/dev/shm"
	if _, err := os.Stat(shm); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shm, "chronos-store-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// noReserve keeps tests from preallocating.
func noReserve(t testing.TB, dir string) *Guard {
	t.Helper()
	g, err := NewGuard(dir, GuardOptions{Reserve: -1, Floor: 1})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestOpenPutReopen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	jobs(t, s, 3, 1)
	if err := s.SetLogID("log"); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, Options{Dir: dir})
	if s.Unclean() || s.Applied().Index != 1 || s.Applied().Records != 1 || s.LogID() != "log" {
		t.Fatal(s.Unclean(), s.Applied(), s.LogID())
	}
	err := s.View(func(r *Reader) error {
		j, err := r.Job("job-000003")
		if j.GetVersion() != 3 {
			t.Error(j)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEmptyDirIsRefused(t *testing.T) {
	if _, err := Open(Options{}); err == nil {
		t.Fatal("a store without a directory")
	}
}

func TestClosedStore(t *testing.T) {
	s := open(t, Options{InMemory: true})
	tx := s.Begin()
	tx.Discard()
	closeStore(t, s)
	for name, err := range map[string]error{
		"view":     s.View(func(*Reader) error { return nil }),
		"commit":   s.Begin().Commit(),
		"put":      s.Begin().PutJob("a", &Job{}),
		"scan":     s.Begin().Jobs("", nil),
		"over":     tx.Commit(),
		"log id":   s.SetLogID("x"),
		"restore":  s.Restore(strings.NewReader("")),
		"snapshot": func() error { _, err := s.Snapshot().WriteTo(&bytes.Buffer{}); return err }(),
		"verify":   s.Verify(t.Context()),
		"dump":     s.Dump(nil),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.Applied() == nil || s.Snapshot().Applied() == nil {
		t.Error("no applied record after Close")
	}
	closeStore(t, s)
}

func TestCloseEndsScans(t *testing.T) {
	s := open(t, Options{InMemory: true})
	jobs(t, s, 0, 1000)
	started, done := make(chan struct{}), make(chan error)
	go func() {
		done <- s.View(func(r *Reader) error {
			first := true
			return r.Jobs("", func(string, func() (*Job, error)) (bool, error) {
				if first {
					first = false
					close(started)
					<-s.ctx.Done()
				}
				return true, nil
			})
		})
	}()
	<-started
	closeStore(t, s)
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	check := func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "upgrade") ||
			!strings.Contains(err.Error(), "version 9") || !strings.Contains(err.Error(), fmt.Sprint("up to ", newestFormat)) {
			t.Fatal(err)
		}
	}
	t.Run("record", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, Options{Dir: dir})
		if err := writeMeta(s.gen.db, &Format{Version: 9}, nil); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		_, err := Open(Options{Dir: dir})
		check(t, err)
	})
	t.Run("pointer", func(t *testing.T) {
		dir := t.TempDir()
		closeStore(t, open(t, Options{Dir: dir}))
		text := "chronos state 9 gen-000001 "
		content := fmt.Appendf(nil, "%s%08x\n", text, recordSum(nil, []byte(text)))
		if err := os.WriteFile(layoutOf(dir).current(), content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Dir: dir})
		check(t, err)
	})
}

func TestLostPointer(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	jobs(t, s, 0, 1)
	closeStore(t, s)
	l := layoutOf(dir)
	if err := os.Remove(l.current()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("state without a pointer opened: %v", err)
	}
	// A very first start that was killed leaves the same, and CREATING.
	if err := os.WriteFile(l.creating(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s = open(t, Options{Dir: dir}); s.Applied().Records != 0 {
		t.Fatal("leftovers of a killed creation were taken for state")
	}
}

func TestFailedCommitStopsWriting(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	jobs(t, s, 0, 1)
	flush(t, s)
	_ = s.fail(errors.New("msync: input/output error"))
	tx := s.Begin()
	if err := tx.Commit(); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	if err := s.SetLogID("x"); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	closeStore(t, s)
	if s = open(t, Options{Dir: dir}); !s.Unclean() || s.Applied().Records != 1 {
		t.Fatal("a stop after a failed commit passes for a clean one")
	}
}
