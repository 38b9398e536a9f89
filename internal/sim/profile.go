package sim

import "time"

// profile is how fast a simulation lives. Timers cost real time whether or not
// anything happens, so long simulated days have slow timers and sparse faults.
type profile struct {
	Name             string
	Heartbeat, Lease time.Duration
	Commit           time.Duration // how often followers hear how far the log is
	Length           time.Duration
	Fault            time.Duration // between two faults, on average
	Pause            time.Duration // between two calls of a caller, on average
	Unit             time.Duration // the shortest period of a job
	Jobs             int
	Room             int // Options.Concurrency
	Drain, Stuck     time.Duration
	Snapshot         uint64 // entries between two snapshots
}

// profiles are drawn from with these weights.
var profiles = []profile{
	{Name: "dense", Heartbeat: 300 * time.Millisecond, Lease: 5 * time.Second, Commit: 20 * time.Millisecond, Length: 5 * time.Minute,
		Fault: 12 * time.Second, Pause: 700 * time.Millisecond, Unit: time.Second, Jobs: 14, Room: 12, Drain: 2 * time.Second, Stuck: 3 * time.Second, Snapshot: 300},
	{Name: "medium", Heartbeat: time.Second, Lease: 10 * time.Second, Commit: 200 * time.Millisecond, Length: time.Hour,
		Fault: 2 * time.Minute, Pause: 10 * time.Second, Unit: 10 * time.Second, Jobs: 14, Room: 12, Drain: 5 * time.Second, Stuck: 10 * time.Second, Snapshot: 300},
	{Name: "sparse", Heartbeat: 10 * time.Second, Lease: 2 * time.Minute, Commit: 4 * time.Second, Length: 24 * time.Hour,
		Fault: 25 * time.Minute, Pause: 3 * time.Minute, Unit: 2 * time.Minute, Jobs: 14, Room: 12, Drain: 20 * time.Second, Stuck: time.Minute, Snapshot: 500},
	{Name: "quiet", Heartbeat: 10 * time.Second, Lease: 10 * time.Minute, Commit: 10 * time.Second, Length: 7 * 24 * time.Hour,
		Fault: 3 * time.Hour, Pause: 40 * time.Minute, Unit: 20 * time.Minute, Jobs: 14, Room: 12, Drain: time.Minute, Stuck: 5 * time.Minute, Snapshot: 500},
	// Only when asked for: as long as the history is kept.
	{Name: "month", Heartbeat: 10 * time.Second, Lease: 10 * time.Minute, Commit: 10 * time.Second, Length: 28 * 24 * time.Hour,
		Fault: 6 * time.Hour, Pause: 2 * time.Hour, Unit: time.Hour, Jobs: 14, Room: 12, Drain: time.Minute, Stuck: 5 * time.Minute, Snapshot: 500},
}
