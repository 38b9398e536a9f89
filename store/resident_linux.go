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

// mappings finds where Badger's tables are mapped; none where that cannot be found out: it costs
// memory, and who reads Badger's files is told.
func mappings(dir string) (found []mapping) {
	tables, err := listedTables(dir)
	if err != nil {
		return nil
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	wanted := map[string]bool{}
	for _, table := range tables {
		wanted[table] = true
	}
	for line := range bytes.Lines(maps) {
		if m, file, ok := parseMapping(line); ok && wanted[file] {
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

// letGo unmaps the pages until they are used again: they are the file's, also what was written to
// them and is not on the disk yet. That it fails costs nothing but memory.
func (m mapping) letGo() {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.size, unix.MADV_DONTNEED)
}
