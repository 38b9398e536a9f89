package dispatch

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		status    int
		hook      Webhook
		ok        bool
		permanent bool
		pause     bool
	}{
		{200, Webhook{}, true, false, false},
		{204, Webhook{}, true, false, false},
		{299, Webhook{}, true, false, false},
		{204, Webhook{SuccessCodes: []int{200}}, false, true, false},
		{302, Webhook{SuccessCodes: []int{302}}, true, false, false},
		{404, Webhook{SuccessCodes: []int{200, 404}}, true, false, false},
		{500, Webhook{SuccessCodes: []int{500}}, true, false, false},
		{300, Webhook{}, false, true, false},
		{301, Webhook{}, false, true, false},
		{304, Webhook{}, false, true, false},
		{307, Webhook{}, false, true, false},
		{400, Webhook{}, false, true, false},
		{401, Webhook{}, false, true, false},
		{404, Webhook{}, false, true, false},
		{408, Webhook{}, false, false, false},
		{409, Webhook{}, false, true, false},
		{410, Webhook{}, false, true, false},
		{410, Webhook{PauseOnGone: true}, false, true, true},
		{410, Webhook{PauseOnGone: true, SuccessCodes: []int{410}}, true, false, false},
		{422, Webhook{}, false, true, false},
		{425, Webhook{}, false, false, false},
		{429, Webhook{}, false, false, false},
		{500, Webhook{}, false, false, false},
		{501, Webhook{}, false, false, false},
		{502, Webhook{}, false, false, false},
		{503, Webhook{}, false, false, false},
		{599, Webhook{}, false, false, false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) }))
		c.hook.URL = server.URL
		r := sendWith(t, Config{}, &c.hook)
		server.Close()
		want := Failed
		if c.ok {
			want = Succeeded
		}
		if r.Outcome != want || r.Permanent != c.permanent || r.PauseJob != c.pause || r.HTTPStatus != c.status || r.HasRetryAfter || r.Snooze {
			t.Errorf("%d %v: %+v", c.status, c.hook.SuccessCodes, r)
		}
		if !c.ok && !strings.Contains(r.Error, "webhook answered "+strconv.Itoa(c.status)) {
			t.Errorf("%d: %q", c.status, r.Error)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{ // 0: none
		"":                                 0,
		"120":                              2 * time.Minute,
		" 5 ":                              5 * time.Second,
		"0":                                0,
		"-5":                               0,
		"1.5":                              0,
		"soon":                             0,
		"86400":                            24 * time.Hour,
		"86401":                            24 * time.Hour,
		"99999999999999999999999":          24 * time.Hour,
		"Thu, 01 Jan 2026 00:01:00 GMT":    time.Minute,
		"Thursday, 01-Jan-26 00:01:00 GMT": time.Minute,
		"Thu Jan  1 00:01:00 2026":         time.Minute,
		"Wed, 31 Dec 2025 00:00:00 GMT":    0,
		"Fri, 01 Jan 2027 00:00:00 GMT":    24 * time.Hour,
	} {
		got, ok := retryAfter(value, now)
		if got != want || ok != (want > 0) {
			t.Errorf("%q: %v, %v, want %v", value, got, ok, want)
		}
	}
	for status, want := range map[int]bool{429: true, 503: true, 500: true, 408: true, 404: false, 200: false} {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"7"}}}
		err := (&Webhook{}).judge(resp, now).err
		var retry *retryError
		if errors.As(err, &retry) != want || want && retry.after != 7*time.Second {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestResponseIsCapped(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		for range n {
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	for _, c := range []struct {
		n, max    int
		kept      int
		truncated bool
	}{{0, 0, 0, false}, {10, 0, 10, false}, {100, 0, 100, false}, {101, 0, 100, true}, {10, 10, 10, false}, {11, 10, 10, true},
		{500, 400, 100, true}, {1 << 20, 0, 100, true}} {
		r := sendWith(t, Config{MaxOutput: 100}, &Webhook{URL: server.URL + "?n=" + strconv.Itoa(c.n), MaxResponse: c.max})
		if r.Outcome != Succeeded || len(r.Output) != c.kept || r.Truncated != c.truncated {
			t.Errorf("%+v: %v, %d bytes, truncated %v", c, r.Outcome, len(r.Output), r.Truncated)
		}
	}
}

// An endless answer is not read, and one that breaks off counts by its status.
func TestBadBodies(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/endless" {
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	for _, path := range []string{"/endless", "/broken"} {
		r := sendWith(t, Config{MaxOutput: 8}, &Webhook{URL: server.URL + path})
		if r.Outcome != Succeeded || !r.Truncated {
			t.Errorf("%s: %+v", path, r)
		}
	}
}
