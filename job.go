package chronos

import (
	"fmt"
	"io"
	"time"
)

// Job is a named, versioned definition: when to run, what to run, and what to
// do when things do not go to plan. The zero value of every policy is its
// default.
type Job struct {
	// ID names the job: 1 to 128 letters, digits, '.', '_', '-' or '/',
	// beginning with a letter or digit. Required. The ID of a job whose webhook
	// is signed must not contain a '.' (Standard Webhooks).
	ID string
	// Schedule says when the job is due. The zero Schedule: only when triggered.
	Schedule Schedule
	// Handler names the function to call, registered with Scheduler.Handle on
	// some node. Exactly one of Handler and Webhook is set.
	Handler string
	// Webhook is an HTTP request to make instead.
	Webhook *Webhook
	// Payload is passed to the handler, or sent as the webhook's body. At most
	// 256 KiB.
	Payload []byte
	// Labels are for selection of jobs (Placement selects nodes); at most 32, keys up to 64 bytes and values up
	// to 256.
	Labels map[string]string
	// Description is free text of up to 1 KiB.
	Description string

	// Overlap says what happens when the job is due while it still runs.
	Overlap Overlap
	// BufferMax bounds BufferAll. Default and maximum 1,000.
	BufferMax int
	// Misfire says what happens to instants that passed by more than a second
	// with nobody able to fire them.
	Misfire Misfire
	// CatchUpMax bounds how many executions MisfireAll makes up for. Default 100,
	// at most 10,000.
	CatchUpMax int
	// CatchUpWindow: older missed instants are not made up for. Default: no
	// limit, but 24 hours for MisfireAll.
	CatchUpWindow time.Duration
	// StartDeadline: an execution that could not start within it is missed.
	// Default: none.
	StartDeadline time.Duration
	// Retry says how failed attempts are repeated. Default: not at all.
	Retry Retry
	// Delivery says what becomes of an attempt whose process died.
	Delivery Delivery
	// Timeout ends an attempt's context. Default: none for handlers, 5 minutes
	// for webhooks.
	Timeout time.Duration
	// Placement says on which nodes the job may run. Default: any.
	Placement Placement
	// Concurrency makes the job share a number of places with others. Default:
	// none.
	Concurrency Concurrency
	// Priority: when there is not enough room, higher goes first; waiting for a
	// minute outweighs one step, so that nothing starves. From -100 to 100.
	Priority int
	// MaxRuns ends the schedule after so many scheduled executions. Default: no
	// limit. Triggers do not count.
	MaxRuns int
	// RemoveAfter deletes the job when its schedule has no further instant and
	// its last execution has ended; while it is paused it stays. The history stays
	// as retention says.
	RemoveAfter bool
	// PauseOnFailure pauses the job when an execution ended as failed, after all
	// retries.
	PauseOnFailure bool
	// SucceedWithin: a job that has not succeeded for so long is overdue. That is
	// one EventJobOverdue, and JobState.Overdue until it succeeds. It counts from
	// the newest success, from the Put that made the job or changed this field or
	// the Schedule, or from Resume, whichever is last. A job that somebody has
	// paused is not overdue. Choose more than the longest time between two
	// instants and an execution take together. Default: never overdue.
	SucceedWithin time.Duration
	// Retention overrides Options.Retention, field by field.
	Retention Retention

	// Note is kept with the version that Put makes, beside the actor from
	// WithActor. Not part of the definition: it makes no new version by itself.
	Note string
	// Version, when set in a Put, is the version the caller last saw: Put
	// answers ErrConflict if the job has another by now. MustNotExist: the job
	// must be new. Reads set it.
	Version uint64

	// State is set by reads and ignored by Put.
	State JobState
}

// MustNotExist as Job.Version lets Put fail with ErrConflict if the job exists.
const MustNotExist = ^uint64(0)

// JobState is what the scheduler knows of a job beside its definition.
type JobState struct {
	CreatedAt, UpdatedAt time.Time
	Actor                string // who made this version
	Generation           uint64 // grows when the job is deleted and put again
	Paused               bool
	PausedBy, PauseNote  string
	PausedAt             time.Time
	NextDue              time.Time // zero: nothing is due
	LastDue              time.Time // newest instant in the ledger
	Exhausted            bool      // the schedule has no further instant
	Runs                 int       // scheduled executions, counted against MaxRuns
	Unfinished           int       // executions that are not final and not buffered
	Buffered             int
	Failures             int // final failures in a row
	LastStatus           Status
	LastEnd, LastSuccess time.Time
	// SucceedBy is when the job has to have succeeded again (Job.SucceedWithin); zero
	// if it does not have to. Overdue: that has passed.
	SucceedBy time.Time
	Overdue   bool
}

// Overlap is what happens when a job is due while an execution of it is
// unfinished anywhere in the cluster, one that waits for a retry included. The
// meanings are Temporal's.
type Overlap string

// The overlap policies.
const (
	OverlapSkip           Overlap = "skip"            // record it as skipped (default)
	OverlapBufferOne      Overlap = "buffer_one"      // the first that is blocked waits, later ones are skipped
	OverlapBufferAll      Overlap = "buffer_all"      // they wait in order, at most BufferMax, then are dropped
	OverlapCancelOther    Overlap = "cancel_other"    // cancel the running one's context, start after it has ended
	OverlapTerminateOther Overlap = "terminate_other" // end the running one in the ledger, refuse its result, start at once
	OverlapAllowAll       Overlap = "allow_all"       // run side by side
)

// Misfire is what happens to instants that passed by more than a second with
// nobody able to fire them. Each of them gets its place in the ledger.
type Misfire string

