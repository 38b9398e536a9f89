package store

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var fullPause = flag.Duration("fullpause", time.Second, "how long the neighbour in TestRealFullDisk waits")

var fullDisk = flag.String("fulldisk", "", "size of the volume to really fill in TestRealFullDisk, such as 256m; needs root")

// TestRealFullDisk fills real volumes, with a greedy neighbour on them. The
// work is done in another process, because what goes wrong here ends it.
func TestRealFullDisk(t *testing.T) {
	if dir := os.Getenv("CHRONOS_FULL_DIR"); dir != "" {
		fillUp(t, dir)
		return
	}
	if *fullDisk == "" {
		t.Skip("-fulldisk is not set")
	}
	for name, mount := range map[string]func(*testing.T, string) error{"tmpfs": mountTmpfs, "ext4": mountExt4} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := mount(t, dir); err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() { _ = unix.Unmount(dir, 0) })
			cmd := exec.Command(os.Args[0], "-test.run=^TestRealFullDisk$", "-test.v", "-fullpause="+fullPause.String())
			cmd.Env = append(os.Environ(), "CHRONOS_FULL_DIR="+dir)
			out, err := cmd.CombinedOutput()
			t.Log(string(bytes.TrimSpace(out)))
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func mountTmpfs(_ *testing.T, dir string) error {
	return unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+*fullDisk)
}

func mountExt4(t *testing.T, dir string) error {
	file := filepath.Join(t.TempDir(), "ext4")
	for _, args := range [][]string{{"truncate", "-s", *fullDisk, file}, {"mkfs.ext4", "-q", file}, {"mount", "-o", "loop", file, dir}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", args, err, out)
		}
	}
	return nil
}

// ballast leaves no more of a large volume than it takes to see large compactions.
func ballast(t *testing.T, dir string) {
	free, _, err := freeSpace(dir)
	if err != nil || free <= 1<<30 {
		return
	}
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, int64(free-1<<30)), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func fillUp(t *testing.T, dir string) {
	ballast(t, dir)
	s := open(t, Options{Dir: dir})
	t.Logf("floor %d MiB, large compactions: %v", s.guard.floor>>20, s.opts.roomy)
	greed := filepath.Join(dir, "greed")
	n := 0
	for round := range 4 {
		n = commitUntilFull(t, s, n)
		free, _, _ := freeSpace(dir)
		t.Logf("round %d: %d batches, %d MiB free when refused", round, n, free>>20)
		time.Sleep(*fullPause)
		hog(t, greed)
		for range 20 {
			if err := commitOne(s, n); !errors.Is(err, ErrDiskFull) {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if round == 3 {
			t.Log("close on the full disk:", s.Close())
		}
		if err := os.Remove(greed); err != nil {
			t.Fatal(err)
		}
		if round < 3 {
			shrink(t, s, n)
		}
	}
	closeStore(t, s)
	s = open(t, Options{Dir: dir, Guard: noReserve(t, dir)})
	if err := s.Verify(t.Context()); err != nil || s.Unclean() {
		t.Fatal(err, s.Unclean())
	}
}

func commitOne(s *Store, n int) error {
	tx := s.Begin()
	defer tx.Discard()
	for i := range 100 {
		text := strings.Repeat(fmt.Sprintf("%x", n*i*7919), 300)
		if err := tx.PutJob(fmt.Sprintf("%d-%d", n, i), &Job{Note: text[:min(len(text), 3000)]}); err != nil {
			return err
		}
	}
	tx.Applied().Index++
	return tx.Commit()
}

func commitUntilFull(t *testing.T, s *Store, n int) int {
	for {
		err := commitOne(s, n)
		if errors.Is(err, ErrDiskFull) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
}

// hog writes until nothing is left.
func hog(t *testing.T, path string) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
}

// shrink makes room the way a person would, outside, until writing goes on;
// then it deletes what was written.
func shrink(t *testing.T, s *Store, n int) {
	for i := range n {
		tx := s.Begin()
		for j := range 100 {
			if err := tx.DeleteJob(fmt.Sprintf("%d-%d", i, j)); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); errors.Is(err, ErrDiskFull) {
			tx.Discard()
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
