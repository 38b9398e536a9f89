package store

import (
	"bytes"
	"encoding/binary"
	"io"
)

// snapshotReader hands out the records of a snapshot one by one and checks
// all there is to check on the way: order, envelopes, count and digest.
type snapshotReader struct {
	frames  frameReader
	format  *Format
	applied *Applied

	content []byte // rest of the data frame
	last    []byte // previous key
	count   uint64
	digest  uint64
}

// openSnapshot reads up to and with the header.
func openSnapshot(r io.Reader) (*snapshotReader, error) {
	s := &snapshotReader{frames: frameReader{r: r}, format: &Format{}, applied: &Applied{}}
	if err := s.frames.magic(); err != nil {
		return nil, err
	}
	kind, head, err := s.frames.next()
	if err != nil {
		return nil, err
	}
	if kind != frameHead {
		return nil, corrupt("the snapshot begins with a frame of kind %q", kind)
	}
	for _, m := range [2]Message{s.format, s.applied} {
		b, rest, ok := cutBytes(head)
		if !ok || m.UnmarshalVT(b) != nil {
			return nil, corrupt("the snapshot's header is unreadable")
		}
		head = rest
	}
	if len(head) > 0 {
		return nil, corrupt("the snapshot's header is longer than it should be")
	}
	return s, checkFormat(s.format.Version, "the snapshot")
}

// next answers the next record, a nil key behind the last one. The slices are
// valid until the next call.
func (s *snapshotReader) next() (key, value []byte, err error) {
	for len(s.content) == 0 {
		kind, content, err := s.frames.next()
		switch {
		case err != nil:
			return nil, nil, err
		case kind == frameEnd:
			return nil, nil, s.finish(content)
		case kind != frameData || len(content) == 0:
			return nil, nil, corrupt("the snapshot has a frame of kind %q where records should be", kind)
		}
		s.content = content
	}
	key, rest, ok := cutBytes(s.content)
	if ok {
		value, rest, ok = cutBytes(rest)
	}
	if !ok {
		return nil, nil, corrupt("a snapshot frame ends within a record")
	}
	s.content = rest
	return key, value, s.check(key, value)
}

func (s *snapshotReader) check(key, value []byte) error {
	if err := writableKey(key); err != nil {
		return corrupt("the snapshot holds a record it may not hold: %w", err)
	}
	if bytes.Compare(key, s.last) <= 0 {
		return corrupt("the snapshot's records are not in order: %q after %q", key, s.last)
	}
	if len(value) > MaxRecord {
		return corrupt("the snapshot's record %q has %d bytes", key, len(value))
	}
	if _, err := unseal(key, value); err != nil {
		return err
	}
	s.last = append(s.last[:0], key...)
	s.digest += recordHash(key, value)
	s.count++
	return nil
}

// finish compares what was read with what the end frame and the header say.
func (s *snapshotReader) finish(end []byte) error {
	if len(end) != 16 {
		return corrupt("the snapshot's end is %d bytes long", len(end))
	}
	count, digest := binary.BigEndian.Uint64(end), binary.BigEndian.Uint64(end[8:])
	if count != s.count || digest != s.digest || s.applied.Records != s.count || s.applied.Digest != s.digest {
		return corrupt("the snapshot should hold %d records with digest %016x, it holds %d with %016x",
			s.applied.Records, s.applied.Digest, s.count, s.digest)
	}
	return s.frames.end()
}

// VerifySnapshot reads a snapshot to its end, checks it as Restore would, and
// answers where in the log it stands. Nothing is written.
func VerifySnapshot(r io.Reader) (*Applied, error) {
	s, err := openSnapshot(r)
	if err != nil {
		return nil, err
	}
	for {
		key, _, err := s.next()
		if err != nil {
			return nil, err
		}
		if key == nil {
			return s.applied, nil
		}
	}
}
