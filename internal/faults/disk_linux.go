package faults

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"
)

// disk is a block device with a volatile cache, as a file that FUSE serves. It
// knows what was flushed and, in order, what was written since; a power cut is
// the flushed content with any part of the rest. Below a loop device and ext4
// it loses what a real disk may lose, and nothing else: the file system has
// to have asked for a flush, and the library for an fsync.
type disk struct {
	path string
	fd   int
	done chan struct{}

	mu      sync.Mutex
	now     []byte
	durable []byte
	pending []write // since the last flush
	dead    int64   // when it was cut: nothing counts any more
	fuse    int     // the cut comes with so many more writes; 0 is none
	blown   chan struct{}
}

type write struct {
	at   int64
	data []byte
}

// newDisk mounts a disk with the content of an image at path, a regular file.
func newDisk(path string, image []byte) (*disk, error) {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, err
	}
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/fuse: %w", err)
	}
	d := &disk{path: path, fd: fd, done: make(chan struct{}), blown: make(chan struct{}), now: image, durable: sparseCopy(image)}
	options := fmt.Sprintf("fd=%d,rootmode=100000,user_id=0,group_id=0", fd)
	if err := syscall.Mount("chronos-faults", path, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, options); err != nil {
		return nil, errors.Join(fmt.Errorf("mount FUSE: %w", err), syscall.Close(fd))
	}
	go d.serve()
	return d, nil
}

// close unmounts, and waits until nobody is served any more.
func (d *disk) close() error {
	err := syscall.Unmount(d.path, syscall.MNT_DETACH)
	<-d.done
	return errors.Join(err, syscall.Close(d.fd))
}

// cutMode says what of the unflushed writes the cut leaves.
type cutMode int

const (
	cutKeepsAll cutMode = iota // the cache was written out just before
	cutKeepsNone
	cutKeepsSome // any 4 KiB pages, in any order
	cutTears     // up to one write, of which a part
	cutModes
)

func (m cutMode) String() string {
	return [...]string{"all written", "only flushed", "random pages", "torn write"}[m]
}

// arm lets the cut come with the n-th write from now on, so that it falls
// between a write and the flush behind it. It comes after the limit at latest.
func (d *disk) arm(n int, limit time.Duration) {
	d.mu.Lock()
	d.fuse = n
	d.mu.Unlock()
	select {
	case <-d.blown:
	case <-time.After(limit):
		d.mu.Lock()
		defer d.mu.Unlock()
		d.blow()
	}
}

func (d *disk) blow() {
	if d.dead == 0 {
		d.dead = time.Now().UnixNano()
		close(d.blown)
	}
}

// remains is what is left on the disk after the cut at an instant.
func (d *disk) remains(mode cutMode, rng *rand.Rand) (image []byte, at int64, unflushed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blow()
	image = d.durable
	upTo := len(d.pending)
	if mode == cutTears && upTo > 0 {
		upTo = rng.IntN(upTo)
	}
	for i, w := range d.pending {
		switch {
		case mode == cutKeepsAll, mode == cutTears && i < upTo:
			copy(image[w.at:], w.data)
		case mode == cutTears && i == upTo:
			copy(image[w.at:], w.data[:rng.IntN(len(w.data)/512+1)*512])
		case mode == cutKeepsSome:
			for off := 0; off < len(w.data); off += 4096 {
				if rng.IntN(2) == 0 {
					copy(image[w.at+int64(off):], w.data[off:min(off+4096, len(w.data))])
				}
			}
		}
	}
	return image, d.dead, len(d.pending)
}

func (d *disk) write(at int64, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead != 0 || at+int64(len(data)) > int64(len(d.now)) {
		return
	}
	copy(d.now[at:], data)
	d.pending = append(d.pending, write{at, append([]byte(nil), data...)})
	if d.fuse--; d.fuse == 0 {
		d.blow()
	}
}

func (d *disk) flush() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead != 0 {
		return
	}
	for _, w := range d.pending {
		copy(d.durable[w.at:], w.data)
	}
	d.pending = nil
}

