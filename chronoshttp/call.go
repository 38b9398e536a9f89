package chronoshttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

func (c *call) sched() *chronos.Scheduler { return c.h.config.Scheduler }

// param reads a parameter of the query.
func (c *call) param(name string) string { return c.r.URL.Query().Get(name) }

func (c *call) params(name string) []string { return c.r.URL.Query()[name] }

// flag reads a parameter that is true or false, nil if it is not there.
func (c *call) flag(name string) (*bool, error) {
	text := c.param(name)
	switch text {
	case "":
		return nil, nil
	case "true", "false":
		b := text == "true"
		return &b, nil
	}
	return nil, invalid(name, fmt.Sprintf("is %q; use true or false", text))
}

func (c *call) number(name string, fallback, least, most int) (int, error) {
	text := c.param(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, invalid(name, fmt.Sprintf("is %q; use a number from %d to %d", text, least, most))
	}
	return n, nil
}

// version reads a parameter that is a version of a job.
func (c *call) version(name string) (uint64, error) {
	text := c.param(name)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return 0, invalid(name, fmt.Sprintf("is %q; use the number of a version", text))
	}
	return n, nil
}

func (c *call) instant(name string) (time.Time, error) {
	text := c.param(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, invalid(name, fmt.Sprintf("is %q; use RFC 3339, as in 2026-01-02T15:04:05Z (a + has to be written %%2B)", text))
	}
	return t, nil
}

// page reads how many items are asked for.
func (c *call) page() (int, error) { return c.number("limit", 100, 1, 1000) }

// read decodes the body, and refuses what it does not know. An empty body is left
// as it is if that is allowed.
func (c *call) read(into any) error {
	body, err := io.ReadAll(c.r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return problem{Status: http.StatusRequestEntityTooLarge, Code: codeTooLarge, Detail: fmt.Sprintf("the body may have %d bytes (Config.MaxBody)", large.Limit)}
	case err != nil:
		return problem{Status: http.StatusBadRequest, Code: codeInvalid, Detail: "the body cannot be read"}
	case len(body) == 0 && c.route.empty:
		return nil
	}
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return problem{Status: http.StatusUnsupportedMediaType, Code: codeMediaType, Detail: "send Content-Type: application/json"}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return bodyProblem(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("body", "has something behind its JSON value")
	}
	return nil
}

// bodyProblem says what is wrong with a body. It quotes nothing of it: secrets may
// be in there.
func bodyProblem(err error) error {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var p problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &kind):
		field := kind.Field
		if field == "" {
			field = "body"
		}
		return invalid(field, fmt.Sprintf("is a JSON %s; it has to be one that fits %s", kind.Value, kind.Type.Kind()))
	case errors.As(err, &syntax):
		return invalid("body", fmt.Sprintf("is not JSON (at byte %d)", syntax.Offset))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return invalid(strings.Trim(name, `"`), "is no field of this call")
	}
	return invalid("body", "is not JSON, or is cut off")
}

// send answers with a value as JSON.
func (c *call) send(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	c.w.WriteHeader(c.route.status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(b) // an error means that nobody listens any more
	}
	return nil
}

// done answers without a body.
func (c *call) done() error {
	c.w.WriteHeader(c.route.status)
	return nil
}

// etag is the entity tag of a job's version.
func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// tagVersion reads what etag wrote.
func tagVersion(tag string) (uint64, bool) {
	text, opened := strings.CutPrefix(strings.TrimSpace(tag), `"`)
	text, closed := strings.CutSuffix(text, `"`)
	n, err := strconv.ParseUint(text, 10, 64)
	return n, opened && closed && err == nil && n > 0 && n != chronos.MustNotExist
}
