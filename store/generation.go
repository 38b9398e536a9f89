package store

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// generation is one Badger directory (or one in memory). A restore makes the
// next one; the old one is closed when its last reader has left.
type generation struct {
	name string
	dir  string
	real string // dir as the system shows it
	db   *badger.DB

	files *mapped    // nil in memory
	mark  *watermark // nil in memory
	redo  *os.File   // nil in memory

	overlay *overlay // of the one transaction that is open
	pending pending  // committed, and not yet in Badger

	aborted atomic.Bool // the store closes: readers shall come to an end

	writing  chanLock             // one flush, hush or close at a time
	urgency  urgency              // of the flush under way
	patience time.Time            // until when it gives way
	wanted   atomic.Int32         // who waits for that
	torn     *Applied             // a flush has begun, and the disk was full before its end
	hushing  atomic.Bool          // a hush is under way
	noRoom   atomic.Bool          // quiet is set until there is room
	quiet    *badger.StreamWriter // set while Badger does nothing in the background
	wrote    time.Time            // when something was written last
	letWent  time.Time            // when its tables were let go of last
	shut     bool                 // Badger is closed

	mu      sync.Mutex
	readers int
	retired bool
	idle    chan struct{} // closed when retired and without readers
}

func newGeneration(name, dir string, db *badger.DB) *generation {
	return &generation{
		name: name, dir: dir, db: db, overlay: newOverlay(), pending: pending{db: db},
		writing: newChanLock(), idle: make(chan struct{}), wrote: time.Now(),
	}
}

// openGeneration opens Badger in a directory and what stands beside it.
func openGeneration(name, dir string, o Options, log *slog.Logger) (*generation, error) {
	db, err := openBadger(dir, o, log)
	if err != nil {
		return nil, err
	}
	g := newGeneration(name, dir, db)
	if o.InMemory {
		return g, nil
	}
	g.files, g.real = newMapped(dir), realPath(dir)
	if g.mark, err = openWatermark(dir, !o.NoSync); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	var full bool
	if g.redo, full, err = openRedo(dir); err != nil {
		g.mark.close()
		return nil, errors.Join(err, db.Close())
	}
	if full {
		g.torn = &Applied{} // until mend has looked
	}
	return g, nil
}

// close closes Badger; nobody may be left inside.
func (g *generation) close() (err error) {
	defer trap(&err)
	g.lock()
	defer g.writing.Unlock()
	g.wakeLocked()
	g.shut = true
	g.pending.close()
	if g.mark != nil {
		g.mark.close()
		g.closeRedo()
	}
	return g.db.Close()
}

// settle is told of everything that Badger has written.
func (g *generation) settle(size int) error {
	if g.files == nil {
		return nil
	}
	return g.files.settle(size)
}

// enter pins the generation; false when it is on its way out.
func (g *generation) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.retired {
		return false
	}
	g.readers++
	return true
}

func (g *generation) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.readers--
	if g.retired && g.readers == 0 {
		close(g.idle)
	}
}

// retire lets nobody in any more. When idle is closed, nobody is left.
func (g *generation) retire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.retired {
		return
	}
	g.retired = true
	if g.readers == 0 {
		close(g.idle)
	}
}
