package store

import (
	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"
)

// keyTorn stands in the store while a large commit is under way.
var keyTorn = []byte(prefixMeta + "torn")

// large tells if a commit exceeds what one Badger transaction takes.
func (t *Tx) large() bool { return t.cells >= MaxCells || t.bytes >= MaxBytes }

// commitLarge writes what does not fit one Badger transaction in several. A log
// entry is bounded so that this is rare, but what an entry does must never
// depend on what Badger takes at once: it is in the log, and has to be applied.
// A mark stands in the store from the first part to the last. A start that
// finds it has half an entry, and rebuilds the state from snapshot and log;
// readers wait meanwhile, so that nobody sees the half.
func (t *Tx) commitLarge() error {
	t.s.whole.Lock()
	defer t.s.whole.Unlock()
	next := proto.CloneOf(t.applied)
	last := t.s.applied.Load()
	next.Digest, next.Records = last.Digest, last.Records
	if err := t.mark(next); err != nil {
		return t.s.fail(err)
	}
	p := &parts{db: t.gen.db}
	defer func() { p.txn.Discard() }()
	p.begin()
	for _, seg := range t.overlay.segments {
		for _, list := range [2][]*cell{seg.dirty, seg.fresh} {
			for _, c := range list {
				if err := p.add(c, next); err != nil {
					return t.s.fail(err)
				}
			}
		}
	}
	if err := t.stageFormat(p.txn, next); err != nil {
		return t.s.fail(err)
	}
	if err := p.end(next); err != nil {
		return t.s.fail(err)
	}
	if err := t.gen.committed(next.Index, t.bytes); err != nil {
		return t.s.fail(err)
	}
	t.s.applied.Store(next)
	return nil
}

func (t *Tx) mark(next *Applied) error {
	value, err := seal(keyTorn, next)
	if err != nil {
		return err
	}
	w := t.gen.db.NewTransaction(true)
	defer w.Discard()
	if err := w.Set(keyTorn, value); err != nil {
		return err
	}
	return w.Commit()
}

// parts spreads cells over transactions well below Badger's limit.
type parts struct {
	db    *badger.DB
	txn   *badger.Txn
	cells int
	bytes int
}

func (p *parts) begin() { p.txn, p.cells, p.bytes = p.db.NewTransaction(true), 0, 0 }

func (p *parts) add(c *cell, next *Applied) error {
	size := len(c.key) + len(c.value)
	if p.cells >= MaxCells/2 || p.bytes+size > MaxBytes/2 && p.cells > 0 {
		if err := p.txn.Commit(); err != nil {
			return err
		}
		p.begin()
	}
	p.cells++
	p.bytes += size
	return stage(p.txn, c, next)
}

// end makes the state whole: with the last cells the mark goes, and the applied
// index comes.
func (p *parts) end(next *Applied) error {
	value, err := seal(keyApplied, next)
	if err != nil {
		return err
	}
	if err := p.txn.Set(keyApplied, value); err != nil {
		return err
	}
	if err := p.txn.Delete(keyTorn); err != nil {
		return err
	}
	return p.txn.Commit()
}

// checkTorn refuses a state that a large commit was cut short in.
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
