package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"
)

// Commit makes everything the transaction did durable, in one step with the
// applied index for every reader and every later start. On ErrDiskFull nothing was touched and the transaction lives:
// call Commit again when there is room. After any other error it is over, and
// nothing of it is promised to be there or not to be there: the store refuses
// further writes until it is opened again.
func (t *Tx) Commit() error {
	if t.over != nil {
		return t.over
	}
	if err := t.s.failure(); err != nil {
		t.end(err, false)
		return err
	}
	if err := t.s.checkRoom(t.gen); err != nil {
		return err
	}
	commit := t.commit
	if t.large() {
		commit = t.commitLarge
	}
	err := t.gen.write(commit)
	if !errors.Is(err, ErrDiskFull) {
		t.end(ErrClosed, err == nil)
	}
	return err
}

func (t *Tx) commit() error {
	w := t.gen.db.NewTransaction(true)
	defer w.Discard()
	next := proto.CloneOf(t.applied)
	last := t.s.applied.Load()
	next.Digest, next.Records = last.Digest, last.Records
	for _, seg := range t.overlay.segments {
		for _, list := range [2][]*cell{seg.dirty, seg.fresh} {
			for _, c := range list {
				if err := stage(w, c, next); err != nil {
					return tooBig(err)
				}
			}
		}
	}
	value, err := seal(keyApplied, next)
	if err != nil {
		return err
	}
	if err := w.Set(keyApplied, value); err != nil {
		return tooBig(err)
	}
	if err := t.stageFormat(w, next); err != nil {
		return tooBig(err)
	}
	if err := w.Commit(); err != nil {
		if errors.Is(err, badger.ErrTxnTooBig) {
			return tooBig(err)
		}
		// Badger has put the writes in its memtable before it could not sync
		// them: what a restart will find is open.
		return t.s.fail(err)
	}
	if err := t.gen.committed(next.Index, t.bytes); err != nil {
		return t.s.fail(err)
	}
	t.s.applied.Store(next)
	return nil
}

// stage writes one cell and accounts for it in digest and count.
func stage(w *badger.Txn, c *cell, next *Applied) error {
	if !c.changed() {
		return nil
	}
	if c.old != nil {
		next.Digest -= recordHash(c.key, c.old)
		next.Records--
	}
	if c.value == nil {
		return w.Delete(c.key)
	}
	next.Digest += recordHash(c.key, c.value)
	next.Records++
	return w.Set(c.key, c.value)
}

func tooBig(err error) error {
	if errors.Is(err, badger.ErrTxnTooBig) {
		return fmt.Errorf("%w: one transaction takes %d cells and %d bytes", ErrTooBig, MaxCells, MaxBytes)
	}
	return err
}
