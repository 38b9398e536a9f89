package chronoshttp

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/chronos-go/chronos"
)

func TestProblemOf(t *testing.T) {
	for _, c := range []struct {
		err       error
		status    int
		code      string
		uncertain bool
	}{
		{&chronos.FieldError{Field: "Job.Retry.MaxAttempts", Reason: "is odd"}, 400, codeInvalid, false},
		{fmt.Errorf("x: %w", chronos.ErrNotFound), 404, codeNotFound, false},
		{fmt.Errorf("x: %w", chronos.ErrConflict), 409, codeConflict, false},
		{chronos.ErrFenced, 409, codeConflict, false},
		{chronos.ErrDiskFull, 507, codeDiskFull, false},
		{fmt.Errorf("%w (%w)", chronos.ErrNoLeader, chronos.ErrUncertain), 503, codeNoLeader, true},
		{chronos.ErrClosed, 503, codeUnavailable, false},
		{chronos.ErrDiverged, 503, codeUnavailable, false},
		{chronos.ErrCorrupt, 500, codeInternal, false},
		{context.DeadlineExceeded, 504, codeTimeout, false},
		{errors.New("what?"), 500, codeInternal, false},
	} {
		p := problemOf(c.err)
		if p.Status != c.status || p.Code != c.code || p.Uncertain != c.uncertain || titles[p.Code] == "" || p.Detail == "" {
			t.Errorf("%v: %+v", c.err, p)
		}
	}
}

// TestEverySentinel finds the errors of chronos in its source: one that is new has
// to be mapped.
func TestEverySentinel(t *testing.T) {
	src, err := os.ReadFile("../errors.go")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		for _, s := range decl.Specs {
			name := s.(*ast.ValueSpec).Names[0].Name
			if !strings.HasPrefix(name, "Err") {
				continue
			}
			found++
			if name != "ErrUncertain" && name != "ErrDiverged" && !strings.Contains(string(mapped), "{chronos."+name+",") {
				t.Errorf("%s has no status", name)
			}
		}
	}
	if found < 10 {
		t.Errorf("found %d errors", found)
	}
}

// TestProblemsAreDocumented checks the anchors that types of problems lead to.
func TestProblemsAreDocumented(t *testing.T) {
	docs, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	for code := range titles {
		if !strings.Contains(string(docs), `<a id="`+code+`"></a>`) {
			t.Errorf("docs/http.md has no anchor for %s", code)
		}
	}
}

func TestFieldNames(t *testing.T) {
	for in, want := range map[string]string{
		"Job.ID": "id", "id": "id", "Job.Note": "note", "note": "note", "Query.After": "cursor", "TriggerRequest.Key": "Idempotency-Key",
		"Job.Webhook.URL": "definition.webhook.url", "Job.Retry.MaxAttempts": "definition.retry.max_attempts",
		"Job.Labels[My.Key]": "definition.labels[My.Key]", "BackfillRequest.From": "from", "Job.CatchUpMax": "definition.catch_up_max",
		"Job.Webhook.SecretHeaders[X-Key]": "definition.webhook.secret_headers[X-Key]", "Query.Job": "job",
	} {
		if got := fieldName(in); got != want {
			t.Errorf("%s: %s, wanted %s", in, got, want)
		}
	}
}
