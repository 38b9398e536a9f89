package chronos

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/chronos-go/chronos/dispatch"
	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/store"
)

// Limits of what a host may put. They are part of the documentation of Job.
const (
	maxID          = 128
	maxHandler     = 128
	maxPayload     = 256 << 10
	maxLabels      = 32
	maxLabelKey    = 64
	maxLabelValue  = 256
	maxDescription = 1 << 10
	maxNote        = 1 << 10
	maxActor       = 256
	maxKey         = 256
	maxAttempts    = 10_000
	maxPriority    = 100
	bufferMax      = 1_000
	maxPlaces      = 1_000_000
	maxKeyName     = 128
	catchUpDefault = 100
	catchUpMost    = 10_000
	maxDuration    = 100 * 365 * 24 * time.Hour // so that adding to an instant never overflows
)

// checkID says what is wrong with a job ID.
func checkID(field, id string) error {
	if id == "" {
		return invalid(field, "is required")
	}
	if len(id) > maxID {
		return invalid(field, "has %d bytes; at most %d are allowed", len(id), maxID)
	}
	for i, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if letter || i > 0 && (c == '.' || c == '_' || c == '-' || c == '/') {
			continue
		}
		return invalid(field, "%q has %q at byte %d; use letters, digits, '.', '_', '-' and '/', beginning with a letter or digit", id, c, i)
	}
	return nil
}

func checkText(field, text string, limit int) error {
	switch {
	case len(text) > limit:
		return invalid(field, "has %d bytes; at most %d are allowed", len(text), limit)
	case !utf8.ValidString(text):
		return invalid(field, "is not valid UTF-8")
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return invalid(field, "contains the control character %U", r)
		}
	}
	return nil
}

