package store

import (
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// What was read of Badger's tables stays resident, as pages of mapped files, until the
// system needs the memory; and each start reads all of them, to verify them. A generation
// that dozes lets go of these pages. They are still in the system's cache then: who reads
// on has them back at the price of a page fault.

// letGoEvery bounds how often a generation does that: its jobs are looked at in turn, for
// their retention, also while it dozes.
const letGoEvery = time.Minute

// letGo has a generation that dozes let go of its tables, one after another, so that a
// write waits for no more than one. While it dozes Badger opens and closes no table: what
// is mapped at a place stays there.
func (g *generation) letGo() {
	dozing, tables := g.tables()
	if dozing == nil {
		return
	}
	for _, m := range mappings(g.dir, tables) {
		if !g.whileDozing(dozing, m.letGo) {
			return
		}
	}
}

// tables names the files of the tables, if a generation dozes and has not let go of them
// lately, and tells by what it dozes.
func (g *generation) tables() (dozing *badger.StreamWriter, files map[string]bool) {
	if !g.writing.TryLock() {
		return nil, nil
	}
	defer g.writing.Unlock()
	if g.quiet == nil || g.shut || time.Since(g.letWent) < letGoEvery {
		return nil, nil
	}
	g.letWent = time.Now()
	files = map[string]bool{}
	for _, t := range g.db.Tables() {
		files[fmt.Sprintf("%06d.sst", t.ID)] = true
	}
	return g.quiet, files
}

// whileDozing runs fn, unless the generation was woken since.
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
