package testleak

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// It sees what is left: a goroutine, a file, a directory, a descriptor of a file
// that was removed; and nothing when all is gone.
func TestLeft(t *testing.T) {
	dir := t.TempDir()
	if left := files(dir); len(left) > 0 {
		t.Fatalf("a new directory has %q", left)
	}
	before := len(goroutines(nil))
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		<-end
		close(ended)
	}()
	if got := goroutines(nil); len(got) != before+1 || !strings.Contains(strings.Join(got, "\n"), "TestLeft") {
		t.Errorf("goroutines: %q", got)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "sub", "file"))
	if err != nil {
		t.Fatal(err)
	}
	left := strings.Join(files(dir), "\n")
	if !strings.Contains(left, "sub") || !strings.Contains(left, "file") {
		t.Errorf("files: %q", left)
	}
	if err := os.RemoveAll(filepath.Join(dir, "sub")); err == nil { // not on Windows
		if _, err := os.Stat("/proc/self/fd"); err == nil && len(held(dir)) != 1 {
			t.Errorf("descriptors: %q", held(dir))
		}
	}
	f.Close()
	if got := goroutines([]string{"testleak.TestLeft.func1"}); len(got) != before {
		t.Errorf("allowed, and reported: %q", got)
	}
	close(end)
	<-ended
	if left := append(files(dir), held(dir)...); len(left) > 0 {
		t.Errorf("in the end: %q", left)
	}
	var b bytes.Buffer
	stacks := []string{"goroutine 7 [select]:\na.b(0x1)\n\tfile.go:1 +0x1\ncreated by a.c in goroutine 1", "goroutine 8 [sleep]:\na.b(0x2)\n\tfile.go:1 +0x1\ncreated by a.c in goroutine 2"}
	report(&b, append(stacks, "file /tmp/x"))
	if want := "FAIL: the tests left 3 goroutines or files behind:\n2 times\n\ta.b\n\tcreated by a.c\n1 times\n\tfile /tmp/x\n"; b.String() != want {
		t.Errorf("reported as %q", b.String())
	}
}
