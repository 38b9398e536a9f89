package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/s2"
)

// A snapshot is a magic number with a version, then frames: one header, data
// frames, one end. A frame is its kind, the length of its content, the length
// it is stored in, a CRC32C over all of this and the stored bytes, and those.
const (
	snapshotMagic   = "chronos\x00"
	snapshotVersion = 1

	frameHead = 'H' // format and applied record, not compressed
	frameData = 'D' // records, s2
	frameEnd  = 'E' // count and digest, not compressed

	frameHeader = 13
	frameFill   = 256 << 10 // data frames hold up to this, or one larger record
	frameMax    = MaxRecord + maxKey + 2*binary.MaxVarintLen64
)

// frameWriter writes frames and counts bytes.
type frameWriter struct {
	w      io.Writer
	n      int64
	stored []byte
}

func (f *frameWriter) raw(b []byte) error {
	n, err := f.w.Write(b)
	f.n += int64(n)
	return err
}

func (f *frameWriter) magic() error {
	return f.raw(binary.BigEndian.AppendUint32([]byte(snapshotMagic), snapshotVersion))
}

func (f *frameWriter) frame(kind byte, content []byte) error {
	stored := content
	if kind == frameData {
		f.stored = s2.Encode(f.stored[:cap(f.stored)], content)
		stored = f.stored
	}
	var head [frameHeader]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(content)))
	binary.BigEndian.PutUint32(head[5:], uint32(len(stored)))
	binary.BigEndian.PutUint32(head[9:], frameSum(head[:9], stored))
	if err := f.raw(head[:]); err != nil {
		return err
	}
	return f.raw(stored)
}

func frameSum(head, stored []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, stored)
}

// frameReader reads frames and believes none of their lengths: its buffers
// never grow beyond what a frame of ours can hold.
type frameReader struct {
	r       io.Reader
	stored  []byte
	content []byte
}

func (f *frameReader) magic() error {
	var b [len(snapshotMagic) + 4]byte
	if err := f.full(b[:]); err != nil {
		return err
	}
	if string(b[:len(snapshotMagic)]) != snapshotMagic {
		return corrupt("this is not a snapshot")
	}
	version := binary.BigEndian.Uint32(b[len(snapshotMagic):])
	if version > snapshotVersion {
		return errSnapshotVersion(version)
	}
	if version == 0 {
		return corrupt("a snapshot of version 0")
	}
	return nil
}

// next answers kind and content of the next frame; valid until the one after.
func (f *frameReader) next() (byte, []byte, error) {
	var head [frameHeader]byte
	if err := f.full(head[:]); err != nil {
		return 0, nil, err
	}
	kind := head[0]
	size := int(binary.BigEndian.Uint32(head[1:]))
	length := int(binary.BigEndian.Uint32(head[5:]))
	if size > frameMax || length > s2.MaxEncodedLen(frameMax) {
		return 0, nil, corrupt("a snapshot frame claims %d bytes in %d", size, length)
	}
	f.stored = grow(f.stored, length)
	if err := f.full(f.stored); err != nil {
		return 0, nil, err
	}
	if frameSum(head[:9], f.stored) != binary.BigEndian.Uint32(head[9:]) {
		return 0, nil, corrupt("a snapshot frame does not match its checksum")
	}
	if kind != frameData {
		if size != length {
			return 0, nil, corrupt("a snapshot frame of kind %q with two lengths", kind)
		}
		return kind, f.stored, nil
	}
	if n, err := s2.DecodedLen(f.stored); err != nil || n != size {
		return 0, nil, corrupt("a snapshot frame decodes to %d bytes instead of %d", n, size)
	}
	content, err := s2.Decode(grow(f.content, size), f.stored)
	if err != nil {
		return 0, nil, corrupt("a snapshot frame: %w", err)
	}
	f.content = content
	return kind, content, nil
}

// end refuses anything behind the last frame.
func (f *frameReader) end() error {
	var b [1]byte
	switch _, err := io.ReadFull(f.r, b[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	default:
		return corrupt("the snapshot goes on behind its end")
	}
}

func (f *frameReader) full(b []byte) error {
	_, err := io.ReadFull(f.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corrupt("the snapshot is cut off")
	}
	return err
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
