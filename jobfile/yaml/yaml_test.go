package yaml_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
	"github.com/chronos-go/chronos/jobfile/yaml"
)

var env = jobfile.Options{LookupEnv: func(name string) (string, bool) { return "s3cret", name == "TOKEN" }}

func parse(text string) ([]chronos.Job, error) { return yaml.Parse(strings.NewReader(text), env) }

const file = `# what this shop does
x-retry: &retry
  max_attempts: 3
  initial: 5m
jobs:
  - id: nightly
    schedule: CRON_TZ=Europe/Berlin 30 2 * * *
    handler: report
    description: 2026-11-26
    timeout: 1h30m
    retry:
      <<: *retry
      initial: 1m
    payload_json:
      b: [1.50, 0x10, yes, ~]
      a: "text"
    labels: {team: shop, 7: "1"}
  - id: ping
    schedule: "@every 5m"
    retry: *retry
    remove_after: true
    webhook:
      url: https://example.com
      bearer: {env: TOKEN}
      success_codes: [200, 204]
`

func TestParse(t *testing.T) {
	jobs, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	a, b := jobs[0], jobs[1]
	if a.ID != "nightly" || a.Schedule.String() != "CRON_TZ=Europe/Berlin 30 2 * * *" || a.Description != "2026-11-26" || a.Timeout != 90*time.Minute ||
		a.Retry != (chronos.Retry{MaxAttempts: 3, Initial: time.Minute}) || !reflect.DeepEqual(a.Labels, map[string]string{"team": "shop", "7": "1"}) {
		t.Errorf("%+v", a)
	}
	if want := `{"b":[1.50,16,"yes",null],"a":"text"}`; string(a.Payload) != want {
		t.Errorf("payload %s, want %s", a.Payload, want)
	}
	if b.Retry.Initial != 5*time.Minute || b.Webhook.Bearer != "s3cret" || !b.RemoveAfter || len(b.Webhook.SuccessCodes) != 2 {
		t.Errorf("%+v", b)
	}
}

// The same jobs come of the JSON that jobfile writes.
func TestParseJSON(t *testing.T) {
	jobs, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	o := jobfile.WriteOptions{Secret: func(_, _ string) jobfile.Reference { return jobfile.Reference{Env: "TOKEN"} }}
	if err := jobfile.Write(&b, jobs, o); err != nil {
		t.Fatal(err)
	}
	again, err := parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	var second bytes.Buffer
	if err := jobfile.Write(&second, again, o); err != nil || second.String() != b.String() {
		t.Errorf("%v\n%s\n%s", err, b.String(), second.String())
	}
}

