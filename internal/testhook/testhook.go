// Package testhook lets the fault tests, which drive whole processes through
// the public API, set what that API deliberately does not offer: snapshots
// every few entries, and the control without fsync that must fail.
package testhook

import "github.com/chronos-go/chronos/raftfsm"

// Raft adjusts, when it is set, the configuration of every node that is opened
// afterwards. Only a test's own process sets it, before it opens anything.
var Raft func(*raftfsm.Config)
