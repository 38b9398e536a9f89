package jobfile_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
)

// Whatever a file holds, it gives jobs or an error that says what is wrong; and jobs
// can be written and read again, and are the same then.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"jobs": []}`, `{"jobs": [{"id": "a", "handler": "h", "schedule": "@every 5m", "payload_json": {"a": [1e5, "\u00fc"]}}]}`,
		`{"jobs": [{"id": "a", "webhook": {"url": "https://x", "bearer": {"env": "TOKEN"}, "secrets": [{"keep": true}]}}]}`,
		`{"jobs": [{"id": "a", "retry": {"max_attempts": 3, "initial": "5s", "multiplier": 1.5}, "labels": {"a": "b"}}]}`,
		`{"jobs": [{"id": "a", "placement": {"every_node": true}, "concurrency": {"key": "k"}, "retention": {"age": "-1ns", "count": -1}}]}`,
		`{"jobs": [{"id": "a", "payload_base64": "AAEC", "schedule": "CRON_TZ=Europe/Berlin H 2 * * *; seed=b"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		jobs, err := jobfile.ParseWith(bytes.NewReader(text), sources)
		if err != nil {
			var bad *jobfile.Error
			if jobs != nil || !errors.As(err, &bad) || len(bad.Problems) == 0 || bytes.Contains([]byte(err.Error()), []byte("s3cret-token")) {
				t.Fatalf("%v, %v", jobs, err)
			}
			return
		}
		o := jobfile.WriteOptions{Secret: func(_, _ string) jobfile.Reference { return jobfile.Reference{Env: "TOKEN"} }}
		first := write(t, jobs, o)
		again, err := jobfile.ParseWith(bytes.NewReader(first), sources)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, first)
		}
		if second := write(t, again, o); !bytes.Equal(first, second) {
			t.Fatalf("it has changed:\n%s\n%s", first, second)
		}
		for i := range jobs {
			if !bytes.Equal(jobs[i].Payload, again[i].Payload) || jobs[i].Schedule.String() != again[i].Schedule.String() {
				t.Fatalf("%+v\n%+v", jobs[i], again[i])
			}
		}
	})
}

func write(t *testing.T, jobs []chronos.Job, o jobfile.WriteOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jobfile.Write(&b, jobs, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
