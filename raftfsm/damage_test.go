package raftfsm

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/chronos-go/chronos/store"
)

var flips = flag.Int("flips", 30, "flipped bits and cuts per class of file")

// TestFlippedBits: one flipped bit or a cut anywhere in raft.db or a snapshot
// is healed or refused, never silently wrong, and never a crash.
func TestFlippedBits(t *testing.T) {
	b := makeBase(t)
	file := func(pattern string) func(t *testing.T, dir string) string {
		return func(t *testing.T, dir string) string {
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(found) == 0 {
				t.Fatalf("no %s: %v", pattern, err)
			}
			return found[rand.IntN(len(found))]
		}
	}
	for _, class := range []struct {
		name    string
		pick    func(t *testing.T, dir string) string
		noState bool // so that the file has to be used
	}{
		{"log", file(logName), false},
		{"log, state gone", file(logName), true},
		{"snapshot", file("snapshots/*/state.bin"), true},
		{"snapshot meta", file("snapshots/*/meta.json"), true},
		{"snapshot meta, state kept", file("snapshots/*/meta.json"), false},
	} {
		t.Run(class.name, func(t *testing.T) {
			t.Parallel()
			outcome := map[string]int{}
			for i := range *flips {
				dir, err := os.MkdirTemp(t.TempDir(), "")
				if err != nil {
					t.Fatal(err)
				}
				copyInto(t, b.killed, dir)
				if class.noState {
					remove(t, dir, "state")
				}
				what := flipOne(t, class.pick(t, dir), i%10 == 9)
				outcome[survey(t, dir, b, what)]++
				remove(t, dir)
			}
			t.Logf("%v", outcome)
		})
	}
}

// flipOne flips a random bit of what the file uses, or cuts it.
func flipOne(t *testing.T, path string, cut bool) (what string) {
	t.Helper()
	alter(t, path, func(b []byte) []byte {
		used := len(b)
		for used > 0 && b[used-1] == 0 {
			used--
		}
		if cut {
			at := rand.IntN(used)
			what = fmt.Sprintf("%s cut at %d of %d", filepath.Base(path), at, used)
			return b[:at]
		}
		at := rand.IntN(used)
		for i := 0; i < 8 && b[at] == 0; i++ { // rather where something is
			at = rand.IntN(used)
		}
		bit := byte(1) << rand.IntN(8)
		b[at] ^= bit
		what = fmt.Sprintf("%s byte %d bit %#x", filepath.Base(path), at, bit)
		return b
	})
	return what
}

// survey opens a harmed directory and says how that went.
func survey(t *testing.T, dir string, b *base, what string) string {
	t.Helper()
	n, err := OpenNode(testConfig(t, dir))
	if err != nil {
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: refused without a type: %v", what, err)
		}
		return "refused"
	}
	defer n.Close()
	if got := jobs(t, n); got != baseJobs || n.Status().AppliedIndex == b.applied && sum(t, n) != b.sum {
		t.Errorf("%s: silently wrong: %d jobs", what, got)
	}
	fill(t, n, baseJobs, baseJobs+2)
	if n.Status().Recovered != "" {
		return "healed"
	}
	return "unharmed"
}

// TestFlippedMetaPage: with one flipped bit in the newer of Bolt's two meta pages Bolt takes
// the older one. The entry that is lost by that is in the state, or missed.
func TestFlippedMetaPage(t *testing.T) {
	b := makeBase(t)
	for _, dir := range []string{b.clean, b.killed, b.behind} {
		alter(t, filepath.Join(dir, logName), func(file []byte) []byte {
			read := func(offset int64) boltHeader {
				h, err := (&boltFile{f: bytes.NewReader(file)}).meta(offset)
				if err != nil {
					t.Fatal(err)
				}
				return h
			}
			at := int64(0)
			if h := read(0); read(int64(h.pageSize)).txid > h.txid {
				at = int64(h.pageSize)
			}
			file[at+boltPageHeader+boltMetaSize-1] ^= 1
			return file
		})
	}
	checkWhole(t, testConfig(t, b.killed), b, false)
	checkRefused(t, testConfig(t, b.behind), "was stored")
	n := mustOpen(t, testConfig(t, b.clean))
	if got := jobs(t, n); got != baseJobs {
		t.Errorf("%d jobs of %d", got, baseJobs)
	}
}

