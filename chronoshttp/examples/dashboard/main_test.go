package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chronos-go/chronos/internal/testleak"
)

func TestMain(m *testing.M) { os.Exit(testleak.Run(m)) }

func TestDashboard(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l, "", "secret") }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

	ask := func(user, password, method, path string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+"/chronos"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode == http.StatusUnauthorized && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: 401 without a challenge", path)
		}
		return resp.StatusCode, string(body)
	}
	for _, c := range []struct {
		user, password, method, path string
		status                       int
		has                          string
	}{
		{"", "", "GET", "/", 401, "unauthenticated"},
		{"operator", "wrong", "GET", "/", 401, ""},
		{"nobody", "secret", "GET", "/", 401, ""},
		{"viewer", "secret", "GET", "/", 200, "<title>Chronos</title>"},
		{"viewer", "secret", "GET", "/api/v1/jobs", 200, "sync-inventory"},
		{"viewer", "secret", "POST", "/api/v1/jobs/rebuild-index:trigger", 403, "forbidden"},
		{"operator", "secret", "POST", "/api/v1/jobs/rebuild-index:trigger", 202, "rebuild-index:"},
		{"viewer", "secret", "GET", "/api/v1/executions?job=rebuild-index", 200, `"actor":"operator"`},
	} {
		status, body := ask(c.user, c.password, c.method, c.path)
		if status != c.status || !strings.Contains(body, c.has) {
			t.Errorf("%s %s as %q: %d %s", c.method, c.path, c.user, status, body)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestNoPassword(t *testing.T) {
	if err := serve(t.Context(), nil, "", ""); err == nil || !strings.Contains(err.Error(), "CHRONOS_PASSWORD") {
		t.Error(err)
	}
}
