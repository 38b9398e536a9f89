package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mapping is where a part of a file is mapped.
type mapping struct{ from, size uintptr }

// mappings finds where files of a directory are mapped, by their names; none where the
// system does not say so.
func mappings(dir string, names map[string]bool) []mapping {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	var found []mapping
	for line := range bytes.Lines(maps) {
		if m, file, ok := parseMapping(line); ok && filepath.Dir(file) == dir && names[filepath.Base(file)] {
			found = append(found, m)
		}
	}
	return found
}

// parseMapping reads a line of /proc/self/maps, proc_pid_maps(5); false unless it is a file that is
// mapped as shared. Only of such may a page be let go of: it is the file's.
func parseMapping(line []byte) (m mapping, file string, ok bool) {
	const path = 5 // after the range, the permissions, the offset, the device and the inode
	fields := bytes.SplitN(bytes.TrimSuffix(line, []byte("\n")), []byte(" "), path+1)
	if len(fields) <= path || len(fields[1]) != 4 || fields[1][3] != 's' {
		return m, "", false
	}
	var to uintptr
	if n, err := fmt.Sscanf(string(fields[0]), "%x-%x", &m.from, &to); n != 2 || err != nil || to <= m.from {
		return m, "", false
	}
	m.size = to - m.from
	file = string(bytes.TrimLeft(fields[path], " "))
	return m, file, filepath.IsAbs(file)
}

// letGo unmaps the pages until they are used again. That it fails costs nothing but memory.
func (m mapping) letGo() {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.size, unix.MADV_DONTNEED)
}
