package chronoshttp

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chronos-go/chronos"
)

func TestClosedByDefault(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "job"})
		for _, rt := range routes {
			p := r.call(rt.method, strings.ReplaceAll(rt.path, "{id}", "job"), nil).problem(http.StatusForbidden, codeForbidden, "")
			if !strings.Contains(p.Detail, "Config.Authorize") {
				t.Errorf("%s does not say what to set: %s", rt.name, p.Detail)
			}
		}
		for path := range r.h.assets {
			r.get(path).want(http.StatusForbidden)
		}
		if _, err := r.s.Get(t.Context(), "job"); err != nil {
			t.Errorf("the job is gone: %v", err)
		}
	})
}

// TestAuthorizeIsAskedForEverything refuses one action at a time, and finds that
// exactly its routes are refused.
func TestAuthorizeIsAskedForEverything(t *testing.T) {
	for _, action := range actions {
		var asked []Access
		authorize := func(_ *http.Request, a Access) (string, error) {
			asked = append(asked, a)
			if a.Action == action {
				return "", errors.New("the secret reason")
			}
			return "ann", nil
		}
		bubble(t, Config{Authorize: authorize}, func(t *testing.T, r *rig) {
			r.put(chronos.Job{ID: "a/b"})
			for _, rt := range routes {
				if rt.media != "" {
					continue // does not end
				}
				asked = nil
				id := "a%2Fb"
				if strings.Contains(rt.path, "/executions/") {
					id = "a/b:x"
				}
				got := r.call(rt.method, strings.ReplaceAll(rt.path, "{id}", id), nil)
				if refused := got.status == http.StatusForbidden; refused != (rt.action == action) {
					t.Errorf("%s: answered %d when %s was refused", rt.name, got.status, action)
				}
				if strings.Contains(string(got.body), "secret reason") {
					t.Errorf("%s: shows why", rt.name)
				}
				want := Access{Action: rt.action}
				if strings.Contains(rt.path, "{id}") {
					want.Job = "a/b"
				}
				if strings.Contains(rt.path, "/executions/") {
					want.Execution = "a/b:x"
				}
				if len(asked) == 0 || asked[0] != want {
					t.Errorf("%s: asked for %+v, wanted %+v first", rt.name, asked, want)
				}
			}
		})
	}
}

func TestUnauthenticated(t *testing.T) {
	authorize := func(r *http.Request, _ Access) (string, error) {
		user, password, ok := r.BasicAuth()
		if !ok || password != "pw" {
			return "", fmt.Errorf("no: %w", ErrUnauthenticated)
		}
		return user, nil
	}
	bubble(t, Config{Authorize: authorize, Challenge: `Basic realm="x"`}, func(t *testing.T, r *rig) {
		got := r.get(base + "/jobs")
		got.problem(http.StatusUnauthorized, codeUnauthenticated, "")
		equal(t, "challenge", got.header.Get("WWW-Authenticate"), `Basic realm="x"`)
		equal(t, "page", r.get("/").status, http.StatusUnauthorized)
		auth := "Basic YW5uOnB3" // ann:pw
		r.call("PUT", base+"/jobs/job", `{"definition": {"handler": "ok"}}`, "Authorization", auth).want(http.StatusOK)
		j, err := r.s.Get(t.Context(), "job")
		if err != nil || j.State.Actor != "ann" {
			t.Errorf("%q, %v", j.State.Actor, err)
		}
	})
}

func TestSession(t *testing.T) {
	authorize := func(_ *http.Request, a Access) (string, error) {
		if a.Action == ActionRead || a.Action == ActionPause {
			return "bob", nil
		}
		if !a.Probe {
			t.Errorf("%+v is no probe", a)
		}
		return "", errors.New("no")
	}
	bubble(t, Config{Authorize: authorize}, func(t *testing.T, r *rig) {
		got := decode[sessionJSON](r.get(base + "/session").want(http.StatusOK))
		if got.Actor != "bob" || !slices.Equal(got.Actions, []Action{ActionRead, ActionPause}) || !got.Now.Equal(epoch) {
			t.Errorf("%+v", got)
		}
	})
}

