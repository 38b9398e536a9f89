package store

import (
	"bytes"
	"errors"

	"github.com/dgraph-io/badger/v4"
)

// large tells if a layer exceeds what one Badger transaction takes.
func (l *layer) large() bool { return len(l.changes) >= MaxCells || l.bytes >= MaxBytes }

// writeLarge writes a layer in as many transactions as it takes; see redo.go. Nobody
// reads a part: until it is whole, everybody reads the layer. On ErrDiskFull it is to be
// called again, with the same layer, and writes nothing else meanwhile.
func (s *Store) writeLarge(g *generation, l *layer, format *Format) error {
	if g.redo != nil && g.torn == nil {
		if err := s.roomToFlush(g); err != nil {
			return err
		}
		if err := g.writeRedo(!s.opts.NoSync, l, format); err != nil {
			return err
		}
		if err := s.roomToFlush(g); err != nil {
			return err
		}
		g.torn = l.applied // also if this fails: a start may find the mark
		if err := g.tear(l.applied); err != nil {
			return err
		}
	}
	if err := s.writeParts(g, l, format); err != nil {
		return err
	}
	g.torn = nil
	return nil
}

// writeParts writes the parts of a layer. With the last one the mark goes, and the
// applied index comes.
func (s *Store) writeParts(g *generation, l *layer, format *Format) error {
	for rest := l.changes; ; {
		part, size := cutPart(rest)
		rest = rest[len(part):]
		if g.urgency == patient && s.opts.Busy != nil {
			g.yield(s, partAhead, g.patience)
		}
		if err := s.step("part"); err != nil {
			return err
		}
		if err := s.roomToFlush(g); err != nil {
			return err
		}
		if err := g.writePart(part, len(rest) == 0, l.applied, format); err != nil {
			return err
		}
		if err := g.settle(size); err != nil || len(rest) == 0 {
			return err
		}
	}
}

// roomToFlush asks before each part. What Close writes may use up the floor.
func (s *Store) roomToFlush(g *generation) error {
	if g.urgency == last {
		return nil
	}
	return s.checkRoom(g)
}

func (g *generation) writePart(changes []delta, whole bool, applied *Applied, format *Format) error {
	w := g.db.NewTransaction(true)
	defer w.Discard()
	for i := range changes {
		if err := stage(w, &changes[i]); err != nil {
			return err
		}
	}
	if whole {
		if err := stageMeta(w, format, applied); err != nil {
			return err
		}
		if err := w.Delete([]byte(keyTorn)); err != nil {
			return err
		}
	}
	return w.Commit()
}

// cutPart is what one transaction writes of changes: well below Badger's limit, and not for
// long, because what is more urgent waits for it.
func cutPart(changes []delta) (part []delta, size int) {
	n := 0
	for ; n < len(changes) && n < MaxCells/4; n++ {
		more := len(changes[n].key) + len(changes[n].value) + cellCost
		if n > 0 && size+more > MaxBytes/4 {
			break
		}
		size += more
	}
	return changes[:n], size
}

// tear sets the mark that stands until a layer is written as a whole.
func (g *generation) tear(applied *Applied) error {
	value, err := seal([]byte(keyTorn), applied)
	if err != nil {
		return err
	}
	w := g.db.NewTransaction(true)
	defer w.Discard()
	if err := w.Set([]byte(keyTorn), value); err != nil {
		return err
	}
	return w.Commit()
}

// mend writes the layer again that a crash has cut short, if one has.
func (s *Store) mend(g *generation) error {
	mark, err := readTorn(g.db)
	if err != nil {
		return err
	}
	if mark == nil {
		g.torn = nil
		return nil
	}
	if g.redo == nil {
		return corrupt("a large layer was written only in part")
	}
	l, format, err := g.readRedo()
	if errors.Is(err, ErrCorrupt) {
		return corrupt("a large layer was written only in part: %w", err)
	}
	if err != nil {
		return err
	}
	if err := checkFormat(format.Version, s.layout.state); err != nil {
		return err
	}
	want, err := seal([]byte(keyTorn), l.applied)
	if err != nil {
		return err
	}
	if !bytes.Equal(mark, want) {
		return corrupt("a large layer was written only in part, and %s is about another one", nameRedo)
	}
	if id, err := storedLogID(g.db); err != nil {
		return err
	} else if id != "" {
		format.LogId = id // it may have been set meanwhile
	}
	s.log.Info("store: writing to its end what the last stop has cut short", "index", l.applied.Index, "records", len(l.changes))
	g.torn = l.applied
	if err := s.writeParts(g, l, format); err != nil {
		return err
	}
	g.torn = nil
	return nil
}

func storedLogID(db *badger.DB) (string, error) {
	txn := db.NewTransaction(false)
	defer txn.Discard()
	format := &Format{}
	err := readMeta(txn, keyFormat, format)
	return format.LogId, err
}

func readTorn(db *badger.DB) ([]byte, error) {
	txn := db.NewTransaction(false)
	defer txn.Discard()
	return fetch(txn, []byte(keyTorn))
}
