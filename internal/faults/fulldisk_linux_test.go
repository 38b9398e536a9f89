package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// filler takes all the room of a volume.
type filler struct{ path string }

// fill writes until there is no room, quickly or bit by bit.
func (f filler) fill(rng *rand.Rand) error {
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	slow := rng.IntN(2) == 0
	for size := 1 << 20; size >= 512; {
		_, err := out.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			return err
		case slow && size == 1<<20:
			time.Sleep(10 * time.Millisecond)
		}
	}
	return out.Sync()
}

// hold keeps the volume full for a while: what the library gives up of its
// own is taken, too.
func (f filler) hold(d time.Duration, rng *rand.Rand) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := f.fill(rng); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// since counts what the journal has from an instant on.
func since(t *testing.T, path string, at int64) (acked, refusedFull int) {
	t.Helper()
	journal, err := readJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range journal {
		switch {
		case e.T < at:
		case e.Kind == "ack":
			acked++
		case e.Kind == "err" && strings.Contains(e.Text, "disk full"):
			refusedFull++
		}
	}
	return acked, refusedFull
}

// fillOnce fills the disk under a running child, sometimes kills that and lets
// another one open the full disk, and waits for service when there is room.
func fillOnce(t *testing.T, cfg childConfig, p *process, rng *rand.Rand) *process {
	t.Helper()
	f := filler{filepath.Join(filepath.Dir(cfg.Dir), "filler")}
	time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
	full := time.Now().UnixNano()
	if err := f.fill(rng); err != nil {
		t.Fatal(err)
	}
	if err := f.hold(time.Duration(500+rng.IntN(2500))*time.Millisecond, rng); err != nil {
		t.Fatal(err)
	}
	alive(t, p)
	// What was under way when the room ended waits; what came later is refused.
	acked, told := since(t, cfg.Journal, full)
	t.Logf("full: %d calls were acknowledged meanwhile, %d were refused", acked, told)
	if rng.IntN(2) == 0 {
		p = openFull(t, cfg, p)
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if p == nil {
		p = start(t, cfg)
		if err := p.ready(30 * time.Second); err != nil {
			t.Fatal(err)
		}
		examine(t, cfg, false)
	}
	served(t, cfg, p)
	return p
}

// openFull kills the child and opens the directory while there is no room:
// that answers, with ErrDiskFull or with a scheduler.
func openFull(t *testing.T, cfg childConfig, p *process) *process {
	t.Helper()
	p.kill()
	p = start(t, cfg)
	err := p.ready(30 * time.Second)
	var no *refused
	switch {
	case err == nil:
		t.Log("opened on a full disk")
		return p
	case errors.As(err, &no) && no.Full:
		t.Logf("refused to open on a full disk: %s", no.Text)
		return nil
	}
	t.Fatal(err)
	return nil
}

// served waits until calls are acknowledged again.
func served(t *testing.T, cfg childConfig, p *process) {
	t.Helper()
	free := time.Now()
	for {
		alive(t, p)
		if n, _ := since(t, cfg.Journal, free.UnixNano()); n > 0 {
			t.Logf("served again after %v", time.Since(free).Round(time.Millisecond))
			return
		}
		if time.Since(free) > 30*time.Second {
			t.Fatal("there is room, and nothing is acknowledged")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func alive(t *testing.T, p *process) {
	t.Helper()
	select {
	case <-p.done:
		t.Fatal(p.died())
	default:
	}
}

// TestFullDisk: a full disk takes neither the process nor data, calls are told
// so, and service goes on by itself when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	need(t)
	rng := random(t)
	vol, err := mountVolume(newImage(t, memory(t), 192<<20), filepath.Join(t.TempDir(), "mnt"))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = vol.unmount() })
	cfg := configIn(scratch(t), rng)
	cfg.Dir = filepath.Join(vol.dir, "data")
	cfg.Fill = 8_000
	p := start(t, cfg)
	if err := p.ready(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	for range *fills {
		p = fillOnce(t, cfg, p, rng)
	}
	p.kill()
	finish(t, cfg)
	if err := vol.unmount(); err != nil {
		t.Error(fmt.Errorf("something still holds the volume: %w", err))
	}
}
