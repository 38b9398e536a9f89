package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chronos-go/chronos/internal/testleak"
)

var (
	cycles  = flag.Int("cycles", 5, "kills of TestKill")
	cuts    = flag.Int("cuts", 2, "power cuts of TestPowerCut")
	flips   = flag.Int("flips", 40, "damages of TestBitRot")
	fills   = flag.Int("fills", 1, "times that TestFullDisk fills the volume")
	soak    = flag.Duration("soak", 0, "how long TestSoak runs; 0 skips it")
	reopens = flag.Int("reopens", 30, "openings of TestLeaks")
	seed    = flag.Uint64("seed", 0, "of the random choices; 0 takes one from the clock")
	keep    = flag.String("keep", "", "directory for what a failed test leaves behind")
)

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		os.Exit(childMain(text))
	}
	os.Exit(testleak.Run(m))
}

// random is a source for the parent, whose seed is printed with a failure.
func random(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with -seed %d", s)
		}
	})
	return rand.New(rand.NewPCG(s, 1))
}

// scratch is a directory outside the one under test. It is kept in -keep when
// the test fails.
func scratch(t *testing.T) string {
	dir := t.TempDir()
	t.Cleanup(func() {
		if t.Failed() && *keep != "" {
			to := filepath.Join(*keep, fmt.Sprintf("%s-%d", filepath.Base(t.Name()), os.Getpid()))
			t.Logf("kept in %s: %v", to, os.CopyFS(to, os.DirFS(dir)))
		}
	})
	return dir
}

// memory is a place for images, in memory where there is one.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "chronos-faults-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func configIn(dir string, rng *rand.Rand) childConfig {
	return childConfig{
		Dir: filepath.Join(dir, "data"), Journal: filepath.Join(dir, "journal"), Dump: filepath.Join(dir, "dump"),
		Log: filepath.Join(dir, "log"), Mode: modeWork, Seed: rng.Uint64(),
	}
}

// process is a running child.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer
	lines  chan string
	done   chan struct{}
	err    error // of Wait, once done
}

func start(t *testing.T, cfg childConfig) *process {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(os.Args[0]), lines: make(chan string, 16), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(text), "GOTRACEBACK=all")
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		in := bufio.NewScanner(stdout)
		for in.Scan() {
			p.lines <- in.Text()
		}
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill is kill -9, and waits until the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it has ended
	<-p.done
}

// ready waits until New has returned and everything was dumped. An error is
// the refusal of New (*refused), or that the process died by itself.
func (p *process) ready(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case line := <-p.lines:
		if line == "ready" {
			return nil
		}
		var r refused
		if err := json.Unmarshal([]byte(line), &r.refusal); err == nil {
			<-p.done
			return &r
		}
		return fmt.Errorf("child says %q", line)
	case <-p.done:
		select {
		case line := <-p.lines: // it was quick
			p.lines <- line
			return p.ready(limit)
		default:
		}
		return p.died()
	case <-timer.C:
		return fmt.Errorf("not open after %v", limit)
	}
}

type refused struct{ refusal }

func (r *refused) Error() string { return "New refused: " + r.Text }

func (p *process) died() error {
	text := p.stderr.String()
	if len(text) > 8_000 {
		text = text[:8_000]
	}
	return fmt.Errorf("child died: %v\n%s", p.err, text)
}

// stop lets the child settle and close, and fails if it does not do so well.
func (p *process) stop() error {
	if _, err := io.WriteString(p.stdin, orderStop+"\n"); err != nil {
		return errors.Join(err, p.died())
	}
	return p.wait(settleLimit + 30*time.Second)
}

// settle lets the child settle, and go on.
func (p *process) settle() error {
	if _, err := io.WriteString(p.stdin, orderSettle+"\n"); err != nil {
		return errors.Join(err, p.died())
	}
	select {
	case <-p.lines: // "settled"
		return nil
	case <-p.done:
		return p.died()
	case <-time.After(settleLimit + 30*time.Second):
		return errors.New("child does not settle")
	}
}

func (p *process) wait(limit time.Duration) error {
	select {
	case <-p.done:
	case <-time.After(limit):
		p.kill()
		return fmt.Errorf("child has not ended after %v", limit)
	}
	if p.err != nil {
		return p.died()
	}
	return nil
}

// examine checks the newest dump, and fails the test with what it found.
func examine(t *testing.T, cfg childConfig, settled bool) {
	t.Helper()
	if found := audit(t, cfg, settled); len(found.found) > 0 {
		t.Fatalf("%d violations\n%s", len(found.found), found.report())
	}
}

func audit(t *testing.T, cfg childConfig, settled bool) *checker {
	t.Helper()
	journal, err := readJournal(cfg.Journal)
	if err != nil {
		t.Fatal(err)
	}
	d, err := readDump(cfg.Dump)
	if err != nil {
		t.Fatal(err)
	}
	return check(beforeDump(journal, d, settled), d, settled)
}

// beforeDump leaves out what a process did after it had dumped what it found.
func beforeDump(journal []event, d *dump, settled bool) []event {
	if settled {
		return journal
	}
	for i, e := range journal {
		if e.T > d.At {
			return journal[:i]
		}
	}
	return journal
}

// tally is what a campaign went through, for the figures.
func tally(journal []event) string {
	n := map[string]int{}
	for _, e := range journal {
		n[e.Kind]++
	}
	return fmt.Sprintf("%d calls begun, %d acknowledged, %d refused, %d attempts started, %d openings",
		n["begin"], n["ack"], n["err"], n["start"], n["open"])
}
