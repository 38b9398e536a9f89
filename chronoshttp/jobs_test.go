package chronoshttp

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

func TestPutAndGet(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		body := `{"note": "first", "definition": {"schedule": "CRON_TZ=Europe/Berlin 0 9 * * MON-FRI", "handler": "ok", "payload": "hello",
			"labels": {"team": "ops"}, "overlap": "buffer_one", "timeout": "1m30s", "retry": {"max_attempts": 3, "initial": "2s"}, "retention": {"age": "-1ns"}}}`
		put := r.call("PUT", base+"/jobs/mail/daily", body).want(http.StatusOK)
		equal(t, "ETag", put.header.Get("ETag"), `"1"`)
		got := r.get(base + "/jobs/mail%2Fdaily").want(http.StatusOK)
		equal(t, "ETag", got.header.Get("ETag"), `"1"`)
		j := decode[jobJSON](got)
		equal(t, "id", j.ID, "mail/daily")
		equal(t, "words", j.InWords, "At 09:00, Monday to Friday, Europe/Berlin")
		equal(t, "actor", j.State.Actor, "ann")
		equal(t, "note", j.Note, "first")
		equal(t, "timeout", time.Duration(j.Definition.Timeout), 90*time.Second)
		stored, err := r.s.Get(t.Context(), "mail/daily")
		if err != nil || string(stored.Payload) != "hello" || stored.Retry.Initial != 2*time.Second || stored.Retention.Age != -1 {
			t.Errorf("%+v, %v", stored, err)
		}
		// What was read can be put: it is the same.
		again := r.call("PUT", base+"/jobs/mail/daily", putJSON{Definition: j.Definition}).want(http.StatusOK)
		equal(t, "ETag", again.header.Get("ETag"), `"1"`)
		equal(t, "HEAD", r.call("HEAD", base+"/jobs/mail/daily", nil).want(http.StatusOK).header.Get("ETag"), `"1"`)
	})
}

func TestCompareAndSwap(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		put := func(text string, headers ...string) *reply {
			return r.call("PUT", base+"/jobs/job", fmt.Sprintf(`{"definition": {"handler": "ok", "description": %q}}`, text), headers...)
		}
		put("1", "If-Match", `"1"`).problem(http.StatusPreconditionFailed, codePrecondition, "")
		put("1", "If-Match", `*`).problem(http.StatusPreconditionFailed, codePrecondition, "")
		put("1", "If-None-Match", "*").want(http.StatusOK)
		p := put("2", "If-None-Match", "*")
		equal(t, "version", p.problem(http.StatusPreconditionFailed, codePrecondition, "").Version, 1)
		equal(t, "ETag", p.header.Get("ETag"), `"1"`)
		put("2", "If-Match", `"1"`).want(http.StatusOK)
		put("3", "If-Match", `"1"`).problem(http.StatusPreconditionFailed, codePrecondition, "")
		put("3", "If-Match", `*`).want(http.StatusOK)
		put("4").want(http.StatusOK)
		for _, bad := range []string{`1`, `W/"4"`, `"4", "5"`, `"0"`, `"18446744073709551615"`, `"x"`} {
			put("5", "If-Match", bad).problem(http.StatusBadRequest, codeInvalid, "If-Match")
		}
		put("5", "If-None-Match", `"4"`).problem(http.StatusBadRequest, codeInvalid, "If-None-Match")
		put("5", "If-None-Match", `*`, "If-Match", `"4"`).problem(http.StatusBadRequest, codeInvalid, "If-Match")
		equal(t, "version", decode[jobJSON](r.get(base+"/jobs/job")).Version, 4)

		// Where it would be ignored, it is refused.
		r.call("DELETE", base+"/jobs/job", nil, "If-None-Match", "*").problem(http.StatusBadRequest, codeInvalid, "If-None-Match")
		r.call("POST", base+"/jobs/job:rollback", `{"version": 1}`, "If-Match", `"1"`).problem(http.StatusBadRequest, codeInvalid, "If-Match")
		r.call("POST", base+"/jobs/job:pause", nil, "Idempotency-Key", "k").problem(http.StatusBadRequest, codeInvalid, "Idempotency-Key")
	})
}

