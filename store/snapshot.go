package store

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Snapshot is the state as of one committed batch, pinned until Release.
// Commits go on beside it.
type Snapshot struct {
	r   *Reader
	err error
}

// Snapshot pins the state as it is now; that costs no more than a read.
func (s *Store) Snapshot() *Snapshot {
	g, err := s.pin()
	if err != nil {
		return &Snapshot{err: err}
	}
	r, err := s.newReader(g)
	if err != nil {
		g.leave()
		return &Snapshot{err: err}
	}
	return &Snapshot{r: r}
}

// Applied is where in the log the snapshot stands.
func (sn *Snapshot) Applied() *Applied {
	if sn.r == nil {
		return &Applied{}
	}
	return sn.r.Applied()
}

// Release lets go of the state. It may be called twice.
func (sn *Snapshot) Release() {
	if sn.r == nil {
		return
	}
	sn.r.view.release()
	sn.r.gen.leave()
	sn.r, sn.err = nil, ErrClosed
}

// WriteTo streams the snapshot, one frame in memory at a time. State that does
// not match its digest is ErrCorrupt and gets no end frame, so that damage
// never spreads through a snapshot.
func (sn *Snapshot) WriteTo(w io.Writer) (int64, error) {
	if sn.err != nil {
		return 0, sn.err
	}
	f := &frameWriter{w: w}
	err := sn.write(f)
	return f.n, err
}

func (sn *Snapshot) write(f *frameWriter) error {
	if err := f.magic(); err != nil {
		return err
	}
	head, err := snapshotHead(&Format{Version: formatOf(sn.r.view.applied), LogId: sn.r.log}, sn.r.view.applied)
	if err != nil {
		return err
	}
	if err := f.frame(frameHead, head); err != nil {
		return err
	}
	var digest, count uint64
	var content []byte
	err = sn.r.each(func(key, value []byte) error {
		digest += recordHash(key, value)
		count++
		if len(content) > 0 && len(content)+len(key)+len(value) > frameFill {
			if err := f.frame(frameData, content); err != nil {
				return err
			}
			content = content[:0]
		}
		content = appendBytes(appendBytes(content, key), value)
		return nil
	})
	if err != nil {
		return err
	}
	if len(content) > 0 {
		if err := f.frame(frameData, content); err != nil {
			return err
		}
	}
	if err := sn.r.match(digest, count); err != nil {
		return err
	}
	end := binary.BigEndian.AppendUint64(nil, count)
	return f.frame(frameEnd, binary.BigEndian.AppendUint64(end, digest))
}

func appendBytes(to, b []byte) []byte {
	return append(binary.AppendUvarint(to, uint64(len(b))), b...)
}

// cutBytes is the reverse of appendBytes.
func cutBytes(from []byte) (b, rest []byte, ok bool) {
	n, w := binary.Uvarint(from)
	if w <= 0 || n > uint64(len(from)-w) {
		return nil, nil, false
	}
	return from[w : w+int(n)], from[w+int(n):], true
}

func snapshotHead(format *Format, applied *Applied) ([]byte, error) {
	var head []byte
	for _, m := range [2]Message{format, applied} {
		b, err := m.MarshalVT()
		if err != nil {
			return nil, err
		}
		head = appendBytes(head, b)
	}
	return head, nil
}

func errSnapshotVersion(version uint32) error {
	return fmt.Errorf("%w: a snapshot of version %d, this build reads up to %d: "+
		"upgrade the module github.com/chronos-go/chronos", ErrFormat, version, snapshotVersion)
}
