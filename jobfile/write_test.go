package jobfile_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
)

// fill sets every field of a struct to something that is no default.
func fill(t *testing.T, path string, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case chronos.Schedule:
		v.Set(reflect.ValueOf(chronos.Cron("*/5 * * * *").Jitter(time.Duration(*n) * time.Second)))
		return
	case chronos.JobState:
		return // no part of a file
	case chronos.Overlap:
		v.Set(reflect.ValueOf(chronos.OverlapBufferAll))
		return
	case chronos.Misfire:
		v.Set(reflect.ValueOf(chronos.MisfireAll))
		return
	case chronos.Delivery:
		v.Set(reflect.ValueOf(chronos.AtMostOnce))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text%d", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) + 2)
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, path, v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" {
				fill(t, path+"."+name, v.Field(i), n)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(fmt.Sprintf("bytes%d", *n)))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, path, v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, path, key, n)
			fill(t, path, value, n)
			v.SetMapIndex(key, value)
		}
	default:
		t.Fatalf("%s is %s: this test does not know how to fill it", path, v.Type())
	}
}

// Every field that a job has, now and later, comes back as it was.
func TestRoundTrip(t *testing.T) {
	var job chronos.Job
	n := 0
	fill(t, "Job", reflect.ValueOf(&job).Elem(), &n)
	values := map[string]string{}
	o := jobfile.WriteOptions{Secret: func(id, path string) jobfile.Reference {
		if id != job.ID {
			t.Errorf("asked for a secret of %q", id)
		}
		w := job.Webhook
		name := fmt.Sprintf("V%d", len(values))
		switch {
		case path == "webhook.bearer":
			values[name] = string(w.Bearer)
		case path == "webhook.basic_password":
			values[name] = string(w.BasicPassword)
		case path == "webhook.secrets[0]":
			values[name] = string(w.Secrets[0])
		case path == "webhook.secrets[1]":
			values[name] = string(w.Secrets[1])
		case strings.HasPrefix(path, "webhook.secret_headers["):
			values[name] = string(w.SecretHeaders[strings.TrimSuffix(strings.TrimPrefix(path, "webhook.secret_headers["), "]")])
		default:
			t.Errorf("no such secret: %s", path)
		}
		return jobfile.Reference{Env: name}
	}}
	var b bytes.Buffer
	if err := jobfile.Write(&b, []chronos.Job{job}, o); err != nil {
		t.Fatal(err)
	}
	for _, value := range values {
		if strings.Contains(b.String(), `"`+value+`"`) {
			t.Errorf("a secret is in the file: %s", value)
		}
	}
	got, err := jobfile.ParseWith(bytes.NewReader(b.Bytes()), jobfile.Options{LookupEnv: func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}})
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if got[0].Schedule.String() != job.Schedule.String() {
		t.Errorf("schedule %s", got[0].Schedule)
	}
	got[0].Schedule, job.Schedule = chronos.Schedule{}, chronos.Schedule{}
	for i := range reflect.TypeOf(job).NumField() {
		name := reflect.TypeOf(job).Field(i).Name
		a, b := reflect.ValueOf(job).Field(i).Interface(), reflect.ValueOf(got[0]).Field(i).Interface()
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: wrote %+v, read %+v", name, a, b)
		}
	}
}

// A payload comes back byte for byte, in whatever form it is written.
func TestWritePayloads(t *testing.T) {
	for payload, form := range map[string]string{
		"":                         "",
		`{"a":[1,2.50,"x"]}`:       "payload_json",
		`{"a": 1}`:                 `"payload"`,
		`{"a":1,"a":2}`:            `"payload"`,
		`{"a":"\u00e9"}`:           `"payload"`,
		`{"a":"<b>"}`:              "payload_json",
		`1`:                        `"payload"`,
		"plain":                    `"payload"`,
		"nul\x00":                  `"payload"`,
		"\xff":                     "payload_base64",
		strings.Repeat("[", 2_000): `"payload"`,
	} {
		var b bytes.Buffer
		if err := jobfile.Write(&b, []chronos.Job{{ID: "a", Handler: "h", Payload: []byte(payload)}}, jobfile.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		got, err := jobfile.Parse(bytes.NewReader(b.Bytes()))
		if err != nil || string(got[0].Payload) != payload || !strings.Contains(b.String(), form) {
			t.Errorf("%q: %v\n%s", payload, err, b.String())
		}
	}
}

// A secret is an error where nobody says where it is, and is never shown.
func TestWriteSecrets(t *testing.T) {
	jobs := []chronos.Job{{ID: "a", Webhook: &chronos.Webhook{URL: "https://example.com", Bearer: "s3cret"}}}
	var b bytes.Buffer
	err := jobfile.Write(&b, jobs, jobfile.WriteOptions{})
	if err == nil || !strings.Contains(err.Error(), "webhook.bearer is a secret, which is not written") || strings.Contains(err.Error(), "s3cret") || b.Len() > 0 {
		t.Errorf("%v, %s", err, b.String())
	}
	jobs[0].Webhook.Bearer = chronos.SecretKept
	if err := jobfile.Write(&b, jobs, jobfile.WriteOptions{}); err != nil || !strings.Contains(b.String(), `"keep": true`) {
		t.Errorf("%v, %s", err, b.String())
	}
	err = jobfile.Write(&b, jobs, jobfile.WriteOptions{Secret: func(_, _ string) jobfile.Reference { return jobfile.Reference{Env: "A", File: "b"} }})
	if err == nil || !strings.Contains(err.Error(), "has 2 of Env, File and Keep set") {
		t.Error(err)
	}
	if err := jobfile.Write(&b, []chronos.Job{{ID: "a", Schedule: chronos.Cron("no")}}, jobfile.WriteOptions{}); err == nil {
		t.Error("a schedule that is none was written")
	}
}
