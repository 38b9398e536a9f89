package chronos

import (
	"time"

	"github.com/chronos-go/chronos/store"
)

// Execution is the running of one occurrence, or of a trigger or backfill: one
// row of the ledger. Rows for instants at which nothing ran are executions,
// too: their Status and Reason say why.
type Execution struct {
	// ID is the same on every node and in every attempt. IDs of one job sort by
	// due instant.
	ID         string
	Job        string
	Generation uint64 // of the job
	Version    uint64 // of the definition that the newest attempt had
	Due        time.Time
	Origin     Origin
	Status     Status
	Reason     Reason
	// Waiting says what an execution that is pending waits for.
	Waiting Waiting

	Attempt      int    // number of the current or newest attempt, from 1
	FencingToken uint64 // of the newest attempt; grows with every attempt of the job
	Node         string // who runs it, or ran it last
	Target       string // the node that it is for, of a job for every node

	Payload         []byte // only inside a handler
	Output          []byte // of the last attempt, once the execution is over
	OutputTruncated bool
	Error           string // of the newest attempt

	CreatedAt time.Time // when it was committed
	ReadyAt   time.Time // when its current or next attempt may start
	EndedAt   time.Time // when its end was committed
	Attempts  []Attempt // the first and the newest nine
	Elided    int       // attempts between those

	// A range row accounts for Count instants from Due to RangeTo at which
	// nothing ran. Count is 1 otherwise. CountIsFloor: counting was cut off.
	RangeTo      time.Time
	Count        int
	CountIsFloor bool

	Key         string            // idempotency key of a trigger
	Actor, Note string            // who asked (WithActor) and what was said with it, for triggers and backfills
	Labels      map[string]string // of the job; only inside a handler
}

// Final tells if the execution is over.
func (x Execution) Final() bool { return x.Status != StatusPending && x.Status != StatusRunning }

// Ran tells if a handler or webhook was called for it.
func (x Execution) Ran() bool { return x.Attempt > 0 }

// Attempt is one call of the handler or the webhook.
type Attempt struct {
	Number       int
	Node         string
	FencingToken uint64
	Version      uint64
	Started      time.Time
	Ended        time.Time
	Status       Status
	Reason       Reason
	Error        string
	HTTPStatus   int
	Stuck        bool   // the handler ignored its context and was given up
	Stack        string // of a panic, while the attempt is the newest
}

// Status is where an execution stands.
type Status string

// The statuses. Succeeded and those after it are final.
const (
	StatusPending    Status = "pending"    // committed; waits for its instant, for room, or for a retry
	StatusRunning    Status = "running"    // a node holds it, and its instant has come
	StatusSucceeded  Status = "succeeded"  //
	StatusFailed     Status = "failed"     // after all retries
	StatusCanceled   Status = "canceled"   // somebody, or a policy, asked for it
	StatusTerminated Status = "terminated" // ended in the ledger while it ran; its result is refused
	StatusTimedOut   Status = "timed_out"  // the last attempt exceeded Job.Timeout
	StatusLost       Status = "lost"       // its node died, and the job is AtMostOnce; or it came unfinished with a backup
	StatusSkipped    Status = "skipped"    // never ran: Reason overlap or paused
	StatusMissed     Status = "missed"     // never ran: nobody could fire it, or its deadline passed
	StatusDropped    Status = "dropped"    // never ran: the overlap buffer was full
)

// Reason says why an execution ended as it did.
type Reason string

// The reasons.
const (
	ReasonNone       Reason = ""
	ReasonOverlap    Reason = "overlap"
	ReasonDeadline   Reason = "deadline"     // Job.StartDeadline
	ReasonPaused     Reason = "paused"       // due while the job was paused
	ReasonWindow     Reason = "window"       // older than Job.CatchUpWindow
	ReasonCatchUp    Reason = "catch_up"     // the misfire policy chose others
	ReasonCatchUpMax Reason = "catch_up_max" // more than Job.CatchUpMax
	ReasonBuffer     Reason = "buffer"       // the overlap buffer was full
	ReasonEdit       Reason = "edit"         // overdue when the job was edited
	ReasonZone       Reason = "zone"         // had passed when new time-zone data made it due
	ReasonRestore    Reason = "restore"      // from before the backup was restored that the job came with
	ReasonDeleted    Reason = "deleted"      // the job was deleted
	ReasonShutdown   Reason = "shutdown"     // the node stopped
	ReasonRequest    Reason = "request"      // somebody asked
	ReasonStuck      Reason = "stuck"        // the handler ignored its context
	ReasonNode       Reason = "node"         // a job for every node: none was there, or the one it was for was removed
)

// Origin says where an execution came from.
type Origin string

