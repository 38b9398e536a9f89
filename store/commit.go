package store

import (
	"errors"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
)

// Commit makes everything the transaction did the state that everybody reads, in one
// step with the applied index. It is durable by the log that it came from; Badger has
// it by the next Flush. On ErrDiskFull nothing was touched and the transaction
// lives: call Commit again when there is room. After any other error it is over.
func (t *Tx) Commit() error {
	if t.over != nil {
		return t.over
	}
	if err := t.s.failure(); err != nil {
		t.end(err, false)
		return err
	}
	if err := t.s.room(t.gen); err != nil {
		if !errors.Is(err, ErrDiskFull) {
			t.end(err, false)
		}
		return err
	}
	next := proto.CloneOf(t.applied)
	l := newLayer(t.changes(next), next)
	if t.gen.pending.add(l) {
		signal(t.s.enough)
	} else {
		signal(t.s.dirty)
	}
	t.s.applied.Store(next)
	t.end(ErrClosed, true)
	return nil
}

// room asks whether there may be one more commit: there has to be room on the disk
// for what waits for it, and not too much of that.
func (s *Store) room(g *generation) error {
	if err := s.checkRoom(g); err != nil {
		return err
	}
	if !g.pending.crowded() {
		return nil
	}
	return s.flush(g, awaited)
}

// signal wakes who writes to Badger.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// changes is what the transaction has changed, in key order, and what that does to the
// digest and the count.
func (t *Tx) changes(next *Applied) []delta {
	last := t.s.applied.Load()
	next.Digest, next.Records = last.Digest, last.Records
	out := make([]delta, 0, t.cells)
	for _, name := range slices.Sorted(maps.Keys(t.overlay.segments)) {
		for _, c := range t.overlay.segments[name].settle() {
			if c.changed() {
				out = append(out, delta{key: c.key, value: c.value, had: c.old != nil})
				account(c, next)
			}
		}
	}
	return out
}

// account keeps digest and count in step with one cell.
func account(c *cell, next *Applied) {
	if c.old != nil {
		next.Digest -= recordHash(c.key, c.old)
		next.Records--
	}
	if c.value != nil {
		next.Digest += recordHash(c.key, c.value)
		next.Records++
	}
}
