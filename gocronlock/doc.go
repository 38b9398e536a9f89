// Package gocronlock lets the processes of a gocron v2 scheduler share their work by the
// locks of a Chronos cluster: gocron's Locker and Elector, without Redis, etcd or a
// database beside the program.
//
//	locker, err := gocronlock.NewLocker(s, gocronlock.Options{})
//	scheduler, err := gocron.NewScheduler(gocron.WithDistributedLocker(locker))
//
// or, so that one process runs everything,
//
//	elector, err := gocronlock.NewElector(s, gocronlock.Options{})
//	scheduler, err := gocron.NewScheduler(gocron.WithDistributedElector(elector))
//
// Either is a first step: gocron keeps its jobs, and they are in no ledger. What is missed
// while no process runs stays missed, and nothing is repeated. docs/moving.md has the way
// on: the same functions as jobs of Chronos, where every instant runs once without a
// locker.
//
// # Which one
//
// The Elector is exact while a leader lives: one process runs everything. When it dies or
// is cut off, another one takes over as soon as its lease has run out (Cluster.Lease);
// instants in between run nowhere. The leader's jobs, which do not know of that, go on
// until they end.
//
// The Locker spreads jobs, one lock for each name, and depends on clocks: gocron asks for
// the lock when its own timer goes off. The lock is therefore kept for Options.Hold after
// it was taken, also if the job is over sooner, so that a process whose clock is a little
// late does not run the same instant again. Hold has to be longer than twice what clocks
// differ, and shorter than the shortest interval. Give jobs a name (gocron.WithName): the default is
// that of the function, and two jobs of one function would share a lock. Jobs at an
// interval need gocron.WithStartAt, or each process counts from its own start.
//
// It is a module of its own (tags gocronlock/v...).
package gocronlock
