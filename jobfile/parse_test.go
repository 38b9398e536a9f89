package jobfile_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
)

// sources are the secrets that tests refer to.
var sources = jobfile.Options{
	LookupEnv: func(name string) (string, bool) {
		value, ok := map[string]string{"TOKEN": "s3cret-token", "EMPTY": "", "KEPT": string(chronos.SecretKept), "KEY": "whsec_" + strings.Repeat("QUFB", 8)}[name]
		return value, ok
	},
	ReadFile: func(path string) ([]byte, error) {
		if path != "/run/secrets/password" {
			return nil, fs.ErrNotExist
		}
		return []byte("s3cret-password\r\n"), nil
	},
}

func TestParse(t *testing.T) {
	jobs, err := jobfile.ParseWith(strings.NewReader(`{
  "jobs": [
    {
      "id": "nightly",
      "schedule": "CRON_TZ=Europe/Berlin 30 2 * * *; jitter=30s",
      "handler": "report",
      "payload_json": {"b": [1.50, true, null], "a": "<ü>"},
      "retry": {"max_attempts": 3, "initial": "5m"},
      "timeout": "1h30m"
    },
    {"id": "text", "handler": "report", "payload": "plain", "labels": {"team": "shop"}},
    {"id": "bytes", "handler": "report", "payload_base64": "AAH/"},
    {
      "id": "hook",
      "webhook": {
        "url": "https://example.com/hook",
        "bearer": {"env": "TOKEN"},
        "secret_headers": {"X-Password": {"file": "/run/secrets/password"}},
        "secrets": [{"env": "KEY"}, {"keep": true}]
      }
    }
  ]
}`), sources)
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 4 {
		t.Fatalf("%d jobs", len(jobs))
	}
	nightly := jobs[0]
	if nightly.ID != "nightly" || nightly.Timeout != 90*time.Minute || nightly.Retry.MaxAttempts != 3 || nightly.Retry.Initial != 5*time.Minute ||
		nightly.Schedule.String() != "CRON_TZ=Europe/Berlin 30 2 * * *; jitter=30s" {
		t.Errorf("%+v", nightly)
	}
	for i, want := range []string{`{"b":[1.50,true,null],"a":"<ü>"}`, "plain", "\x00\x01\xff"} {
		if got := string(jobs[i].Payload); got != want {
			t.Errorf("payload %q, want %q", got, want)
		}
	}
	w := jobs[3].Webhook
	if w.Bearer != "s3cret-token" || w.SecretHeaders["X-Password"] != "s3cret-password" || len(w.Secrets) != 2 || w.Secrets[1] != chronos.SecretKept {
		t.Error("the secrets are not those that are referred to")
	}
}

