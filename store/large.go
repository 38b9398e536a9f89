package store

import (
	"github.com/dgraph-io/badger/v4"
)

// keyTorn stands in the store while a large layer is being written.
var keyTorn = []byte(prefixMeta + "torn")

// large tells if a layer exceeds what one Badger transaction takes.
func (l *layer) large() bool { return len(l.changes) >= MaxCells || l.bytes >= MaxBytes }

// writeLarge writes what does not fit one Badger transaction in several. A log
// entry is bounded so that this is rare, but what an entry does must never
// depend on what Badger takes at once: it is in the log, and has to be applied.
// A mark stands in the store from the first part to the last. A start that
// finds it has half an entry, and rebuilds the state from snapshot and log.
// Nobody reads the half: until it is whole, everybody reads the layer.
func (g *generation) writeLarge(l *layer, format *Format) error {
	if err := g.tear(l.applied); err != nil {
		return err
	}
	p := &parts{db: g.db}
	defer func() { p.txn.Discard() }()
	p.begin()
	for i := range l.changes {
		if err := p.add(&l.changes[i]); err != nil {
			return err
		}
	}
	if err := stageMeta(p.txn, format, l.applied); err != nil {
		return err
	}
	// With the last cells the mark goes, and the applied index comes.
	if err := p.txn.Delete(keyTorn); err != nil {
		return err
	}
	return p.txn.Commit()
}

func (g *generation) tear(applied *Applied) error {
	value, err := seal(keyTorn, applied)
	if err != nil {
		return err
	}
	w := g.db.NewTransaction(true)
	defer w.Discard()
	if err := w.Set(keyTorn, value); err != nil {
		return err
	}
	return w.Commit()
}

// parts spreads changes over transactions well below Badger's limit.
type parts struct {
	db    *badger.DB
	txn   *badger.Txn
	cells int
	bytes int
}

func (p *parts) begin() { p.txn, p.cells, p.bytes = p.db.NewTransaction(true), 0, 0 }

func (p *parts) add(c *delta) error {
	size := len(c.key) + len(c.value)
	if p.cells >= MaxCells/2 || p.bytes+size > MaxBytes/2 && p.cells > 0 {
		if err := p.txn.Commit(); err != nil {
			return err
		}
		p.begin()
	}
	p.cells++
	p.bytes += size
	return stage(p.txn, c)
}

// checkTorn refuses a state that a large layer was cut short in.
func checkTorn(txn *badger.Txn) error {
	value, err := fetch(txn, keyTorn)
	if err != nil {
		return err
	}
	if value != nil {
		return corrupt("a large entry was written only in part")
	}
	return nil
}