// The misfire policies.
const (
	MisfireLatest   Misfire = "latest"   // one execution, for the last missed instant (default)
	MisfireEarliest Misfire = "earliest" // one execution, for the first
	MisfireAll      Misfire = "all"      // each, oldest first, at most CatchUpMax; under the overlap policy: OverlapBufferAll runs them one after the other, OverlapSkip only the first
	MisfireSkip     Misfire = "skip"     // none
)

// Delivery is what becomes of an attempt whose node died or lost contact.
type Delivery string

// The delivery guarantees.
const (
	AtLeastOnce Delivery = "at_least_once" // it is repeated under the same execution ID (default)
	AtMostOnce  Delivery = "at_most_once"  // the execution ends as lost and is never repeated
)

// Placement says on which nodes a job may run, beside that they have its handler
// and room for it. Of those that may, an execution goes to the one with the fewest
// attempts, running or waiting for their instant; of equals to the one whose name
// (Options.Node) sorts first, so that where all are idle one node runs everything.
type Placement struct {
	// Labels: only nodes whose Options.Labels have all of these. Without such a
	// node an execution waits (WaitingRoom). At most 32.
	Labels map[string]string
	// EveryNode: at each instant once on every node that runs then and can have
	// it, each of them an execution of its own. It waits for that node, and for no
	// other; the overlap policy looks at what is unfinished on that node. At an
	// instant for which there is no node the ledger says missed, ReasonNode. A
	// Trigger or Backfill runs on every node, too. Excludes Sticky, MaxRuns and a
	// Schedule of After.
	EveryNode bool
	// Sticky: preferably where the job ran last, if that node has room: for
	// handlers that keep something warm. Another node gets it rather than that it
	// waits.
	Sticky bool
}

// Concurrency is a number of places that jobs share over the whole cluster: at
// most so many executions with the key are unfinished at once. One takes its
// place when it is ready to start and keeps it until it is final, also while it
// waits for a node or for its next attempt; without a place it waits
// (WaitingKey), by priority and age.
type Concurrency struct {
	// Key names what is shared, for example "tenant-7". "" is none. At most 128
	// bytes.
	Key string
	// Limit is the number of places, as this job sees it: give all jobs with one
	// key the same. Default 1.
	Limit int
}

// Retry says how failed attempts are repeated. The delay before attempt n+1 is
// Initial × Multiplier^(n-1), at most Max, of which a random share is taken
// (full jitter).
type Retry struct {
	MaxAttempts int           // counting the first; default 1: no retry. At most 10,000
	Initial     time.Duration // default 1 s
	Multiplier  float64       // default 2; at least 1
	Max         time.Duration // default 1 h, or Initial if that is longer
	MaxElapsed  time.Duration // no attempt later than this after the first began; default: no limit
	NoJitter    bool          // take the whole delay
}

// Retention bounds a job's ledger. Zero fields take the default, negative ones
// set no limit. Rows go in batches, so a ledger may hold a tenth more.
type Retention struct {
	Age   time.Duration // counted from an execution's end
	Count int
}

// Secret is a value that is written once and never comes back: reads, logs,
// errors and history show only that one is set. A Put that contains SecretKept
// keeps the stored value. (Not so in an unexported field of a struct of yours: fmt
// prints that without asking.)
type Secret string

// SecretKept is what reads show in place of a secret that is set.
const SecretKept Secret = "[secret]"

// String does not show the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return string(SecretKept)
}

// GoString does not show the secret.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// Format does not show the secret, whatever the verb: fmt asks for no String where
// the verb does not fit.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text)
}

// MarshalText does not show the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Webhook is an HTTP request made in place of a handler. The job's payload is
// its body. Requests carry webhook-id (the execution's ID, the same in every
// attempt), webhook-timestamp and, with Secrets, webhook-signature after the
// Standard Webhooks specification; and Chronos-Job, Chronos-Attempt,
// Chronos-Due and Chronos-Fencing-Token.
//
// An answer of 2xx is success. 408, 425, 429, 5xx and network errors are
// retried as Job.Retry says, heeding Retry-After; other answers fail for good.
// Link-local and cloud metadata addresses are never called, and private ones
// not with Options.BlockPrivate.
type Webhook struct {
	URL    string // absolute, http or https
	Method string // default POST
	// Headers are shown in reads. Authorization, Cookie and their like belong
	// in SecretHeaders.
	Headers       map[string]string
	SecretHeaders map[string]Secret
	BasicUser     string
	BasicPassword Secret
	Bearer        Secret
	// Secrets sign the request: "whsec_" and base64 of 24 to 64 bytes. Several
	// make several signatures, for key rotation. A Put keeps all stored ones
	// (SecretKept for each, in order, beside new ones) or writes all of them out.
	Secrets         []Secret
	SuccessCodes    []int  // default: 2xx
	MaxResponse     int    // bytes of the answer kept as output; default and maximum Options.MaxOutput
	FollowRedirects int    // default 0: a redirect is a failure. At most 10
	PauseOnGone     bool   // 410 pauses the job
	ContentType     string // default application/json
}

// Format prints a webhook without its secrets, whatever the verb.
func (w Webhook) Format(f fmt.State, verb rune) {
	type plain Webhook // whose secrets are asked how they want to be printed
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), plain(w))
}

// Version is one definition a job had.
type Version struct {
	Number       uint64
	At           time.Time
	Actor, Note  string
	Deleted      bool   // this version is the job's deletion
	RolledBackTo uint64 // the version whose definition a Rollback took up
	Job          Job
}

// Selector picks jobs whose labels have all of these values. An empty one
// picks every job.
type Selector map[string]string

func (sel Selector) matches(labels map[string]string) bool {
	for k, v := range sel {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}