func TestCrossOrigin(t *testing.T) {
	bubble(t, Config{Authorize: anybody, TrustedOrigins: []string{"https://dash.example"}}, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "job"})
		pause := func(headers ...string) *reply { return r.call("POST", base+"/jobs/job:pause", nil, headers...) }
		pause("Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example").problem(http.StatusForbidden, codeCrossOrigin, "")
		pause("Origin", "https://evil.example").problem(http.StatusForbidden, codeCrossOrigin, "")
		pause("Sec-Fetch-Site", "same-site", "Origin", "https://other.host").problem(http.StatusForbidden, codeCrossOrigin, "")
		if j, _ := r.s.Get(t.Context(), "job"); j.State.Paused {
			t.Error("it was paused")
		}
		pause("Sec-Fetch-Site", "same-origin", "Origin", "http://host").want(http.StatusOK)
		pause("Sec-Fetch-Site", "cross-site", "Origin", "https://dash.example").want(http.StatusOK)
		pause().want(http.StatusOK) // no browser
		r.call("GET", base+"/jobs", nil, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example").want(http.StatusOK)
	})
}

func TestCORS(t *testing.T) {
	const ui = "https://ui.example"
	preflight := func(r *rig, origin string) *reply {
		return r.call("OPTIONS", base+"/jobs/job", nil, "Origin", origin, "Access-Control-Request-Method", "PUT")
	}
	header := func(a *reply) string { return a.header.Get("Access-Control-Allow-Origin") }
	open(t, func(t *testing.T, r *rig) {
		equal(t, "unasked", header(preflight(r, ui)), "")
		equal(t, "unasked", header(r.call("GET", base+"/jobs", nil, "Origin", ui)), "")
	})
	bubble(t, Config{Authorize: anybody, AllowedOrigins: []string{ui}}, func(t *testing.T, r *rig) {
		got := preflight(r, ui).want(http.StatusNoContent)
		equal(t, "origin", header(got), ui)
		equal(t, "credentials", got.header.Get("Access-Control-Allow-Credentials"), "")
		equal(t, "another", header(preflight(r, "https://evil.example")), "")
		put := r.call("PUT", base+"/jobs/job", `{"definition": {"handler": "ok"}}`, "Origin", ui, "Sec-Fetch-Site", "cross-site").want(http.StatusOK)
		equal(t, "origin", header(put), ui)
		equal(t, "vary", put.header.Get("Vary"), "Origin")
		equal(t, "pages", header(r.call("GET", "/", nil, "Origin", ui)), "")
	})
}

func TestConfig(t *testing.T) {
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for field, c := range map[string]Config{
		"Scheduler":      {},
		"MaxBody":        {Scheduler: s, MaxBody: -1},
		"MaxStreams":     {Scheduler: s, MaxStreams: -1},
		"Heartbeat":      {Scheduler: s, Heartbeat: 1},
		"AllowedOrigins": {Scheduler: s, AllowedOrigins: []string{"*"}},
		"TrustedOrigins": {Scheduler: s, TrustedOrigins: []string{"dash.example/x"}},
	} {
		_, err := New(c)
		var bad *chronos.FieldError
		if !errors.As(err, &bad) || bad.Field != "Config."+field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestUnderAPrefix(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "a/b"})
		r.put(chronos.Job{ID: "a//b"})
		mux := http.NewServeMux()
		mux.Handle("/ops/chronos/", http.StripPrefix("/ops/chronos", r.h))
		mux.Handle("/bare", http.StripPrefix("/bare", r.h))
		for path, want := range map[string]int{
			"/ops/chronos/":                            200,
			"/ops/chronos/assets/app.js":               200,
			"/ops/chronos" + base + "/jobs":            200,
			"/ops/chronos" + base + "/jobs/a/b":        200,
			"/ops/chronos" + base + "/jobs/a%2Fb":      200,
			"/ops/chronos" + base + "/jobs/a%2F%2Fb":   200,
			"/ops/chronos" + base + "/jobs/a%2Fb:next": 200,
			"/ops/chronos/nothing":                     404,
			"/bare":                                    307,
		} {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
			if w.Code != want {
				t.Errorf("%s: %d, wanted %d: %s", path, w.Code, want, w.Body)
			}
			if want == 307 {
				equal(t, "location", w.Header().Get("Location"), "bare/")
			}
		}
	})
}