// A delete with If-Match takes only what the caller has seen.
func TestCompareAndDelete(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		put := func(text string) {
			r.call("PUT", base+"/jobs/job", fmt.Sprintf(`{"definition": {"handler": "ok", "description": %q}}`, text)).want(http.StatusOK)
		}
		remove := func(match string) *reply { return r.call("DELETE", base+"/jobs/job", nil, "If-Match", match) }
		for _, match := range []string{`"1"`, `*`} { // there is none
			remove(match).problem(http.StatusPreconditionFailed, codePrecondition, "")
		}
		put("1")
		put("2")
		p := remove(`"1"`)
		equal(t, "version", p.problem(http.StatusPreconditionFailed, codePrecondition, "").Version, 2)
		equal(t, "ETag", p.header.Get("ETag"), `"2"`)
		for _, bad := range []string{`2`, `W/"2"`, `"1", "2"`, `"0"`, `"18446744073709551615"`, `"x"`} {
			remove(bad).problem(http.StatusBadRequest, codeInvalid, "If-Match")
		}
		r.get(base + "/jobs/job").want(http.StatusOK)
		remove(`"2"`).want(http.StatusNoContent)
		r.get(base+"/jobs/job").problem(http.StatusNotFound, codeNotFound, "")
		put("1") // anew: the versions go on, so that no old tag fits
		p = remove(`"2"`)
		p.problem(http.StatusPreconditionFailed, codePrecondition, "")
		r.call("DELETE", base+"/jobs/job", nil, "If-Match", p.header.Get("ETag")).want(http.StatusNoContent)
		put("1")
		remove(`*`).want(http.StatusNoContent)
		r.get(base+"/jobs/job").problem(http.StatusNotFound, codeNotFound, "")
	})
}

func TestBodiesThatAreRefused(t *testing.T) {
	bubble(t, Config{Authorize: anybody, MaxBody: 2_000}, func(t *testing.T, r *rig) {
		path := base + "/jobs/job"
		for body, field := range map[string]string{
			`{"definition": {"handler": "ok", "shedule": "@daily"}}`:                          "shedule",
			`{"definition": {"handler": "ok"}, "version": 3}`:                                 "version",
			`{"definition": {"handler": "ok"}} {}`:                                            "body",
			`{"definition": {"handler": "ok"`:                                                 "body",
			`{"definition": {"handler": 7}}`:                                                  "definition.handler",
			`{"definition": {"handler": "ok", "timeout": "soon"}}`:                            "body",
			`{"definition": {"handler": "ok", "payload": "a", "payload_base64": "YQ=="}}`:     "definition.payload",
			`{"definition": {"handler": "ok", "payload_base64": "?"}}`:                        "definition.payload_base64",
			`{"definition": {}}`:                                                              "definition.handler",
			`{"definition": {"handler": "ok", "schedule": "61 * * * *"}}`:                     "definition.schedule",
			`{"definition": {"handler": "ok", "retry": {"max_attempts": 99999}}}`:             "definition.retry.max_attempts",
			`{"definition": {"handler": "ok", "overlap": "never"}}`:                           "definition.overlap",
			`{"definition": {"handler": "ok", "labels": {"a": "\u0007"}}}`:                    "definition.labels[a]",
			`{"definition": {"webhook": {"url": "ftp://x"}}}`:                                 "definition.webhook.url",
			`{"definition": {"webhook": {"url": "http://x", "bearer": "[secret]"}}}`:          "definition.webhook.bearer",
			`{"definition": {"webhook": {"url": "http://x", "basic_password": "[secret]"}}}`:  "definition.webhook.basic_password",
			`{"note": "` + strings.Repeat("x", 1_025) + `", "definition": {"handler": "ok"}}`: "note",
		} {
			p := r.call("PUT", path, body)
			if p.status != http.StatusBadRequest {
				t.Errorf("%s: answered %d %s", body, p.status, p.body)
				continue
			}
			p.problem(http.StatusBadRequest, codeInvalid, field)
		}
		r.call("PUT", base+"/jobs/-", `{"definition": {"handler": "ok"}}`).problem(http.StatusBadRequest, codeInvalid, "id")
		r.call("PUT", path, strings.Repeat(" ", 2_001)).problem(http.StatusRequestEntityTooLarge, codeTooLarge, "")
		r.call("PUT", path, `{"definition": {"handler": "ok"}}`, "Content-Type", "text/plain").problem(http.StatusUnsupportedMediaType, codeMediaType, "")
		r.call("PUT", path, nil).problem(http.StatusUnsupportedMediaType, codeMediaType, "")
		r.get(path).problem(http.StatusNotFound, codeNotFound, "")
	})
}

