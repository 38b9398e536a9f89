// Package faults breaks Chronos from the outside, and checks what is left with
// an oracle of its own. Nothing here is part of the library.
//
// A child process (the test binary again) works on a directory through the
// public API and writes down, outside of it, every call it begins, every
// answer it gets, and every start and end of a handler. The parent kills it,
// cuts its power, fills its disk or flips bits in its files; the next child
// opens the directory and dumps what it finds; and the checker holds that
// against what was written down. It computes due instants by itself, naively,
// and shares no code with the scheduler.
//
// In a cluster the children are nodes, which speak mutual TLS with each other and
// share one journal with the parent.
// The parent makes the calls, by orders over a pipe, and the handlers' starts
// and ends are in the order in which they were written: that order is the clock
// by which two attempts were or were not live at once.
//
// # What is tested, and how much of it
//
//	TestKill      -cycles 5      kill -9 at random moments, also while New runs
//	TestPowerCut  -cuts 2        a disk that loses what was not flushed
//	TestCluster   -cluster-kills 3    kill -9 of one of three nodes, at random moments
//	TestClusterFrozen  -cluster-freezes 1  SIGSTOP for about the lease; only on Linux
//	TestClusterCut     -cluster-cuts 1     the network between them is cut, one way or both
//	TestClusterHistory -cluster-history 5000  a node joins, by a snapshot, while jobs are due; only on Linux
//	TestClusterLoad    -cluster-load 5m    1,000 jobs a second, a kill every ten; off by default
//	TestClusterLeaders -cluster-leaders 100  kills of leaders only; off by default
//	TestBitRot    -flips 40      flipped bits and truncations in every kind of file
//	TestFullDisk  -fills 1       a volume that fills up while it is written to
//	TestLeaks     -reopens 30    goroutines, descriptors and files after Close
//	TestSoak      -soak 10m      1,000 jobs a second for real time; off by default
//
// Each proof has a control, in which the fault is one that must be noticed: an
// answer given before the write, a disk without fsync, a ledger with a row
// missing, doubled or lost. A proof whose control passes proves nothing.
//
// The power cuts need root, loop devices, FUSE and mkfs.ext4; the full disk
// needs root, loop devices and mkfs.ext4. Where one is missing they are skipped.
package faults
