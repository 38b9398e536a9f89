package chronoshttp

import (
	"time"

	"github.com/chronos-go/chronos"
)

// jobJSON is a job as it is shown.
type jobJSON struct {
	ID         string         `json:"id" doc:"the name of the job"`
	Version    uint64         `json:"version" doc:"the version of the definition; the ETag has it, too"`
	Note       string         `json:"note,omitempty" doc:"what the one who made this version said about it"`
	InWords    string         `json:"schedule_in_words,omitempty" doc:"when the job is due, in plain English"`
	Definition definitionJSON `json:"definition" doc:"what the job is"`
	State      stateJSON      `json:"state" doc:"how it stands"`
}

// putJSON is the body of a put.
type putJSON struct {
	Definition definitionJSON `json:"definition" doc:"what the job is to be, as a whole"`
	Note       string         `json:"note,omitempty" doc:"kept with the version; at most 1 KiB"`
}

// definitionJSON is what a job is. Fields that are not there have their default.
type definitionJSON struct {
	Schedule       string            `json:"schedule,omitempty" doc:"the text form of docs/schedules.md, such as CRON_TZ=Europe/Berlin 0 9 * * MON-FRI; empty: only when triggered"`
	Handler        string            `json:"handler,omitempty" doc:"the name of the function to call; exactly one of handler and webhook is set"`
	Webhook        *webhookJSON      `json:"webhook,omitempty" doc:"the request to make"`
	Payload        *string           `json:"payload,omitempty" doc:"what the handler gets, if it is text"`
	PayloadBase64  string            `json:"payload_base64,omitempty" doc:"what the handler gets, if it is no text"`
	Labels         map[string]string `json:"labels,omitempty" doc:"for selection"`
	Description    string            `json:"description,omitempty" doc:"free text"`
	Overlap        chronos.Overlap   `json:"overlap,omitempty" doc:"when the job is due while it still runs; default skip"`
	BufferMax      int               `json:"buffer_max,omitempty" doc:"bounds the overlap buffer; default and maximum 1000"`
	Misfire        chronos.Misfire   `json:"misfire,omitempty" doc:"what becomes of missed instants; default latest"`
	CatchUpMax     int               `json:"catch_up_max,omitempty" doc:"bounds misfire all; default 100"`
	CatchUpWindow  duration          `json:"catch_up_window,omitzero" doc:"older missed instants are not made up for"`
	StartDeadline  duration          `json:"start_deadline,omitzero" doc:"an execution that could not start within it is missed"`
	Retry          *retryJSON        `json:"retry,omitempty" doc:"how failed attempts are repeated; default: not at all"`
	Delivery       chronos.Delivery  `json:"delivery,omitempty" doc:"what becomes of an attempt whose process died; default at_least_once"`
	Timeout        duration          `json:"timeout,omitzero" doc:"ends an attempt"`
	Placement      *placementJSON    `json:"placement,omitempty" doc:"on which nodes it may run; default: any"`
	Concurrency    *concurrencyJSON  `json:"concurrency,omitempty" doc:"places that it shares with other jobs"`
	Priority       int               `json:"priority,omitempty" doc:"from -100 to 100; higher goes first when room is short"`
	MaxRuns        int               `json:"max_runs,omitempty" doc:"ends the schedule after so many scheduled executions"`
	RemoveAfter    bool              `json:"remove_after,omitempty" doc:"deletes the job when nothing of it is left to do"`
	PauseOnFailure bool              `json:"pause_on_failure,omitempty" doc:"pauses the job when an execution failed after all retries"`
	SucceedWithin  duration          `json:"succeed_within,omitzero" doc:"it is overdue when it has not succeeded for so long; default: never"`
	Retention      *retentionJSON    `json:"retention,omitempty" doc:"bounds its ledger; default: as the scheduler's"`
}

type webhookJSON struct {
	URL             string                    `json:"url" doc:"absolute, http or https"`
	Method          string                    `json:"method,omitempty" doc:"default POST"`
	Headers         map[string]string         `json:"headers,omitempty" doc:"shown to everybody who may read"`
	SecretHeaders   map[string]chronos.Secret `json:"secret_headers,omitempty" doc:"never shown: reads have [secret], and a put with [secret] keeps what is stored"`
	BasicUser       string                    `json:"basic_user,omitempty" doc:"for basic authentication"`
	BasicPassword   chronos.Secret            `json:"basic_password,omitempty" doc:"never shown"`
	Bearer          chronos.Secret            `json:"bearer,omitempty" doc:"never shown"`
	Secrets         []chronos.Secret          `json:"secrets,omitempty" doc:"keys that sign the request; never shown"`
	SuccessCodes    []int                     `json:"success_codes,omitempty" doc:"default: 2xx"`
	MaxResponse     int                       `json:"max_response,omitempty" doc:"bytes of the answer that are kept"`
	FollowRedirects int                       `json:"follow_redirects,omitempty" doc:"default 0; at most 10"`
	PauseOnGone     bool                      `json:"pause_on_gone,omitempty" doc:"an answer of 410 pauses the job"`
	ContentType     string                    `json:"content_type,omitempty" doc:"default application/json"`
}

