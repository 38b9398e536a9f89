package store

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLockHelper is the other process of TestLockDir.
func TestLockHelper(t *testing.T) {
	dir := os.Getenv("CHRONOS_LOCK_DIR")
	if dir == "" {
		t.Skip("runs within TestLockDir")
	}
	if _, err := LockDir(dir); err != nil {
		t.Fatal(err)
	}
	fmt.Println("locked")
	time.Sleep(time.Minute)
}

func TestLockDir(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockHelper$", "-test.v")
	cmd.Env = append(os.Environ(), "CHRONOS_LOCK_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "locked"; {
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := LockDir(dir)
		if waited := time.Since(began); waited != lockWait {
			t.Errorf("waited %v", waited)
		}
		for _, part := range []string{dir, fmt.Sprintf("process %d", cmd.Process.Pid), "stop the other one"} {
			if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	})
	// A lock does not outlive its process, and a start waits for the end of it.
	time.AfterFunc(100*time.Millisecond, func() { _ = cmd.Process.Kill() })
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	lock.Unlock()
	lock.Unlock()
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	jobs(t, s, 0, 1)
	synctest.Test(t, func(t *testing.T) {
		if _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "this process") {
			t.Fatal(err)
		}
	})
	jobs(t, s, 1, 1)
	closeStore(t, s)
	if s = open(t, Options{Dir: dir}); s.Unclean() || s.Applied().Records != 2 {
		t.Fatal("the second Open has disturbed the first")
	}
}

// TestDay: a store that is open for a day costs next to nothing.
func TestDay(t *testing.T) {
	for _, memory := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			dir := fastDir(t)
			s, err := Open(Options{Dir: dir, InMemory: memory, NoCompaction: true})
			if err != nil {
				t.Fatal(err)
			}
			for range 24 {
				time.Sleep(time.Hour)
				jobs(t, s, 0, 10)
			}
			closeStore(t, s)
		})
	}
}
