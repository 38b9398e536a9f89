package faults

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const volumeSize = 320 << 20

func firstImage(t *testing.T) []byte {
	t.Helper()
	need(t)
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	image, err := os.ReadFile(newImage(t, memory(t), volumeSize))
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// cutOnce runs a child on a machine and cuts the power at a random moment. It
// answers what is left on the disk.
func cutOnce(t *testing.T, cfg *childConfig, image []byte, mode cutMode, rng *rand.Rand) ([]byte, error) {
	t.Helper()
	m := boot(t, image)
	cfg.Dir = filepath.Join(m.vol.dir, "data")
	cfg.Seed = rng.Uint64()
	p := start(t, *cfg)
	opened := rng.IntN(8) > 0
	if opened {
		if err := p.ready(60 * time.Second); err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
	} else {
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
	}
	m.disk.arm(1+rng.IntN(40), time.Second)
	left, at, unflushed := m.disk.remains(mode, rng)
	p.kill() // what it did since the cut, it did to nowhere
	t.Logf("power cut: %s, %d writes were not flushed", mode, unflushed)
	if opened && !cfg.NoSync {
		examine(t, *cfg, false)
	}
	return left, errors.Join(forgetAfter(cfg.Journal, at), m.off())
}

// forgetAfter drops what the child wrote down after the cut: nobody would have
// received it.
func forgetAfter(path string, at int64) error {
	journal, err := readJournal(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it was cut before it came so far
	}
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	rec, err := openRecorder(path)
	if err != nil {
		return err
	}
	defer rec.f.Close()
	for _, e := range journal {
		if e.T < at {
			rec.put(e)
		}
	}
	return nil
}

// TestPowerCut: what TestKill shows holds when the disk loses everything that
// was not flushed, too, or any part of it.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	rng := random(t)
	image := firstImage(t)
	cfg := configIn(scratch(t), rng)
	var err error
	for i := range *cuts {
		mode := cutMode(1+i) % cutModes
		if image, err = cutOnce(t, &cfg, image, mode, rng); err != nil {
			t.Fatal(err)
		}
	}
	m := boot(t, image)
	cfg.Dir = filepath.Join(m.vol.dir, "data")
	finish(t, cfg)
}

// TestPowerCutControl: a child that does not fsync must be caught with
// acknowledged writes missing.
func TestPowerCutControl(t *testing.T) {
	t.Parallel()
	rng := random(t)
	image := firstImage(t)
	cfg := configIn(t.TempDir(), rng)
	cfg.NoSync = true
	for range 10 {
		var err error
		image, err = cutOnce(t, &cfg, image, cutKeepsNone, rng)
		var r *refused
		if errors.As(err, &r) {
			t.Logf("caught: %v", err)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(cfg.Dump); err != nil {
			continue
		}
		for _, v := range audit(t, cfg, false).found {
			if v.Kind == "lost" {
				t.Logf("caught: %s: %s", v.Job, v.Text)
				return
			}
		}
	}
	t.Fatal("the control passed: this test proves nothing")
}
