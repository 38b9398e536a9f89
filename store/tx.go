package store

import (
	"bytes"
	"errors"
	"fmt"
)

var (
	errTxOpen   = errors.New("store: another transaction is open")
	errScanning = errors.New("store: no writing within a scan of the same transaction")
)

// Tx collects what one batch of log entries does and commits it as a whole,
// together with the index up to which the log is applied. It reads its own writes. Not safe for concurrent use, and one at a time.
type Tx struct {
	records
	s       *Store
	gen     *generation
	view    *view
	overlay *overlay
	applied *Applied
	cells   int // dirty cells
	bytes   int // their keys and values, roughly
	scans   int // under way
	over    error
}

// Begin starts the transaction. When that is not possible every call on it
// answers why.
func (s *Store) Begin() *Tx {
	t := &Tx{s: s, applied: &Applied{}}
	t.src = t
	g, err := s.pin()
	if err != nil {
		t.over = err
		return t
	}
	if !s.txOpen.CompareAndSwap(false, true) {
		g.leave()
		t.over = errTxOpen
		return t
	}
	v, err := g.pending.view()
	if err != nil {
		s.txOpen.Store(false)
		g.leave()
		t.over = err
		return t
	}
	t.gen, t.overlay, t.view = g, g.overlay, v
	t.applied = s.Applied()
	return t
}

// Applied is the caller's to change: index, term, log time and sequence.
// Digest and records are computed by Commit.
func (t *Tx) Applied() *Applied { return t.applied }

// Size tells how much a commit would write: cells against MaxCells, bytes
// against MaxBytes.
func (t *Tx) Size() (cells, bytes int) { return t.cells, t.bytes }

// MaxCells and MaxBytes are what one Badger transaction can carry. Commit takes
// more, which is flushed in parts: see redo.go.
const (
	MaxCells = batchCells - 16
	MaxBytes = batchBytes - 4096
	// MaxRecord is the largest encoded record Put takes.
	MaxRecord = maxValue - 64
)

// cell answers what is known of a key, and asks the tables if nothing is.
func (t *Tx) cell(key []byte) (*segment, *cell, error) {
	if t.over != nil {
		return nil, nil, t.over
	}
	seg := t.overlay.segment(key)
	if c := t.overlay.find(seg, key); c != nil {
		return seg, c, nil
	}
	old, err := t.view.get(key)
	if err != nil {
		return nil, nil, err
	}
	return seg, t.overlay.learn(seg, key, old), nil
}

// absent takes a caller's word that there is no such record: the tables need not be
// asked. What is known already stands.
func (t *Tx) absent(key []byte) error {
	if t.over != nil {
		return t.over
	}
	if seg := t.overlay.segment(key); t.overlay.find(seg, key) == nil {
		t.overlay.learn(seg, key, nil)
	}
	return nil
}

// Job reads jobs/{id}; nil when there is none. The record is shared by all who read
// it, also after the transaction: whoever changes it changes a copy.
func (t *Tx) Job(id string) (*Job, error) {
	key := jobKey(id)
	_, c, err := t.cell(key)
	if err != nil || c.value == nil {
		return nil, err
	}
	if c.job == nil {
		j := &Job{}
		if err := decode(key, c.value[envelopeHeader:], j); err != nil {
			return nil, err
		}
		t.overlay.change(c, c.value, j)
	}
	return c.job, nil
}

// Get reads a record as this transaction sees it; false when it is absent.
func (t *Tx) Get(key []byte, into Message) (bool, error) {
	_, c, err := t.cell(key)
	if err != nil || c.value == nil {
		return false, err
	}
	return true, decode(key, c.value[envelopeHeader:], into)
}

// Put writes a record.
func (t *Tx) Put(key []byte, m Message) error {
	value, err := seal(key, m)
	if err != nil {
		return err
	}
	if len(value) > MaxRecord {
		return fmt.Errorf("%w: record %q has %d bytes, at most %d fit", ErrTooBig, key, len(value), MaxRecord)
	}
	return t.set(key, value)
}

// Delete removes a record; nothing happens when it is absent.
func (t *Tx) Delete(key []byte) error { return t.set(key, nil) }

func (t *Tx) set(key, value []byte) error {
	if t.scans > 0 {
		return errScanning
	}
	if err := writableKey(key); err != nil {
		return err
	}
	seg, c, err := t.cell(key)
	if err != nil {
		return err
	}
	if c.dirty {
		t.bytes += len(value) - len(c.value)
	} else {
		t.cells++
		t.bytes += len(key) + len(value) + cellCost
	}
	t.overlay.change(c, value, nil)
	c.done = false
	seg.touch(c)
	return nil
}

// done says of a record that was just written that it will hardly be read again.
func (t *Tx) done(key []byte) {
	if c := t.overlay.segment(key).young[string(key)]; c != nil {
		c.done = true
	}
}

// cellCost is what Badger adds to a key and a value when it measures a
// transaction, rounded up.
const cellCost = 16

// maxKey keeps keys below what Badger takes, with its time stamp.
const maxKey = 4096

// writableKey refuses what is not a record's key. meta/ is the engine's own.
func writableKey(key []byte) error {
	if len(key) > maxKey || len(segmentOf(key)) == 0 || bytes.HasPrefix(key, []byte(prefixMeta)) {
		return fmt.Errorf("%w: %.64q", errKey, key)
	}
	return nil
}

// Scan walks the records with a prefix in ascending order, from the first key
// that is not below from, own writes included. Key and decode are valid within
// the callback only, and the callback may not write.
func (t *Tx) Scan(prefix, from []byte, fn func(key []byte, decode func(Message) error) (bool, error)) error {
	if t.over != nil {
		return t.over
	}
	start := prefix
	if bytes.Compare(from, start) > 0 {
		start = from
	}
	sc, err := t.view.scan(prefix, start, false, own(t.overlay.within(prefix, start)))
	if err != nil {
		return err
	}
	defer sc.close()
	t.scans++
	defer func() { t.scans-- }()
	return sc.each(fn)
}

// own is what this transaction has written so far.
func own(cells []*cell) run {
	r := run{changes: make([]delta, len(cells))}
	for i, c := range cells {
		r.changes[i] = delta{key: c.key, value: c.value}
	}
	return r
}

// Discard ends the transaction without a trace. After Commit it does nothing.
func (t *Tx) Discard() { t.end(ErrClosed, false) }

func (t *Tx) end(why error, committed bool) {
	if t.gen == nil {
		return
	}
	t.over = why
	t.overlay.end(committed)
	t.view.release()
	t.gen.leave()
	t.gen = nil
	t.overlay = nil
	t.s.txOpen.Store(false)
}
