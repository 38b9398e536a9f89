package chronosprom_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	chronosprom "github.com/chronos-go/chronos/prometheus"
)

// names are the metrics that there are.
func names(t *testing.T) map[string]bool {
	t.Helper()
	ch := make(chan *prometheus.Desc, 200)
	chronosprom.New(chronosprom.Options{}).Describe(ch)
	close(ch)
	out := map[string]bool{}
	named := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range ch {
		out[named.FindStringSubmatch(d.String())[1]] = true
	}
	return out
}

// used finds metrics in an expression.
func used(expr string) (out []string) {
	for _, name := range regexp.MustCompile(`\bchronos_\w+`).FindAllString(expr, -1) {
		for _, tail := range []string{"_seconds_bucket", "_seconds_sum", "_seconds_count"} {
			if strings.HasSuffix(name, tail) {
				name = strings.TrimSuffix(name, tail) + "_seconds"
			}
		}
		out = append(out, name)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTable(t *testing.T) {
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(chronos_\\w+)` \\|").FindAllStringSubmatch(read(t, "../docs/telemetry.md"), -1) {
		if listed[row[1]] {
			t.Errorf("%s is listed twice", row[1])
		}
		listed[row[1]] = true
	}
	there := names(t)
	for name := range there {
		if !listed[name] {
			t.Errorf("docs/telemetry.md does not list %s", name)
		}
	}
	for name := range listed {
		if !there[name] {
			t.Errorf("docs/telemetry.md lists %s, which is no metric", name)
		}
	}
}

// expressions checks that they name what there is, and, with promtool at hand, that
// Prometheus reads them.
func expressions(t *testing.T, all map[string]string) (seen map[string]bool) {
	t.Helper()
	there, seen := names(t), map[string]bool{}
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	for _, where := range slices.Sorted(maps.Keys(all)) {
		expr := all[where]
		for _, name := range used(expr) {
			if seen[name] = true; !there[name] {
				t.Errorf("%s: %s is no metric", where, name)
			}
		}
		expr = strings.ReplaceAll(strings.ReplaceAll(expr, "$__rate_interval", "5m"), "$job", "chronos")
		if strings.Contains(expr, "$") {
			t.Errorf("%s: an unknown variable in %s", where, expr)
		}
		rules = append(rules, rule{fmt.Sprintf("rule_%d", len(rules)), expr})
	}
	data, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "all", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, path)
	return seen
}

func promtool(t *testing.T, path string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not at hand: the expressions are not parsed")
		return
	}
	if out, err := exec.CommandContext(t.Context(), tool, "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ H, W, X, Y int }
	Targets []struct{ RefID, Expr string }
}

func TestDashboard(t *testing.T) {
	var dash struct {
		Title  string
		UID    string
		Panels []panel
	}
	if err := json.Unmarshal([]byte(read(t, "grafana.json")), &dash); err != nil {
		t.Fatal(err)
	}
	exprs, ids := map[string]string{}, map[int]bool{}
	for _, p := range dash.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			exprs[fmt.Sprintf("panel %d %q %s", p.ID, p.Title, target.RefID)] = target.Expr
		}
		for _, o := range dash.Panels {
			if o.ID < p.ID && o.GridPos.X < p.GridPos.X+p.GridPos.W && p.GridPos.X < o.GridPos.X+o.GridPos.W &&
				o.GridPos.Y < p.GridPos.Y+p.GridPos.H && p.GridPos.Y < o.GridPos.Y+o.GridPos.H {
				t.Errorf("panels %q and %q overlap", o.Title, p.Title)
			}
		}
	}
	seen := expressions(t, exprs)
	for name := range names(t) {
		if !seen[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

func TestAlerts(t *testing.T) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	text := read(t, "alerts.yml")
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	docs := read(t, "../docs/telemetry.md")
	exprs := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || exprs[r.Alert] != "" {
				t.Errorf("rule %+v", r)
			}
			exprs[r.Alert] = r.Expr
			if !strings.Contains(docs, "\n| `"+r.Alert+"` |") {
				t.Errorf("docs/telemetry.md does not list %s", r.Alert)
			}
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(Chronos\\w+)` \\|").FindAllStringSubmatch(docs, -1) {
		if exprs[row[1]] == "" {
			t.Errorf("docs/telemetry.md lists the alert %s, which is no rule", row[1])
		}
	}
	expressions(t, exprs)
	promtool(t, "alerts.yml")
	path, err := filepath.Abs("testdata/alerts_test.yml")
	if err != nil {
		t.Fatal(err)
	}
	if tool, err := exec.LookPath("promtool"); err == nil {
		if out, err := exec.CommandContext(t.Context(), tool, "test", "rules", path).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// TestSnippets: what the page shows is in a test or example that is compiled.
func TestSnippets(t *testing.T) {
	var compiled strings.Builder
	for _, glob := range []string{"*_test.go", "../otel/*_test.go", "../example_*_test.go"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", glob, err)
		}
		for _, f := range files {
			compiled.WriteString(squeeze(read(t, f)))
		}
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, "../docs/telemetry.md"), -1)
	if len(blocks) < 5 {
		t.Fatalf("%d snippets", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(compiled.String(), squeeze(b[1])) {
			t.Errorf("no test has this snippet:\n%s", b[1])
		}
	}
}

// squeeze takes the indentation and empty lines away.
func squeeze(code string) string {
	var out strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}
