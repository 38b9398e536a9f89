package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// CLEAN is the last thing a clean stop writes and the first thing a start
// removes. It lists every file of the generation with its size and hash, so
// that a start after it knows of any bit that has changed since.

// cleanFile is one line of it.
type cleanFile struct {
	name string
	size int64
	hash uint64
}

func (l layout) writeClean(gen string) error {
	dir := l.gen(gen)
	if err := syncTree(dir); err != nil {
		return err
	}
	files, err := listFiles(dir)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "chronos clean %s\n", gen)
	for _, f := range files {
		if f.hash, err = hashFile(filepath.Join(dir, f.name)); err != nil {
			return err
		}
		fmt.Fprintf(&b, "%d %016x %s\n", f.size, f.hash, f.name)
	}
	fmt.Fprintf(&b, "%08x\n", crc32.Checksum(b.Bytes(), castagnoli))
	return WriteDurably(l.clean(), b.Bytes())
}

// checkClean tells whether the last stop was clean. ErrCorrupt when it was
// and the files are not as it left them. It maps nothing into memory.
func (l layout) checkClean(gen string) (bool, error) {
	content, err := os.ReadFile(l.clean())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	want, err := parseClean(content, gen)
	if err != nil {
		return false, fmt.Errorf("%q: %w", l.clean(), err)
	}
	have, err := listFiles(l.gen(gen))
	if err != nil {
		return false, blameState(err)
	}
	same := slices.EqualFunc(want, have, func(a, b cleanFile) bool { return a.name == b.name && a.size == b.size })
	if !same {
		return false, corrupt("the files of %q are not those that the last stop left", l.gen(gen))
	}
	for _, f := range want {
		path := filepath.Join(l.gen(gen), f.name)
		hash, err := hashFile(path)
		if err != nil {
			return false, corrupt("%w", err)
		}
		if hash != f.hash {
			return false, corrupt("%q has changed since the last stop", path)
		}
	}
	return true, nil
}

func parseClean(content []byte, gen string) ([]cleanFile, error) {
	body, sum, ok := cutLastLine(content)
	if !ok || sum != fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) {
		return nil, corrupt("it does not match its checksum")
	}
	var files []cleanFile
	lines := bufio.NewScanner(bytes.NewReader(body))
	if !lines.Scan() || lines.Text() != "chronos clean "+gen {
		return nil, corrupt("it is not about %s", gen)
	}
	for lines.Scan() {
		var f cleanFile
		if _, err := fmt.Sscanf(lines.Text(), "%d %x %s", &f.size, &f.hash, &f.name); err != nil {
			return nil, corrupt("%w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

func cutLastLine(content []byte) (body []byte, last string, ok bool) {
	text, ok := bytes.CutSuffix(content, []byte("\n"))
	i := bytes.LastIndexByte(text, '\n')
	if !ok || i < 0 {
		return nil, "", false
	}
	return content[:i+1], string(text[i+1:]), true
}

// listFiles answers names and sizes, sorted by name. A generation is flat.
func listFiles(dir string) ([]cleanFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make([]cleanFile, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || strings.ContainsAny(e.Name(), " \n") {
			return nil, corrupt("%q does not belong there", filepath.Join(dir, e.Name()))
		}
		files = append(files, cleanFile{name: e.Name(), size: info.Size()})
	}
	return files, nil
}

func hashFile(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	h := xxhash.New()
	_, err = io.Copy(h, f)
	return h.Sum64(), errors.Join(err, f.Close())
}