func (d *disk) read(at int64, n int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at >= int64(len(d.now)) {
		return nil
	}
	return append([]byte(nil), d.now[at:min(at+int64(n), int64(len(d.now)))]...)
}

// sparseCopy leaves blocks of zeros untouched, so that they cost no memory.
func sparseCopy(image []byte) []byte {
	out := make([]byte, len(image))
	for off := 0; off < len(image); off += 4096 {
		block := image[off:min(off+4096, len(image))]
		if !zero(block) {
			copy(out[off:], block)
		}
	}
	return out
}

// What of the FUSE protocol one file needs.
const (
	fuseForget      = 2
	fuseGetattr     = 3
	fuseSetattr     = 4
	fuseOpen        = 14
	fuseRead        = 15
	fuseWrite       = 16
	fuseStatfs      = 17
	fuseRelease     = 18
	fuseFsync       = 20
	fuseFlush       = 25
	fuseInit        = 26
	fuseInterrupt   = 36
	fuseDestroy     = 38
	fuseBatchForget = 42

	fuseMaxWrite = 1 << 20
	fuseHeader   = 40
)

func (d *disk) serve() {
	defer close(d.done)
	buf := make([]byte, fuseMaxWrite+4096)
	for {
		n, err := syscall.Read(d.fd, buf)
		switch {
		case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EAGAIN):
			continue
		case err != nil || n < fuseHeader:
			return // ENODEV: unmounted
		}
		d.answer(buf[:n])
	}
}

// answer serves one request.
func (d *disk) answer(req []byte) {
	ne := binary.NativeEndian
	unique, body := ne.Uint64(req[8:]), req[fuseHeader:]
	var out []byte
	errno := syscall.Errno(0)
	switch ne.Uint32(req[4:]) {
	case fuseForget, fuseBatchForget, fuseInterrupt:
		return // no answer is expected
	case fuseInit:
		out = make([]byte, 64)
		ne.PutUint32(out[0:], 7)
		ne.PutUint32(out[4:], min(ne.Uint32(body[4:]), 31))
		ne.PutUint32(out[8:], ne.Uint32(body[8:]))
		ne.PutUint32(out[12:], 1<<5|1<<22) // big writes, max_pages
		ne.PutUint32(out[20:], fuseMaxWrite)
		ne.PutUint32(out[24:], 1)
		out[28], out[29] = 0, 1 // 256 pages
	case fuseGetattr, fuseSetattr:
		out = d.attributes()
	case fuseOpen:
		out = make([]byte, 16)
	case fuseRead:
		out = d.read(int64(ne.Uint64(body[8:])), int(ne.Uint32(body[16:])))
	case fuseWrite:
		size := ne.Uint32(body[16:])
		d.write(int64(ne.Uint64(body[8:])), body[40:40+size])
		out = make([]byte, 8)
		ne.PutUint32(out, size)
	case fuseFsync:
		d.flush()
	case fuseFlush, fuseRelease, fuseDestroy:
	case fuseStatfs:
		out = make([]byte, 80)
	default:
		errno = syscall.EOPNOTSUPP
	}
	head := make([]byte, 16, 16+len(out))
	ne.PutUint32(head, uint32(16+len(out)))
	ne.PutUint32(head[4:], uint32(-int32(errno)))
	ne.PutUint64(head[8:], unique)
	_, _ = syscall.Write(d.fd, append(head, out...)) // ENOENT: the request was given up
}

func (d *disk) attributes() []byte {
	ne := binary.NativeEndian
	out := make([]byte, 104)
	ne.PutUint64(out, 3600) // valid for an hour
	a := out[16:]
	ne.PutUint64(a, 1)
	ne.PutUint64(a[8:], uint64(len(d.now)))
	ne.PutUint64(a[16:], uint64(len(d.now)/512))
	ne.PutUint32(a[60:], syscall.S_IFREG|0o600)
	ne.PutUint32(a[64:], 1)
	ne.PutUint32(a[80:], 4096)
	return out
}
