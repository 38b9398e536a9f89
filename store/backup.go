package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// A backup file is a head and a snapshot. The head is a magic number, a
// version, the length of its body, the body (a Backup), and a CRC32C over all of
// that; the snapshot has checksums and a digest of its own, and is followed by
// nothing. So a file that was cut off or flipped is never taken for a whole one.
const (
	backupMagic    = "chrnback"
	backupVersion  = 1
	backupHeadMost = 64 << 10
)

// WriteBackup writes a backup file of the pinned state. Of the head, what the
// state knows itself is filled in.
func (sn *Snapshot) WriteBackup(w io.Writer, head *Backup) error {
	if sn.err != nil {
		return sn.err
	}
	at := sn.Applied()
	head.Index, head.Term = at.Index, at.Term
	body, err := head.MarshalVT()
	if err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint32([]byte(backupMagic), backupVersion)
	b = appendUint32Bytes(b, body)
	if _, err := w.Write(binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))); err != nil {
		return err
	}
	_, err = sn.WriteTo(w)
	return err
}

func appendUint32Bytes(to, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(b))), b...)
}

// ReadBackup reads the head of a backup file; the snapshot follows in r.
func ReadBackup(r io.Reader) (*Backup, error) {
	frames := frameReader{r: r}
	fixed := make([]byte, len(backupMagic)+8)
	if err := frames.full(fixed); err != nil {
		return nil, corrupt("the backup is cut off, or this is none")
	}
	version, size := binary.BigEndian.Uint32(fixed[len(backupMagic):]), binary.BigEndian.Uint32(fixed[len(backupMagic)+4:])
	switch {
	case !bytes.HasPrefix(fixed, []byte(backupMagic)):
		return nil, corrupt("this is not a backup")
	case version > backupVersion:
		return nil, fmt.Errorf("%w: a backup of version %d, this build reads up to %d: "+
			"upgrade the module github.com/chronos-go/chronos", ErrFormat, version, backupVersion)
	case version == 0 || size > backupHeadMost:
		return nil, corrupt("the backup's head is damaged")
	}
	rest := make([]byte, size+4)
	if err := frames.full(rest); err != nil {
		return nil, corrupt("the backup is cut off")
	}
	sum := crc32.Update(crc32.Checksum(fixed, castagnoli), castagnoli, rest[:size])
	head := &Backup{}
	if sum != binary.BigEndian.Uint32(rest[size:]) || head.UnmarshalVT(rest[:size]) != nil {
		return nil, corrupt("the backup's head is damaged")
	}
	return head, nil
}
