package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A layer that is larger than what one transaction of Badger takes is written in several.
// So that a crash among them leaves no half of it, the layer stands in a file beside
// Badger before the first of them begins, and a mark in Badger from the first to the
// last. A start that finds the mark writes the layer once more, from the file: that the
// same records are written twice does no harm. Where the file is not what the mark says,
// the state is ErrCorrupt, as any half of a state is, and is built again from snapshot
// and log; so a build that knows nothing of the file does the right thing, too.
//
// The file is a line that names it and its version, and the frames of a snapshot: one
// header, data frames, one end, which holds the count. A change is its key, with its
// length before it, and its value, with its length and one before it; or a zero, if the
// record is gone.

const (
	nameRedo  = "REDO"
	redoMagic = "chronos redo 1\n"
	keyTorn   = prefixMeta + "torn"
)

func redoPath(dir string) string { return filepath.Join(dir, nameRedo) }

// openRedo opens the file, which stays open: a process that is out of file descriptors
// goes on. It tells if there is something in it.
func openRedo(dir string) (f *os.File, full bool, err error) {
	if f, err = os.OpenFile(redoPath(dir), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, false, err
	}
	info, err := f.Stat()
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, false, errors.Join(err, f.Close())
	}
	return f, info.Size() > 0, nil
}

// closeRedo closes the file. It is empty then, unless a start has need of it: what stands
// there is hashed at every clean start.
func (g *generation) closeRedo() {
	if g.torn == nil {
		_ = g.redo.Truncate(0)
	}
	_ = g.redo.Close()
}

// writeRedo fills the file; it is durable when this returns, unless the store gives that
// up altogether. ErrDiskFull leaves nothing behind.
func (g *generation) writeRedo(sync bool, l *layer, format *Format) error {
	err := g.fillRedo(sync, l, format)
	if DiskFull(err) {
		_ = g.redo.Truncate(0)
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

func (g *generation) fillRedo(sync bool, l *layer, format *Format) error {
	if err := g.redo.Truncate(0); err != nil {
		return err
	}
	w := bufio.NewWriterSize(io.NewOffsetWriter(g.redo, 0), frameFill)
	if err := encodeRedo(w, l, format); err != nil {
		return err
	}
	if err := w.Flush(); err != nil || !sync {
		return err
	}
	return g.redo.Sync()
}

func encodeRedo(w io.Writer, l *layer, format *Format) error {
	f := &frameWriter{w: w}
	if err := f.raw([]byte(redoMagic)); err != nil {
		return err
	}
	head, err := snapshotHead(format, l.applied)
	if err != nil {
		return err
	}
	if err := f.frame(frameHead, head); err != nil {
		return err
	}
	var content []byte
	for i := range l.changes {
		if c := &l.changes[i]; len(content) > 0 && len(content)+len(c.key)+len(c.value) > frameFill {
			if err := f.frame(frameData, content); err != nil {
				return err
			}
			content = content[:0]
		}
		content = appendChange(content, &l.changes[i])
	}
	if len(content) > 0 {
		if err := f.frame(frameData, content); err != nil {
			return err
		}
	}
	return f.frame(frameEnd, binary.AppendUvarint(nil, uint64(len(l.changes))))
}

func appendChange(to []byte, c *delta) []byte {
	to = appendBytes(to, c.key)
	if c.value == nil {
		return append(to, 0)
	}
	return append(binary.AppendUvarint(to, uint64(len(c.value))+1), c.value...)
}

func cutChange(from []byte) (c delta, rest []byte, ok bool) {
	key, rest, ok := cutBytes(from)
	if !ok {
		return delta{}, nil, false
	}
	n, w := binary.Uvarint(rest)
	if w <= 0 || n > uint64(len(rest)-w)+1 {
		return delta{}, nil, false
	}
	c, rest = delta{key: bytes.Clone(key), had: true}, rest[w:]
	if n > 0 {
		c.value = append([]byte{}, rest[:n-1]...)
		rest = rest[n-1:]
	}
	return c, rest, true
}

// readRedo reads what writeRedo wrote. ErrCorrupt if it is anything else.
func (g *generation) readRedo() (*layer, *Format, error) {
	info, err := g.redo.Stat()
	if err != nil {
		return nil, nil, err
	}
	return decodeRedo(bufio.NewReaderSize(io.NewSectionReader(g.redo, 0, info.Size()), frameFill))
}

func decodeRedo(r io.Reader) (*layer, *Format, error) {
	f := &frameReader{r: r}
	magic := make([]byte, len(redoMagic))
	if err := f.full(magic); err != nil {
		return nil, nil, err
	}
	if string(magic) != redoMagic {
		return nil, nil, corrupt("%s does not begin with %q", nameRedo, redoMagic)
	}
	kind, head, err := f.next()
	if err != nil || kind != frameHead {
		return nil, nil, errors.Join(corrupt("%s has no header", nameRedo), err)
	}
	format, applied := &Format{}, &Applied{}
	for _, m := range [2]Message{format, applied} {
		b, rest, ok := cutBytes(head)
		if !ok || m.UnmarshalVT(b) != nil {
			return nil, nil, corrupt("the header of %s is unreadable", nameRedo)
		}
		head = rest
	}
	changes, err := decodeChanges(f)
	return newLayer(changes, applied), format, err
}

func decodeChanges(f *frameReader) (changes []delta, err error) {
	var last []byte
	for {
		kind, content, err := f.next()
		if err != nil {
			return nil, err
		}
		if kind == frameEnd {
			if n, w := binary.Uvarint(content); w != len(content) || n != uint64(len(changes)) {
				return nil, corrupt("%s holds %d changes, and says otherwise", nameRedo, len(changes))
			}
			return changes, f.end()
		}
		if kind != frameData {
			return nil, corrupt("%s has a frame of kind %q among its changes", nameRedo, kind)
		}
		for len(content) > 0 {
			c, rest, ok := cutChange(content)
			if !ok || bytes.Compare(c.key, last) <= 0 {
				return nil, corrupt("%s is unreadable behind %q", nameRedo, last)
			}
			changes, last, content = append(changes, c), c.key, rest
		}
	}
}
