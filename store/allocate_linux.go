package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate puts disk blocks under the first size bytes of a file without
// changing its length. File systems that cannot do it say so.
func allocate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(fallocate(f, unix.FALLOC_FL_KEEP_SIZE, size), f.Close())
}

// extend makes a file size bytes long and puts blocks under all of them;
// false when the file system cannot.
func extend(f *os.File, size int64) bool { return fallocate(f, 0, size) == nil }

func fallocate(f *os.File, mode uint32, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), mode, 0, size)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
