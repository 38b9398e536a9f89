package store

import (
	"bytes"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"
)

// Reader is a consistent read-only view: everything it answers is as of one
// committed batch. It is valid until the function given to View returns.
type Reader struct {
	records
	gen     *generation
	txn     *badger.Txn
	applied *Applied
}

// View runs fn on the state as it is now. Commits go on beside it; Close and
// the removal of an old generation wait for it.
func (s *Store) View(fn func(r *Reader) error) error {
	g, err := s.pin()
	if err != nil {
		return err
	}
	defer g.leave()
	r, err := s.newReader(g)
	if err != nil {
		return err
	}
	defer r.txn.Discard()
	return fn(r)
}

// newReader pins what is committed, never the half of a large commit.
func (s *Store) newReader(g *generation) (*Reader, error) {
	s.whole.RLock()
	defer s.whole.RUnlock()

	r := &Reader{gen: g, txn: g.db.NewTransaction(false)}
	r.src = r
	applied, err := readApplied(r.txn)
	if err != nil {
		r.txn.Discard()
		return nil, err
	}
	r.applied = applied
	return r, nil
}

// Applied is where in the log this view stands.
func (r *Reader) Applied() *Applied { return proto.CloneOf(r.applied) }

// Get reads one record; false when it is absent. ErrCorrupt when what is on
// disk is not what was written.
func (r *Reader) Get(key []byte, into proto.Message) (bool, error) {
	value, err := fetch(r.txn, key)
	if err != nil || value == nil {
		return false, err
	}
	return true, decode(key, value[envelopeHeader:], into)
}

// Scan walks the records with a prefix in ascending order, from the first key
// that is not below from. Key and decode are valid within the callback only.
func (r *Reader) Scan(prefix, from []byte, fn func(key []byte, decode func(proto.Message) error) (bool, error)) error {
	start := prefix
	if bytes.Compare(from, start) > 0 {
		start = from
	}
	return r.walk(prefix, start, false, fn)
}

// ScanReverse walks the records with a prefix in descending order, from the
// last key that is not above from, or from the prefix's last when from is nil.
func (r *Reader) ScanReverse(prefix, from []byte, fn func(key []byte, decode func(proto.Message) error) (bool, error)) error {
	end := behind(prefix)
	start := from
	if from == nil || (end != nil && bytes.Compare(from, end) > 0) {
		start = end
	}
	if bytes.Compare(from, prefix) < 0 && from != nil {
		return nil
	}
	return r.walk(prefix, start, true, fn)
}

func (r *Reader) walk(prefix, start []byte, reverse bool, fn func(key []byte, decode func(proto.Message) error) (bool, error)) error {
	c, err := newCursor(r.txn, prefix, reverse)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.seek(start); err != nil {
		return err
	}
	if reverse && !c.ok && len(c.key) > 0 && bytes.Equal(c.key, start) {
		// the seek may stop on the first key behind the prefix
		if err := c.next(); err != nil {
			return err
		}
	}
	dec := func(m proto.Message) error { return decode(c.key, c.value[envelopeHeader:], m) }
	for c.ok {
		if r.gen.aborted.Load() {
			return ErrClosed
		}
		more, err := fn(c.key, dec)
		if err != nil || !more {
			return err
		}
		if err := c.next(); err != nil {
			return err
		}
	}
	return nil
}