// The origins.
const (
	OriginSchedule Origin = "schedule"
	OriginTrigger  Origin = "trigger"
	OriginBackfill Origin = "backfill"
)

// Waiting says what a pending execution waits for.
type Waiting string

// What a pending execution can wait for.
const (
	WaitingNone    Waiting = ""
	WaitingRoom    Waiting = "room"    // a node that is up, has the handler and has room
	WaitingInstant Waiting = "instant" // the instant of its next attempt
	WaitingOverlap Waiting = "overlap" // another execution of the job
	WaitingKey     Waiting = "key"     // a place of the job's concurrency key
)

var (
	statusNames = map[store.Status]Status{
		store.Status_STATUS_PENDING: StatusPending, store.Status_STATUS_SUCCEEDED: StatusSucceeded,
		store.Status_STATUS_FAILED: StatusFailed, store.Status_STATUS_CANCELED: StatusCanceled,
		store.Status_STATUS_TERMINATED: StatusTerminated, store.Status_STATUS_TIMED_OUT: StatusTimedOut,
		store.Status_STATUS_LOST: StatusLost, store.Status_STATUS_SKIPPED: StatusSkipped,
		store.Status_STATUS_MISSED: StatusMissed, store.Status_STATUS_DROPPED: StatusDropped,
	}
	reasonNames = map[store.Reason]Reason{
		store.Reason_REASON_OVERLAP: ReasonOverlap, store.Reason_REASON_DEADLINE: ReasonDeadline,
		store.Reason_REASON_PAUSED: ReasonPaused, store.Reason_REASON_WINDOW: ReasonWindow,
		store.Reason_REASON_CATCH_UP: ReasonCatchUp, store.Reason_REASON_CATCH_UP_MAX: ReasonCatchUpMax,
		store.Reason_REASON_BUFFER: ReasonBuffer, store.Reason_REASON_EDIT: ReasonEdit,
		store.Reason_REASON_DELETED: ReasonDeleted, store.Reason_REASON_SHUTDOWN: ReasonShutdown,
		store.Reason_REASON_REQUEST: ReasonRequest, store.Reason_REASON_STUCK: ReasonStuck,
		store.Reason_REASON_ZONE: ReasonZone, store.Reason_REASON_NODE: ReasonNode, store.Reason_REASON_RESTORE: ReasonRestore,
	}
	originNames = map[store.Origin]Origin{
		store.Origin_ORIGIN_SCHEDULE: OriginSchedule, store.Origin_ORIGIN_TRIGGER: OriginTrigger,
		store.Origin_ORIGIN_BACKFILL: OriginBackfill,
	}
	waitNames = map[store.Wait]Waiting{
		store.Wait_WAIT_ROOM: WaitingRoom, store.Wait_WAIT_INSTANT: WaitingInstant,
		store.Wait_WAIT_OVERLAP: WaitingOverlap, store.Wait_WAIT_KEY: WaitingKey, store.Wait_WAIT_ASSIGNED: WaitingInstant,
	}
)

// executionFrom reads a stored row as it stands at an instant: what is assigned
// runs from the instant on at which it was allowed to start.
func executionFrom(job, exec string, x *store.Execution, now time.Time) Execution {
	out := Execution{
		ID: store.JoinID(job, exec), Job: job, Generation: x.Generation, Version: x.Version,
		Due: instant(x.Due), Origin: originNames[x.Origin],
		Status: statusNames[x.Status], Reason: reasonNames[x.Reason], Waiting: waitNames[x.Wait],
		Attempt: int(x.Attempts), FencingToken: x.Token, Node: x.Node, Target: x.Target,
		Output: x.Output, OutputTruncated: x.Truncated, Error: x.Error,
		CreatedAt: instant(x.CreatedAt), ReadyAt: instant(x.ReadyAt), EndedAt: instant(x.EndedAt),
		Elided: int(x.Elided), RangeTo: instant(x.RangeTo), Count: max(1, int(x.RangeCount)), CountIsFloor: x.RangeMore,
		Key: x.Key, Actor: x.Actor, Note: x.Note,
	}
	if x.Wait == store.Wait_WAIT_ASSIGNED && x.ReadyAt <= now.UnixNano() {
		out.Status, out.Waiting = StatusRunning, WaitingNone
	}
	for _, a := range x.History {
		out.Attempts = append(out.Attempts, Attempt{
			Number: int(a.Number), Node: a.Node, FencingToken: a.Token, Version: a.Version,
			Started: instant(a.Started), Ended: instant(a.Ended), Status: statusNames[a.Status],
			Reason: reasonNames[a.Reason], Error: a.Error, HTTPStatus: int(a.HttpStatus), Stuck: a.Stuck, Stack: a.Stack,
		})
	}
	return out
}

// instant is the time of stored nanoseconds; zero stays zero.
func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