func TestPathsAndMethods(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "a"})
		got := r.call("PATCH", base+"/jobs/a", nil)
		got.problem(http.StatusMethodNotAllowed, codeMethod, "")
		equal(t, "Allow", got.header.Get("Allow"), "DELETE, GET, PUT")
		r.call("GET", base+"/jobs/a:pause", nil).problem(http.StatusMethodNotAllowed, codeMethod, "")
		r.call("DELETE", base+"/jobs/a:versions", nil).problem(http.StatusMethodNotAllowed, codeMethod, "")
		r.get(base+"/nothing").problem(http.StatusNotFound, codeNotFound, "")
		r.get(base+"/jobs/").problem(http.StatusNotFound, codeNotFound, "")
		r.get(base+"/jobs/a:unknown").problem(http.StatusBadRequest, codeInvalid, "id")
		r.get(base+"/jobs?page=2").problem(http.StatusBadRequest, codeInvalid, "page")
		r.get(base+"/jobs?q=1&q=2").problem(http.StatusBadRequest, codeInvalid, "q")
		r.get(base+"/jobs/a?limit=1").problem(http.StatusBadRequest, codeInvalid, "limit")
		r.get(base+"/jobs?sync=yes").problem(http.StatusBadRequest, codeInvalid, "sync")
		r.get(base + "/jobs?sync=true").want(http.StatusOK)
	})
}

func ids(a *reply) string {
	a.t.Helper()
	var out []string
	for _, j := range decode[jobsJSON](a.want(http.StatusOK)).Items {
		out = append(out, j.ID)
	}
	return strings.Join(out, " ")
}

func TestListJobs(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "a", Description: "The Nightly report", Labels: map[string]string{"team": "x", "env": "p"}})
		r.put(chronos.Job{ID: "a/b", Handler: "fails", Labels: map[string]string{"team": "x"}})
		r.put(chronos.Job{ID: "b", Handler: "waits"})
		r.put(chronos.Job{ID: "c"})
		r.call("POST", base+"/jobs/c:pause", `{"note": "why"}`).want(http.StatusOK)
		r.call("POST", base+"/jobs/b:trigger", nil).want(http.StatusAccepted)
		r.call("POST", base+"/jobs/a/b:trigger", nil).want(http.StatusAccepted)
		r.pass(2 * time.Second)
		for query, want := range map[string]string{
			"":                                "a a/b b c",
			"?label=team%3Dx":                 "a a/b",
			"?label=team%3Dx&label=env%3Dp":   "a",
			"?q=NIGHTLY":                      "a",
			"?q=%2F":                          "a/b",
			"?handler=waits":                  "b",
			"?paused=true":                    "c",
			"?paused=false":                   "a a/b b",
			"?failing=true":                   "a/b",
			"?unfinished=true":                "b",
			"?unfinished=false&failing=false": "a c",
			"?label=team%3Dnone":              "",
			"?cursor=a%2Fb":                   "b c",
			"?limit=2":                        "a a/b",
		} {
			equal(t, query, ids(r.get(base+"/jobs"+query)), want)
		}
		r.get(base+"/jobs?label=team").problem(http.StatusBadRequest, codeInvalid, "label")
		r.get(base+"/jobs?paused=1").problem(http.StatusBadRequest, codeInvalid, "paused")
		r.get(base+"/jobs?limit=0").problem(http.StatusBadRequest, codeInvalid, "limit")
		r.get(base+"/jobs?limit=1001").problem(http.StatusBadRequest, codeInvalid, "limit")
		r.get(base+"/jobs?cursor=%21").problem(http.StatusBadRequest, codeInvalid, "cursor")

		var pages []string
		next := ""
		for {
			page := r.get(base + "/jobs?limit=1&paused=false&cursor=" + url.QueryEscape(next))
			pages = append(pages, ids(page))
			if next = decode[jobsJSON](page).NextCursor; next == "" {
				break
			}
		}
		equal(t, "pages", strings.Join(pages, ","), "a,a/b,b")
	})
}

