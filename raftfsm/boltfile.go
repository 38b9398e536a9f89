package raftfsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
)

// boltFile checks the pages of a Bolt file before Bolt sees them. Bolt trusts
// its pages: a flipped bit makes it panic, partly in goroutines of its own, or
// fault on its memory map, and either ends the host. This reads the file in
// the ordinary way and verifies that what is reachable from the newest meta
// page is one well-formed tree. The values carry checksums of their own.
type boltFile struct {
	f        io.ReaderAt
	size     int64
	pageSize int
	high     uint64 // pages of the file in use: all references are below
	seen     map[uint64]struct{}
	buckets  map[string][]string     // keys of the small buckets, by bucket; "" is the root
	entry    func(key, value []byte) // sees what is in the log, in order; may be nil
}

// What raft-boltdb, Raft and this package keep in the file, and nothing else:
// a damaged name would read as an absent value.
var (
	boltBuckets = []string{"conf", "logs"}
	boltKeys    = []string{keyLogID, keyNodeID, "CurrentTerm", "LastVoteCand", "LastVoteTerm"}
)

const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	boltPageHeader = 16
	boltElement    = 16
	boltMetaSize   = 64
	boltBranch     = 0x01
	boltLeaf       = 0x02
	boltMeta       = 0x04
	boltNoFreelist = ^uint64(0)
)

var errBoltMeta = errors.New("no valid meta page")

type boltHeader struct {
	pageSize int
	root     uint64
	freelist uint64
	high     uint64
	txid     uint64
}

// checkBoltFile returns nil when Bolt can open the file without harm.
func checkBoltFile(path string) error { return readBoltFile(path, nil) }

// readBoltFile checks the file and shows the log's entries on the way.
func readBoltFile(path string, entry func(key, value []byte)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b := &boltFile{f: f, size: info.Size(), seen: map[uint64]struct{}{}, buckets: map[string][]string{}, entry: entry}
	h, err := b.header()
	if err != nil {
		return err
	}
	b.pageSize, b.high = h.pageSize, h.high
	if int64(h.high)*int64(h.pageSize) > b.size || int64(h.high) < 0 {
		return fmt.Errorf("truncated: %d pages of %d bytes do not fit into %d bytes", h.high, h.pageSize, b.size)
	}
	if h.freelist != boltNoFreelist {
		return fmt.Errorf("unexpected free list at page %d", h.freelist)
	}
	if _, err := b.tree(h.root, nil, nil, "", 0); err != nil {
		return err
	}
	return b.names()
}

// names checks that the names in the file are those that belong there.
func (b *boltFile) names() error {
	if !slices.Equal(b.buckets[""], boltBuckets) {
		return fmt.Errorf("holds the buckets %q instead of %q", b.buckets[""], boltBuckets)
	}
	for _, key := range b.buckets["conf"] {
		if !slices.Contains(boltKeys, key) {
			return fmt.Errorf("holds the unknown setting %q", key)
		}
	}
	return nil
}

// header is the newest valid meta page, chosen as Bolt chooses.
func (b *boltFile) header() (boltHeader, error) {
	first, err := b.meta(0)
	if err == nil {
		if second, err := b.meta(int64(first.pageSize)); err == nil && second.txid > first.txid {
			return second, nil
		}
		return first, nil
	}
	for size := int64(1 << 10); size <= 16<<20; size <<= 1 {
		if second, err := b.meta(size); err == nil && int64(second.pageSize) == size {
			return second, nil
		}
	}
	return boltHeader{}, err
}

func (b *boltFile) meta(offset int64) (boltHeader, error) {
	var p [boltPageHeader + boltMetaSize]byte
	if _, err := b.f.ReadAt(p[:], offset); err != nil {
		return boltHeader{}, fmt.Errorf("%w: %v", errBoltMeta, err)
	}
	m := p[boltPageHeader:]
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	if u32(m) != boltMagic || u32(m[4:]) != boltVersion {
		return boltHeader{}, fmt.Errorf("%w: not a Bolt file of version %d", errBoltMeta, boltVersion)
	}
	sum := fnv.New64a()
	_, _ = sum.Write(m[:56])
	if u64(m[56:]) != sum.Sum64() {
		return boltHeader{}, fmt.Errorf("%w: %w", errBoltMeta, errChecksum)
	}
	h := boltHeader{
		pageSize: int(u32(m[8:])),
		root:     u64(m[16:]),
		freelist: u64(m[32:]),
		high:     u64(m[40:]),
		txid:     u64(m[48:]),
	}
	if h.pageSize < 1<<10 || h.pageSize > 16<<20 || h.pageSize&(h.pageSize-1) != 0 {
		return boltHeader{}, fmt.Errorf("%w: page size %d", errBoltMeta, h.pageSize)
	}
	return h, nil
}

// tree checks the pages below id, whose keys lie in [from, to), and returns
// the last key.
func (b *boltFile) tree(id uint64, from, to []byte, bucket string, depth int) ([]byte, error) {
	if depth > 32 {
		return nil, fmt.Errorf("page %d: tree too deep", id)
	}
	p, err := b.page(id)
	if err != nil {
		return nil, err
	}
	last, err := b.elements(p, from, to, bucket, depth)
	if err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return last, nil
}

