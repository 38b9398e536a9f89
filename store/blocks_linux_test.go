package store

import (
	"io/fs"
	"syscall"
)

// blocksOf is how many bytes of disk a file occupies.
func blocksOf(info fs.FileInfo) (int64, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Blocks * 512, true
}
