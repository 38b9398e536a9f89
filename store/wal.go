package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"os"
)

// logHeader is what precedes the entries in .mem and .vlog files.
const logHeader = 20

var errLogEnd = errors.New("end of log")

// cutLog truncates a log of Badger's after its last whole entry, as Badger
// does itself, but without believing a length it finds there: Badger would
// allocate twice what a flipped bit asks for. What the cut takes away was
// never acknowledged, or the watermark or the digest will tell.
func cutLog(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return os.Remove(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	end, err := logEnd(f, info.Size())
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if end >= info.Size() {
		return nil
	}
	return os.Truncate(path, end)
}

// logEnd answers where the last whole entry ends.
func logEnd(r io.Reader, size int64) (int64, error) {
	in := &logReader{r: bufio.NewReaderSize(r, 1<<16), sum: crc32.New(castagnoli)}
	if _, err := io.CopyN(io.Discard, in.r, logHeader); err != nil {
		return size, nil //nolint:nilerr // shorter than a header: Badger takes it for empty
	}
	end := int64(logHeader)
	for {
		n, err := in.entry(size - end)
		if errors.Is(err, errLogEnd) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return end, nil
		}
		if err != nil {
			return 0, err
		}
		end += n
	}
}

// logReader sums what it reads of an entry.
type logReader struct {
	r   *bufio.Reader
	sum hash.Hash32
	n   int64
}

func (l *logReader) ReadByte() (byte, error) {
	b, err := l.r.ReadByte()
	if err == nil {
		l.n++
		_, _ = l.sum.Write([]byte{b})
	}
	return b, err
}

// entry reads one entry of at most room bytes: meta, user meta, three
// varints (key length, value length, expiry), key, value, CRC32C.
func (l *logReader) entry(room int64) (int64, error) {
	l.sum.Reset()
	l.n = 0
	var fields [3]uint64
	for range 2 {
		if _, err := l.ReadByte(); err != nil {
			return 0, err
		}
	}
	for i := range fields {
		v, err := binary.ReadUvarint(l)
		if err != nil {
			return 0, errLogEnd
		}
		fields[i] = v
	}
	klen, vlen := fields[0], fields[1]
	if klen == 0 || klen > 1<<16 || vlen > uint64(room) || int64(klen+vlen)+l.n+4 > room {
		return 0, errLogEnd
	}
	if _, err := io.CopyN(l.sum, l.r, int64(klen+vlen)); err != nil {
		return 0, err
	}
	var crc [4]byte
	if _, err := io.ReadFull(l.r, crc[:]); err != nil {
		return 0, err
	}
	if binary.BigEndian.Uint32(crc[:]) != l.sum.Sum32() {
		return 0, errLogEnd
	}
	return l.n + int64(klen+vlen) + 4, nil
}
