package store

import (
	"bytes"
	"context"
)

// verifyInline is up to how many records an unclean start is verified before
// Open returns, about a quarter of a second; above, it is done beside.
const verifyInline = 200_000

// Verify reads every record, checks its envelope, and compares their sum and
// count with what the newest batch recorded. ErrCorrupt when they differ.
func (s *Store) Verify(ctx context.Context) error {
	return s.View(func(r *Reader) error { return r.verify(ctx) })
}

func (r *Reader) verify(ctx context.Context) error {
	var digest, count uint64
	err := r.each(func(key, value []byte) error {
		digest += recordHash(key, value)
		if count++; count%1024 == 0 {
			return ctx.Err()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.match(digest, count)
}

// match compares a sum over all records with the applied record's.
func (r *Reader) match(digest, count uint64) error {
	if digest != r.view.applied.Digest || count != r.view.applied.Records {
		return corrupt("at index %d there should be %d records with digest %016x, there are %d with %016x",
			r.view.applied.Index, r.view.applied.Records, r.view.applied.Digest, count, digest)
	}
	return nil
}

// each walks all records, the engine's own left out, as bytes.
func (r *Reader) each(fn func(key, value []byte) error) error {
	sc, err := r.view.scan(nil, nil, false)
	if err != nil {
		return err
	}
	defer sc.close()
	for {
		ok, err := sc.next()
		if err != nil || !ok {
			return err
		}
		if r.gen.aborted.Load() {
			return ErrClosed
		}
		if bytes.HasPrefix(sc.key, []byte(prefixMeta)) {
			continue
		}
		if err := fn(sc.key, sc.value); err != nil {
			return err
		}
	}
}

// verifyStart checks what was opened: at once after an unclean stop when there
// is little of it, beside the work otherwise. After a clean stop the files are
// known to be the ones Badger left; that it left all there was to leave is
// checked here, for its compaction drops a table that it could not create.
func (s *Store) verifyStart() error {
	if s.unclean && s.applied.Load().Records <= s.opts.verifyInline {
		return s.Verify(s.ctx)
	}
	if !s.opts.InMemory {
		s.wg.Go(s.scrub)
	}
	return nil
}

// scrub verifies beside the work and reports what it finds.
func (s *Store) scrub() {
	g := s.live()
	err := s.Verify(s.ctx)
	if err == nil || s.ctx.Err() != nil || s.live() != g {
		return // fine, interrupted, or replaced by a restore meanwhile
	}
	s.log.Error("store: verification failed", "dir", s.layout.state, "error", err)
	if s.opts.OnCorrupt != nil {
		s.opts.OnCorrupt(err)
	}
}

// Dump hands out everything that two nodes at the same index must agree on,
// in key order: all records, and meta/applied. Slices are valid within fn only.
func (s *Store) Dump(fn func(key, value []byte) error) error {
	return s.View(func(r *Reader) error {
		if err := r.each(fn); err != nil {
			return err
		}
		value, err := r.view.applied.MarshalVT()
		if err != nil {
			return err
		}
		return fn(keyApplied, value)
	})
}
