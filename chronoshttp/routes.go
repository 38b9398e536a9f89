package chronoshttp

import (
	"net/http"
	"slices"

	"github.com/chronos-go/chronos"
)

var (
	headerKey   = param{name: "Idempotency-Key", kind: "string", doc: "makes the call idempotent: the same key for the same job has one effect; at most 256 bytes"}
	headerMatch = param{name: "If-Match", kind: "string", doc: "the ETag that was seen: 412 if the job has another by now; *: there has to be one"}
	paramJob    = param{name: "job", kind: "string", doc: "only this job's"}
)

// routes are all operations of the API.
var routes = slices.Concat(jobRoutes, versionRoutes, executionRoutes, otherRoutes)

var jobRoutes = []route{
	{
		method: "GET", path: base + "/jobs", action: ActionRead, name: "listJobs", doc: "List jobs, by ID", status: http.StatusOK, result: jobsJSON{}, run: listJobs,
		query: []param{
			{name: "label", kind: "string", many: true, doc: "key=value; only jobs that have all of them"},
			{name: "q", kind: "string", doc: "only jobs with this text in their ID or description, in any case"},
			{name: "handler", kind: "string", doc: "only jobs of this handler"},
			{name: "paused", kind: "boolean", doc: "only jobs that are paused, or are not"},
			{name: "failing", kind: "boolean", doc: "only jobs whose newest executions failed, or did not"},
			{name: "unfinished", kind: "boolean", doc: "only jobs that have unfinished executions, or have none"},
			paramLimit, paramCursor, paramSync,
		},
	},
	{
		method: "GET", path: base + "/jobs/{id}", action: ActionRead, name: "getJob", doc: "Read a job", status: http.StatusOK, result: jobJSON{}, run: getJob,
		query: []param{paramSync},
	},
	{
		method: "PUT", path: base + "/jobs/{id}", action: ActionPut, name: "putJob", doc: "Create a job, or replace its definition; an unchanged one makes no new version",
		body: putJSON{}, status: http.StatusOK, result: jobJSON{}, run: putJob,
		header: []param{
			headerMatch,
			{name: "If-None-Match", kind: "string", doc: "*: 412 if there is such a job"},
		},
	},
	{
		method: "DELETE", path: base + "/jobs/{id}", action: ActionDelete, name: "deleteJob", doc: "Delete a job; its history stays as long as retention keeps it",
		header: []param{headerMatch}, status: http.StatusNoContent, run: deleteJob,
	},
	{
		method: "POST", path: base + "/jobs/{id}:pause", action: ActionPause, name: "pauseJob", doc: "Stop a job's schedule", body: noteJSON{}, empty: true,
		status: http.StatusOK, result: jobJSON{}, run: pauseJob,
	},
	{
		method: "POST", path: base + "/jobs/{id}:resume", action: ActionResume, name: "resumeJob", doc: "Let a job's schedule go on, from now",
		status: http.StatusOK, result: jobJSON{}, run: resumeJob,
	},
	{
		method: "POST", path: base + "/jobs/{id}:trigger", action: ActionTrigger, name: "triggerJob", doc: "Run a job now, outside its schedule; the status of the answer may be skipped",
		header: []param{headerKey}, body: triggerJSON{}, empty: true, status: http.StatusAccepted, result: executionJSON{}, run: triggerJob,
	},
	{
		method: "POST", path: base + "/jobs/{id}:backfill", action: ActionBackfill, name: "backfillJob", doc: "Make executions for the instants of a range of the past, at most 1000",
		header: []param{headerKey}, body: backfillJSON{}, status: http.StatusAccepted, result: backfilledJSON{}, run: backfillJob,
	},
	{
		method: "GET", path: base + "/jobs/{id}:next", action: ActionRead, name: "nextDue", doc: "When a job is due next, by its schedule", status: http.StatusOK, result: nextJSON{}, run: nextDue,
		query: []param{
			{name: "limit", kind: "integer", doc: "how many instants at most; 1 to 1000, by default 10"},
			{name: "from", kind: "time", doc: "after this instant; by default now"},
			paramSync,
		},
	},
}

