package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// webhookTimeout ends a webhook whose attempt has no timeout: a receiver that
	// never answers must not hold a slot for ever.
	webhookTimeout = 5 * time.Minute

	userAgent   = "Chronos (+https://github.com/chronos-go/chronos)"
	contentType = "application/json"
)

// Webhook is an HTTP request to make instead of calling a handler. Check it with
// Validate before it is stored: what Validate refuses is not sent safely.
type Webhook struct {
	URL    string // absolute, http or https
	Method string // default POST

	Headers       map[string]string
	SecretHeaders map[string]string `json:"-"` // as Headers, but never shown

	BasicUser     string
	BasicPassword string `json:"-"`
	Bearer        string `json:"-"` // token; excludes basic authentication

	// Secrets sign the request after the Standard Webhooks specification. Each is
	// "whsec_" and base64, or base64 alone, of 24 to 64 bytes. With several, the
	// request carries a signature by each, for rotation.
	Secrets []string `json:"-"`

	SuccessCodes    []int  // default: 2xx
	MaxResponse     int    // bytes of the answer kept as output; default, and at most, Config.MaxOutput
	FollowRedirects int    // how many redirects to follow; 0: none
	PauseOnGone     bool   // an answer of 410 asks for the job to be paused
	ContentType     string // default application/json, if there is a payload
}

// Format prints a webhook without its secrets, whatever the verb.
func (w Webhook) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "Webhook(%s %s)", w.method(), cleanURL(w.URL))
}

// LogValue gives a log the same.
func (w Webhook) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(w)) }

func (w *Webhook) method() string {
	if w.Method == "" {
		return http.MethodPost
	}
	return w.Method
}

// basic reports whether basic authentication is asked for.
func (w *Webhook) basic() bool { return w.BasicUser != "" || w.BasicPassword != "" }

// request makes the HTTP request of an attempt, signed at the instant now.
func (w *Webhook) request(ctx context.Context, a *Attempt, now time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, w.method(), w.URL, bytes.NewReader(a.Payload))
	if err != nil {
		return nil, errors.New("the webhook's URL or method is not valid")
	}
	h := req.Header
	h.Set("User-Agent", userAgent)
	if len(a.Payload) > 0 {
		h.Set("Content-Type", contentType)
	}
	for name, value := range w.Headers {
		h.Set(name, value)
	}
	for name, value := range w.SecretHeaders {
		h.Set(name, value)
	}
	w.addHeader(h, a.header)
	if w.ContentType != "" {
		h.Set("Content-Type", w.ContentType)
	}
	switch {
	case w.basic():
		req.SetBasicAuth(w.BasicUser, w.BasicPassword)
	case w.Bearer != "":
		h.Set("Authorization", "Bearer "+w.Bearer)
	}
	h.Set("Chronos-Job", headerValue(a.Job))
	h.Set("Chronos-Attempt", strconv.Itoa(a.Number))
	h.Set("Chronos-Due", a.Due.UTC().Format(time.RFC3339Nano))
	h.Set("Chronos-Fencing-Token", strconv.FormatUint(a.Token, 10))
	return req, w.sign(h, a, now)
}

// addHeader takes over what Config.Around has added: what could also be one of the
// webhook's own headers. The rest is left out, for it would fail the request.
func (w *Webhook) addHeader(h, added http.Header) {
	for name, values := range added {
		var valid []string
		for _, value := range values {
			if w.checkHeader("", name, value, true) == nil {
				valid = append(valid, value)
			}
		}
		if len(valid) > 0 {
			h[http.CanonicalHeaderKey(name)] = valid
		}
	}
}

// sign sets the headers of the Standard Webhooks specification. Without secrets
// there is no signature, but ID and timestamp are sent all the same.
func (w *Webhook) sign(h http.Header, a *Attempt, now time.Time) error {
	h.Set(headerID, headerValue(a.ID))
	h.Set(headerTimestamp, strconv.FormatInt(now.Unix(), 10))
	signatures := make([]string, 0, len(w.Secrets))
	for _, secret := range w.Secrets {
		s, err := Sign(secret, a.ID, now, a.Payload)
		if err != nil {
			return err
		}
		signatures = append(signatures, s)
	}
	if len(signatures) > 0 {
		h.Set(headerSignature, strings.Join(signatures, " "))
	}
	return nil
}

// headerValue returns s if it can stand in a header, else escaped as in a URL.
func headerValue(s string) string {
	if validHeaderValue(s) {
		return s
	}
	return url.PathEscape(s)
}

// post sends the attempt's webhook and judges the answer. A body is read as far
// as it is kept; the answer's status decides even if the body breaks off.
func (d *Dispatcher) post(ctx context.Context, a *Attempt) returned {
	w := a.Webhook
	req, err := w.request(ctx, a, time.Now())
	if err != nil {
		return returned{err: Permanent(err)}
	}
	client := *d.client
	client.CheckRedirect = w.redirect
	resp, err := client.Do(req)
	if err != nil {
		return returned{err: sendError(req, err)}
	}
	defer resp.Body.Close()
	limit := d.cfg.MaxOutput
	if w.MaxResponse > 0 {
		limit = min(limit, w.MaxResponse)
	}
	body, truncated := readBody(resp.Body, limit)
	text := w.redactor().text(body, truncated)
	a.output.set([]byte(text[:min(len(text), limit)]), truncated || len(text) > limit)
	return w.judge(resp, time.Now())
}

// readBody reads at most limit bytes, and one more to see whether there are more.
// A body that breaks off counts as truncated.
func readBody(body io.Reader, limit int) (text string, truncated bool) {
	b, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	if len(b) > limit {
		return string(b[:limit]), true
	}
	return string(b), err != nil
}

var errLocation = errors.New("the answer is a redirect to what is not a URL")

// sendError describes a request that got no answer. Most such failures may pass;
// a refused address or redirect stays.
func sendError(req *http.Request, err error) error {
	target, cause := req.URL.String(), err
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		target, cause = wrapped.URL, wrapped.Err
	}
	if strings.HasPrefix(cause.Error(), "failed to parse Location") {
		cause = errLocation // net/http would quote it
	}
	described := fmt.Errorf("%s %s: %w", req.Method, cleanURL(target), cause)
	var blocked *BlockedError
	if errors.As(err, &blocked) || errors.Is(err, errDowngrade) {
		return Permanent(described)
	}
	return described
}
