// Package store keeps the state of one node: jobs and their versions,
// schedules, the ledger of executions, locks, the due index. It is the only
// package that knows Badger, and it knows nothing of Raft, clocks or cron.
//
// The state is a view. What happened is in the Raft log and its snapshots;
// this package holds what follows from it, in a form that can be read fast,
// together with the position in the log up to which it follows. That is why
// it may answer ErrCorrupt at any doubt instead of guessing: the caller moves
// the state aside with [Quarantine] and builds it again.
//
// # Writing
//
// All writing goes through a [Tx]: it collects what one batch of log entries
// does, reads its own writes, and commits everything in one step with the applied
// index. There is one Tx at a time. A commit lies in memory, above Badger's tables, and
// everybody reads it there; Badger gets many commits at once, in one step, when there
// is enough of them, after three seconds, with [Store.Flush] and with Close. So
// what comes and goes in between is never written, and nobody waits for Badger. The
// log is what makes a commit durable: the caller has it there before, and keeps it
// there until it has flushed. Commit keeps
// two sums up to date, the number of records and a digest that does not depend
// on the order in which they were written: two nodes at the same index have
// the same digest, or one of them is wrong.
//
// One Badger transaction takes [MaxCells] changed keys and [MaxBytes] bytes;
// [Tx.Size] tells how much is in a Tx. What is more, and most flushes under load are, is
// written in several, under a mark, and stands in the file REDO before the first of them
// begins: a start that finds the mark writes it once more, and a mark without its file is
// ErrCorrupt. A record takes at most [MaxRecord] bytes; above, ErrTooBig.
//
// # Reading
//
// [Store.View] hands out a [Reader], a consistent view as of one commit. Typed
// accessors (Job, Execution, Due and so on) are on both Tx and Reader. Readers
// do not hold up commits, nor commits them.
//
// # On disk
//
//	state/CURRENT        format and name of the live generation; replaced by rename
//	state/CLEAN          left by a clean stop: every file with size and hash
//	state/LOCK           locked while open
//	state/gen-NNNNNN/    Badger; APPLIED, the watermark; REDO, what a flush was about
//	reserve              bytes to give up when the disk is full
//	quarantine/<time>/   state that was moved aside, and WHY
//
// A value is an envelope of one byte version, a CRC32C over key and payload,
// and a protobuf message of record.proto. Values stay in Badger's tree, the
// value log is empty and is collected every five minutes all the same.
//
// A snapshot is a stream of frames of at most 256 KiB (or one larger record),
// compressed with s2, each with a CRC32C, closed by count and digest.
//
// # Guarantees
//
//   - What was flushed survives a kill and a power cut (SyncWrites, one sync for
//     each of its transactions). A commit is there as a whole or not at all, and never without those before it.
//   - Every value that is read is checked against its checksum and key. Every
//     snapshot is checked against the digest while it is written, while it is
//     read, and read back from disk before it becomes the state.
//   - A start after a clean stop compares every file with what the stop left.
//     A start after any other stop checks every table block by block, cuts the
//     logs after their last whole entry, compares the state with the watermark
//     of acknowledged commits and, up to 200,000 records, with the digest
//     before Open returns; with more records, or after a clean stop, the digest
//     is compared beside the work, and again once a day (OnCorrupt).
//     Flipped bits, truncations and removals of every kind of file, 7,500 of
//     them in one run, gave the right data or ErrCorrupt, never a panic.
//   - Nothing is silently empty: a directory with state whose pointer is gone
//     is ErrCorrupt.
//   - Restore is atomic: a kill or an error at any moment leaves the old state
//     or the new. The state is byte for byte the one of the snapshot; only the
//     log ID stays the store's own, if it has one.
//   - A newer format is refused (ErrFormat) before anything of it is touched.
//   - On a full disk a commit answers ErrDiskFull, touches nothing, and may be
//     called again. Badger's background work is stopped as well, until there is
//     room; reads go on.
//   - Goroutines belong to the store and are gone when Close returns.
//
// # Caveats
//
//   - Close waits for open views, snapshots and the transaction. Calling it
//     from within one of them waits for ever.
//   - A start hashes or checks the whole directory: about a second per
//     gigabyte from a fast disk, before Open returns.
//   - Badger writes through memory maps, and the write that finds the disk full
//     ends the process. The guard keeps 384 MiB free on a volume of 8 GiB or more, else
//     128 MiB (half of a small volume), and Badger's compactions are larger where it is the
//     former; with the smaller ones, at full speed, it was measured to fill up to 72 MiB after
//     the last commit, and then it is quiet. Of 20 volumes (tmpfs and ext4, 256 MiB to
//     1 GiB), each filled to the last block four times by a neighbour, at once
//     or a second after a bulk load at full speed had been refused, the process
//     survived 19 and went on when there was room. A neighbour that takes those
//     128 MiB while Badger comes to a stop can end it.
//     Volumes below 256 MiB are too small. Quotas that the file system does
//     not report are not seen.
//   - Where files cannot be allocated ahead (everything but Linux and Windows)
//     the floor alone has to do.
//   - Badger's compaction leaves out a table that it could not create, for want
//     of file descriptors for instance, and reports nothing. The next snapshot,
//     start or daily check finds it.
//   - Bits that rot in a table while it is open are found when its records are
//     read; rot that leads a lookup past a record shows in the digest only.
//     Badger's own compaction may still panic on such a table.
//   - The memtable's size is part of the format: opened with a smaller one
//     after a crash, Badger ends the process.
//
// # Footprint
//
// Measured on two shared cores with go test -run Footprint -v ./store/ and
// go test -bench . ./store/: open and idle 21 MiB of heap, most of it a
// memtable whose pages are resident once they are used (2 MiB resident when
// empty, 18 MiB after 10,000 jobs), 14 goroutines. Open takes 10 to 15 ms after
// a clean stop, 10 to 40 ms for a new directory, Close 10 to 30 ms.
//
// A commit of one fire (6 keys) 0.25 ms, of 100 fires 3 ms, of 1,000 fires
// 28 ms, on a disk that syncs in about 0.15 ms; a view with one Get among
// 200,000 records 7 to 11 us; the disk check 1.2 us. A snapshot runs at 2.4
// million records per second and takes 2 MiB, or 20 MiB for a million records
// with what the collector has not collected yet; a restore at 270,000 records
// per second takes 150 MiB beside the old state, and up to 500 MiB with garbage:
// Badger keeps the buffers of the last eight memtables it wrote out.
package store