// TestFailedStarts: a node that died soon after each of two starts rebuilds
// its state at the third.
func TestFailedStarts(t *testing.T) {
	b := makeBase(t)
	dir := b.killed
	for i := range 3 {
		n := mustOpen(t, testConfig(t, dir))
		if jobs(t, n) != baseJobs || sum(t, n) == "" {
			t.Fatal("lost something")
		}
		recovered := n.Status().Recovered
		// makeBase killed the first one; so the second start here is the third.
		if (recovered != "") != (i == 1) {
			t.Errorf("start %d: recovered %q", i, recovered)
		}
		next := copyDir(t, dir)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		dir = next
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "quarantine", "*", "state")); len(found) != 1 {
		t.Errorf("quarantined: %v", found)
	}
	n := mustOpen(t, testConfig(t, dir))
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "starts")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an orderly stop did not end the count: %v", err)
	}
}

// TestDamageWhileOpen: the state turns out to be damaged at run time. The node
// stops, and its next start rebuilds.
func TestDamageWhileOpen(t *testing.T) {
	dir := t.TempDir()
	n := mustOpen(t, testConfig(t, dir))
	fill(t, n, 0, 20)
	want := sum(t, n)
	n.damaged(fmt.Errorf("%w: flipped bit", store.ErrCorrupt))
	if _, err := n.Propose(t.Context(), []*Command{put("x")}); !errors.Is(err, ErrStopped) || !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a stopped node took a command: %v", err)
	}
	if err := n.Snapshot(); !errors.Is(err, ErrStopped) {
		t.Errorf("a stopped node took a snapshot: %v", err)
	}
	if n.IsLeader() || n.Status().Stopped == nil {
		t.Errorf("status of a stopped node: %+v", n.Status())
	}
	if jobs(t, n) != 20 {
		t.Error("a stopped node cannot be read")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = mustOpen(t, testConfig(t, dir))
	if n.Status().Recovered == "" || sum(t, n) != want {
		t.Errorf("recovered %q, same state: %v", n.Status().Recovered, sum(t, n) == want)
	}
}

// TestFailedStateWhileOpen: the state cannot be written any more. The node stops at once,
// also with nothing to apply; its next start takes the rest from the log.
func TestFailedStateWhileOpen(t *testing.T) {
	dir := t.TempDir()
	n := mustOpen(t, testConfig(t, dir))
	fill(t, n, 0, 20)
	n.failed(fmt.Errorf("%w: msync: input/output error", store.ErrFailed))
	<-n.Stopped()
	if n.IsLeader() || !errors.Is(n.Status().Stopped, store.ErrFailed) {
		t.Errorf("status of a stopped node: %+v", n.Status())
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = mustOpen(t, testConfig(t, dir))
	if got := jobs(t, n); got != 20 || n.Status().Recovered != "" {
		t.Errorf("%d jobs, recovered %q", got, n.Status().Recovered)
	}
}

// TestMixedDirectories: files of two nodes in one directory.
func TestMixedDirectories(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for i, dir := range []string{one, two} {
		n := mustOpen(t, testConfig(t, dir))
		fill(t, n, 0, 5*(i+1))
		if err := n.Snapshot(); err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mixed := copyDir(t, one)
	if err := copyFile(filepath.Join(two, logName), filepath.Join(mixed, logName)); err != nil {
		t.Fatal(err)
	}
	checkRefused(t, testConfig(t, mixed), "mixture")
	remove(t, mixed, "state")
	copyInto(t, filepath.Join(two, "state"), filepath.Join(mixed, "state"))
	n := mustOpen(t, testConfig(t, mixed)) // only the snapshots are foreign
	if got := jobs(t, n); got != 10 {
		t.Errorf("%d jobs", got)
	}
	cfg := testConfig(t, one)
	cfg.ID = "somebody"
	if _, err := OpenNode(cfg); !errors.Is(err, ErrWrongNode) {
		t.Errorf("opened under another name: %v", err)
	}
}

// TestLocked: two nodes never share a directory.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	n := mustOpen(t, testConfig(t, dir))
	if _, err := OpenNode(testConfig(t, dir)); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	fill(t, n, 0, 1)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, testConfig(t, dir))
}
