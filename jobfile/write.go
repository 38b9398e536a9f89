package jobfile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/chronos-go/chronos"
)

// WriteOptions say how jobs are written. The zero value is fine for jobs that were
// read from a scheduler.
type WriteOptions struct {
	// Secret says where a secret is, by the job's ID and the path of the field, such as
	// webhook.bearer or webhook.secret_headers[Authorization]. Without it a secret that
	// a read shows as SecretKept is written as {"keep": true}, and any other one is an
	// error: it would be lost, or shown.
	Secret func(job, path string) Reference
}

// Write writes jobs as JSON that Parse reads back: in their order, without what has
// its default, and without secrets. State and Version are no part of it, nor is the
// label with the owner, which Reconcile sets.
func Write(w io.Writer, jobs []chronos.Job, o WriteOptions) error {
	file := struct {
		Jobs []jobJSON `json:"jobs"`
	}{[]jobJSON{}}
	for _, j := range jobs {
		out, err := jobToJSON(j, o)
		if err != nil {
			return fmt.Errorf("chronos: job file: job %q: %w", j.ID, err)
		}
		file.Jobs = append(file.Jobs, out)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(file); err != nil {
		return fmt.Errorf("chronos: job file: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// jobJSON is a job as it is written; decodeJob reads the same names.
type jobJSON struct {
	ID             string            `json:"id"`
	Description    string            `json:"description,omitempty"`
	Schedule       string            `json:"schedule,omitempty"`
	Handler        string            `json:"handler,omitempty"`
	Webhook        *webhookJSON      `json:"webhook,omitempty"`
	Payload        string            `json:"payload,omitempty"`
	PayloadJSON    json.RawMessage   `json:"payload_json,omitempty"`
	PayloadBase64  string            `json:"payload_base64,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Overlap        chronos.Overlap   `json:"overlap,omitempty"`
	BufferMax      int               `json:"buffer_max,omitempty"`
	Misfire        chronos.Misfire   `json:"misfire,omitempty"`
	CatchUpMax     int               `json:"catch_up_max,omitempty"`
	CatchUpWindow  span              `json:"catch_up_window,omitzero"`
	StartDeadline  span              `json:"start_deadline,omitzero"`
	Retry          retryJSON         `json:"retry,omitzero"`
	Delivery       chronos.Delivery  `json:"delivery,omitempty"`
	Timeout        span              `json:"timeout,omitzero"`
	Placement      *placementJSON    `json:"placement,omitempty"`
	Concurrency    concurrencyJSON   `json:"concurrency,omitzero"`
	Priority       int               `json:"priority,omitempty"`
	MaxRuns        int               `json:"max_runs,omitempty"`
	RemoveAfter    bool              `json:"remove_after,omitempty"`
	PauseOnFailure bool              `json:"pause_on_failure,omitempty"`
	SucceedWithin  span              `json:"succeed_within,omitzero"`
	Retention      retentionJSON     `json:"retention,omitzero"`
	Note           string            `json:"note,omitempty"`
}

type webhookJSON struct {
	URL             string               `json:"url,omitempty"`
	Method          string               `json:"method,omitempty"`
	Headers         map[string]string    `json:"headers,omitempty"`
	SecretHeaders   map[string]Reference `json:"secret_headers,omitempty"`
	BasicUser       string               `json:"basic_user,omitempty"`
	BasicPassword   *Reference           `json:"basic_password,omitempty"`
	Bearer          *Reference           `json:"bearer,omitempty"`
	Secrets         []Reference          `json:"secrets,omitempty"`
	SuccessCodes    []int                `json:"success_codes,omitempty"`
	MaxResponse     int                  `json:"max_response,omitempty"`
	FollowRedirects int                  `json:"follow_redirects,omitempty"`
	PauseOnGone     bool                 `json:"pause_on_gone,omitempty"`
	ContentType     string               `json:"content_type,omitempty"`
}

type retryJSON struct {
	MaxAttempts int     `json:"max_attempts,omitempty"`
	Initial     span    `json:"initial,omitzero"`
	Multiplier  float64 `json:"multiplier,omitempty"`
	Max         span    `json:"max,omitzero"`
	MaxElapsed  span    `json:"max_elapsed,omitzero"`
	NoJitter    bool    `json:"no_jitter,omitempty"`
}

type placementJSON struct {
	Labels    map[string]string `json:"labels,omitempty"`
	EveryNode bool              `json:"every_node,omitempty"`
	Sticky    bool              `json:"sticky,omitempty"`
}

type concurrencyJSON struct {
	Key   string `json:"key,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

type retentionJSON struct {
	Age   span `json:"age,omitzero"`
	Count int  `json:"count,omitempty"`
}

// span is a duration as text.
type span time.Duration

func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

func jobToJSON(j chronos.Job, o WriteOptions) (jobJSON, error) {
	if err := j.Schedule.Err(); err != nil {
		return jobJSON{}, err // Parse would not read it back
	}
	text, err := j.Schedule.MarshalText()
	if err != nil {
		return jobJSON{}, err
	}
	out := jobJSON{
		ID: j.ID, Description: j.Description, Schedule: string(text), Handler: j.Handler, Labels: j.Labels, Note: j.Note,
		Overlap: j.Overlap, BufferMax: j.BufferMax, Misfire: j.Misfire, CatchUpMax: j.CatchUpMax, Delivery: j.Delivery,
		CatchUpWindow: span(j.CatchUpWindow), StartDeadline: span(j.StartDeadline), Timeout: span(j.Timeout), SucceedWithin: span(j.SucceedWithin),
		Retry: retryJSON{
			MaxAttempts: j.Retry.MaxAttempts, Initial: span(j.Retry.Initial), Multiplier: j.Retry.Multiplier,
			Max: span(j.Retry.Max), MaxElapsed: span(j.Retry.MaxElapsed), NoJitter: j.Retry.NoJitter,
		},
		Concurrency: concurrencyJSON(j.Concurrency), Retention: retentionJSON{span(j.Retention.Age), j.Retention.Count},
		Priority: j.Priority, MaxRuns: j.MaxRuns, RemoveAfter: j.RemoveAfter, PauseOnFailure: j.PauseOnFailure,
	}
	if _, owned := j.Labels[OwnerLabel]; owned {
		out.Labels = maps.Clone(j.Labels)
		delete(out.Labels, OwnerLabel)
	}
	if p := j.Placement; len(p.Labels) > 0 || p.EveryNode || p.Sticky {
		out.Placement = (*placementJSON)(&p)
	}
	out.leaveOutDefaults()
	out.setPayload(j.Payload)
	if j.Webhook != nil {
		out.Webhook, err = webhookToJSON(j.ID, j.Webhook, o)
	}
	return out, err
}

// leaveOutDefaults takes away what a read fills in.
func (j *jobJSON) leaveOutDefaults() {
	if j.Overlap == chronos.OverlapSkip {
		j.Overlap = ""
	}
	if j.Misfire == chronos.MisfireLatest {
		j.Misfire = ""
	}
	if j.Delivery == chronos.AtLeastOnce {
		j.Delivery = ""
	}
	if r := j.Retry; r == (retryJSON{MaxAttempts: 1, Initial: span(time.Second), Multiplier: 2, Max: span(time.Hour)}) {
		j.Retry = retryJSON{}
	}
	if j.Concurrency.Key != "" && j.Concurrency.Limit == 1 {
		j.Concurrency.Limit = 0
	}
}

// setPayload writes it in the form that is read best, of those that give the same bytes.
func (j *jobJSON) setPayload(b []byte) {
	switch {
	case len(b) == 0:
	case !utf8.Valid(b):
		j.PayloadBase64 = base64.StdEncoding.EncodeToString(b)
	case sameJSON(b):
		j.PayloadJSON = b
	default:
		j.Payload = string(b)
	}
}

// sameJSON tells if reading an object or a list gives just these bytes again.
func sameJSON(b []byte) bool {
	v, err := parseJSON(b)
	if err != nil || v.Kind != Object && v.Kind != List {
		return false
	}
	if _, bad := twice("", v); bad {
		return false
	}
	var again bytes.Buffer
	v.appendJSON(&again)
	return bytes.Equal(again.Bytes(), b)
}

// references finds where the secrets of a job are.
type references struct {
	job     string
	options WriteOptions
	err     error
}

func (r *references) find(path string, s chronos.Secret) Reference {
	if s == chronos.SecretKept && r.options.Secret == nil {
		return Reference{Keep: true}
	}
	if r.options.Secret == nil {
		if r.err == nil {
			r.err = fmt.Errorf("%s is a secret, which is not written; say with WriteOptions.Secret where it is", path)
		}
		return Reference{}
	}
	ref := r.options.Secret(r.job, path)
	if err := ref.check(); err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", path, err)
	}
	return ref
}

func (r *references) one(path string, s chronos.Secret) *Reference {
	if s == "" {
		return nil
	}
	ref := r.find(path, s)
	return &ref
}

func webhookToJSON(job string, w *chronos.Webhook, o WriteOptions) (*webhookJSON, error) {
	refs := &references{job: job, options: o}
	out := &webhookJSON{
		URL: w.URL, Method: w.Method, Headers: w.Headers, BasicUser: w.BasicUser, SuccessCodes: w.SuccessCodes,
		MaxResponse: w.MaxResponse, FollowRedirects: w.FollowRedirects, PauseOnGone: w.PauseOnGone, ContentType: w.ContentType,
		BasicPassword: refs.one("webhook.basic_password", w.BasicPassword), Bearer: refs.one("webhook.bearer", w.Bearer),
	}
	if out.Method == "POST" {
		out.Method = ""
	}
	for _, name := range slices.Sorted(maps.Keys(w.SecretHeaders)) {
		if out.SecretHeaders == nil {
			out.SecretHeaders = map[string]Reference{}
		}
		out.SecretHeaders[name] = refs.find("webhook.secret_headers["+name+"]", w.SecretHeaders[name])
	}
	for i, s := range w.Secrets {
		out.Secrets = append(out.Secrets, refs.find(fmt.Sprintf("webhook.secrets[%d]", i), s))
	}
	return out, refs.err
}