type retryJSON struct {
	MaxAttempts int      `json:"max_attempts,omitempty" doc:"counting the first; default 1"`
	Initial     duration `json:"initial,omitzero" doc:"default 1s"`
	Multiplier  float64  `json:"multiplier,omitempty" doc:"default 2"`
	Max         duration `json:"max,omitzero" doc:"default 1h"`
	MaxElapsed  duration `json:"max_elapsed,omitzero" doc:"no attempt later than this after the first began"`
	NoJitter    bool     `json:"no_jitter,omitempty" doc:"take the whole delay, not a random share of it"`
}

type placementJSON struct {
	Labels    map[string]string `json:"labels,omitempty" doc:"only nodes that have all of these"`
	EveryNode bool              `json:"every_node,omitempty" doc:"at each instant once on every node"`
	Sticky    bool              `json:"sticky,omitempty" doc:"preferably where it ran last"`
}

type concurrencyJSON struct {
	Key   string `json:"key,omitempty" doc:"names what is shared"`
	Limit int    `json:"limit,omitempty" doc:"the number of places; default 1"`
}

type retentionJSON struct {
	Age   duration `json:"age,omitzero" doc:"counted from the end; negative: no limit"`
	Count int      `json:"count,omitempty" doc:"how many rows; negative: no limit"`
}

// stateJSON is what the scheduler knows of a job.
type stateJSON struct {
	CreatedAt   time.Time      `json:"created_at,omitzero" doc:"when this generation was put first"`
	UpdatedAt   time.Time      `json:"updated_at,omitzero" doc:"when this version was put"`
	Actor       string         `json:"actor,omitempty" doc:"who made this version"`
	Generation  uint64         `json:"generation" doc:"grows when the job is deleted and put again"`
	Paused      bool           `json:"paused" doc:"its schedule stands still"`
	PausedBy    string         `json:"paused_by,omitempty" doc:"who paused it"`
	PauseNote   string         `json:"pause_note,omitempty" doc:"and why"`
	PausedAt    time.Time      `json:"paused_at,omitzero" doc:"and when"`
	NextDue     time.Time      `json:"next_due,omitzero" doc:"absent: nothing is due"`
	LastDue     time.Time      `json:"last_due,omitzero" doc:"the newest instant in the ledger"`
	Exhausted   bool           `json:"exhausted" doc:"the schedule has no further instant"`
	Runs        int            `json:"runs" doc:"scheduled executions, counted against max_runs"`
	Unfinished  int            `json:"unfinished" doc:"executions that are not final and not buffered"`
	Buffered    int            `json:"buffered" doc:"executions that wait in the overlap buffer"`
	Failures    int            `json:"failures" doc:"final failures in a row"`
	LastStatus  chronos.Status `json:"last_status,omitempty" doc:"how the newest execution that is over ended"`
	LastEnd     time.Time      `json:"last_end,omitzero" doc:"when"`
	LastSuccess time.Time      `json:"last_success,omitzero" doc:"when one succeeded last"`
	SucceedBy   time.Time      `json:"succeed_by,omitzero" doc:"when it has to have succeeded again; absent: it does not have to"`
	Overdue     bool           `json:"overdue,omitempty" doc:"that has passed"`
}

func showJob(j chronos.Job) jobJSON {
	s := j.State
	return jobJSON{
		ID: j.ID, Version: j.Version, Note: j.Note, InWords: j.Schedule.Describe(), Definition: showDefinition(j),
		State: stateJSON{
			CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Actor: s.Actor, Generation: s.Generation,
			Paused: s.Paused, PausedBy: s.PausedBy, PauseNote: s.PauseNote, PausedAt: s.PausedAt,
			NextDue: s.NextDue, LastDue: s.LastDue, Exhausted: s.Exhausted, Runs: s.Runs,
			Unfinished: s.Unfinished, Buffered: s.Buffered, Failures: s.Failures,
			LastStatus: s.LastStatus, LastEnd: s.LastEnd, LastSuccess: s.LastSuccess,
			SucceedBy: s.SucceedBy, Overdue: s.Overdue,
		},
	}
}

