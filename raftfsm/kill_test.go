package raftfsm

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chronos-go/chronos/internal/testleak"
	"github.com/chronos-go/chronos/store"
)

var kills = flag.Int("kills", 15, "kill -9 cycles of TestKill")

const killDir = "CHRONOS_RAFTFSM_KILL_DIR"

// TestMain turns the test binary into the victim of TestKill.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		victim(dir)
		return
	}
	os.Exit(testleak.Run(m))
}

// victim puts jobs from several goroutines and says which were acknowledged.
// Snapshots and compactions come all the time.
func victim(dir string) {
	n, err := OpenNode(Config{Dir: dir, SnapshotBytes: 32 << 10})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("open")
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if _, err := n.Propose(context.Background(), []*Command{put(id)}); err != nil {
					return
				}
				mu.Lock()
				fmt.Println("put", id)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKill: no acknowledged command is lost by kill -9, whenever it comes.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]bool{}
	for cycle := range *kills {
		runVictim(t, dir, acked, cycle)
		if t.Failed() {
			return
		}
	}
	n := mustOpen(t, testConfig(t, dir))
	if err := n.Store().Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for id := range acked {
		if !hasJob(t, n, id) {
			lost++
		}
	}
	if lost > 0 || len(acked) == 0 {
		t.Errorf("%d of %d acknowledged jobs lost", lost, len(acked))
	}
	quarantined, _ := filepath.Glob(filepath.Join(dir, "quarantine", "*"))
	t.Logf("%d jobs acknowledged in %d lives, log at %d, quarantines kept: %d", len(acked), *kills, n.Status().LastIndex, len(quarantined))
}

func runVictim(t *testing.T, dir string, acked map[string]bool, cycle int) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), killDir+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// Its time runs from the first of these words on: a busy machine may take any time
	// to come so far. A quarter of the lives end while they open.
	limit, from := time.Duration(rand.IntN(400))*time.Millisecond, []string{"put", "open", "open", ""}[cycle%4]
	begin := func(word string) {
		if word == from {
			timer := time.AfterFunc(limit, func() { _ = c.Process.Kill() })
			t.Cleanup(func() { timer.Stop() })
			from = "begun"
		}
	}
	if from == "" {
		limit /= 10
	}
	begin("")
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var word, rest string
		_, _ = fmt.Sscanf(lines.Text(), "%s %s", &word, &rest)
		begin(word)
		switch word {
		case "put":
			acked[rest] = true
		case "error":
			t.Errorf("life %d: %s", cycle, lines.Text())
		}
	}
	_ = c.Wait()
}

func hasJob(t *testing.T, n *Node, id string) bool {
	t.Helper()
	var job *store.Job
	err := n.Store().View(func(r *store.Reader) (err error) {
		job, err = r.Job(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return job != nil
}
