// Package planner decides, on the leader, what has come due. It reads the due
// index, asks the schedule for what follows, and proposes Fire commands; the
// state machine decides what becomes of them. The planner holds no truth: it
// may die at any moment, and the next one finds the same index.
//
// # Look-ahead
//
// Fires are committed a little before they are due, so that at the instant
// itself only a timer stands between tick and handler. While a job is busy
// this cannot be done, because it may still become free: such a job is held
// until it is, or until its instant.
//
// # Misfires
//
// An instant that is overdue by more than a second is a misfire, and the job's
// policy says what becomes of it. However many instants an outage has passed
// over, they are accounted for in bounded steps, between which other jobs get
// their turn.
package planner
