package raftfsm

import (
	"log/slog"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// Config says what a node is. The zero value of every field but Dir (or
// InMemory) is right for most.
type Config struct {
	// ID names the node. Empty: the name in the directory, or a random one
	// for a new directory. A directory does not change its name.
	ID string
	// Dir holds everything the node keeps.
	Dir string
	// InMemory keeps nothing on disk.
	InMemory bool
	// Logger receives what an operator should know; nil is silence.
	Logger *slog.Logger
	// OnApply is called after each committed batch, in log order, from Apply's
	// goroutine: it must not block and must not propose. What is applied
	// while Open brings the state up to date is not reported: the host starts
	// from the state it finds.
	OnApply func(*Effects)
	// TrustView takes the state in state/ as the truth when raft.db is missing
	// or damaged, and begins a new log there. Undamaged, which is checked, the
	// state of a single node holds whatever was ever acknowledged, after a crash
	// all but the last second. Where raft.db has only lost its end, what it has
	// is kept as well. For one start, by a person's decision.
	TrustView bool

	// Cluster makes the node one of several; nil: it is alone. ID is required
	// then.
	Cluster *Cluster

	// StartTimeout bounds how long Open waits without progress. Default 10 s.
	StartTimeout time.Duration
	// EntryTimeout is how long an entry may take before its commands are
	// proposed once more, under the same IDs. Default 10 s.
	EntryTimeout time.Duration
	// LeaderTimeout is how long Propose looks for a leader. Default 5 s.
	LeaderTimeout time.Duration
	// CloseTimeout bounds Close. Default 10 s.
	CloseTimeout time.Duration
	// SnapshotThreshold is how many entries make a new snapshot due. Default 8192.
	SnapshotThreshold uint64
	// SnapshotInterval is how often that is looked at. Default 2 minutes.
	SnapshotInterval time.Duration
	// SnapshotBytes is how many bytes of entries make one due at once:
	// raft.db grows with what lies between snapshots and never shrinks.
	// Default 64 MiB.
	SnapshotBytes int64

	// CommitTimeout is how often an idle leader of a cluster tells its followers
	// how far the log is committed: what a follower's caller waits at the most
	// beyond the commit. Default 20 ms.
	CommitTimeout time.Duration

	// NoSync gives up durability. For tests: the control that must fail.
	NoSync bool
	// Busy tells if there will be something more urgent than the store's background
	// work within a time. Nil is never.
	Busy func(within time.Duration) bool
	// NoCompaction runs the store without compactors. For simulated days.
	NoCompaction bool
	// SingleTimeout is that of Raft's timers on a node that is alone. Nobody else
	// votes, so it says nothing about failure; an election is called for at once
	// when the node opens. Default 500 ms; longer for simulated years, which would
	// be spent with a leader's look at itself.
	SingleTimeout time.Duration

	// MaxLevel lets the node play an older program: it knows feature levels up
	// to this one. For tests.
	MaxLevel uint32
	// Guard says how much room the disk has to have. Tests put a full disk here.
	Guard store.GuardOptions
	// LogWrite, if it is set, comes before each write to the log, and its error is
	// the write's. For tests: slow and failing disks.
	LogWrite func() error

	backend   func(logBackend) logBackend // tests inject write errors
	noCompare bool                        // tests: the control that finds no divergence
	atStep    func(step string) error     // tests end a recovery between its steps
}

const (
	// maxAppendEntries bounds what a follower that is behind is sent at once: it has
	// to arrive, and to be on its disk, within transportTimeout, or it is sent
	// again, for ever. At 512 KiB each, 32 take 1.7 MB a second.
	maxAppendEntries = 32
	transportTimeout = 10 * time.Second
	trailingLogs     = 64
	healthyAfter     = time.Minute
)

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.OnApply == nil {
		c.OnApply = func(*Effects) {}
	}
	if c.SnapshotThreshold == 0 {
		c.SnapshotThreshold = 8192
	}
	if c.SnapshotBytes == 0 {
		c.SnapshotBytes = 64 << 20
	}
	for _, d := range []struct {
		at  *time.Duration
		def time.Duration
	}{
		{&c.StartTimeout, 10 * time.Second},
		{&c.EntryTimeout, 10 * time.Second},
		{&c.LeaderTimeout, 5 * time.Second},
		{&c.CloseTimeout, 10 * time.Second},
		{&c.SnapshotInterval, 2 * time.Minute},
		{&c.CommitTimeout, 20 * time.Millisecond},
		{&c.SingleTimeout, 500 * time.Millisecond},
	} {
		if *d.at <= 0 {
			*d.at = d.def
		}
	}
	return c
}

// raftConfig is Raft's view of the configuration.
func (c *Config) raftConfig(id string, notify chan<- bool) *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(id)
	timeout := c.SingleTimeout
	rc.CommitTimeout = 50 * time.Millisecond
	if c.Cluster != nil {
		timeout, rc.CommitTimeout = c.Cluster.heartbeat(), c.CommitTimeout
	}
	rc.HeartbeatTimeout, rc.ElectionTimeout, rc.LeaderLeaseTimeout = timeout, timeout, timeout
	rc.MaxAppendEntries = maxAppendEntries
	// The proposer batches, with two entries in flight. A buffer in front of
	// Raft would add nothing but a place where futures are forgotten when
	// Raft shuts down (raft #498).
	rc.BatchApplyCh = false
	rc.ShutdownOnRemove = false
	rc.SnapshotThreshold = c.SnapshotThreshold
	rc.SnapshotInterval = c.SnapshotInterval
	// How much log stays behind a snapshot is decided by logStore.DeleteRange:
	// as much as the older of the two snapshots needs. Fewer than a few would
	// let a compaction empty the log.
	rc.TrailingLogs = trailingLogs
	rc.NotifyCh = notify
	rc.Logger = raftLogger(c.Logger)
	rc.NoLegacyTelemetry = true
	return rc
}
