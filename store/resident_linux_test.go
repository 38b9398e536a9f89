package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// residentKiB is how much of a directory's tables is resident in this process.
func residentKiB(t *testing.T, dir string) (kib int) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	table := false
	for line := range bytes.Lines(smaps) {
		fields := strings.Fields(string(line))
		switch {
		case strings.Contains(fields[0], "-"): // where a mapping begins
			path := fields[len(fields)-1]
			table = filepath.Dir(path) == dir && strings.HasSuffix(path, ".sst")
		case fields[0] == "Rss:" && table:
			n, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			kib += n
		}
	}
	return kib
}

// calmed has a generation doze, unless it does; what writes just then is waited for.
func calmed(t *testing.T, s *Store) {
	t.Helper()
	for again := true; again; again = !s.gen.hushed() {
		if err := s.calm(s.gen, false); err != nil {
			t.Fatal(err)
		}
	}
}

// readTables reads all tables, and looks that they are in memory then.
func readTables(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if residentKiB(t, s.gen.dir) == 0 {
		t.Fatal("nothing of the tables is resident right after all of them were read")
	}
}

// TestLetGo: a store that dozes has nothing of its tables in memory, also after it was read
// meanwhile; what is in them is read as before.
func TestLetGo(t *testing.T) {
	s := drowsy(t, 2)
	readTables(t, s)
	calmed(t, s)
	for residentKiB(t, s.gen.dir) != 0 { // what wrote just then is waited for
		s.gen.letGoBefore(letGoEvery)
		calmed(t, s)
	}
	readTables(t, s)
	if calmed(t, s); residentKiB(t, s.gen.dir) == 0 {
		t.Error("the tables are let go of again at once")
	}
	for residentKiB(t, s.gen.dir) != 0 {
		s.gen.letGoBefore(letGoEvery)
		calmed(t, s)
	}
	readTables(t, s)
}

// TestLetGoDozing: a store that does not doze, or not any more, keeps its tables in memory.
func TestLetGoDozing(t *testing.T) {
	s := drowsy(t, 2)
	g := s.gen
	g.letGoBefore(letGoEvery)
	if _, files := g.tables(); files != nil {
		t.Error("before it dozes")
	}
	calmed(t, s)
	var by *badger.StreamWriter
	var files map[string]bool
	for ; by == nil; by, files = g.tables() {
		g.letGoBefore(letGoEvery)
	}
	if n := len(mappings(g.dir, files)); n != len(g.db.Tables()) {
		t.Errorf("%d tables are found, of %d", n, len(g.db.Tables()))
	}
	for !g.whileDozing(by, func() {}) {
	}
	g.writing.Lock()
	if g.whileDozing(by, func() { t.Error("while something is written") }) {
		t.Error("goes on while something is written")
	}
	g.writing.Unlock()
	jobs(t, s, 0, 10)
	flushed(t, s)
	if g.whileDozing(by, func() { t.Error("after a write") }) {
		t.Error("goes on after a write")
	}
	calmed(t, s)
	if g.whileDozing(by, func() { t.Error("in another doze") }) {
		t.Error("goes on in another doze")
	}
}

// letGoBefore has it seem that the tables were let go of a while ago.
func (g *generation) letGoBefore(d time.Duration) {
	g.writing.Lock()
	defer g.writing.Unlock()
	g.letWent = time.Now().Add(-d)
}

func TestParseMapping(t *testing.T) {
	for _, c := range []struct {
		line string
		want mapping
		file string
	}{
		{"7f00-7f10 r--s 00000000 08:01 42                         /d/000001.sst\n", mapping{0x7f00, 0x10}, "/d/000001.sst"},
		{"7f00-7f10 rw-s 00000000 08:01 42 /a b/000001.sst", mapping{0x7f00, 0x10}, "/a b/000001.sst"},
		{"7f00-7f10 r--s 00000000 08:01 42 /d/000001.sst (deleted)\n", mapping{0x7f00, 0x10}, "/d/000001.sst (deleted)"},
		{"7f00-7f10 rw-p 00000000 08:01 42 /d/000001.sst\n", mapping{}, ""}, // private: it would lose what was written
		{"7f00-7f10 rw-s 00000000 00:01 42\n", mapping{}, ""},
		{"7f00-7f10 rw-s 00000000 00:00 0 [heap]\n", mapping{}, ""},
		{"7f10-7f00 r--s 00000000 08:01 42 /d/000001.sst\n", mapping{}, ""},
		{"7f00-7f00 r--s 00000000 08:01 42 /d/000001.sst\n", mapping{}, ""},
		{"7f00 r--s 00000000 08:01 42 /d/000001.sst\n", mapping{}, ""},
		{"7f00-xyz r--s 00000000 08:01 42 /d/000001.sst\n", mapping{}, ""},
		{"7f00-7f10 r--", mapping{}, ""},
		{"\n", mapping{}, ""},
		{"", mapping{}, ""},
	} {
		m, file, ok := parseMapping([]byte(c.line))
		if want := c.file != ""; ok != want || ok && (m != c.want || file != c.file) {
			t.Errorf("%q: %x %q %v", c.line, m, file, ok)
		}
	}
}
