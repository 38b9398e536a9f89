package chronos_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are all texts for people, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			out[name] = read(t, name)
		}
	}
	return out
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sources is the Go code in the repository, one blank for all space.
func sources(t *testing.T, match func(name string) bool) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") && match(path) {
			all.WriteString(squeezed(read(t, path)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func squeezed(code string) string { return strings.Join(strings.Fields(code), " ") + " " }

// Every Go snippet of the documentation is in a file that is compiled.
func TestDocsSnippets(t *testing.T) {
	code := sources(t, func(string) bool { return true })
	n := 0
	for name, text := range pages(t) {
		for i, block := range strings.Split(text, "```") {
			snippet, ok := strings.CutPrefix(block, "go\n")
			if i%2 == 0 || !ok {
				continue
			}
			n++
			if strings.HasPrefix(snippet, "package main") {
				continue // a whole program: make host builds it, outside of the repository
			}
			if !strings.Contains(code, squeezed(snippet)) {
				t.Errorf("%s has a snippet that is in no Go file:\n%s", name, snippet)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d snippets were found", n)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unsaid  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the names under which the headings of a page can be reached.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		out[strings.ReplaceAll(unsaid.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return out
}

// Every link within the repository leads somewhere.
func TestDocsLinks(t *testing.T) {
	all := pages(t)
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if path != "" {
				target = filepath.Join(filepath.Dir(name), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			} else if anchor != "" && !anchors(all[target])[anchor] {
				t.Errorf("%s: %s: there is no such heading", name, m[1])
			}
		}
	}
}

// What troubleshooting.md quotes is what the code says.
func TestDocsErrors(t *testing.T) {
	code := sources(t, func(name string) bool { return !strings.HasSuffix(name, "_test.go") })
	code = strings.ReplaceAll(code, `\"`, `"`)
	said := regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(read(t, "docs/troubleshooting.md"), -1)
	if len(said) < 30 {
		t.Errorf("only %d texts were found", len(said))
	}
	status := regexp.MustCompile(`^(Waiting|State\.Paused|New|(skipped|missed)\(\w+\))$`)
	for _, m := range said {
		if !status.MatchString(m[1]) && !strings.Contains(code, m[1]) {
			t.Errorf("nothing says %q", m[1])
		}
	}
}