func TestProblems(t *testing.T) {
	laughs := "x-a: &a [1,1,1,1,1,1,1,1,1,1]\n"
	for c := 'b'; c < 'i'; c++ {
		laughs += "x-" + string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 10) + "]\n"
	}
	echoes := "x-a: &a " + strings.Repeat("x", 1000) + "\nx-b: &b [" + strings.Repeat("*a,", 1000) + "]\n" +
		"jobs: [{id: a, payload_json: [" + strings.Repeat("*b,", 100) + "]}]\n"
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "\n# only this\n", "is empty; no jobs at all are written as jobs: []"},
		{"tab", "jobs:\n\t- id: a\n", "line 2: is no YAML"},
		{"indentation", "jobs:\n  - id: a\n   handler: b\n", "is no YAML"},
		{"star", "jobs:\n  - id: a\n    schedule: */5 * * * *\n", "line 3: is no YAML"},
		{"anchor", "jobs: *none\n", "is no YAML: unknown anchor"},
		{"documents", "jobs: []\n---\njobs: []\n", "line 2: has a second document"},
		{"list", "- id: a\n", "line 1: the file is a list"},
		{"field", "jobs:\n  - id: a\n    scheduel: x\n", `line 3: jobs[0].scheduel (job "a") is no field that a job file knows; "schedule" was meant, perhaps`},
		{"twice", "jobs:\n  - id: a\n    timeout: 1m\n    timeout: 2m\n", "line 4: jobs[0].timeout (job \"a\") is there twice"},
		{"no value", "jobs:\n  - id: a\n    handler:\n", "line 3: jobs[0].handler (job \"a\") is null"},
		{"unit", "jobs:\n  - id: a\n    timeout: 300\n", "line 3: jobs[0].timeout (job \"a\") has no unit"},
		{"yes", "jobs:\n  - id: a\n    remove_after: yes\n", "line 3: jobs[0].remove_after (job \"a\") is a text where a boolean is wanted"},
		{"secret", "jobs:\n  - id: a\n    webhook:\n      url: https://x\n      bearer: s3cret\n", "line 5: jobs[0].webhook.bearer (job \"a\") is written out"},
		{"binary", "jobs:\n  - id: a\n    payload: !!binary AAEC\n", "line 3: has the tag"},
		{"infinity", "jobs:\n  - id: a\n    payload_json: .inf\n", "line 3: is no number that JSON has"},
		{"key", "jobs:\n  - ? [a]\n    : b\n", "line 2: has a name that is no text"},
		{"merge", "jobs:\n  - id: a\n    <<: b\n", "line 3: << takes an object"},
		{"itself", "jobs:\n  - &a [*a]\n", "line 2: *a is within what it stands for"},
		{"deep", "jobs: " + strings.Repeat("[", 150) + strings.Repeat("]", 150), "is nested more than 100 deep"},
		{"laughs", laughs + "jobs: []\n", "comes to more than 1000000 values"},
		{"echoes", echoes, "repeats more than 64 MiB of text by aliases"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			jobs, err := parse(tc.text)
			var bad *jobfile.Error
			if jobs != nil || !errors.As(err, &bad) || !errors.Is(err, chronos.ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v\nand not\n%s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("it shows a secret: %v", err)
			}
		})
	}
}

// Whatever a file holds, it gives jobs or an error that says what is wrong.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{file, "", "jobs: []", "jobs:\n- &a {id: a, <<: *a}\n", "a: !!float x\n", "{\"jobs\": [1]}", "jobs: [{id: a, payload_json: {1e3: 0o7, x: 1_0}}]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		jobs, err := parse(text)
		var bad *jobfile.Error
		if err != nil && (jobs != nil || !errors.As(err, &bad) || len(bad.Problems) == 0) {
			t.Fatalf("%v, %v", jobs, err)
		}
		if err != nil {
			return
		}
		var b bytes.Buffer
		o := jobfile.WriteOptions{Secret: func(_, _ string) jobfile.Reference { return jobfile.Reference{Env: "TOKEN"} }}
		if err := jobfile.Write(&b, jobs, o); err != nil {
			t.Fatal(err)
		}
		if _, err := jobfile.ParseWith(&b, env); err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
	})
}

// The page shows the same file in JSON and in YAML.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/moving.md")
	if err != nil {
		t.Fatal(err)
	}
	o := jobfile.Options{LookupEnv: func(string) (string, bool) { return "s3cret", true }}
	var written []string
	for _, m := range regexp.MustCompile("(?s)```(json|yaml)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		parse := yaml.Parse
		if m[1] == "json" {
			parse = jobfile.ParseWith
		}
		jobs, err := parse(strings.NewReader(m[2]), o)
		if err != nil {
			t.Fatalf("%v\n%s", err, m[2])
		}
		var b bytes.Buffer
		w := jobfile.WriteOptions{Secret: func(_, _ string) jobfile.Reference { return jobfile.Reference{Env: "PING_TOKEN"} }}
		if err := jobfile.Write(&b, jobs, w); err != nil {
			t.Fatal(err)
		}
		written = append(written, b.String())
	}
	if len(written) != 2 || written[0] != written[1] {
		t.Errorf("they are not the same: %s", written)
	}
}