func TestPauseResumeDelete(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "job", Schedule: chronos.Every(time.Hour)})
		j := decode[jobJSON](r.call("POST", base+"/jobs/job:pause", `{"note": "maintenance"}`).want(http.StatusOK))
		if !j.State.Paused || j.State.PausedBy != "ann" || j.State.PauseNote != "maintenance" || !j.State.PausedAt.Equal(epoch) {
			t.Errorf("%+v", j.State)
		}
		equal(t, "next", len(decode[nextJSON](r.get(base+"/jobs/job:next")).Items), 0)
		j = decode[jobJSON](r.call("POST", base+"/jobs/job:resume", nil).want(http.StatusOK))
		if j.State.Paused || !j.State.NextDue.Equal(epoch.Add(time.Hour)) {
			t.Errorf("%+v", j.State)
		}
		next := decode[nextJSON](r.get(base + "/jobs/job:next?limit=2&from=2000-01-01T05:00:00Z").want(http.StatusOK)).Items
		if len(next) != 2 || !next[0].Equal(epoch.Add(6*time.Hour)) || !next[1].Equal(epoch.Add(7*time.Hour)) {
			t.Errorf("next: %v", next)
		}
		r.get(base+"/jobs/job:next?from=noon").problem(http.StatusBadRequest, codeInvalid, "from")
		r.call("DELETE", base+"/jobs/job", nil).want(http.StatusNoContent)
		r.call("DELETE", base+"/jobs/job", nil).problem(http.StatusNotFound, codeNotFound, "")
		for _, verb := range []string{"pause", "resume", "trigger"} {
			r.call("POST", base+"/jobs/job:"+verb, nil).problem(http.StatusNotFound, codeNotFound, "")
		}
		r.get(base+"/jobs/job:next").problem(http.StatusNotFound, codeNotFound, "")
	})
}

func TestNextOfBoundedJobs(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		r.put(chronos.Job{ID: "thrice", Schedule: chronos.Every(time.Minute), MaxRuns: 3})
		count := func() int { return len(decode[nextJSON](r.get(base + "/jobs/thrice:next")).Items) }
		equal(t, "ahead", count(), 3)
		r.pass(61 * time.Second)
		equal(t, "after one", count(), 2)
		equal(t, "later", len(decode[nextJSON](r.get(base+"/jobs/thrice:next?from=2000-01-01T00:02:30Z")).Items), 1)
		r.pass(time.Hour)
		equal(t, "in the end", count(), 0)
	})
}

func TestSecretsAreNeverShown(t *testing.T) {
	open(t, func(t *testing.T, r *rig) {
		const hidden = "hush-hush"
		const key = "whsec_aHVzaC1odXNoLWh1c2gtaHVzaC1odXNoLWh1c2g="
		shown := func(what string, a *reply) {
			t.Helper()
			for _, secret := range []string{hidden, key, "aHVzaC1odXNo"} {
				if strings.Contains(string(a.body), secret) || strings.Contains(fmt.Sprint(a.header), secret) {
					t.Errorf("%s shows a secret: %s", what, a.body)
				}
			}
		}
		hook := `"url": "http://127.0.0.1:1/x", "secret_headers": {"X-Key": "` + hidden + `"}, "basic_user": "u", "basic_password": "` + hidden + `", "secrets": ["` + key + `"]`
		put := r.call("PUT", base+"/jobs/hook", `{"definition": {"webhook": {`+hook+`}}}`).want(http.StatusOK)
		shown("put", put)
		r.call("PUT", base+"/jobs/bearer", `{"definition": {"webhook": {"url": "http://127.0.0.1:1/x", "bearer": "`+hidden+`"}}}`).want(http.StatusOK)
		kept := decode[jobJSON](r.get(base + "/jobs/hook")).Definition
		if kept.Webhook.Secrets[0] != chronos.SecretKept || kept.Webhook.SecretHeaders["X-Key"] != chronos.SecretKept || kept.Webhook.BasicPassword != chronos.SecretKept {
			t.Errorf("%+v", kept.Webhook)
		}
		kept.Description = "changed" // the stored secrets stay
		shown("kept", r.call("PUT", base+"/jobs/hook", putJSON{Definition: kept}).want(http.StatusOK))
		// wrong in some other field: the answer quotes nothing
		shown("unknown field", r.call("PUT", base+"/jobs/hook", `{"definition": {"webhook": {"url": 7, `+hook[len(`"url": "http://127.0.0.1:1/x", `):]+`}}}`))
		shown("cut off", r.call("PUT", base+"/jobs/hook", `{"definition": {"webhook": {`+hook))
		shown("wrong type", r.call("PUT", base+"/jobs/hook", `{"definition": {"webhook": {"secrets": "`+hidden+`"}}}`))
		shown("wrong secret", r.call("PUT", base+"/jobs/hook", `{"definition": {"webhook": {"url": "http://x", "secrets": ["`+hidden+`"]}}}`))
		r.call("POST", base+"/jobs/hook:rollback", `{"version": 1}`).want(http.StatusOK)
		for _, path := range []string{"/jobs", "/jobs/hook", "/jobs/bearer", "/jobs/hook:versions", "/jobs/hook:diff?from=1&to=2", "/executions", "/cluster"} {
			shown(path, r.get(base+path).want(http.StatusOK))
		}
	})
}
