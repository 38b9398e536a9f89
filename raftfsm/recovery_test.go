package raftfsm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chronos-go/chronos/store"
)

const (
	baseJobs    = 300
	earlierJobs = baseJobs - 20
)

// base is a directory with a history: entries, a snapshot, entries, another
// snapshot, entries; the log does not reach back to the start any more.
type base struct {
	clean   string // after an orderly stop
	killed  string // as a kill would have left it, with a state that is up to date
	behind  string // the same, with one that is of 20 jobs before
	earlier string // killed 20 jobs before
	sum     string
	applied uint64
}

func makeBase(t testing.TB) *base {
	t.Helper()
	dir := t.TempDir()
	n := mustOpen(t, testConfig(t, dir))
	for i := range 3 {
		fill(t, n, i*90, (i+1)*90)
		if i < 2 {
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	b := &base{clean: dir}
	fill(t, n, 270, 280)
	flushState(t, n)
	b.earlier = copyDir(t, dir)
	fill(t, n, 280, baseJobs)
	flushState(t, n)
	b.killed = copyDir(t, dir)
	b.behind = copyDir(t, b.killed)
	remove(t, b.behind, "state")
	copyInto(t, filepath.Join(b.earlier, "state"), filepath.Join(b.behind, "state"))
	b.sum = sum(t, n)
	b.applied = n.Status().AppliedIndex
	if first, _ := n.logs.FirstIndex(); first == 1 {
		t.Fatal("the log still begins at entry 1: the table would prove nothing")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func flushState(t testing.TB, n *Node) {
	t.Helper()
	if err := n.st.Flush(); err != nil {
		t.Fatal(err)
	}
}

func tear(b []byte) []byte { return b[:len(b)/2] }

func flipMiddle(b []byte) []byte {
	b[len(b)/2] ^= 0x10
	return b
}

// TestRecovery: whatever is missing or damaged, the node comes back with all
// that was acknowledged, or refuses and says what to do. Where it is told that
// what the state has will do, it comes back with that.
func TestRecovery(t *testing.T) {
	b := makeBase(t)
	alterIn := func(fn func([]byte) []byte, parts ...string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			alter(t, filepath.Join(append([]string{dir}, parts...)...), fn)
		}
	}
	drop := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { remove(t, dir, name) }
	}
	both := func(fns ...func(t *testing.T, dir string)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			for _, fn := range fns {
				fn(t, dir)
			}
		}
	}
	snapshot := func(i int, file string, fn func([]byte) []byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { alter(t, filepath.Join(snapshotDirs(t, dir)[i], file), fn) }
	}
	oldLog := func(t *testing.T, dir string) {
		if err := copyFile(filepath.Join(b.earlier, logName), filepath.Join(dir, logName)); err != nil {
			t.Fatal(err)
		}
	}
	oldState := func(t *testing.T, dir string) {
		remove(t, dir, "state")
		copyInto(t, filepath.Join(b.earlier, "state"), filepath.Join(dir, "state"))
	}
	trust := func(c *Config) { c.TrustView = true }
	type scenario struct {
		name   string
		harm   func(t *testing.T, dir string)
		with   func(*Config)
		refuse string // part of the error; "" means it must come back whole
		quiet  bool   // nothing to repair
		state  bool   // the log has not all of it: the state has to
		// unknown: nothing is left that knows of more than the state has.
		unknown bool
	}
	for _, c := range []scenario{
		{name: "nothing", quiet: true},
		{name: "state gone", harm: drop("state")},
		{name: "state pointer damaged", harm: alterIn(flipMiddle, "state", "CURRENT")},
		{name: "state pointer gone", harm: drop("state/CURRENT")},
		{name: "state older than the log", harm: oldState, quiet: true},
		{name: "log older than the state", harm: oldLog, state: true},
		{name: "log older than the state, which is gone", harm: both(oldLog, drop("state")), refuse: "was stored"},
		{name: "log older, and its watermark gone", harm: both(oldLog, drop(watermarkName)), state: true, unknown: true},
		{name: "watermark torn", harm: alterIn(tear, watermarkName), quiet: true},
		{name: "watermark damaged", harm: alterIn(flipMiddle, watermarkName), quiet: true},
		{name: "newest snapshot damaged", harm: snapshot(0, snapshotContent, flipMiddle), quiet: true},
		{name: "newest snapshot damaged, state gone", harm: both(drop("state"), snapshot(0, snapshotContent, flipMiddle))},
		{name: "newest snapshot's meta damaged, state gone", harm: both(drop("state"), snapshot(0, "meta.json", tear))},
		{name: "snapshots damaged, state gone", harm: both(drop("state"), snapshot(0, snapshotContent, tear), snapshot(1, snapshotContent, tear)), refuse: "cannot be put together"},
		{name: "snapshots gone", harm: drop("snapshots")},
		{name: "snapshots and state gone", harm: both(drop("snapshots"), drop("state")), refuse: "cannot be put together"},
		{name: "raft.db gone", harm: drop(logName), refuse: "TrustView"},
		{name: "raft.db gone, view trusted", harm: drop(logName), with: trust, state: true},
		{name: "raft.db and state gone", harm: both(drop(logName), drop("state")), refuse: "missing"},
		{name: "raft.db and snapshots gone", harm: both(drop(logName), drop("snapshots")), refuse: "missing"},
		{name: "raft.db and snapshots gone, view trusted", harm: both(drop(logName), drop("snapshots")), with: trust, state: true},
		{name: "raft.db torn", harm: alterIn(func(b []byte) []byte { return b[:5*4096] }, logName), refuse: "truncated"},
		{name: "raft.db torn, view trusted", harm: alterIn(func(b []byte) []byte { return b[:5*4096] }, logName), with: trust, state: true},
		{name: "raft.db empty", harm: alterIn(func([]byte) []byte { return nil }, logName), refuse: "no valid meta page"},
		{name: "raft.db is something else", harm: alterIn(func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) }, logName), refuse: "not a Bolt file"},
		{name: "half-made new log left over", harm: func(t *testing.T, dir string) {
			alterIn(tear, logName+".new")
			_ = os.WriteFile(filepath.Join(dir, logName+".new"), []byte("half"), 0o600)
		}, quiet: true},
		{name: "half-made snapshot left over", harm: func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, snapshotDir, "9-9-9.tmp"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, quiet: true},
	} {
		for _, from := range []struct{ name, dir string }{{"stopped", b.clean}, {"killed", b.killed}, {"behind", b.behind}} {
			t.Run(c.name+"/"+from.name, func(t *testing.T) {
				t.Parallel()
				dir := copyDir(t, from.dir)
				if c.harm != nil {
					c.harm(t, dir)
				}
				cfg := testConfig(t, dir)
				if c.with != nil {
					c.with(&cfg)
				}
				switch lacks := c.state && from.name == "behind"; {
				case c.refuse != "":
					checkRefused(t, cfg, c.refuse)
					return
				case lacks && (cfg.TrustView || c.unknown):
					checkEarlier(t, cfg)
					return
				case lacks:
					checkRefused(t, cfg, "was stored")
					cfg.TrustView = true
					checkEarlier(t, cfg)
					return
				}
				checkWhole(t, cfg, b, c.quiet)
			})
		}
	}
}

