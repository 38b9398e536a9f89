package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandler(t *testing.T) {
	h := handler(upstream("off|https://proxy.example.com/,direct"))
	for path, want := range map[string]string{
		"/github.com/chronos-go/chronos/@v/list":          "200 v0.0.0",
		"/github.com/chronos-go/chronos/@v/v0.0.0.info":   `200 {"Version":"v0.0.0"`,
		"/github.com/chronos-go/chronos/dispatch/@v/list": "404 ",
		"/github.com/chronos-go/chronos/@latest":          "404 ",
		"/github.com/!azure/x/@v/list":                    "302 https://proxy.example.com/github.com/!azure/x/@v/list",
		"/github.com/chronos-go/chronosx/@v/list":         "302 https://proxy.example.com/",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		got := http.StatusText(w.Code)
		switch w.Code {
		case http.StatusFound:
			got = "302 " + w.Header().Get("Location")
		case http.StatusOK:
			got = "200 " + w.Body.String()
		case http.StatusNotFound:
			got = "404 "
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
