package store

import (
	"bytes"

	"google.golang.org/protobuf/proto"
)

// Reader is a consistent read-only view: everything it answers is as of one
// committed batch. It is valid until the function given to View returns.
type Reader struct {
	records
	gen  *generation
	view *view
	log  string // the log ID
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
	defer r.view.release()
	return fn(r)
}

// newReader pins what is committed.
func (s *Store) newReader(g *generation) (*Reader, error) {
	v, err := g.pending.view()
	if err != nil {
		return nil, err
	}
	r := &Reader{gen: g, view: v, log: s.LogID()}
	r.src = r
	return r, nil
}

// Applied is where in the log this view stands.
func (r *Reader) Applied() *Applied { return proto.CloneOf(r.view.applied) }

// Get reads one record; false when it is absent. ErrCorrupt when what is on
// disk is not what was written.
func (r *Reader) Get(key []byte, into Message) (bool, error) {
	value, err := r.view.get(key)
	if err != nil || value == nil {
		return false, err
	}
	return true, decode(key, value[envelopeHeader:], into)
}

// Scan walks the records with a prefix in ascending order, from the first key
// that is not below from. Key and decode are valid within the callback only.
func (r *Reader) Scan(prefix, from []byte, fn func(key []byte, decode func(Message) error) (bool, error)) error {
	start := prefix
	if bytes.Compare(from, start) > 0 {
		start = from
	}
	return r.walk(prefix, start, false, fn)
}

// ScanReverse walks the records with a prefix in descending order, from the
// last key that is not above from, or from the prefix's last when from is nil.
func (r *Reader) ScanReverse(prefix, from []byte, fn func(key []byte, decode func(Message) error) (bool, error)) error {
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

func (r *Reader) walk(prefix, start []byte, reverse bool, fn func(key []byte, decode func(Message) error) (bool, error)) error {
	sc, err := r.view.scan(prefix, start, reverse)
	if err != nil {
		return err
	}
	defer sc.close()
	return sc.each(func(key []byte, decode func(Message) error) (bool, error) {
		if r.gen.aborted.Load() {
			return false, ErrClosed
		}
		return fn(key, decode)
	})
}
