package store

import (
	"bytes"
	"slices"
)

// cell is one key that a transaction has touched.
type cell struct {
	name  string
	key   []byte // the same
	old   []byte // committed value, nil when absent
	value []byte // value in this transaction, nil when absent
	job   *Job   // value of a job's record, decoded; nil until somebody asks
	dirty bool
	done  bool // nobody will ask for it soon: it is forgotten when it is committed
}

func (c *cell) changed() bool {
	return (c.old == nil) != (c.value == nil) || !bytes.Equal(c.old, c.value)
}

// cost is what a cell takes in memory, roughly.
func (c *cell) cost() int {
	n := 2*len(c.key) + len(c.value) + 200
	if c.job != nil {
		n += 4*len(c.value) + 200
	}
	return n
}

// segment holds the cells below one first path element ("due/", "locks/"):
// a scan of the waiting queue has no use for the ledger's cells.
type segment struct {
	young, old  map[string]*cell // young are those of this turn
	dirty       []*cell          // by key, up to the last settle
	fresh       []*cell          // dirtied since, in no order
	rememberNil bool             // it is asked for what is not there, again and again
}

// overlay is what a transaction knows and wants, on top of committed state. It
// outlives the transaction: what one of them wrote is what the next one reads,
// the jobs that are due every second and the executions that end. So most reads
// of the log's work find their record here, and no table is asked. It is bounded:
// after so many bytes what was not touched for a turn is forgotten. What will hardly be
// read again, executions that have ended, is forgotten at once.
type overlay struct {
	segments map[string]*segment
	size     int // of the cells that came in this turn
	turn     int // bytes
}

// overlayTurn is how long a turn is; two turns' cells are there.
const overlayTurn = 32 << 20

func newOverlay() *overlay { return &overlay{segments: map[string]*segment{}, turn: overlayTurn} }

func segmentOf(key []byte) []byte {
	return key[:bytes.IndexByte(key, '/')+1]
}

func (o *overlay) segment(key []byte) *segment {
	name := segmentOf(key)
	s := o.segments[string(name)]
	if s == nil {
		s = &segment{young: map[string]*cell{}, rememberNil: string(name) == prefixLocks}
		o.segments[string(name)] = s
	}
	return s
}

// find answers what is known of a key, nil if nothing is.
func (o *overlay) find(s *segment, key []byte) *cell {
	if c := s.young[string(key)]; c != nil {
		return c
	}
	c := s.old[string(key)]
	if c != nil {
		delete(s.old, c.name)
		o.keep(s, c)
	}
	return c
}

// learn takes in what the tables say of a key.
func (o *overlay) learn(s *segment, key, value []byte) *cell {
	name := string(key)
	c := &cell{name: name, key: []byte(name), old: value, value: value}
	o.keep(s, c)
	return c
}

func (o *overlay) keep(s *segment, c *cell) {
	s.young[c.name] = c
	o.size += c.cost()
}

// end is the end of a transaction: what it wanted has become what is, or nothing of
// it has.
func (o *overlay) end(committed bool) {
	for _, s := range o.segments {
		for _, list := range [2][]*cell{s.dirty, s.fresh} {
			for _, c := range list {
				if committed {
					c.old = c.value
				} else {
					o.change(c, c.old, nil)
				}
				if done := c.done && committed; done || c.old == nil && !s.rememberNil {
					delete(s.young, c.name)
					o.size -= c.cost()
				}
				c.dirty, c.done = false, false
			}
			clear(list)
		}
		s.dirty, s.fresh = s.dirty[:0], s.fresh[:0]
	}
	if o.size > o.turn {
		o.size = 0
		for _, s := range o.segments {
			s.old, s.young = s.young, map[string]*cell{}
		}
	}
}

// change replaces what a transaction says of a cell, and keeps count.
func (o *overlay) change(c *cell, value []byte, job *Job) {
	o.size -= c.cost()
	c.value, c.job = value, job
	o.size += c.cost()
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
func (o *overlay) within(prefix, start []byte) []*cell {
	var all []*cell
	if name := segmentOf(prefix); len(name) > 0 {
		if s := o.segments[string(name)]; s != nil {
			all = s.settle()
		}
	} else { // the prefix spans segments: rare, so a full sort will do
		for _, s := range o.segments {
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
