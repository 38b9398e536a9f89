// Package raftfsm puts every change of state through a Raft log.
//
// # The way of a command
//
// A Command carries the outcome of a decision, never a question: whoever
// proposes it has read the clock, the schedule and the time zone already.
// Node.Propose hands it to the proposer, which packs whatever is waiting into
// one log entry (below 512 KiB, at most two under way). When the entry is
// committed, the state machine applies it to the store in one transaction that
// also holds the applied index, and each caller gets its own results.
//
// # What is on disk
//
//	raft.db      log and term (raft-boltdb); the truth since the last snapshot
//	snapshots/   the two newest snapshots; the truth up to there
//	state/       the view: what applying all of it has led to
//	quarantine/  what was moved aside, never deleted by the same start
//	starts       how many starts in a row did not end well
//
// # Guarantees
//
//   - An acknowledged command is durable: in the log, and in the view.
//   - Entries, snapshots, and settings carry checksums that are verified on
//     every read; raft.db's pages are checked before Bolt maps them.
//   - OpenNode never answers with a state that lacks something acknowledged, and
//     never with an empty one where there was one. See evidence.go for what it
//     does in which case: keep the view, rebuild it from snapshot and log, give
//     Raft a snapshot of the view to start from, or refuse and say what to do.
//   - The log reaches back to the older of the two kept snapshots.
//   - A command or an entry version that this build does not know stops the
//     node. So does a panic in Apply, a record that fails its checksum, and a
//     write error of the log other than a full disk. The host goes on.
//   - A full disk refuses commands with store.ErrDiskFull and serves again
//     when there is room.
//
// # Caveats
//
// A caller that stops waiting does not withdraw its command: see ErrUncertain.
// Whether this node leads is a hint; only a committed entry is a licence.
// Without Config.Cluster no port is opened, and the transport is in memory.
package raftfsm