// page reads a page with its overflow and marks it as used.
func (b *boltFile) page(id uint64) ([]byte, error) {
	if id < 2 || id >= b.high {
		return nil, fmt.Errorf("page %d: reference out of bounds", id)
	}
	offset := int64(id) * int64(b.pageSize)
	p := make([]byte, b.pageSize)
	if _, err := b.f.ReadAt(p, offset); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	overflow := uint64(binary.NativeEndian.Uint32(p[12:]))
	if got := binary.NativeEndian.Uint64(p); got != id {
		return nil, fmt.Errorf("page %d: calls itself %d", id, got)
	}
	if id+overflow >= b.high {
		return nil, fmt.Errorf("page %d: overflow out of bounds", id)
	}
	for i := id; i <= id+overflow; i++ {
		if _, ok := b.seen[i]; ok {
			return nil, fmt.Errorf("page %d: used twice", i)
		}
		b.seen[i] = struct{}{}
	}
	if overflow == 0 {
		return p, nil
	}
	p = make([]byte, (1+int(overflow))*b.pageSize)
	if _, err := b.f.ReadAt(p, offset); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return p, nil
}

// elements checks what stands on a page, inline pages included.
func (b *boltFile) elements(p []byte, from, to []byte, bucket string, depth int) ([]byte, error) {
	if len(p) < boltPageHeader {
		return nil, errors.New("too short for a page")
	}
	flags, count := binary.NativeEndian.Uint16(p[8:]), int(binary.NativeEndian.Uint16(p[10:]))
	if flags != boltBranch && flags != boltLeaf {
		return nil, fmt.Errorf("unexpected type %#x", flags)
	}
	if boltPageHeader+count*boltElement > len(p) {
		return nil, fmt.Errorf("%d elements do not fit", count)
	}
	if flags == boltBranch && count == 0 {
		return nil, errors.New("branch without children")
	}
	last := from
	for i := range count {
		key, rest, err := boltItem(p, i, flags == boltLeaf)
		if err != nil {
			return nil, err
		}
		if order := bytes.Compare(last, key); order > 0 || i > 0 && order == 0 || to != nil && bytes.Compare(key, to) >= 0 {
			return nil, fmt.Errorf("element %d: key out of order", i)
		}
		last = key
		if flags == boltLeaf {
			err = b.value(key, rest, bucket, depth)
		} else {
			last, err = b.child(p, i, key, to, bucket, depth)
		}
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return last, nil
}

// boltValue is a leaf element's value and whether it is a bucket.
type boltValue struct {
	bucket bool
	data   []byte
}

// boltItem is the i-th element's key, and the value on a leaf.
func boltItem(p []byte, i int, leaf bool) ([]byte, boltValue, error) {
	at := boltPageHeader + i*boltElement
	e := p[at:]
	u32 := func(off int) int64 { return int64(binary.NativeEndian.Uint32(e[off:])) }
	var flags, pos, ksize, vsize int64
	if leaf {
		flags, pos, ksize, vsize = u32(0), u32(4), u32(8), u32(12)
	} else {
		pos, ksize = u32(0), u32(4)
	}
	start := int64(at) + pos
	if start+ksize+vsize > int64(len(p)) || start < boltPageHeader || ksize == 0 {
		return nil, boltValue{}, fmt.Errorf("element %d: out of bounds", i)
	}
	if flags > 1 {
		return nil, boltValue{}, fmt.Errorf("element %d: unexpected flags %#x", i, flags)
	}
	key := p[start : start+ksize]
	return key, boltValue{bucket: flags == 1, data: p[start+ksize : start+ksize+vsize]}, nil
}

// child descends from the i-th element of a branch page.
func (b *boltFile) child(p []byte, i int, key, to []byte, bucket string, depth int) ([]byte, error) {
	id := binary.NativeEndian.Uint64(p[boltPageHeader+i*boltElement+8:])
	if i+1 < int(binary.NativeEndian.Uint16(p[10:])) {
		next, _, err := boltItem(p, i+1, false)
		if err != nil {
			return nil, err
		}
		to = next
	}
	return b.tree(id, key, to, bucket, depth+1)
}

// value checks that buckets stand where they belong and descends into them.
func (b *boltFile) value(key []byte, v boltValue, bucket string, depth int) error {
	if v.bucket != (bucket == "") {
		return errors.New("bucket and value mixed up")
	}
	if bucket == "logs" {
		if len(key) != 8 {
			return errors.New("malformed log index")
		}
		if b.entry != nil {
			b.entry(key, v.data)
		}
		return nil
	}
	b.buckets[bucket] = append(b.buckets[bucket], string(key))
	if !v.bucket {
		return nil
	}
	if len(v.data) < boltPageHeader {
		return errors.New("bucket out of bounds")
	}
	if root := binary.NativeEndian.Uint64(v.data); root != 0 {
		_, err := b.tree(root, nil, nil, string(key), depth+1)
		return err
	}
	inline := v.data[boltPageHeader:]
	if len(inline) < boltPageHeader || binary.NativeEndian.Uint64(inline) != 0 || binary.NativeEndian.Uint16(inline[8:]) != boltLeaf {
		return errors.New("malformed inline bucket")
	}
	_, err := b.elements(inline, nil, nil, string(key), depth+1)
	return err
}
