package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var (
	mutantsFlag = flag.Int("mutants", 0, "with how many seeds at most each planted mistake is looked for; 0: not at all")
	mutantFlag  = flag.String("mutant", "", "only planted mistakes with this in their name")
)

// A mutant is the library with a mistake in it, made when the test binary is built
// (go build -overlay): nothing of it is in the library, where a host could reach
// it. The text that is replaced has to be there, exactly once.
type mutant struct {
	name string
	file string
	old  string
	new  string
	args []string
}

var mutants = []mutant{
	{"a fire is dropped", "raftfsm/apply_fire.go", "for _, run := range runs {\n\t\tif def.MaxRuns", "for _, run := range runs {\n\t\tif run.Due/1e9%11 == 3 {\n\t\t\tcontinue\n\t\t}\n\t\tif def.MaxRuns", nil},
	{"an attempt is run twice", "handler.go", "return h(context.WithValue(ctx, attemptKey{}, a), executionOf(a, s.options.Node))",
		"if a.Token%7 == 0 {\n\t\t\t_ = h(context.WithValue(ctx, attemptKey{}, a), executionOf(a, s.options.Node))\n\t\t}\n\t\treturn h(context.WithValue(ctx, attemptKey{}, a), executionOf(a, s.options.Node))", nil},
	{"a stale token is accepted", "raftfsm/apply_finish.go", "x.Wait == store.Wait_WAIT_ASSIGNED && x.Token == token", "x.Wait == store.Wait_WAIT_ASSIGNED", []string{"-nodes", "3", "-faults", "cut off"}},
	{"acknowledged writes are lost with the process", "", "", "", []string{"-lies", "10s"}},
	{"Sync does not wait", "request.go", "_, err := s.ask(ctx, &raftfsm.Command{Body: &raftfsm.Command_Barrier{Barrier: &raftfsm.Barrier{}}})\n\treturn err", "return s.begin(ctx)", []string{"-nodes", "3"}},
	{"a follower does not wait for its own writes", "raftfsm/node.go", "return results, index, n.fsm.applied.wait(ctx, index)", "return results, index, nil", []string{"-nodes", "3"}},
	{"a node that is cut off goes on", "member.go", "return !m.fenced.Load() && elapsed < m.limit() && slept < clockTolerance && slept > -clockTolerance", "_, _ = elapsed, slept\n\treturn !m.fenced.Load()", []string{"-nodes", "3"}},
	{"a command that is repeated is applied again", "raftfsm/answers.go", "raw, ok := e.f.answers.byID[id]\n\tif !ok {", "raw, ok := e.f.answers.byID[id]\n\tif !ok || true {", []string{"-nodes", "3"}},
	{"what may run once is repeated", "raftfsm/apply_node.go", "case atMostOnce:", "case atMostOnce && x.Losses > 1:", nil},
	{"an overlap is not noticed", "raftfsm/apply_fire.go", "default:\n\t\treturn e.verdict(s, exec, x, store.Status_STATUS_SKIPPED, store.Reason_REASON_OVERLAP)", "default:\n\t\treturn e.start(s, exec, x)", nil},
	{"a concurrency key has one place more", "raftfsm/gate.go", "p.GetTaken() >= uint64(s.job.Definition.ConcurrencyLimit)", "p.GetTaken() > uint64(s.job.Definition.ConcurrencyLimit)", nil},
	{"a label is not asked for", "raftfsm/class.go", "return l.Key == want.key && l.Value == want.value", "return l.Key == want.key && l.Value == want.value || want.key == \"ssd\"", []string{"-nodes", "3"}},
	{"an instant for every node leaves one out", "raftfsm/target.go", "for _, target := range targets {\n", "for i, target := range targets {\n\t\tif i == 1 && e.applied.Index%5 == 0 {\n\t\t\tcontinue\n\t\t}\n", []string{"-nodes", "3"}},
	{"an edit takes nothing back", "raftfsm/apply_job.go", "func (e *entry) recallAhead(s *subject) error {", "func (e *entry) recallAhead(s *subject) error {\n\tif s != nil {\n\t\treturn nil\n\t}", nil},
}

// TestMutants plants one mistake after the other, and looks with how many seeds the
// simulation sees it.
func TestMutants(t *testing.T) {
	if *mutantsFlag == 0 {
		t.Skip("it builds the library a dozen times: -mutants N")
	}
	for _, m := range mutants {
		if !strings.Contains(m.name, *mutantFlag) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			binary := m.build(t)
			for n := 1; n <= *mutantsFlag; n++ {
				seed := fmt.Sprint(*seedFlag + uint64(n-1))
				args := append([]string{"-test.run", "TestSim$", "-test.timeout", "20m", "-seeds", "1", "-seed", seed, "-profile", "dense", "-hours", "0.03", "-limit", "5m"}, m.args...)
				cmd := exec.CommandContext(t.Context(), binary, args...)
				out, err := cmd.CombinedOutput()
				if err == nil {
					continue
				}
				if strings.Contains(string(out), "it takes too long") {
					t.Logf("seed %s took too long", seed)
					continue
				}
				if !strings.Contains(string(out), "violations") {
					t.Fatalf("it failed otherwise: %v\n%.3000s", err, out)
				}
				t.Logf("caught with %d seeds: %s", n, sight(string(out)))
				return
			}
			t.Errorf("not caught with %d seeds", *mutantsFlag)
		})
	}
}

// sight is the first thing that a simulation says is wrong.
func sight(out string) string {
	_, found, _ := strings.Cut(out, "violations\n")
	first, _, _ := strings.Cut(strings.TrimSpace(found), "\n")
	return first[:min(len(first), 200)]
}

func (m mutant) build(t *testing.T) string {
	dir := t.TempDir()
	args := []string{"test", "-c", "-o", filepath.Join(dir, "mutant.test")}
	if m.file != "" {
		path, err := filepath.Abs(filepath.Join("..", "..", m.file))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), m.old); n != 1 {
			t.Fatalf("%s has the text to be replaced %d times: the mutant needs mending", m.file, n)
		}
		changed := filepath.Join(dir, "mutant.go")
		overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
		for name, content := range map[string]string{changed: strings.Replace(string(text), m.old, m.new, 1), filepath.Join(dir, "overlay.json"): string(overlay)} {
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, "-overlay", filepath.Join(dir, "overlay.json"))
	}
	out, err := exec.CommandContext(t.Context(), "go", append(args, ".")...).CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "mutant.test")
}
