package store

import (
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// What was read of Badger's tables stays resident, as pages of mapped files, until the
// system needs the memory; and each start reads all of them, to verify them. A generation
// that dozes lets go of these pages. They are in the system's cache then, as what was read of
// any file is.

// letGoEvery bounds how often a generation does that: its jobs are looked at in turn, for
// their retention, also while it dozes.
const letGoEvery = time.Minute

// letGo has a generation that dozes let go of its tables, one after another, so that a
// write waits for no more than one. While it dozes Badger opens and closes no table: what
// is mapped at a place stays there. None is read for that.
func (g *generation) letGo() {
	dozing := g.restless()
	if dozing == nil {
		return
	}
	for _, m := range mappings(g.real) {
		if !g.whileDozing(dozing, m.letGo) {
			return
		}
	}
}

// restless tells by what a generation dozes, if it does and has not let go of its tables lately.
func (g *generation) restless() (dozing *badger.StreamWriter) {
	if !g.writing.TryLock() {
		return nil
	}
	defer g.writing.Unlock()
	if g.quiet == nil || g.shut || time.Since(g.letWent) < letGoEvery {
		return nil
	}
	g.letWent = time.Now()
	return g.quiet
}

// whileDozing runs fn, unless the generation was woken since, or somebody is about to.
func (g *generation) whileDozing(dozing *badger.StreamWriter, fn func()) bool {
	if !g.writing.TryLock() {
		return false
	}
	defer g.writing.Unlock()
	if g.quiet != dozing || g.shut {
		return false
	}
	fn()
	return true
}

// realPath is a directory's name as the system shows it, whatever becomes the working
// directory; empty if that cannot be found out.
func realPath(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return ""
	}
	return dir
}
