package store

import "bytes"

// run is a stretch of changes, walked in the direction of its scan.
type run struct {
	changes []delta
	reverse bool
}

func (r *run) head() *delta {
	switch {
	case len(r.changes) == 0:
		return nil
	case r.reverse:
		return &r.changes[len(r.changes)-1]
	default:
		return &r.changes[0]
	}
}

func (r *run) drop() {
	if r.reverse {
		r.changes = r.changes[:len(r.changes)-1]
	} else {
		r.changes = r.changes[1:]
	}
}

// stretch is what of a layer lies below a prefix, and not before start in the
// direction of the scan.
func (l *layer) stretch(prefix, start []byte, reverse bool) run {
	low, high := l.floor(prefix), len(l.changes)
	if end := behind(prefix); end != nil {
		high = l.floor(end)
	}
	switch {
	case start == nil:
	case !reverse:
		low = max(low, l.floor(start))
	default:
		at := l.floor(start)
		if at < len(l.changes) && bytes.Equal(l.changes[at].key, start) {
			at++
		}
		high = min(high, at)
	}
	return run{l.changes[low:max(low, high)], reverse}
}

// scan walks changes in memory and the records in Badger as one sequence. Of what is
// said of one key the newest counts.
type scan struct {
	runs    []run // newest first
	tables  *cursor
	reverse bool
	used    bool // the record under the cursor has been handed out

	key, value []byte // valid until the next move
}

// scan begins a walk over records with a prefix, from start on. Runs, if any, are newer
// than the view.
func (v *view) scan(prefix, start []byte, reverse bool, newer ...run) (*scan, error) {
	c, err := newCursor(v.base.txn, prefix, reverse)
	if err != nil {
		return nil, err
	}
	s := &scan{runs: newer, tables: c, reverse: reverse}
	for _, l := range v.layers {
		if r := l.stretch(prefix, start, reverse); len(r.changes) > 0 {
			s.runs = append(s.runs, r)
		}
	}
	if err := c.begin(start); err != nil {
		c.close()
		return nil, err
	}
	return s, nil
}

func (s *scan) close() { s.tables.close() }

// next moves on; false at the end.
func (s *scan) next() (bool, error) {
	for {
		if s.used {
			if err := s.tables.next(); err != nil {
				return false, err
			}
			s.used = false
		}
		if !s.pick() {
			return false, nil
		}
		if err := s.pass(); err != nil {
			return false, err
		}
		if s.value != nil {
			return true, nil
		}
	}
}

// pick finds what comes next.
func (s *scan) pick() (ok bool) {
	for i := range s.runs {
		if c := s.runs[i].head(); c != nil && (!ok || s.before(c.key, s.key)) {
			s.key, s.value, ok = c.key, c.value, true
		}
	}
	if s.tables.ok && (!ok || s.before(s.tables.key, s.key)) {
		s.key, s.value, ok = s.tables.key, s.tables.value, true
		s.used = true // moving on now would take key and value away
	}
	return ok
}

func (s *scan) before(a, b []byte) bool {
	order := bytes.Compare(a, b)
	return order < 0 && !s.reverse || order > 0 && s.reverse
}

// pass leaves behind what else is said of the key.
func (s *scan) pass() error {
	for i := range s.runs {
		if c := s.runs[i].head(); c != nil && bytes.Equal(c.key, s.key) {
			s.runs[i].drop()
		}
	}
	if !s.used && s.tables.ok && bytes.Equal(s.tables.key, s.key) {
		return s.tables.next()
	}
	return nil
}

// each hands out the records that are left, until fn has had enough.
func (s *scan) each(fn func(key []byte, decode func(Message) error) (bool, error)) error {
	dec := func(m Message) error { return decode(s.key, s.value[envelopeHeader:], m) }
	for {
		ok, err := s.next()
		if err != nil || !ok {
			return err
		}
		more, err := fn(s.key, dec)
		if err != nil || !more {
			return err
		}
	}
}
