package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Names within the host's directory and within state/.
const (
	nameState    = "state"
	nameCurrent  = "CURRENT"  // names the live generation; replaced by rename
	nameCreating = "CREATING" // there while the very first generation is made
	nameClean    = "CLEAN"    // left by a clean stop
	nameLock     = "LOCK"
	genPrefix    = "gen-"
)

// layout answers where things are.
type layout struct{ state string }

func layoutOf(dir string) layout { return layout{state: filepath.Join(dir, nameState)} }

func (l layout) current() string           { return filepath.Join(l.state, nameCurrent) }
func (l layout) creating() string          { return filepath.Join(l.state, nameCreating) }
func (l layout) clean() string             { return filepath.Join(l.state, nameClean) }
func (l layout) lock() string              { return filepath.Join(l.state, nameLock) }
func (l layout) gen(name string) string    { return filepath.Join(l.state, name) }
func (l layout) setCurrent(n string) error { return WriteDurably(l.current(), pointer(n)) }

// pointer is the content of CURRENT: the format first, so that a build that
// does not know it refuses before it opens anything else.
func pointer(gen string) []byte {
	text := fmt.Sprintf("chronos state %d %s ", firstFormat, gen)
	return fmt.Appendf(nil, "%s%08x\n", text, crc32.Checksum([]byte(text), castagnoli))
}

// readCurrent answers the live generation, "" when there is no state yet.
func (l layout) readCurrent() (string, error) {
	content, err := os.ReadFile(l.current())
	if errors.Is(err, fs.ErrNotExist) {
		return "", l.mayBeNew()
	}
	if err != nil {
		return "", err
	}
	text := string(content)
	var version uint32
	var gen, sum string
	if _, err := fmt.Sscanf(text, "chronos state %d %s %s\n", &version, &gen, &sum); err != nil {
		return "", corrupt("%q is unreadable", l.current())
	}
	body := strings.TrimSuffix(text, sum+"\n")
	if want := fmt.Sprintf("%08x", crc32.Checksum([]byte(body), castagnoli)); sum != want || body == text {
		return "", corrupt("%q does not match its checksum", l.current())
	}
	if err := checkFormat(version, l.state); err != nil {
		return "", err
	}
	if _, ok := genNumber(gen); !ok {
		return "", corrupt("%q names %q, which is no generation", l.current(), gen)
	}
	return gen, nil
}

// mayBeNew says whether a state directory without CURRENT is a new one. One
// with generations in it has lost its pointer, and nothing is silently empty;
// unless they are left from the very first start, killed before it was done.
func (l layout) mayBeNew() error {
	gens, err := l.generations()
	if err != nil || len(gens) == 0 {
		return err
	}
	if _, err := os.Stat(l.creating()); err == nil {
		return nil
	}
	return corrupt("%q is missing, but %q has %d generations of state", l.current(), l.state, len(gens))
}

func genNumber(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, genPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

func (l layout) generations() ([]string, error) {
	entries, err := os.ReadDir(l.state)
	if err != nil {
		return nil, err
	}
	var gens []string
	for _, e := range entries {
		if _, ok := genNumber(e.Name()); ok {
			gens = append(gens, e.Name())
		}
	}
	return gens, nil
}

// nextGeneration answers a name that no generation here has had.
func (l layout) nextGeneration() (string, error) {
	gens, err := l.generations()
	if err != nil {
		return "", err
	}
	var top uint64
	for _, g := range gens {
		n, _ := genNumber(g)
		top = max(top, n)
	}
	return fmt.Sprintf("%s%06d", genPrefix, top+1), nil
}

// sweep removes what killed starts and restores have left: every generation
// but the live one, and half-written small files.
func (l layout) sweep(live string) error {
	gens, err := l.generations()
	if err != nil {
		return err
	}
	for _, g := range gens {
		if g != live {
			if err := os.RemoveAll(l.gen(g)); err != nil {
				return err
			}
		}
	}
	for _, path := range []string{l.current() + ".tmp", l.clean() + ".tmp"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
