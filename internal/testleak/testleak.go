// Package testleak runs a package's tests and looks at what they leave behind: a
// goroutine that still runs, a file or directory in the temporary directory, a
// descriptor or a mapping of one. Each of these fails the package.
//
// Every package whose tests start goroutines or write files has
//
//	func TestMain(m *testing.M) { os.Exit(testleak.Run(m)) }
//
// and names, as further arguments, the functions of others in which a goroutine may
// stay behind, with the reason.
package testleak

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	// within names the directory to the programs that tests run.
	within   = "CHRONOS_TESTLEAK"
	patience = 5 * time.Second // for goroutines that are on their way out
	shown    = 10              // places at which something was left
)

// Run runs the tests in a temporary directory of their own, and answers with the
// code to exit with. What fails anyway is not looked at: a test that was given up
// leaves what it had.
func Run(m *testing.M, allowed ...string) int {
	if os.Getenv(within) != "" {
		return m.Run() // a test runs this program, and may kill it; what it leaves, the parent sees
	}
	home, err := os.MkdirTemp("", "chronos-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testleak:", err)
		return 1
	}
	defer os.RemoveAll(home)
	for _, name := range []string{"TMPDIR", "TMP", "TEMP", within} {
		if err := os.Setenv(name, home); err != nil {
			fmt.Fprintln(os.Stderr, "testleak:", err)
			return 1
		}
	}
	code := m.Run()
	if code != 0 || fuzzing() {
		return code
	}
	if left := left(home, allowed); len(left) > 0 {
		report(os.Stderr, left)
		return 1
	}
	return 0
}

// fuzzing tells if this is a fuzzer, whose helpers may still run.
func fuzzing() bool {
	for _, name := range []string{"test.fuzz", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return true
		}
	}
	return false
}

// left is what is left behind: goroutines, what lies in a directory, and what is
// open or mapped there.
func left(dir string, allowed []string) (all []string) {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if all = goroutines(allowed); len(all) == 0 || time.Now().After(end) {
			break
		}
	}
	all = append(all, files(dir)...)
	return append(all, held(dir)...)
}

// report writes it down: goroutines that stand at the same place together.
func report(w io.Writer, left []string) {
	fmt.Fprintf(w, "FAIL: the tests left %d goroutines or files behind:\n", len(left))
	count := map[string]int{}
	for _, what := range left {
		count[place(what)]++
	}
	for i, what := range slices.Sorted(maps.Keys(count)) {
		if i == shown {
			fmt.Fprintf(w, "... at %d more places\n", len(count)-shown)
			break
		}
		fmt.Fprintf(w, "%d times\n\t%s\n", count[what], what)
	}
}

// place is a stack without what differs from one goroutine to the next.
func place(stack string) string {
	var calls []string
	for line := range strings.Lines(stack) {
		if strings.HasPrefix(line, "goroutine ") || strings.HasPrefix(line, "\t") {
			continue
		}
		line, _, _ = strings.Cut(strings.TrimSpace(line), " in goroutine ")
		if i := strings.LastIndexByte(line, '('); i > 0 && !strings.HasPrefix(line, "created by") {
			line = line[:i]
		}
		calls = append(calls, line)
	}
	return strings.Join(calls, "\n\t")
}

// goroutines are the stacks of those that run beside the caller's and the runtime's.
func goroutines(allowed []string) (left []string) {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	for _, stack := range strings.Split(string(buf), "\n\n")[1:] { // the first is the caller's
		if !expected(stack) && !slices.ContainsFunc(allowed, func(a string) bool { return strings.Contains(stack, a+"(") }) {
			left = append(left, stack)
		}
	}
	return left
}

// expected tells what the runtime and the testing package run for as long as the
// process lives.
func expected(stack string) bool {
	return slices.ContainsFunc([]string{
		"created by os/signal.", "created by runtime.", "created by testing.(*M).", "created by runtime/trace.",
		"testing.runFuzzing(", "testing.(*M).Run(",
	}, func(s string) bool { return strings.Contains(stack, s) })
}

func files(dir string) (left []string) {
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir && len(left) < shown {
			left = append(left, fmt.Sprintf("file %s %s", path, errText(err)))
		}
		return nil
	})
	return left
}

func errText(err error) string {
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return ""
}

// held is what this process has open or mapped below a directory, removed or not,
// where the system tells.
func held(dir string) (left []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, dir+"/") {
			left = append(left, "descriptor of "+to)
		}
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if i := strings.Index(line, dir+"/"); i >= 0 {
			left = append(left, "mapping of "+strings.TrimSpace(line[i:]))
		}
	}
	return left
}
