// Package sim simulates whole clusters of Chronos, with their real storage and
// their real consensus, on the fake clock of testing/synctest and on a network in
// memory, breaks them in every way it knows, and checks what they did.
//
// A simulation is drawn from a seed: how many nodes there are, how fast their
// timers run, what jobs and callers they have, and what is done to them (the
// nemesis: cuts, one-way cuts, delays, lost connections, kills, restarts, slow,
// failing and full disks, members removed and added, rolling restarts, a majority
// lost for ever, the whole cluster down and back under other addresses). Backups are
// taken meanwhile, and one of them is restored in the end. The same seed gives the same plan. It does not
// give the same run: within one instant of the fake clock goroutines run in any
// order, elections and back-offs draw from real randomness. A seed that failed is
// therefore repeated with -repeat.
//
// What cannot be simulated in one process: a stopped process (a node that is cut
// off for longer than its lease runs on meanwhile; internal/faults stops real
// ones), a step of one node's clock (all share the bubble's; the lease's view of
// a clock that jumps has tests of its own), and a power cut (a kill leaves the
// files as they were written; internal/faults cuts the power of real disks). A
// kill comes at a moment at which every goroutine of the bubble waits for
// something: for a timer, for the network, or, with a slow disk, before or after
// a write to the log.
//
// The checker (check*.go) shares no code with the library. It goes by what the
// callers noted of their calls and what the handlers noted of themselves, and
// holds the ledgers of all nodes against that; due instants come from a naive
// model (naive.go). It is not that of internal/faults, whose journal is that of
// processes with clocks and an order of writes of their own: here all events are
// in one order, on one clock, and most bounds are exact.
//
// It is a module of its own, so that what it needs is in no host's module graph.
package sim
