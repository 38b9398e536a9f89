package moving

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page shows each file of this package as it is, but for its beginning, and nothing
// else that is Go.
func TestPage(t *testing.T) {
	page := read(t, "../docs/moving.md")
	var shown []string
	for _, b := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(page, -1) {
		shown = append(shown, b[1])
	}
	files, err := filepath.Glob("*_*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all string
	count := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		count++
		code := body(read(t, f))
		all += code + "\n"
		if !slices.Contains(shown, code) {
			t.Errorf("docs/moving.md does not show %s as it is:\n%s", f, code)
		}
	}
	if count < 9 {
		t.Errorf("%d files", count)
	}
	for _, s := range shown {
		if !strings.Contains(all+read(t, "../gocronlock/doc.go"), strings.TrimSpace(s)) && !inFile(t, s, "../gocronlock/example_test.go", "../examples/reconcile/main.go") {
			t.Errorf("docs/moving.md shows what is in no file:\n%s", s)
		}
	}
	if crontab := read(t, "testdata/crontab"); !strings.Contains(page, "```\n"+crontab+"```\n") {
		t.Errorf("docs/moving.md does not show testdata/crontab:\n%s", crontab)
	}
}

// inFile tells if a snippet is in one of the files, but for the indentation.
func inFile(t *testing.T, snippet string, files ...string) bool {
	t.Helper()
	for _, f := range files {
		if strings.Contains(squeeze(read(t, f)), squeeze(snippet)) {
			return true
		}
	}
	return false
}

func squeeze(code string) string {
	var out strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// body is a file without its package clause and imports.
func body(code string) string {
	_, rest, found := strings.Cut(code, "\n)\n\n")
	if !found {
		return code
	}
	return rest
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
