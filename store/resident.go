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
	dozing, tables := g.resident()
	for _, m := range tables {
		if !g.whileDozing(dozing, m.letGo) {
			return
		}
	}
}

// resident finds where the tables are mapped, if a generation dozes and has not let go of them
// lately, and by what it dozes.
func (g *generation) resident() (dozing *badger.StreamWriter, tables []mapping) {
	if !g.writing.TryLock() {
		return nil, nil
	}
	defer g.writing.Unlock()
	if g.quiet == nil || g.shut || time.Since(g.letWent) < letGoEvery {
		return nil, nil
	}
	g.letWent = time.Now()
	names := map[string]bool{}
	for _, t := range g.db.Tables() {
		names[fmt.Sprintf("%06d.sst", t.ID)] = true
	}
	return g.quiet, mappings(g.dir, names)
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