var versionRoutes = []route{
	{
		method: "GET", path: base + "/jobs/{id}:versions", action: ActionRead, name: "listVersions", doc: "List the definitions that a job had, newest first, also of a deleted one",
		status: http.StatusOK, result: versionsJSON{}, run: listVersions, query: []param{paramLimit, paramCursor, paramSync},
	},
	{
		method: "GET", path: base + "/jobs/{id}:diff", action: ActionRead, name: "diffVersions", doc: "Compare two versions of a job, field by field",
		status: http.StatusOK, result: diffJSON{}, run: diffVersions,
		query: []param{
			{name: "from", kind: "integer", doc: "the version before; required"},
			{name: "to", kind: "integer", doc: "the version after; required"},
			paramSync,
		},
	},
	{
		method: "POST", path: base + "/jobs/{id}:rollback", action: ActionRollback, name: "rollbackJob", doc: "Make a new version with the definition of an earlier one",
		body: rollbackJSON{}, status: http.StatusOK, result: jobJSON{}, run: rollbackJob,
	},
}

var executionRoutes = []route{
	{
		method: "GET", path: base + "/executions", action: ActionRead, name: "listExecutions", doc: "List the ledger of one job, or of all, newest due instant first",
		status: http.StatusOK, result: executionsJSON{}, run: listExecutions,
		query: []param{
			paramJob,
			{name: "status", kind: "string", many: true, enum: chronos.Status(""), doc: "only with one of these"},
			{name: "origin", kind: "string", enum: chronos.Origin(""), doc: "only what came from there"},
			{name: "node", kind: "string", doc: "only what this node ran last"},
			{name: "from", kind: "time", doc: "due at this instant or later"},
			{name: "to", kind: "time", doc: "due at this instant or earlier"},
			paramLimit, paramCursor, paramSync,
		},
	},
	{
		method: "GET", path: base + "/executions/{id}", action: ActionRead, name: "getExecution", doc: "Read an execution, its output and stack included",
		status: http.StatusOK, result: executionJSON{}, run: getExecution, query: []param{paramSync},
	},
	{
		method: "POST", path: base + "/executions/{id}:cancel", action: ActionCancel, name: "cancelExecution", doc: "Ask an execution to end",
		status: http.StatusOK, result: executionJSON{}, run: cancelExecution,
	},
	{
		method: "POST", path: base + "/executions/{id}:terminate", action: ActionTerminate, name: "terminateExecution", doc: "End an execution in the ledger, whether or not its handler heeds that",
		status: http.StatusOK, result: executionJSON{}, run: terminateExecution,
	},
	{
		method: "POST", path: base + "/executions/{id}:redrive", action: ActionRedrive, name: "redriveExecution", doc: "Give an execution that ended without success a new round of attempts",
		status: http.StatusOK, result: executionJSON{}, run: redriveExecution,
	},
}

var otherRoutes = []route{
	{
		method: "POST", path: base + "/simulate", action: ActionRead, name: "simulate", doc: "What would be due in a window, and the load over time; changes nothing",
		body: simulateJSON{}, empty: true, status: http.StatusOK, result: simulationJSON{}, run: simulate,
	},
	{
		method: "GET", path: base + "/cluster", action: ActionRead, name: "getCluster", doc: "How the scheduler stands, as the node that answers knows it",
		status: http.StatusOK, result: clusterJSON{}, run: clusterStatus,
	},
	{
		method: "GET", path: base + "/session", action: ActionRead, name: "getSession", doc: "Who asks, and what they may do", status: http.StatusOK, result: sessionJSON{}, run: session,
	},
	{
		method: "GET", path: base + "/events", action: ActionRead, name: "streamEvents", status: http.StatusOK, media: "text/event-stream", result: eventJSON{}, run: events,
		doc: "Server-sent events from now on: one for each committed change (the name of the event is its kind), status when the cluster has changed, beat when there was nothing for a while, " +
			"and reset when events are missing, after which the reader has to read anew what it shows. With Last-Event-ID a reset comes first: nothing is replayed",
		query:  []param{paramJob},
		header: []param{{name: "Last-Event-ID", kind: "string", doc: "the ID of the last event that was seen; browsers send it when they connect again"}},
	},
	{
		method: "GET", path: base + "/openapi.json", action: ActionRead, name: "getOpenAPI", doc: "This file", status: http.StatusOK, result: map[string]any{}, run: openAPI,
	},
}