// checkRefused opens twice: a refusal must not change what it found.
func checkRefused(t *testing.T, cfg Config, part string) {
	t.Helper()
	for range 2 {
		n, err := OpenNode(cfg)
		if err == nil {
			t.Errorf("opened with %d jobs", jobs(t, n))
			_ = n.Close()
			return
		}
		var d *DamageError
		if !errors.Is(err, store.ErrCorrupt) || !errors.As(err, &d) || !strings.Contains(err.Error(), part) || d.Remedy == "" {
			t.Errorf("refused with: %v", err)
		}
	}
}

// checkEarlier opens what has less than was acknowledged.
func checkEarlier(t *testing.T, cfg Config) {
	t.Helper()
	for range 2 {
		n, err := OpenNode(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := jobs(t, n); got != earlierJobs {
			t.Errorf("%d jobs of %d", got, earlierJobs)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.TrustView = false
	}
}

// checkWhole opens, compares, goes on writing, and opens once more without help.
func checkWhole(t *testing.T, cfg Config, b *base, quiet bool) {
	t.Helper()
	n, err := OpenNode(cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer n.Close()
	if got := jobs(t, n); got != baseJobs {
		t.Fatalf("%d jobs of %d", got, baseJobs)
	}
	if n.Status().AppliedIndex == b.applied && sum(t, n) != b.sum {
		t.Error("the state differs")
	}
	if why := n.Status().Recovered; (why == "") != quiet {
		t.Errorf("recovered: %q", why)
	}
	fill(t, n, baseJobs, baseJobs+20)
	if err := n.Snapshot(); err != nil {
		t.Error(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.TrustView = false
	again, err := OpenNode(cfg)
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	defer again.Close()
	if got := jobs(t, again); got != baseJobs+20 || again.Status().Recovered != "" {
		t.Errorf("opened again: %d jobs, recovered %q", got, again.Status().Recovered)
	}
	if err := again.Store().Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
