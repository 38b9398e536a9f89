package store

import (
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// The Raft log is what makes a commit durable; this store is a view of it. So a
// commit does not wait for Badger: it becomes a layer in memory, above Badger's
// tables, which everybody reads from then on. Layers are written to Badger in the
// order in which they came, many at once, in one transaction with the applied
// index: what came and went in between is never written at all. After a crash the
// state is older by what was pending, and the log has it.

// How much waits before it is written: half of what a transaction of Badger takes. With
// twice as much a commit waits for that.
const (
	pendingCells = MaxCells / 2
	pendingBytes = MaxBytes / 2
)

// joinCells and joinBytes bound a layer that is made of two.
const (
	joinCells = pendingCells / 4
	joinBytes = pendingBytes / 4
)

// base is Badger's state as of the newest flush, shared by those who read.
type base struct {
	txn     *badger.Txn
	applied *Applied
	users   int // guarded by pending.mu
}

// pending is what lies over Badger's tables in a generation.
type pending struct {
	db *badger.DB

	mu     sync.Mutex
	base   *base    // nil until somebody reads
	frozen []*layer // on their way to Badger, oldest first
	fresh  []*layer // after those
	cells  int      // in fresh
	bytes  int
}

// view is one state of the store, whatever is committed or written meanwhile.
type view struct {
	from    *pending
	base    *base
	layers  []*layer // newest first
	applied *Applied
}

// view pins the newest state until it is released.
func (p *pending) view() (*view, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.base == nil {
		b, err := openBase(p.db)
		if err != nil {
			return nil, err
		}
		p.base = b
	}
	p.base.users++
	v := &view{from: p, base: p.base, applied: p.base.applied}
	for _, list := range [2][]*layer{p.fresh, p.frozen} {
		for i := len(list) - 1; i >= 0; i-- {
			v.layers = append(v.layers, list[i])
		}
	}
	if len(v.layers) > 0 {
		v.applied = v.layers[0].applied
	}
	return v, nil
}

func openBase(db *badger.DB) (*base, error) {
	b := &base{txn: db.NewTransaction(false), users: 1}
	var err error
	if b.applied, err = readApplied(b.txn); err != nil {
		b.txn.Discard()
		return nil, err
	}
	return b, nil
}

func (v *view) release() {
	v.from.mu.Lock()
	defer v.from.mu.Unlock()
	v.base.leave()
}

func (b *base) leave() {
	if b.users--; b.users == 0 {
		b.txn.Discard()
	}
}

// get answers the value of a key, nil when it is absent.
func (v *view) get(key []byte) ([]byte, error) {
	for _, l := range v.layers {
		if c := l.find(key); c != nil {
			return c.value, nil
		}
	}
	return fetch(v.base.txn, key)
}

// add lays a commit over what is pending. Small layers are joined so that there are
// few: each is at least twice as large as the one above it. It tells if there is
// enough to be written.
func (p *pending) add(l *layer) (enough bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.fresh); n > 0 && len(l.changes) == 0 { // only the index has moved
		top := *p.fresh[n-1]
		top.applied = l.applied
		p.fresh[n-1] = &top
		return p.enough()
	}
	p.cells += len(l.changes)
	p.bytes += l.bytes
	for n := len(p.fresh); n > 0; n-- {
		below := p.fresh[n-1]
		if len(below.changes) >= 2*len(l.changes) || len(below.changes)+len(l.changes) > joinCells || below.bytes+l.bytes > joinBytes {
			break
		}
		p.cells -= len(below.changes) + len(l.changes)
		p.bytes -= below.bytes + l.bytes
		l = l.over(below)
		p.cells += len(l.changes)
		p.bytes += l.bytes
		p.fresh = p.fresh[:n-1]
	}
	p.fresh = append(p.fresh, l)
	return p.enough()
}

func (p *pending) enough() bool { return p.cells >= pendingCells || p.bytes >= pendingBytes }

// crowded tells if a commit has to wait for a flush.
func (p *pending) crowded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cells >= 2*pendingCells || p.bytes >= 2*pendingBytes
}

// size bounds what a flush would write.
func (p *pending) size() (bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.frozen {
		bytes += l.bytes
	}
	return bytes + p.bytes
}

// freeze takes the oldest layers, as many as one transaction of Badger holds and
// at least one, out of what add joins. Nil if there are none. Those of which nobody has
// said that they are written stay first.
func (p *pending) freeze() []*layer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.frozen) > 0 {
		return p.frozen
	}
	n, cells, bytes := 0, 0, 0
	for n < len(p.fresh) {
		l := p.fresh[n]
		if n > 0 && (cells+len(l.changes) >= MaxCells || bytes+l.bytes >= MaxBytes) {
			break
		}
		cells, bytes, n = cells+len(l.changes), bytes+l.bytes, n+1
	}
	p.frozen = p.fresh[:n:n]
	p.fresh = append([]*layer(nil), p.fresh[n:]...)
	p.cells -= cells
	p.bytes -= bytes
	return p.frozen
}

// written lets everybody read from Badger what was frozen.
func (p *pending) written(b *base) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.base != nil {
		p.base.leave()
	}
	p.base, p.frozen = b, nil
}

// close forgets everything; nobody may read any more.
func (p *pending) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.base != nil {
		p.base.leave()
	}
	p.base, p.frozen, p.fresh, p.cells, p.bytes = nil, nil, nil, 0, 0
}