// What is wrong with a file is said with the place, and with what to do.
func TestParseProblems(t *testing.T) {
	job := func(rest string) string { return "{\"jobs\": [\n{\"id\": \"a\", \"handler\": \"h\", " + rest + "}]}" }
	hook := func(rest string) string {
		return "{\"jobs\": [\n{\"id\": \"a\", \"webhook\": {\"url\": \"https://x\", " + rest + "}}]}"
	}
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", " \n", `line 2: is empty; no jobs at all are written as {"jobs": []}`},
		{"cut off", `{"jobs": [`, "line 1: ends too early"},
		{"comment", "{\n// no\n}", "line 2: is no JSON at column 1"},
		{"comma", "{\"jobs\": [1,]}", "line 1: is no JSON at column 13"},
		{"two", `{"jobs": []} {}`, "line 1: goes on behind its end"},
		{"list", `[]`, `line 1: the file is a list; it has to be an object`},
		{"no jobs", `{}`, `the file has no list "jobs"`},
		{"jobs twice", `{"jobs": [], "jobs": []}`, "line 1: jobs is there twice"},
		{"null", `{"jobs": null}`, "line 1: jobs is null; leave it out"},
		{"no object", `{"jobs": [1]}`, "jobs[0] is a number where an object is wanted"},
		{"no id", `{"jobs": [{"handler": "h"}]}`, "line 1: jobs[0] has no id"},
		{"twice", "{\"jobs\": [{\"id\": \"a\"},\n{\"id\": \"a\"}]}", `line 2: jobs[1] (job "a") has the same ID as the job on line 1`},
		{"field", job(`"scheduel": "@daily"`), `line 2: jobs[0].scheduel (job "a") is no field that a job file knows; "schedule" was meant, perhaps`},
		{"case", job(`"Timeout": "5m"`), `"timeout" was meant, perhaps`},
		{"unknown", job(`"colour": "red"`), "it knows buffer_max, catch_up_max"},
		{"field twice", job(`"timeout": "1m", "timeout": "2m"`), "line 2: jobs[0].timeout (job \"a\") is there twice"},
		{"inner", job(`"retry": {"attempts": 3}`), "jobs[0].retry.attempts (job \"a\") is no field"},
		{"duration", job(`"timeout": "5 minutes"`), `jobs[0].timeout (job "a") is "5 minutes", which is no duration; write it like 5m`},
		{"no unit", job(`"timeout": 300`), `has no unit; write it as a text, such as "5m"`},
		{"integer", job(`"priority": 1.5`), "is 1.5 where a whole number is wanted"},
		{"kind", job(`"priority": "1"`), "is a text where a number is wanted"},
		{"large", job(`"retry": {"multiplier": 1e999}`), "is 1e999, which is too large"},
		{"enum", job(`"overlap": "skp"`), `is "skp"; use one of skip buffer_one`},
		{"schedule", job(`"schedule": "61 * * * *"`), "jobs[0].schedule (job \"a\") "},
		{"empty schedule", job(`"schedule": ""`), "leave it out of a job that only runs when it is triggered"},
		{"payloads", job(`"payload": "x", "payload_json": 1`), "choose one"},
		{"payload twice", job(`"payload_json": {"a": [{"b": 1, "b": 2}]}`), "has jobs[0].payload_json.a[0].b twice"},
		{"base64", job(`"payload_base64": "?"`), "is not base64"},
		{"label", job(`"labels": {"a": 1}`), "jobs[0].labels[a] (job \"a\") is a number where a text is wanted"},
		{"label twice", job(`"labels": {"a": "1", "a": "2"}`), "jobs[0].labels[a] (job \"a\") is there twice"},
		{"written out", hook(`"bearer": "s3cret"`), `jobs[0].webhook.bearer (job "a") is written out, and secrets do not belong in a job file; write {"env": "NAME"}`},
		{"header", hook(`"secret_headers": {"X": "s3cret"}`), "jobs[0].webhook.secret_headers[X] (job \"a\") is written out"},
		{"key", hook(`"secrets": ["s3cret"]`), "jobs[0].webhook.secrets[0] (job \"a\") is written out"},
		{"wrong key", hook(`"bearer": {"s3cret": "s3cret"}`), "is no reference to a secret"},
		{"list", hook(`"bearer": ["s3cret"]`), "is no reference to a secret"},
		{"two", hook(`"bearer": {"env": "TOKEN", "file": "x"}`), "is no reference to a secret"},
		{"not set", hook(`"bearer": {"env": "NONE"}`), `names the environment variable "NONE", which is not set`},
		{"empty", hook(`"bearer": {"env": "EMPTY"}`), `names the environment variable "EMPTY", which is empty`},
		{"stands for", hook(`"bearer": {"env": "KEPT"}`), `write {"keep": true}`},
		{"no file", hook(`"bearer": {"file": "/nowhere"}`), "jobs[0].webhook.bearer.file (job \"a\") cannot be read"},
		{"not utf-8", "{\"jobs\": [\n\xff]}", "line 2: is not UTF-8"},
		{"deep", job(`"payload_json": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200)), "nested more than 100 deep"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			jobs, err := jobfile.ParseWith(strings.NewReader(tc.text), sources)
			var bad *jobfile.Error
			if jobs != nil || !errors.As(err, &bad) || !errors.Is(err, chronos.ErrInvalid) {
				t.Fatalf("%v, %v", jobs, err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("it says\n\t%v\nand not\n\t%s", err, tc.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("it shows a secret: %v", err)
			}
		})
	}
}

// All that is wrong is said at once, in the order of the file.
func TestParseAllProblems(t *testing.T) {
	_, err := jobfile.Parse(strings.NewReader("{\"jobs\": [\n{\"id\": \"a\", \"timeout\": 1},\n{\"id\": \"b\", \"priority\": true}]}"))
	var bad *jobfile.Error
	if !errors.As(err, &bad) || len(bad.Problems) != 2 || bad.Problems[0].Line != 2 || bad.Problems[1].Line != 3 || bad.Problems[1].Column != 25 {
		t.Errorf("%v", err)
	}
}

// An empty list is no error: it says that there are no jobs.
func TestParseNone(t *testing.T) {
	jobs, err := jobfile.Parse(strings.NewReader("\ufeff" + `{"jobs": []}`))
	if err != nil || jobs == nil || len(jobs) != 0 {
		t.Errorf("%v, %v", jobs, err)
	}
}
