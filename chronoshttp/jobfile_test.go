package chronoshttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
)

// A job is written in the same way here and in job files, though by other code: what
// they do with secrets, unknown fields and payloads differs. A field that one of them
// learns, the other has to learn, too.
func TestSameAsJobFiles(t *testing.T) {
	var j chronos.Job
	fill(t, reflect.ValueOf(&j).Elem(), "Job")
	j.ID, j.Note, j.Schedule = "job", "", chronos.Cron("*/5 * * * *")
	w := j.Webhook // as a read shows them
	w.SecretHeaders, w.BasicPassword, w.Bearer = map[string]chronos.Secret{"x": chronos.SecretKept}, chronos.SecretKept, chronos.SecretKept
	w.Secrets = []chronos.Secret{chronos.SecretKept}

	var text bytes.Buffer
	if err := jobfile.Write(&text, []chronos.Job{j}, jobfile.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	var file struct{ Jobs []object }
	if err := json.Unmarshal(text.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(showDefinition(j))
	if err != nil {
		t.Fatal(err)
	}
	var here object
	if err := json.Unmarshal(b, &here); err != nil {
		t.Fatal(err)
	}
	delete(file.Jobs[0], "id") // in the path here
	theirs, ours := flat("", file.Jobs[0]), flat("", here)
	for name := range theirs {
		if kept, ok := theirs[name].(object); ok && kept["keep"] == true && ours[name] == string(chronos.SecretKept) {
			ours[name] = kept
		}
	}
	names := maps.Clone(theirs)
	maps.Copy(names, ours)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got, want := fmt.Sprint(ours[name]), fmt.Sprint(theirs[name]); got != want {
			t.Errorf("%s is %s here and %s in a job file", name, got, want)
		}
	}
	if len(names) < 40 {
		t.Errorf("only %d fields were compared", len(names))
	}
}

// flat has the leaves of a value by their path.
func flat(path string, v any) object {
	out := object{}
	switch v := v.(type) {
	case object:
		if v["keep"] == true {
			return object{path: v}
		}
		for name, inner := range v {
			maps.Copy(out, flat(path+"."+name, inner))
		}
	case []any:
		for i, inner := range v {
			maps.Copy(out, flat(fmt.Sprint(path, "[", i, "]"), inner))
		}
	default:
		out[path] = v
	}
	return out
}
