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
	"time"
)

var (
	mutantsFlag = flag.Int("mutants", 0, "with how many seeds at most each planted mistake is looked for; 0: not at all")
	quickFlag   = flag.Bool("quick", false, "only planted mistakes that are caught soon, each with the seed where it is caught soonest, in short simulations")
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
	seed uint64 // with which a short simulation catches it most surely; 0: it takes a long one
}

var mutants = []mutant{
	{"a fire is dropped", "raftfsm/apply_fire.go", "for _, run := range runs {\n\t\tif def.MaxRuns", "for _, run := range runs {\n\t\tif run.Due/1e9%11 == 3 {\n\t\t\tcontinue\n\t\t}\n\t\tif def.MaxRuns", nil, 1},
	{"an attempt is run twice", "handler.go", "return h(context.WithValue(ctx, attemptKey{}, a), executionOf(a, s.options.Node))",
		"if a.Token%7 == 0 {\n\t\t\t_ = h(context.WithValue(ctx, attemptKey{}, a), executionOf(a, s.options.Node))\n\t\t}\n\t\treturn h(context.WithValue(ctx, attemptKey{}, a), executionOf(a, s.options.Node))", nil, 1},
	{"a stale token is accepted", "raftfsm/apply_finish.go", "x.Wait == store.Wait_WAIT_ASSIGNED && x.Token == token", "x.Wait == store.Wait_WAIT_ASSIGNED", []string{"-nodes", "3", "-faults", "cut off"}, 0},
	{"acknowledged writes are lost with the process", "", "", "", []string{"-lies", "10s"}, 0},
	{"Sync does not wait", "request.go", "_, err := s.ask(ctx, &raftfsm.Command{Body: &raftfsm.Command_Barrier{Barrier: &raftfsm.Barrier{}}})\n\treturn err", "return s.begin(ctx)", []string{"-nodes", "3"}, 0},
	{"a follower does not wait for its own writes", "raftfsm/node.go", "return results, index, n.fsm.applied.wait(ctx, index)", "return results, index, nil", []string{"-nodes", "3"}, 1},
	{"a node that is cut off goes on", "member.go", "return !m.fenced.Load() && elapsed < m.limit() && slept < clockTolerance && slept > -clockTolerance", "_, _ = elapsed, slept\n\treturn !m.fenced.Load()", []string{"-nodes", "3", "-faults", "cut off"}, 0},
	{"a command that is repeated is applied again", "raftfsm/answers.go", "raw, ok := e.f.answers.byID[id]\n\tif !ok {", "raw, ok := e.f.answers.byID[id]\n\tif !ok || true {", []string{"-nodes", "3"}, 0},
	{"what may run once is repeated", "raftfsm/apply_node.go", "case atMostOnce:", "case atMostOnce && x.Losses > 1:", nil, 0},
	{"an overlap is not noticed", "raftfsm/apply_fire.go", "default:\n\t\treturn e.verdict(s, exec, x, store.Status_STATUS_SKIPPED, store.Reason_REASON_OVERLAP)", "default:\n\t\treturn e.start(s, exec, x)", nil, 0},
	{"a concurrency key has one place more", "raftfsm/gate.go", "p.GetTaken() >= uint64(s.job.Definition.ConcurrencyLimit)", "p.GetTaken() > uint64(s.job.Definition.ConcurrencyLimit)", nil, 1},
	{"a label is not asked for", "raftfsm/class.go", "return l.Key == want.key && l.Value == want.value", "return l.Key == want.key && l.Value == want.value || want.key == \"ssd\"", []string{"-nodes", "3"}, 1},
	{"an instant for every node leaves one out", "raftfsm/target.go", "for _, target := range targets {\n", "for i, target := range targets {\n\t\tif i == 1 && e.applied.Index%5 == 0 {\n\t\t\tcontinue\n\t\t}\n", []string{"-nodes", "3"}, 1},
	{"an edit takes nothing back", "raftfsm/apply_job.go", "func (e *entry) recallAhead(s *subject) error {", "func (e *entry) recallAhead(s *subject) error {\n\tif s != nil {\n\t\treturn nil\n\t}", []string{"-nodes", "1"}, 2},
	{"a success does not count for the alarm", "raftfsm/limit.go", "return max(st.LastSuccess, st.SucceedFrom) + def.SucceedWithin", "return st.SucceedFrom + def.SucceedWithin", []string{"-nodes", "1"}, 1},
	{"an alarm is not given", "alarm.go", "if len(a.untold) == 0 ||", "if len(a.untold) < 5 ||", []string{"-nodes", "1"}, 1},
	{"tokens come again after a restore", "restore.go", "scratch.Applied().GetSequence() + tokenGap", "scratch.Applied().GetSequence() + 0*tokenGap", nil, 1},
	{"what passed before a restore is not recorded", "restore.go", "return span, next.UnixNano(), nil", "return nil, next.UnixNano(), nil", nil, 1},
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
		if *quickFlag && m.seed == 0 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			binary := m.build(t)
			built := time.Since(began)
			for n := 1; n <= *mutantsFlag; n++ {
				if seen, found := m.look(t, binary, n); found {
					t.Logf("caught with %d seeds, built in %v, seen after %v: %s", n, built.Round(time.Second), (time.Since(began) - built).Round(time.Second), seen)
					return
				}
			}
			t.Errorf("not caught with %d seeds", *mutantsFlag)
		})
	}
}

// look runs the n-th simulation with a mutant, and answers what was seen of it. The
// quick ones have one plan, because runs of a plan differ, too.
func (m mutant) look(t *testing.T, binary string, n int) (seen string, found bool) {
	seed, length, limit := *seedFlag+uint64(n-1), "0.03", "5m"
	if *quickFlag {
		seed, length, limit = m.seed, "0.01", "2m"
	}
	args := append([]string{"-test.run", "TestSim$", "-test.timeout", "20m", "-seeds", "1", "-seed", fmt.Sprint(seed), "-profile", "dense", "-hours", length, "-limit", limit}, m.args...)
	out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
	switch {
	case err == nil:
		return "", false
	case strings.Contains(string(out), "it takes too long"):
		t.Logf("seed %d took too long", seed)
		return "", false
	case !strings.Contains(string(out), "violations"):
		t.Fatalf("it failed otherwise: %v\n%.3000s", err, out)
	}
	return sight(string(out)), true
}

// sight is the first thing that a simulation says is wrong.
func sight(out string) string {
	_, found, _ := strings.Cut(out, "violations\n")
	first, _, _ := strings.Cut(strings.TrimSpace(found), "\n")
	return first[:min(len(first), 200)]
}

// TestMutantsFit: each mistake still finds the place where it is to be planted.
func TestMutantsFit(t *testing.T) {
	for _, m := range mutants {
		if m.file != "" {
			m.target(t)
		}
	}
}

// target is the file that a mistake is planted in.
func (m mutant) target(t *testing.T) (path, text string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), m.old); n != 1 {
		t.Errorf("%s: %s has the text to be replaced %d times: the mutant needs mending", m.name, m.file, n)
	}
	return path, string(b)
}

func (m mutant) build(t *testing.T) string {
	dir := t.TempDir()
	args := []string{"test", "-c", "-o", filepath.Join(dir, "mutant.test")}
	if m.file != "" {
		path, text := m.target(t)
		changed := filepath.Join(dir, "mutant.go")
		overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
		for name, content := range map[string]string{changed: strings.Replace(text, m.old, m.new, 1), filepath.Join(dir, "overlay.json"): string(overlay)} {
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
