// Package chronos is a durable cron that a Go program carries inside itself.
// [New] opens a directory, [Scheduler.Handle] registers functions,
// [Scheduler.Put] declares jobs, and [Scheduler.Run] fires them until its
// context ends. There is no database, broker or daemon beside it.
//
//	s, err := chronos.New(chronos.Options{Dir: "data"})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	err = s.Handle("greet", func(ctx context.Context, x chronos.Execution) error { ... })
//	_, err = s.Put(ctx, chronos.Job{ID: "greet", Schedule: chronos.Cron("*/5 * * * *"), Handler: "greet"})
//	err = s.Run(ctx)
//
// Everything that happens goes through a log on disk before it takes effect:
// that a job was put, that an instant came due, who runs it, how it ended. Kill
// the process at any moment and start it again: the jobs, their versions, their
// schedules and their history are there, what was missed meanwhile is dealt with
// as each job's policy says, and what was running is found and resolved.
//
// # Jobs
//
// A [Job] is a named, versioned definition: when to run, what to run, and what
// to do when things do not go to plan. The zero value of every policy is its
// default. Put creates or replaces; an unchanged definition makes no new version,
// so a program declares its jobs whenever it starts. With [Job].Version set, Put
// is a compare and swap. Every definition a job ever had is kept, with who put it
// and why ([Scheduler.Versions], [WithActor]), and can be taken up again
// ([Scheduler.Rollback]). A job that is deleted and put again is a new generation
// that nothing old touches.
//
// A changed or resumed job counts from that moment: instants before the change
// that had not fired are recorded, and do not run. After Put has returned no
// execution begins under the old definition.
//
// [New] fires nothing. Jobs are in the directory from earlier starts, and their
// handlers have to be registered first.
//
// # Schedules
//
// A [Schedule] is a value: [Cron], [Every], [After] or [At], or a [Union] of
// some, with a zone, bounds, jitter, days and times to leave out, business days
// and a daylight-saving policy as methods. Constructors do not fail;
// [Schedule.Err] and Put say what is wrong, and a schedule that can never be due
// is wrong. [Schedule.NextN], [Schedule.Between] and [Schedule.Describe] show what
// it comes to, [Schedule.String] and [ParseSchedule] are a text form.
//
// Cron expressions have 5 fields, 6 (seconds in front) or 7 (a year behind), and
// are in UTC unless In names a zone. When both day fields are restricted, a day
// matches if either does, as in Vixie cron; MatchBothDays asks for both. Daylight
// saving follows Debian's cron(8): a job with a fixed time whose time falls into
// the gap runs once, right after it, and runs once when its time comes twice; one
// whose minute or hour field starts with * runs at every matching instant.
// docs/schedules.md has the grammar, the rules and their sources.
//
// The due instants of Every lie on a lattice from its anchor, whatever happened
// meanwhile. After counts from the committed end of the last execution. The time
// zone must be known wherever the job is scheduled: a host that may run without
// the system's zone database imports time/tzdata. When the zone data of the
// machine changes, next instants follow.
//
// # Handlers
//
// A [Handler] is called once per attempt. Its context ends at [Job].Timeout, when
// the execution is canceled, and when the process stops; context.Cause says which
// ([ErrCanceled], [ErrRevoked], [ErrStopping]). A nil error is success. Other
// errors are repeated as [Retry] says, unless [Permanent] says that this is
// useless or [RetryAfter] names the time; RetryAfter without an error puts the
// execution off and counts as no failure. A panic is a failed attempt, with its
// stack in the history. [JSON] makes a handler of a function with a typed payload,
// [SetOutput] keeps a result. Options.Around sees every attempt on a node begin and
// end, and gives it a context: for traces and measurements.
//
// A [Webhook] is an HTTP request in place of a handler. It is signed after the
// Standard Webhooks specification; a Go receiver verifies it with
// dispatch.Verify. Secrets are written once and never come back: reads show
// [SecretKept], and a Put that contains it keeps the stored value. Link-local and
// cloud metadata addresses are never called, whatever a name resolves to;
// Options.BlockPrivate adds private and loopback addresses.
//
// # The ledger
//
// Every (job, due instant) has exactly one row: an [Execution] that ran, or one
// that says why nothing ran (skipped, missed or dropped, with a [Reason]). Long
// ranges of missed instants share one row that counts them. Triggers and
// backfills have rows of their own. A row has one ID for all of its attempts,
// the same after a restart, and IDs of one job sort by due instant.
// [Scheduler.Executions] lists rows newest first, [Scheduler.Wait] waits for one
// to end, [Scheduler.Events] reports changes as they are committed. How much is
// kept is a matter of [Retention].
//
// # Policies
//
//   - [Overlap]: the job is due while it is unfinished. Skip, buffer one, buffer
//     all, cancel or terminate the other, or allow all. Waiting for a retry is
//     unfinished, too.
//   - [Misfire]: an instant passed by more than a second with nobody able to fire
//     it. Run the latest, the earliest, all or none of what was missed, bounded by
//     CatchUpWindow and CatchUpMax.
//   - StartDeadline: an execution that could not start in time is missed.
//   - [Retry]: exponential delay with full jitter; the instant of the next attempt
//     is on disk, so a restart neither forgets nor hurries it.
//   - [Delivery]: the process died during an attempt. AtLeastOnce repeats it,
//     AtMostOnce ends it as lost.
//   - Priority, with ageing, when Options.Concurrency is used up.
//   - [Concurrency]: jobs with the same key share a number of places.
//
// docs/semantics.md has the tables.
//
// # Overdue jobs
//
// A job that fails is in the ledger; one that does not run at all is easily
// forgotten. With [Job].SucceedWithin a job that has not succeeded for so long is
// overdue, whatever the cause: one [EventJobOverdue], [JobState].Overdue and
// [NodeStatus].Overdue, until it succeeds, is paused or deleted, or is given another
// limit. Each node finds that for itself, without a leader, too; Event.At tells that
// it is the same breach. It takes a process that is up: whether one is at all has to
// be watched from outside.
//
// # Jobs from files
//
// Package jobfile reads jobs from JSON (its module jobfile/yaml from YAML) and crontabs,
// and makes the jobs of an owner what a file declares: what it no longer has is removed,
// what others put stays. It does that with what anybody can call: [Scheduler.Check] tells
// what Put would do, and Put with [Job].Version and [Scheduler.DeleteIf] change only
// what nobody has changed meanwhile. docs/moving.md tells how to come here from other
// schedulers.
//
// # Guarantees
//
// Of one process on one directory:
//
//   - A write that was acknowledged survives the kill of the process and a power
//     cut, as far as the disk keeps what it says is synced. An error that is not
//     [ErrInvalid], [ErrNotFound], [ErrConflict], [ErrDiskFull] or [ErrClosed] may
//     leave open whether the write took effect; repeating Put, and Trigger with a
//     key, is safe.
//   - An attempt begins only after its assignment is on disk. With AtMostOnce no
//     execution begins twice; with AtLeastOnce none that was begun is forgotten.
//   - Every due instant of an enabled job is accounted for in the ledger, however
//     many there are and whatever failed in between. A clock that is set back fires
//     nothing twice.
//   - With any Overlap but OverlapAllowAll a job has one live attempt at most. The
//     result of an attempt that was given up is refused.
//   - Damaged files are noticed (every log entry, record and snapshot carries a
//     checksum), and rebuilt from what is intact or refused with [ErrCorrupt]; they
//     are never taken for an empty directory.
//   - A full disk refuses writes with [ErrDiskFull], and service goes on by itself
//     when there is room (docs/operations.md has what is left of the risk).
//   - A handler that panics, hangs or floods its output harms no other job.
//
// What proves each of these is in docs/guarantees.md, how it is tested in docs/testing.md.
//
// # Cluster
//
// With Options.Cluster several processes are one scheduler ([Cluster]). Each node
// has a name (Options.Node), a directory, and a port for the others. Three voters
// go on when one is lost. Any node takes writes, and has applied them when the
// call returns; reads are served by the node itself, and [Scheduler.Sync] brings
// it up to date first. The leader plans, and gives each execution to a node that
// runs, has the handler and has room, the one with the fewest attempts, of equals the
// first by name: where all are idle, that one runs everything. [Placement] asks for
// labelled nodes, for every node, or for the one it ran on last. A Worker runs
// jobs without a vote.
//
// A node that nobody hears of for most of Cluster.Lease cancels what it runs (the
// cause is [ErrRevoked]) before the others give it away; its late results are
// refused. What it ran is decided by each job's [Delivery], as after a crash.
// Closing the leader hands leadership over first. [Scheduler.Lock] takes named
// locks of the whole cluster, for work that is no job. docs/cluster.md tells how to
// begin, secure, extend and repair a cluster.
//
// # Caveats
//
// A handler may run more than once for the same execution (AtLeastOnce is the
// default, and Retry repeats): use [Execution].ID, or the growing
// [Execution].FencingToken, to make effects safe to repeat. Nobody can promise
// exactly once for effects outside the process.
//
// A goroutine cannot be killed. A handler that ignores its ended context is
// reported as stuck after Options.StuckAfter and loses its place; it goes on until
// it returns.
//
// A directory belongs to one process: a second one that opens it gets [ErrLocked].
// Several processes share their jobs by replication, each with a directory of its
// own (Options.Cluster). [ErrNoLeader] means that nothing can be committed for the
// moment: in a cluster, that a majority of the voters is not in touch.
//
// Fires are committed up to 750 ms before they are due, so that durability
// does not cost punctuality. Such a row is pending until its instant; an edit or a
// pause in that time withdraws it.
//
// Payloads, outputs and the secrets of webhooks are in the directory as they are:
// Chronos makes it readable for its user only, and encrypts nothing.
//
// # Shutdown
//
// When the context of Run ends, nothing new begins. What runs has
// Options.DrainTimeout to finish; then its context ends, with the cause
// ErrStopping, and what does not finish is handed back without burning an attempt:
// the next Run starts it again (AtMostOnce: it ends as lost if it had begun). Run
// returns an error that names handlers which did not return within
// Options.StuckAfter. [Scheduler.Close] ends Run, if it runs, and closes the
// files. Chronos installs no signal handlers, ends no process and starts no
// goroutine that Close does not end.
//
// # Files
//
// Options.Dir holds a lock, the log (raft.db), snapshots of it (snapshots/), the
// state that follows from both (state/), space set aside for a full disk
// (reserve), starts that did not end well (starts), what has been reported as overdue (overdue) and, after damage, what was moved aside (quarantine/). The log and the
// snapshots are the truth; the state is rebuilt from them at any doubt. [Scheduler.Backup]
// writes all there is at one moment while work goes on, and [Scheduler.Restore]
// brings that into a new scheduler without firing the past. docs/operations.md
// tells more, and what to do about each error.
package chronos
