package chronoshttp

import (
	"time"

	"github.com/chronos-go/chronos"
)

// executionJSON is one row of the ledger.
type executionJSON struct {
	ID              string          `json:"id" doc:"the same on every node and in every attempt"`
	Job             string          `json:"job" doc:"whose execution it is"`
	Generation      uint64          `json:"generation" doc:"of the job"`
	Version         uint64          `json:"version" doc:"of the definition that the newest attempt had"`
	Due             time.Time       `json:"due" doc:"the instant it is for"`
	Origin          chronos.Origin  `json:"origin" doc:"where it came from"`
	Status          chronos.Status  `json:"status" doc:"where it stands"`
	Final           bool            `json:"final" doc:"it is over"`
	Reason          chronos.Reason  `json:"reason,omitempty" doc:"why it ended as it did"`
	Waiting         chronos.Waiting `json:"waiting,omitempty" doc:"what a pending one waits for"`
	Attempt         int             `json:"attempt" doc:"number of the current or newest attempt; 0: nothing was called"`
	FencingToken    uint64          `json:"fencing_token" doc:"of the newest attempt"`
	Node            string          `json:"node,omitempty" doc:"who runs it, or ran it last"`
	Target          string          `json:"target,omitempty" doc:"the node it is for, of a job for every node"`
	Output          *string         `json:"output,omitempty" doc:"of the last attempt, if it is text; only of a single execution, not in lists"`
	OutputBase64    string          `json:"output_base64,omitempty" doc:"the same, if it is no text"`
	OutputTruncated bool            `json:"output_truncated,omitempty" doc:"the output was longer"`
	Error           string          `json:"error,omitempty" doc:"of the newest attempt"`
	CreatedAt       time.Time       `json:"created_at,omitzero" doc:"when it was committed"`
	ReadyAt         time.Time       `json:"ready_at,omitzero" doc:"when its current or next attempt may start"`
	EndedAt         time.Time       `json:"ended_at,omitzero" doc:"when its end was committed"`
	Attempts        []attemptJSON   `json:"attempts" doc:"the first and the newest nine"`
	Elided          int             `json:"elided,omitempty" doc:"how many attempts are left out between those"`
	RangeTo         time.Time       `json:"range_to,omitzero" doc:"the last instant that the row accounts for, if there are several"`
	Count           int             `json:"count" doc:"how many instants the row accounts for"`
	CountIsFloor    bool            `json:"count_is_floor,omitempty" doc:"there may be more"`
	Key             string          `json:"key,omitempty" doc:"idempotency key of a trigger"`
	Actor           string          `json:"actor,omitempty" doc:"who asked, for triggers and backfills"`
	Note            string          `json:"note,omitempty" doc:"and why"`
}

type attemptJSON struct {
	Number       int            `json:"number" doc:"from 1"`
	Node         string         `json:"node" doc:"where it ran"`
	FencingToken uint64         `json:"fencing_token" doc:"grows with every attempt of the job"`
	Version      uint64         `json:"version" doc:"of the definition"`
	Started      time.Time      `json:"started,omitzero" doc:"when the handler was called"`
	Ended        time.Time      `json:"ended,omitzero" doc:"when it was over"`
	Status       chronos.Status `json:"status" doc:"how it ended, or that it runs"`
	Reason       chronos.Reason `json:"reason,omitempty" doc:"why it ended so"`
	Error        string         `json:"error,omitempty" doc:"what the handler said"`
	HTTPStatus   int            `json:"http_status,omitempty" doc:"what the webhook's receiver answered"`
	Stuck        bool           `json:"stuck,omitempty" doc:"the handler ignored its context and was given up"`
	Stack        string         `json:"stack,omitempty" doc:"of a panic; not in lists"`
}

// showExecution shows a row. In lists it leaves out what may be long.
func showExecution(x chronos.Execution, whole bool) executionJSON {
	out := executionJSON{
		ID: x.ID, Job: x.Job, Generation: x.Generation, Version: x.Version, Due: x.Due, Origin: x.Origin,
		Status: x.Status, Final: x.Final(), Reason: x.Reason, Waiting: x.Waiting, Attempt: x.Attempt, FencingToken: x.FencingToken,
		Node: x.Node, Target: x.Target, OutputTruncated: x.OutputTruncated, Error: x.Error,
		CreatedAt: x.CreatedAt, ReadyAt: x.ReadyAt, EndedAt: x.EndedAt, Elided: x.Elided, RangeTo: x.RangeTo,
		Count: x.Count, CountIsFloor: x.CountIsFloor, Key: x.Key, Actor: x.Actor, Note: x.Note,
		Attempts: make([]attemptJSON, len(x.Attempts)),
	}
	if whole {
		out.Output, out.OutputBase64 = asText(x.Output)
	}
	for i, a := range x.Attempts {
		out.Attempts[i] = attemptJSON{
			Number: a.Number, Node: a.Node, FencingToken: a.FencingToken, Version: a.Version, Started: a.Started, Ended: a.Ended,
			Status: a.Status, Reason: a.Reason, Error: a.Error, HTTPStatus: a.HTTPStatus, Stuck: a.Stuck,
		}
		if whole {
			out.Attempts[i].Stack = a.Stack
		}
	}
	return out
}