// validate says what is wrong with a job, naming the field. old is the stored
// definition, for the secrets that are to be kept.
func (s *Scheduler) validate(j *Job, old *store.Definition) error {
	checks := []func() error{
		func() error { return checkID("Job.ID", j.ID) },
		j.checkTarget,
		func() error { return s.checkSchedule(j) },
		j.checkTexts,
		func() error { return checkLabels("Job.Labels", j.Labels) },
		j.checkPlacement,
		j.checkConcurrency,
		j.checkPolicies,
		j.checkNumbers,
		j.Retry.check,
		func() error { return j.checkWebhook(old) },
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (j *Job) checkTarget() error {
	switch {
	case j.Handler == "" && j.Webhook == nil:
		return invalid("Job.Handler", "is required unless Webhook is set")
	case j.Handler != "" && j.Webhook != nil:
		return invalid("Job.Handler", "and Webhook exclude each other; set one")
	}
	return checkText("Job.Handler", j.Handler, maxHandler)
}

func (j *Job) checkTexts() error {
	if len(j.Payload) > maxPayload {
		return invalid("Job.Payload", "has %d bytes; at most %d are allowed: store it elsewhere and pass a reference", len(j.Payload), maxPayload)
	}
	if err := checkText("Job.Description", j.Description, maxDescription); err != nil {
		return err
	}
	return checkText("Job.Note", j.Note, maxNote)
}

func checkLabels(field string, labels map[string]string) error {
	if len(labels) == 0 {
		return nil
	}
	if len(labels) > maxLabels {
		return invalid(field, "has %d entries; at most %d are allowed", len(labels), maxLabels)
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k == "" {
			return invalid(field, "has an empty key")
		}
		if err := checkText(field+" key", k, maxLabelKey); err != nil {
			return err
		}
		if err := checkText(field+"["+k+"]", labels[k], maxLabelValue); err != nil {
			return err
		}
	}
	return nil
}

func (j *Job) checkPlacement() error {
	if j.Placement.EveryNode {
		const each = "excludes %s: each node has executions of its own"
		switch specs := j.Schedule.specs; {
		case j.Placement.Sticky:
			return invalid("Job.Placement.EveryNode", "excludes Sticky: there is nothing to choose")
		case j.MaxRuns != 0:
			return invalid("Job.Placement.EveryNode", each, "MaxRuns")
		case len(specs) == 1 && specs[0].Kind == schedule.KindAfter:
			return invalid("Job.Placement.EveryNode", each, "a Schedule of After")
		}
	}
	return checkLabels("Job.Placement.Labels", j.Placement.Labels)
}

func (j *Job) checkConcurrency() error {
	c := j.Concurrency
	switch {
	case c.Key == "" && c.Limit != 0:
		return invalid("Job.Concurrency.Key", "is required with a Limit")
	case c.Limit < 0 || c.Limit > maxPlaces:
		return invalid("Job.Concurrency.Limit", "%d is not between 0 and %d", c.Limit, maxPlaces)
	}
	return checkText("Job.Concurrency.Key", c.Key, maxKeyName)
}

func (j *Job) checkPolicies() error {
	if _, ok := code(overlapNames, j.Overlap); !ok {
		return invalid("Job.Overlap", "%q is no overlap policy; use one of the Overlap constants", j.Overlap)
	}
	if _, ok := code(misfireNames, j.Misfire); !ok {
		return invalid("Job.Misfire", "%q is no misfire policy; use one of the Misfire constants", j.Misfire)
	}
	if _, ok := code(deliveryNames, j.Delivery); !ok {
		return invalid("Job.Delivery", "%q is no delivery; use AtLeastOnce or AtMostOnce", j.Delivery)
	}
	return nil
}

func (j *Job) checkNumbers() error {
	for _, n := range []struct {
		field    string
		v        int
		min, max int
	}{
		{"Job.BufferMax", j.BufferMax, 0, bufferMax},
		{"Job.CatchUpMax", j.CatchUpMax, 0, catchUpMost},
		{"Job.Priority", j.Priority, -maxPriority, maxPriority},
		{"Job.MaxRuns", j.MaxRuns, 0, math.MaxInt},
		{"Job.Retention.Count", j.Retention.Count, -1, math.MaxInt},
	} {
		if n.v < n.min || n.v > n.max {
			return invalid(n.field, "%d is not between %d and %d", n.v, n.min, n.max)
		}
	}
	for _, d := range []struct {
		field string
		v     time.Duration
	}{
		{"Job.CatchUpWindow", j.CatchUpWindow}, {"Job.StartDeadline", j.StartDeadline}, {"Job.Timeout", j.Timeout},
		{"Job.SucceedWithin", j.SucceedWithin},
		{"Job.Retry.Initial", j.Retry.Initial}, {"Job.Retry.Max", j.Retry.Max}, {"Job.Retry.MaxElapsed", j.Retry.MaxElapsed},
	} {
		if d.v < 0 {
			return invalid(d.field, "%v is negative", d.v)
		}
		if d.v > maxDuration {
			return invalid(d.field, "%v is above %v", d.v, maxDuration)
		}
	}
	return nil
}

func (r Retry) check() error {
	if r.MaxAttempts < 0 || r.MaxAttempts > maxAttempts {
		return invalid("Job.Retry.MaxAttempts", "%d is not between 0 and %d", r.MaxAttempts, maxAttempts)
	}
	if r.Multiplier != 0 && (r.Multiplier < 1 || r.Multiplier > 1000 || math.IsNaN(r.Multiplier)) {
		return invalid("Job.Retry.Multiplier", "%v is not between 1 and 1000", r.Multiplier)
	}
	if r.Max != 0 && r.Max < orDefault(r.Initial, time.Second) {
		return invalid("Job.Retry.Max", "%v is below the first delay of %v", r.Max, orDefault(r.Initial, time.Second))
	}
	return nil
}

func (j *Job) checkWebhook(old *store.Definition) error {
	if j.Webhook == nil {
		return nil
	}
	if len(j.Webhook.Secrets) > 0 && strings.Contains(j.ID, ".") {
		return invalid("Job.ID", "%q has a '.', which the Standard Webhooks specification bars from a signed message's ID; use '-' or '_'", j.ID)
	}
	rec := j.Webhook.record(old.GetWebhook())
	if err := j.Webhook.checkKept(rec, old.GetWebhook()); err != nil {
		return err
	}
	if err := j.Webhook.checkUTF8(); err != nil {
		return err
	}
	err := dispatchWebhook(rec).Validate()
	var bad *dispatch.FieldError
	if errors.As(err, &bad) {
		return &FieldError{Field: "Job.Webhook." + bad.Field, Reason: bad.Reason}
	}
	return err
}

// checkKept refuses a SecretKept for which nothing is stored.
func (w *Webhook) checkKept(rec, old *store.Webhook) error {
	const reason = "asks to keep the stored secret, but none is stored; set it"
	if w.BasicPassword == SecretKept && rec.BasicPassword == "" {
		return invalid("Job.Webhook.BasicPassword", reason)
	}
	if w.Bearer == SecretKept && rec.Bearer == "" {
		return invalid("Job.Webhook.Bearer", reason)
	}
	for _, h := range rec.SecretHeaders {
		if h.Value == "" {
			return invalid("Job.Webhook.SecretHeaders["+h.Name+"]", reason)
		}
	}
	kept := 0
	for _, s := range w.Secrets {
		if s == SecretKept {
			kept++
		}
	}
	if kept != 0 && kept != len(old.GetSecrets()) {
		return invalid("Job.Webhook.Secrets", "keeps %d secrets where %d are stored; keep all of them, beside new ones, or write all of them out", kept, len(old.GetSecrets()))
	}
	return nil
}

// checkUTF8 refuses bytes that a record cannot hold. It does not quote them.
func (w *Webhook) checkUTF8() error {
	texts := map[string]string{
		"URL": w.URL, "Method": w.Method, "BasicUser": w.BasicUser, "BasicPassword": string(w.BasicPassword),
		"Bearer": string(w.Bearer), "ContentType": w.ContentType,
	}
	for name, value := range w.Headers {
		texts["Headers"] += name + value
	}
	for name, value := range w.SecretHeaders {
		texts["SecretHeaders"] += name + string(value)
	}
	for _, field := range slices.Sorted(maps.Keys(texts)) {
		if !utf8.ValidString(texts[field]) {
			return invalid("Job.Webhook."+field, "is not valid UTF-8")
		}
	}
	return nil
}
