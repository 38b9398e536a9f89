package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// residentKiB is how much of a directory's tables is resident in this process.
func residentKiB(t *testing.T, dir string) (kib int) {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	table := false
	for line := range bytes.Lines(smaps) {
		fields := strings.Fields(string(line))
		switch {
		case strings.Contains(fields[0], "-"): // where a mapping begins
			_, path, ok := parseMapping(line)
			table = ok && filepath.Dir(path) == dir && strings.HasSuffix(path, ".sst")
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

// readTables reads all tables, and looks that they are in memory then.
func readTables(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if residentKiB(t, s.gen.real) == 0 {
		t.Fatal("nothing of the tables is resident right after all of them were read")
	}
}

// TestLetGo: a store that dozes has nothing of its tables in memory, also after it was read
// meanwhile; what is in them is read as before.
func TestLetGo(t *testing.T) {
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		s := drowsy(t, dir, 2)
		readTables(t, s)
		if calm(t, s); residentKiB(t, s.gen.real) != 0 {
			t.Errorf("%d KiB of the tables are resident once it dozes", residentKiB(t, s.gen.real))
		}
		readTables(t, s)
		time.Sleep(letGoEvery - time.Second)
		if calm(t, s); residentKiB(t, s.gen.real) == 0 {
			t.Error("the tables are let go of again at once")
		}
		time.Sleep(time.Second)
		if calm(t, s); residentKiB(t, s.gen.real) != 0 {
			t.Errorf("%d KiB of the tables are resident a minute later", residentKiB(t, s.gen.real))
		}
		readTables(t, s)
	})
}

// TestLetGoDozing: a store that does not doze, or not any more, keeps its tables in memory.
func TestLetGoDozing(t *testing.T) {
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		s := drowsy(t, dir, 2)
		g := s.gen
		if g.restless() != nil {
			t.Error("before it dozes")
		}
		readTables(t, s)
		if calm(t, s); residentKiB(t, s.gen.real) != 0 {
			t.Error("that it was asked before it dozed puts off when it lets go")
		}
		time.Sleep(letGoEvery)
		by := g.restless()
		if by == nil || !g.whileDozing(by, func() {}) {
			t.Fatal("does not doze")
		}
		tables, err := listedTables(g.real)
		if err != nil || len(tables) < 2 || len(mappings(g.real)) != len(tables) {
			t.Errorf("%d tables are found of %d: %v", len(mappings(g.real)), len(tables), err)
		}
		g.writing.Lock()
		if g.whileDozing(by, func() { t.Error("while something is written") }) {
			t.Error("goes on while something is written")
		}
		g.writing.Unlock()
		jobs(t, s, 0, 10)
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		if g.whileDozing(by, func() { t.Error("after a write") }) {
			t.Error("goes on after a write")
		}
		time.Sleep(2 * dozeAfter)
		calm(t, s)
		if g.whileDozing(by, func() { t.Error("in another doze") }) {
			t.Error("goes on in another doze")
		}
	})
}

// calm has a store doze that has nothing to write.
func calm(t *testing.T, s *Store) {
	t.Helper()
	if err := s.calm(s.gen, false); err != nil || !s.gen.hushed() {
		t.Fatalf("does not doze: %v", err)
	}
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
