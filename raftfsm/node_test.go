package raftfsm

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"
)

func testConfig(t testing.TB, dir string) Config {
	t.Helper()
	var log *slog.Logger
	if testing.Verbose() && os.Getenv("CHRONOS_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return Config{Dir: dir, Logger: log}
}

func mustOpen(t testing.TB, cfg Config) *Node {
	t.Helper()
	n, err := OpenNode(cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func barrier() *Command { return &Command{Body: &Command_Barrier{Barrier: &Barrier{}}} }

func TestOpenProposeClose(t *testing.T) {
	dir := t.TempDir()
	start := time.Now()
	n := mustOpen(t, testConfig(t, dir))
	t.Logf("first open: %v", time.Since(start))
	if !n.IsLeader() {
		t.Fatal("not leader after open")
	}
	res, err := n.Propose(context.Background(), []*Command{barrier(), barrier()})
	if err != nil || len(res) != 2 {
		t.Fatalf("propose: %v %v", res, err)
	}
	t.Logf("%+v", n.Status())
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	n = mustOpen(t, testConfig(t, dir))
	t.Logf("second open: %v", time.Since(start))
	t.Logf("%+v", n.Status())
}
