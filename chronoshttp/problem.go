package chronoshttp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/chronos-go/chronos"
)

// Codes of problems. They are part of the API, and so are the anchors of
// docs/http.md that the type of a problem leads to.
const (
	codeInvalid         = "invalid"
	codeNotFound        = "not-found"
	codeMethod          = "method-not-allowed"
	codeConflict        = "conflict"
	codePrecondition    = "precondition-failed"
	codeUnauthenticated = "unauthenticated"
	codeForbidden       = "forbidden"
	codeCrossOrigin     = "cross-origin"
	codeTooLarge        = "too-large"
	codeMediaType       = "unsupported-media-type"
	codeNoLeader        = "no-leader"
	codeDiskFull        = "disk-full"
	codeUnavailable     = "unavailable"
	codeBusy            = "too-many-streams"
	codeTimeout         = "timeout"
	codeInternal        = "internal"
)

var titles = map[string]string{
	codeInvalid:         "The request is not valid",
	codeNotFound:        "There is no such thing",
	codeMethod:          "The method is not allowed here",
	codeConflict:        "It is not in a state that allows this",
	codePrecondition:    "It is not at the version that was expected",
	codeUnauthenticated: "It is not known who asks",
	codeForbidden:       "This is not allowed",
	codeCrossOrigin:     "The request came from another site",
	codeTooLarge:        "The body is too large",
	codeMediaType:       "The body is not JSON",
	codeNoLeader:        "Nothing can be committed at the moment",
	codeDiskFull:        "The disk is full",
	codeUnavailable:     "The scheduler does not work",
	codeBusy:            "Too many streams of events are open",
	codeTimeout:         "It took too long",
	codeInternal:        "Something went wrong",
}

const problemDocs = "https://github.com/chronos-go/chronos/blob/main/docs/http.md#"

// problem is an error as RFC 9457 has it.
type problem struct {
	Type      string         `json:"type" doc:"a page that explains the code"`
	Title     string         `json:"title" doc:"what the code means, always the same text"`
	Status    int            `json:"status" doc:"the status of the answer"`
	Code      string         `json:"code" doc:"what went wrong, for programs"`
	Detail    string         `json:"detail,omitempty" doc:"what went wrong, for people"`
	Errors    []fieldProblem `json:"errors,omitempty" doc:"the fields that are not valid"`
	Uncertain bool           `json:"uncertain,omitempty" doc:"the call may have taken effect all the same, or may yet"`
	Version   uint64         `json:"version,omitempty" doc:"the version that the job has, when another one was expected"`

	challenge string
	allow     string
}

// fieldProblem names what is wrong with one field.
type fieldProblem struct {
	Field  string `json:"field" doc:"the field of the body, the parameter or the header"`
	Detail string `json:"detail" doc:"what is wrong, and what would be right"`
}

// Error makes a problem an error.
func (p problem) Error() string { return p.Code + ": " + p.Detail }

// invalid is a problem with one field.
func invalid(field, detail string) problem {
	return problem{Status: http.StatusBadRequest, Code: codeInvalid, Detail: field + " " + detail, Errors: []fieldProblem{{field, detail}}}
}

// sentinels are the errors of chronos and what becomes of them. The first one
// that matches counts.
var sentinels = []struct {
	err    error
	status int
	code   string
}{
	{chronos.ErrInvalid, http.StatusBadRequest, codeInvalid},
	{chronos.ErrNotFound, http.StatusNotFound, codeNotFound},
	{chronos.ErrConflict, http.StatusConflict, codeConflict},
	{chronos.ErrFenced, http.StatusConflict, codeConflict},
	{chronos.ErrDiskFull, http.StatusInsufficientStorage, codeDiskFull},
	{chronos.ErrNoLeader, http.StatusServiceUnavailable, codeNoLeader},
	{chronos.ErrClosed, http.StatusServiceUnavailable, codeUnavailable},
	{chronos.ErrStopped, http.StatusServiceUnavailable, codeUnavailable}, // ErrDiverged, too
	{chronos.ErrLocked, http.StatusServiceUnavailable, codeUnavailable},
	{chronos.ErrCorrupt, http.StatusInternalServerError, codeInternal},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, codeTimeout},
	{context.Canceled, http.StatusGatewayTimeout, codeTimeout},
}

// problemOf makes a problem of any error.
func problemOf(err error) problem {
	var p problem
	if errors.As(err, &p) {
		return p
	}
	p = problem{Status: http.StatusInternalServerError, Code: codeInternal, Detail: err.Error()}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			p.Status, p.Code = s.status, s.code
			break
		}
	}
	var bad *chronos.FieldError
	if errors.As(err, &bad) {
		p.Errors = []fieldProblem{{fieldName(bad.Field), bad.Reason}}
		p.Detail = p.Errors[0].Field + " " + bad.Reason
	}
	p.Uncertain = errors.Is(err, chronos.ErrUncertain)
	return p
}

// fieldName is the API's name of a field that chronos calls "Job.Retry.MaxAttempts".
func fieldName(field string) string {
	switch field {
	case "Job.ID", "id":
		return "id"
	case "Job.Note", "note":
		return "note"
	case "Query.After":
		return "cursor"
	case "TriggerRequest.Key":
		return "Idempotency-Key"
	}
	kind, rest, ok := strings.Cut(field, ".")
	switch {
	case !ok:
		return field
	case kind == "Job":
		return "definition." + snake(rest)
	}
	return snake(rest)
}

// snake writes "Retry.MaxAttempts" as "retry.max_attempts". What is in brackets, a
// key, stays.
func snake(s string) string {
	s, key, _ := strings.Cut(s, "[")
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		begins := unicode.IsUpper(r) && i > 0 && unicode.IsLower(runes[i-1])
		if begins {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	if key != "" {
		return b.String() + "[" + key
	}
	return b.String()
}

// refuse answers with a problem.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, p problem) {
	p.Type, p.Title = problemDocs+p.Code, titles[p.Code]
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if p.challenge != "" {
		header.Set("WWW-Authenticate", p.challenge)
	}
	if p.allow != "" {
		header.Set("Allow", p.allow)
	}
	if p.Version != 0 {
		header.Set("ETag", etag(p.Version))
	}
	if p.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	b, err := json.Marshal(p)
	if err != nil { // a problem has only texts
		h.log.Error("chronoshttp: problem", "error", err)
	}
	header.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b)
	}
}
