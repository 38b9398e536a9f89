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

// A Process is what a scheduler is told that is one of several processes in a test
// and runs on a simulated clock, which moves by itself and is never stepped. What
// it writes need not outlive the test. It leaves out what a simulated year would be
// spent with: fsync, compaction, and looking at the clock every second.
//
// The handler of its logger is the way to tell it: that needs no state of a package,
// and no field in the API.
type Process struct {
	slog.Handler
	kill func()
}

// NewProcess makes one that logs to a handler.
func NewProcess(h slog.Handler) *Process { return &Process{Handler: h} }

// ProcessOf finds the process that a logger belongs to, nil if there is none.
func ProcessOf(l *slog.Logger) *Process {
	p, _ := l.Handler().(*Process)
	return p
}

// OnKill is for the scheduler: what ends all handlers, and begins no other.
func (p *Process) OnKill(kill func()) { p.kill = kill }

// Kill lets no handler begin any more, and ends the contexts of those that run. It
// returns when they have returned, or are stuck. The rest of a dead process is cut
// off by the test.
func (p *Process) Kill() { p.kill() }

// Rest adjusts a node to a steady clock.
func Rest(c *raftfsm.Config) {
	c.NoCompaction, c.NoSync, c.SingleTimeout = true, true, 24*time.Hour
}
