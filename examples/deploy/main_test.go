package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

func TestShow(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // to see that nothing is left there
	var out bytes.Buffer
	if err := show(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	rest := out.String()
	for _, want := range []string{ // in this order
		"v1  answers its probe: 200",
		"v2  waits: another process has the directory",
		"v2  answers its probe: 503 waits",
		"v1 gets SIGTERM",
		"v1  is not ready any more, and goes on until that is known",
		"v1  answers its probe: 503 stopping",
		"v1  stops to import: ",
		"v1  has drained",
		"v1  has let go of the directory",
		"v2  runs",
		"v2  has imported",
		"The ledger: import succeeded at attempt 2; attempt 1 ended as ",
		" times from first to last, and ran as often",
		"v2  has let go of the directory",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("output lacks %q at its place:\n%s", want, out.String())
		}
		rest = after
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// A rolling restart of a cluster, the leader last: each node is stopped, is away
// for a while, and is back before the next one goes. Every instant has its run.
func TestRollingRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{name: "node", out: &printer{w: io.Discard}, step: time.Second}
		k := chronostest.New(t, chronostest.Options{
			Nodes:   3,
			Declare: func(sched *chronos.Scheduler) error { return s.declare(t.Context(), sched) },
			Adjust:  func(_ string, o *chronos.Options) { o.DrainTimeout = time.Second },
		})
		k.Advance(2 * time.Second)
		x, err := k.Scheduler().Trigger(t.Context(), "import", chronos.TriggerRequest{})
		if err != nil {
			t.Fatal(err)
		}
		leader := k.Leader()
		for _, last := range []bool{false, true} {
			for _, node := range k.Nodes() {
				if (node == leader) != last {
					continue
				}
				k.Advance(time.Second)
				k.Stop(node)
				k.Advance(3 * time.Second)
				k.Restart(node)
				if st := k.Node(node).Status(); !st.Ready || !st.Running {
					t.Errorf("%s is back, and not ready: %+v", node, st)
				}
			}
		}
		if n, err := audit(t.Context(), k.Scheduler(), "tick", time.Now()); err != nil || n < 10 {
			t.Errorf("%d instants: %v", n, err)
		}
		if x, err = k.Scheduler().Wait(t.Context(), x.ID); err != nil || x.Status != chronos.StatusSucceeded {
			t.Errorf("%+v, %v", x, err)
		}
	})
}

// Each of the ways in which the audit can fail does make it fail.
func TestAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{name: "node", out: &printer{w: io.Discard}, step: time.Second}
		k := chronostest.New(t, chronostest.Options{Declare: func(sched *chronos.Scheduler) error { return s.declare(t.Context(), sched) }})
		k.Advance(2 * time.Second)
		if err := k.Scheduler().Pause(t.Context(), "tick", ""); err != nil {
			t.Fatal(err)
		}
		k.Advance(2 * time.Second)
		if err := k.Scheduler().Resume(t.Context(), "tick"); err != nil {
			t.Fatal(err)
		}
		k.Advance(2 * time.Second)
		if _, err := audit(t.Context(), k.Scheduler(), "tick", time.Now()); err == nil || !strings.Contains(err.Error(), "skipped") {
			t.Errorf("instants that were skipped are passed over: %v", err)
		}
	})
}
