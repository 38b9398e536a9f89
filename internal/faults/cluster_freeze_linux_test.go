package faults

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// freeze stops the node's process, and waits until all of it stands still.
func (m *member) freeze() {
	m.t.Helper()
	pid := m.process().cmd.Process.Pid
	m.rec.write(event{Kind: "freeze", Node: m.name()})
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		m.t.Fatal(err)
	}
	for begun := time.Now(); !stopped(pid); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			m.t.Fatal("the process does not stop")
		}
	}
	m.rec.write(event{Kind: "frozen", Node: m.name()})
}

// stopped tells if every thread of a process is.
func stopped(pid int) bool {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return false
	}
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if i := bytes.LastIndexByte(text, ')'); err != nil || i < 0 || !bytes.HasPrefix(text[i+1:], []byte(" T")) {
			return false
		}
	}
	return true
}

func (m *member) thaw() {
	m.t.Helper()
	m.rec.write(event{Kind: "thaw", Node: m.name()})
	if err := syscall.Kill(m.process().cmd.Process.Pid, syscall.SIGCONT); err != nil {
		m.t.Fatal(err)
	}
}

// TestClusterFrozen: a leader stands still for longer than its lease, and knows
// nothing of it. What it ran is canceled when it wakes up, or is refused; others
// have run it meanwhile, and the ledger believes one of them. Further rounds take
// any node, also for shorter than that.
func TestClusterFrozen(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 200)
	w := newCallers(c, heldPlans(20))
	w.putAll()
	w.start()
	rng := random(t)
	span := func(from, to time.Duration) time.Duration { return from + time.Duration(rng.Int64N(int64(to-from))) }
	for i := range *clusterFreezes {
		time.Sleep(span(time.Second, 2*time.Second))
		m, away := c.awaitReady(), span(c.lease+time.Second, 2*c.lease)
		if i > 0 {
			away = span(c.lease/2, 2*c.lease)
		}
		if i%3 == 2 {
			m = c.members[rng.IntN(len(c.members))]
		}
		if i == 0 { // while the handlers of this second run
			time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1200 * time.Millisecond)))
		}
		m.freeze()
		time.Sleep(away)
		m.thaw()
	}
	time.Sleep(time.Second)
	w.stop()
	c.settle()
	judgeFrozen(t, c.examine())
	c.stop()
}

func judgeFrozen(t *testing.T, k *checker) {
	t.Helper()
	held := 0
	for _, f := range allFrozen(k) {
		t.Log(f)
		held += len(f.held)
		for _, text := range f.wrong {
			t.Error(text)
		}
	}
	if held == 0 {
		t.Error("nothing was running on a node that stood still: this test proves nothing")
	}
}
