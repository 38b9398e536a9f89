package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// verifyTable checks every byte of an .sst file against the checksums in it.
// It reads block by block instead of opening the table with Badger, which
// ends the process on some kinds of damage. Layout: blocks, index, index
// length, checksum of the index, checksum length.
func verifyTable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	index, start, err := tableIndex(f, info.Size())
	if err != nil {
		return err
	}
	var block fb.BlockOffset
	var buf []byte
	end := int64(0)
	for i := range index.OffsetsLength() {
		if !index.Offsets(&block, i) || int64(block.Offset()) != end || end+int64(block.Len()) > start {
			return fmt.Errorf("block %d is not where it should be", i)
		}
		buf = append(buf[:0], make([]byte, block.Len())...)
		if _, err := f.ReadAt(buf, end); err != nil {
			return err
		}
		if err := verifyBlock(buf); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		end += int64(block.Len())
	}
	if end != start || end == 0 {
		return errors.New("there is a gap before the index")
	}
	return nil
}

// tableIndex reads the index from the end of the file and answers where it starts.
func tableIndex(r io.ReaderAt, size int64) (*fb.TableIndex, int64, error) {
	sum, at, err := sectionBefore(r, size)
	if err != nil {
		return nil, 0, err
	}
	index, at, err := sectionBefore(r, at)
	if err != nil {
		return nil, 0, err
	}
	if err := verifySum(index, sum); err != nil {
		return nil, 0, fmt.Errorf("index: %w", err)
	}
	return fb.GetRootAsTableIndex(index, 0), at, nil
}

// sectionBefore reads bytes that are followed by their length, which ends at end.
func sectionBefore(r io.ReaderAt, end int64) ([]byte, int64, error) {
	if end < 4 {
		return nil, 0, io.ErrUnexpectedEOF
	}
	var length [4]byte
	if _, err := r.ReadAt(length[:], end-4); err != nil {
		return nil, 0, err
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	if n > end-4 {
		return nil, 0, errors.New("a length is beyond the file")
	}
	section := make([]byte, n)
	_, err := r.ReadAt(section, end-4-n)
	return section, end - 4 - n, err
}

// verifyBlock checks a block, which ends with its checksum and that one's length.
func verifyBlock(b []byte) error {
	if len(b) < 4 {
		return io.ErrUnexpectedEOF
	}
	n := int64(binary.BigEndian.Uint32(b[len(b)-4:]))
	if n > int64(len(b)-4) {
		return errors.New("a length is beyond the block")
	}
	at := len(b) - 4 - int(n)
	return verifySum(b[:at], b[at:len(b)-4])
}

func verifySum(data, sum []byte) error {
	want := &pb.Checksum{}
	if err := proto.Unmarshal(sum, want); err != nil {
		return err
	}
	return y.VerifyChecksum(data, want)
}