func showDefinition(j chronos.Job) definitionJSON {
	d := definitionJSON{
		Schedule: j.Schedule.String(), Handler: j.Handler, Labels: j.Labels, Description: j.Description,
		Overlap: j.Overlap, BufferMax: j.BufferMax, Misfire: j.Misfire, CatchUpMax: j.CatchUpMax,
		CatchUpWindow: duration(j.CatchUpWindow), StartDeadline: duration(j.StartDeadline), Delivery: j.Delivery,
		Timeout: duration(j.Timeout), Priority: j.Priority, MaxRuns: j.MaxRuns, RemoveAfter: j.RemoveAfter, PauseOnFailure: j.PauseOnFailure,
		SucceedWithin: duration(j.SucceedWithin),
	}
	d.Payload, d.PayloadBase64 = asText(j.Payload)
	if w := j.Webhook; w != nil {
		d.Webhook = &webhookJSON{
			URL: w.URL, Method: w.Method, Headers: w.Headers, SecretHeaders: w.SecretHeaders, BasicUser: w.BasicUser,
			BasicPassword: w.BasicPassword, Bearer: w.Bearer, Secrets: w.Secrets, SuccessCodes: w.SuccessCodes,
			MaxResponse: w.MaxResponse, FollowRedirects: w.FollowRedirects, PauseOnGone: w.PauseOnGone, ContentType: w.ContentType,
		}
	}
	if r := j.Retry; r != (chronos.Retry{}) {
		d.Retry = &retryJSON{r.MaxAttempts, duration(r.Initial), r.Multiplier, duration(r.Max), duration(r.MaxElapsed), r.NoJitter}
	}
	if p := j.Placement; len(p.Labels) > 0 || p.EveryNode || p.Sticky {
		d.Placement = &placementJSON{p.Labels, p.EveryNode, p.Sticky}
	}
	if c := j.Concurrency; c != (chronos.Concurrency{}) {
		d.Concurrency = &concurrencyJSON{c.Key, c.Limit}
	}
	if r := j.Retention; r != (chronos.Retention{}) {
		d.Retention = &retentionJSON{duration(r.Age), r.Count}
	}
	return d
}

// job makes a chronos.Job of a definition.
func (d definitionJSON) job(id string) (chronos.Job, error) {
	j := chronos.Job{
		ID: id, Handler: d.Handler, Labels: d.Labels, Description: d.Description,
		Overlap: d.Overlap, BufferMax: d.BufferMax, Misfire: d.Misfire, CatchUpMax: d.CatchUpMax,
		CatchUpWindow: time.Duration(d.CatchUpWindow), StartDeadline: time.Duration(d.StartDeadline), Delivery: d.Delivery,
		Timeout: time.Duration(d.Timeout), Priority: d.Priority, MaxRuns: d.MaxRuns, RemoveAfter: d.RemoveAfter, PauseOnFailure: d.PauseOnFailure,
		SucceedWithin: time.Duration(d.SucceedWithin),
	}
	var err error
	if d.Schedule != "" {
		if j.Schedule, err = chronos.ParseSchedule(d.Schedule); err != nil {
			return j, err
		}
	}
	if j.Payload, err = fromText("definition.payload", d.Payload, d.PayloadBase64); err != nil {
		return j, err
	}
	if w := d.Webhook; w != nil {
		j.Webhook = &chronos.Webhook{
			URL: w.URL, Method: w.Method, Headers: w.Headers, SecretHeaders: w.SecretHeaders, BasicUser: w.BasicUser,
			BasicPassword: w.BasicPassword, Bearer: w.Bearer, Secrets: w.Secrets, SuccessCodes: w.SuccessCodes,
			MaxResponse: w.MaxResponse, FollowRedirects: w.FollowRedirects, PauseOnGone: w.PauseOnGone, ContentType: w.ContentType,
		}
	}
	if r := d.Retry; r != nil {
		j.Retry = chronos.Retry{MaxAttempts: r.MaxAttempts, Initial: time.Duration(r.Initial), Multiplier: r.Multiplier,
			Max: time.Duration(r.Max), MaxElapsed: time.Duration(r.MaxElapsed), NoJitter: r.NoJitter}
	}
	if p := d.Placement; p != nil {
		j.Placement = chronos.Placement{Labels: p.Labels, EveryNode: p.EveryNode, Sticky: p.Sticky}
	}
	if c := d.Concurrency; c != nil {
		j.Concurrency = chronos.Concurrency{Key: c.Key, Limit: c.Limit}
	}
	if r := d.Retention; r != nil {
		j.Retention = chronos.Retention{Age: time.Duration(r.Age), Count: r.Count}
	}
	return j, nil
}
