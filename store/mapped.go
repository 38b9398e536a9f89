package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// memAllocate is how far Badger writes into a .mem file: it starts the next
// one after the batch that crosses memTableSize.
const memAllocate = memTableSize + batchBytes + batchCells*32

// mapped keeps disk space under the files that Badger writes through memory
// maps. They are created sparse, and a write to a hole on a full disk is a
// signal that ends the process; so each is allocated as soon as it is there.
type mapped struct {
	dir string

	mu      sync.Mutex
	next    int    // number of the .mem file that comes next
	missing string // a .mem file that could not be allocated yet
	written int64  // bytes committed to the newest .mem file
}

// newMapped allocates what Badger has created while it opened.
func newMapped(dir string) *mapped {
	m := &mapped{dir: dir}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return m
	}
	for _, e := range entries {
		path := filepath.Join(m.dir, e.Name())
		if digits, ok := strings.CutSuffix(e.Name(), ".mem"); ok {
			if n, err := strconv.Atoi(digits); err == nil && n >= m.next {
				m.next = n + 1
			}
		} else if strings.HasSuffix(e.Name(), ".vlog") {
			_ = allocate(path, 1<<16) // the header; values never go there
		}
	}
	m.missing = m.mem(m.next - 1)
	_ = m.allocate()
	return m
}

func (m *mapped) mem(n int) string { return filepath.Join(m.dir, fmt.Sprintf("%05d.mem", n)) }

// settle looks, after a commit, for a .mem file that Badger has rotated to:
// its name is made durable and its space allocated before the commit is
// acknowledged.
func (m *mapped) settle(size int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written += int64(size)
	for {
		path := m.mem(m.next)
		if _, err := os.Stat(path); err != nil {
			return nil
		}
		m.written = int64(size)
		m.next++
		m.missing = path
		_ = m.allocate()
		if err := syncDir(m.dir); err != nil {
			return err
		}
	}
}

// ready tries again to allocate what there was no room for.
func (m *mapped) ready() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.allocate()
}

func (m *mapped) allocate() error {
	if m.missing == "" {
		return nil
	}
	err := allocate(m.missing, memAllocate)
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: no room for %d bytes of %q", ErrDiskFull, memAllocate, m.missing)
	}
	m.missing = "" // done, or the file system cannot: the guard's floor has to do
	return nil
}

// unwritten bounds what Badger writes out when it is closed: its memtable,
// and the one before it when that is still on its way.
func (m *mapped) unwritten() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	need := m.written + m.written/4 + 1<<20
	if _, err := os.Stat(m.mem(m.next - 2)); err == nil {
		need += memTableSize
	}
	return need
}
