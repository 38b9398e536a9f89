package store

import (
	"bytes"
	"slices"
)

// cell is one key a transaction has touched.
type cell struct {
	key   []byte
	old   []byte // committed value, nil when absent
	value []byte // value in this transaction, nil when absent
	dirty bool
}

func (c *cell) changed() bool {
	return (c.old == nil) != (c.value == nil) || !bytes.Equal(c.old, c.value)
}

// segment holds the cells below one first path element ("due/", "locks/"):
// a scan of the waiting queue has no use for the ledger's cells.
type segment struct {
	cells map[string]*cell
	dirty []*cell // by key, up to the last settle
	fresh []*cell // dirtied since, in no order
}

// overlay is what a transaction knows and wants, on top of committed state.
type overlay map[string]*segment

func segmentOf(key []byte) []byte {
	return key[:bytes.IndexByte(key, '/')+1]
}

func (o overlay) segment(key []byte) *segment {
	name := segmentOf(key)
	s := o[string(name)]
	if s == nil {
		s = &segment{cells: map[string]*cell{}}
		o[string(name)] = s
	}
	return s
}

func (s *segment) touch(c *cell) {
	if !c.dirty {
		c.dirty = true
		s.fresh = append(s.fresh, c)
	}
}

func byKey(a, b *cell) int { return bytes.Compare(a.key, b.key) }

// settle brings the dirty cells into key order. It costs what was dirtied
// since the last time plus one merge, so that a batch that scans after every
// write stays cheap.
func (s *segment) settle() []*cell {
	if len(s.fresh) == 0 {
		return s.dirty
	}
	slices.SortFunc(s.fresh, byKey)
	i, j := len(s.dirty)-1, len(s.fresh)-1
	s.dirty = append(s.dirty, s.fresh...)
	for k := len(s.dirty) - 1; j >= 0; k-- {
		if i >= 0 && byKey(s.dirty[i], s.fresh[j]) > 0 {
			s.dirty[k] = s.dirty[i]
			i--
		} else {
			s.dirty[k] = s.fresh[j]
			j--
		}
	}
	s.fresh = s.fresh[:0]
	return s.dirty
}

// within answers the dirty cells with a prefix, from start on, in key order.
func (o overlay) within(prefix, start []byte) []*cell {
	var all []*cell
	if name := segmentOf(prefix); len(name) > 0 {
		if s := o[string(name)]; s != nil {
			all = s.settle()
		}
	} else { // the prefix spans segments: rare, so a full sort will do
		for _, s := range o {
			all = append(all, s.settle()...)
		}
		slices.SortFunc(all, byKey)
	}
	from, _ := slices.BinarySearchFunc(all, start, func(c *cell, k []byte) int { return bytes.Compare(c.key, k) })
	all = all[from:]
	n := 0
	for n < len(all) && bytes.HasPrefix(all[n].key, prefix) {
		n++
	}
	return all[:n]
}
