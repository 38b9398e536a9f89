package faults

import (
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// killOnce runs a child on the directory and kills it at a random moment,
// sometimes while it still opens. What it found is checked if it came so far.
func killOnce(t *testing.T, cfg childConfig, rng *rand.Rand) {
	t.Helper()
	cfg.Seed = rng.Uint64()
	p := start(t, cfg)
	if rng.IntN(6) == 0 {
		time.Sleep(time.Duration(rng.IntN(150)) * time.Millisecond)
		p.kill()
		return
	}
	if err := p.ready(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
	if rng.IntN(8) == 0 { // while it drains and closes
		_, _ = io.WriteString(p.stdin, orderStop+"\n")
		time.Sleep(time.Duration(rng.IntN(700)) * time.Millisecond)
	}
	select {
	case <-p.done:
		if p.err != nil {
			t.Fatal(p.died())
		}
	default:
	}
	p.kill()
	examine(t, cfg, false)
	if rng.IntN(6) == 0 { // long enough for misfires
		time.Sleep(time.Duration(1000+rng.IntN(1500)) * time.Millisecond)
	}
}

// TestKill: no acknowledged write is lost, the ledger is complete, nothing
// runs twice that must not, and nothing is stuck, whenever the process dies.
func TestKill(t *testing.T) {
	t.Parallel()
	rng := random(t)
	cfg := configIn(scratch(t), rng)
	for range *cycles {
		killOnce(t, cfg, rng)
	}
	finish(t, cfg)
}

// finish opens the directory once more, lets everything come to its end, and
// checks that it did.
func finish(t *testing.T, cfg childConfig) {
	t.Helper()
	p := start(t, cfg)
	if err := p.ready(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	examine(t, cfg, false)
	time.Sleep(time.Second)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	examine(t, cfg, true)
	journal, err := readJournal(cfg.Journal)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(tally(journal))
}

// TestKillControl: a child that answers before it has written must be caught.
func TestKillControl(t *testing.T) {
	t.Parallel()
	rng := random(t)
	cfg := configIn(t.TempDir(), rng)
	cfg.AckEarly = true
	for range 20 {
		p := start(t, cfg)
		if err := p.ready(30 * time.Second); err != nil {
			t.Fatal(err)
		}
		for _, v := range audit(t, cfg, false).found {
			if v.Kind == "lost" && strings.HasPrefix(v.Text, "acknowledged put") {
				t.Log("caught: ", v.Job, v.Text)
				return
			}
		}
		time.Sleep(time.Duration(200+rng.IntN(300)) * time.Millisecond)
		p.kill()
	}
	t.Fatal("the control passed: this test proves nothing")
}
