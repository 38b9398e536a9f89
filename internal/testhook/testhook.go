// Package testhook lets tests that drive schedulers through the public API set
// what that API deliberately does not offer: snapshots every few entries, the
// control without fsync that must fail, a clock that nothing steps.
package testhook

import (
	"log/slog"
	"time"

	"github.com/chronos-go/chronos/raftfsm"
)

// Raft adjusts, when it is set, the configuration of every node that is opened
// afterwards. Only a test's own process sets it, before it opens anything.
var Raft func(*raftfsm.Config)

// Steady marks a logger's handler: the scheduler that gets the logger runs on a
// simulated clock, which moves by itself and is never stepped, and what it writes
// need not outlive the process. It leaves out what a simulated year would be spent
// with: fsync, compaction, and looking at the clock every second. The logger
// carries it because that is the one part of the options that a host's test never
// compares, and so needs no state of the package, nor a field of the API.
func Steady(h slog.Handler) slog.Handler { return steady{h} }

type steady struct{ slog.Handler }

// IsSteady tells if a logger's handler is marked.
func IsSteady(l *slog.Logger) bool {
	_, ok := l.Handler().(steady)
	return ok
}

// Rest adjusts a node to a steady clock.
func Rest(c *raftfsm.Config) {
	c.NoCompaction, c.NoSync, c.SingleTimeout = true, true, 24*time.Hour
}
