package dispatch

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is the longest wait an answer can ask for.
const maxRetryAfter = 24 * time.Hour

// judge says what an answer means: success, a failure that may pass, with the
// wait it asks for, or one that stays.
func (w *Webhook) judge(resp *http.Response, now time.Time) returned {
	code := resp.StatusCode
	r := returned{status: code}
	if w.success(code) {
		return r
	}
	err := fmt.Errorf("webhook answered %s", statusText(code))
	switch {
	case retryable(code):
		r.err = err
		if wait, ok := retryAfter(resp.Header.Get("Retry-After"), now); ok {
			r.err = RetryAfter(wait, err)
		}
	case code == http.StatusGone && w.PauseOnGone:
		r.pause = true
		r.err = Permanent(err)
	case code >= 300 && code < 400:
		r.err = Permanent(w.redirectError(resp, err))
	default:
		r.err = Permanent(err)
	}
	return r
}

func (w *Webhook) success(code int) bool {
	if len(w.SuccessCodes) > 0 {
		return slices.Contains(w.SuccessCodes, code)
	}
	return code >= 200 && code < 300
}

// retryable reports whether a status stands for something that may pass.
func retryable(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return code >= 500
}

// redirectError says why a redirect was not followed and what to do.
func (w *Webhook) redirectError(resp *http.Response, err error) error {
	to, locErr := resp.Location()
	if locErr != nil {
		return err
	}
	why := "which is not followed; put the final address into URL, or set FollowRedirects"
	if w.FollowRedirects > 0 {
		why = "which is not followed: it is one too many, or it would drop the method and the payload; " +
			"put the final address into URL"
	}
	return fmt.Errorf("%w, a redirect to %s, %s", err, cleanURL(to.String()), why)
}

// statusText is the code with its standard name; what the server calls it is not
// repeated.
func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

// retryAfter reads a Retry-After header: seconds or a date. What is not in the
// future, or neither of the two, is none, and the job's own back-off holds.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	var wait time.Duration
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) { // too long for an int64, too
			return maxRetryAfter, true
		}
		wait = time.Duration(seconds) * time.Second
	} else {
		at, err := http.ParseTime(value)
		if err != nil {
			return 0, false
		}
		wait = at.Sub(now)
	}
	if wait <= 0 {
		return 0, false
	}
	return min(wait, maxRetryAfter), true
}
