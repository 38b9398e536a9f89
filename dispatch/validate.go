package dispatch

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Limits of a webhook's definition.
const (
	maxURL          = 4096 // bytes
	maxMethod       = 32
	maxHeaders      = 64
	maxHeaderName   = 128
	maxHeaderValue  = 8 << 10
	maxHeaderBytes  = 32 << 10 // all names and values
	maxCredential   = 4096
	maxSecrets      = 8
	maxSuccessCodes = 100
	maxRedirects    = 10
	maxResponse     = 16 << 20
)

// Validate returns a *FieldError for the first field that is not valid, in a
// fixed order, or nil. The address is not among what is checked: names resolve to
// something else tomorrow, so that is done when connecting.
func (w *Webhook) Validate() error {
	checks := []func() *FieldError{
		w.checkURL, w.checkMethod, w.checkHeaders, w.checkCredentials, w.checkSecrets,
		w.checkAnswer,
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func invalid(field, format string, args ...any) *FieldError {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// checkURL does not quote the URL: it may hold a password where none belongs.
func (w *Webhook) checkURL() *FieldError {
	const field = "URL"
	if w.URL == "" {
		return invalid(field, "is required")
	}
	if len(w.URL) > maxURL {
		return invalid(field, "has %d bytes; at most %d are allowed", len(w.URL), maxURL)
	}
	for i := range len(w.URL) {
		if c := w.URL[i]; c <= ' ' || c == 0x7f {
			return invalid(field, "has a space or control character at byte %d", i)
		}
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil:
		return invalid(field, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return invalid(field, "must start with http:// or https://")
	case u.User != nil:
		return invalid(field, "must not hold a user or password; use BasicUser and BasicPassword")
	case u.Opaque != "" || u.Hostname() == "":
		return invalid(field, "has no host")
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return invalid(field, "has a port that is not between 1 and 65535")
		}
	}
	return nil
}

func (w *Webhook) checkMethod() *FieldError {
	const field = "Method"
	if w.Method == "" {
		return nil
	}
	if len(w.Method) > maxMethod || !validToken(w.Method) {
		return invalid(field, "is not an HTTP method; POST is the usual one")
	}
	switch w.Method {
	case http.MethodConnect, http.MethodTrace:
		return invalid(field, "%s makes no webhook; POST is the usual one", w.Method)
	}
	return nil
}

func (w *Webhook) checkHeaders() *FieldError {
	if n := len(w.Headers) + len(w.SecretHeaders); n > maxHeaders {
		return invalid("Headers", "there are %d with SecretHeaders; at most %d are allowed", n, maxHeaders)
	}
	seen := make(map[string]bool) // canonical names
	total := 0
	for _, set := range []struct {
		field   string
		headers map[string]string
		secret  bool
	}{{"Headers", w.Headers, false}, {"SecretHeaders", w.SecretHeaders, true}} {
		for _, name := range slices.Sorted(maps.Keys(set.headers)) {
			field := set.field + "[" + capText(name, maxHeaderName) + "]"
			value := set.headers[name]
			if err := w.checkHeader(field, name, value, set.secret); err != nil {
				return err
			}
			canonical := http.CanonicalHeaderKey(name)
			if seen[canonical] {
				return invalid(field, "is set twice; names differ by more than upper and lower case")
			}
			seen[canonical] = true
			total += len(name) + len(value)
		}
	}
	if total > maxHeaderBytes {
		return invalid("Headers", "all names and values have %d bytes; at most %d are allowed", total, maxHeaderBytes)
	}
	if w.ContentType != "" && seen["Content-Type"] {
		return invalid("ContentType", "is set, and header Content-Type, too; set one of them")
	}
	if len(w.ContentType) > maxHeaderValue || !validHeaderValue(w.ContentType) {
		return invalid("ContentType", "is not a valid header value")
	}
	return nil
}

func (w *Webhook) checkHeader(field, name, value string, secret bool) *FieldError {
	lower := strings.ToLower(name)
	switch {
	case len(name) > maxHeaderName || !validToken(name):
		return invalid(field, "is not a header name; letters, digits and - of at most %d bytes are", maxHeaderName)
	case len(value) > maxHeaderValue:
		return invalid(field, "has %d bytes; at most %d are allowed", len(value), maxHeaderValue)
	case !validHeaderValue(value):
		return invalid(field, "holds a line break or another character that is not allowed in a header, or a space at an end")
	case reservedHeader(lower):
		return invalid(field, "is set by Chronos or by HTTP itself and cannot be overridden")
	case !secret && sensitiveHeader(lower):
		return invalid(field, "carries a secret and belongs into SecretHeaders, where it is never shown")
	case lower == "authorization" && (w.basic() || w.Bearer != ""):
		return invalid(field, "excludes BasicUser and Bearer, which set the same header")
	}
	return nil
}

// reservedHeader reports whether a header, in lower case, frames the request or
// says what Chronos vouches for.
func reservedHeader(lower string) bool {
	switch lower {
	case "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection",
		"te", "trailer", "upgrade", "expect", "http2-settings":
		return true
	}
	return strings.HasPrefix(lower, "webhook-") || strings.HasPrefix(lower, "chronos-")
}

// sensitiveHeader reports whether a header, in lower case, is known to carry
// credentials.
func sensitiveHeader(lower string) bool {
	switch lower {
	case "authorization", "proxy-authorization", "cookie", "cookie2", "set-cookie",
		"api-key", "apikey", "x-api-key", "x-apikey", "x-auth-key", "x-functions-key":
		return true
	}
	for _, suffix := range []string{"-token", "-secret", "-password", "-authorization"} {
		if strings.HasSuffix(lower, suffix) {
			return true
		}
	}
	return false
}

func (w *Webhook) checkCredentials() *FieldError {
	switch {
	case w.basic() && w.Bearer != "":
		return invalid("Bearer", "excludes BasicUser and BasicPassword; set one of them")
	case strings.Contains(w.BasicUser, ":"):
		return invalid("BasicUser", "must not contain a colon")
	}
	for _, c := range []struct{ field, value string }{
		{"BasicUser", w.BasicUser}, {"BasicPassword", w.BasicPassword}, {"Bearer", w.Bearer},
	} {
		if len(c.value) > maxCredential {
			return invalid(c.field, "has %d bytes; at most %d are allowed", len(c.value), maxCredential)
		}
		if strings.ContainsFunc(c.value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return invalid(c.field, "has a control character")
		}
	}
	if strings.ContainsFunc(w.Bearer, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return invalid("Bearer", "has a character that is not visible ASCII; give the token without the word Bearer")
	}
	return nil
}

func (w *Webhook) checkSecrets() *FieldError {
	if len(w.Secrets) > maxSecrets {
		return invalid("Secrets", "there are %d; at most %d are allowed", len(w.Secrets), maxSecrets)
	}
	for i, secret := range w.Secrets {
		if _, err := decodeSecret(secret); err != nil {
			return invalid(fmt.Sprintf("Secrets[%d]", i), "%v", err)
		}
	}
	return nil
}

func (w *Webhook) checkAnswer() *FieldError {
	if len(w.SuccessCodes) > maxSuccessCodes {
		return invalid("SuccessCodes", "there are %d; at most %d are allowed", len(w.SuccessCodes), maxSuccessCodes)
	}
	for i, code := range w.SuccessCodes {
		if code < 100 || code > 599 {
			return invalid(fmt.Sprintf("SuccessCodes[%d]", i), "%d is not between 100 and 599", code)
		}
	}
	if w.MaxResponse < 0 || w.MaxResponse > maxResponse {
		return invalid("MaxResponse", "%d is not between 0 and %d", w.MaxResponse, maxResponse)
	}
	if w.FollowRedirects < 0 || w.FollowRedirects > maxRedirects {
		return invalid("FollowRedirects", "%d is not between 0 and %d", w.FollowRedirects, maxRedirects)
	}
	return nil
}

// validToken reports whether s is a token of RFC 7230.
func validToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// validHeaderValue reports whether s can stand in a header as it is: no control
// characters but tabs, only ASCII, nothing to trim.
func validHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return s == strings.Trim(s, " \t")
}
