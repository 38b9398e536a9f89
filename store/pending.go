package store

import (
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// The Raft log is what makes a commit durable; this store is a view of it. So a
// commit does not wait for Badger: it becomes a layer in memory, above Badger's
// tables, which everybody reads from then on. Layers are written to Badger in the
// order in which they came, many at once, in one step with the applied
// index: what came and went in between is never written at all. After a crash the
// state is older by what was pending, and the log has it.

// How much waits before it is written: what 10,000 executions a second change in about
// three seconds. With twice as much a commit waits for that; as much may be on its way.
const (
	pendingCells = 1 << 17
	pendingBytes = 16 << 20
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

// add lays a commit over what is pending. It tells if there is enough to be written.
func (p *pending) add(l *layer) (enough bool) {
	p.push(l)
	for p.join() {
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.enough()
}

func (p *pending) push(l *layer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.fresh); n > 0 && len(l.changes) == 0 { // only the index has moved
		top := *p.fresh[n-1]
		top.applied = l.applied
		p.fresh[n-1] = &top
		return
	}
	p.fresh = append(p.fresh, l)
	p.cells += len(l.changes)
	p.bytes += l.bytes
}

// join makes one layer of the two newest, so that there are few: each is at least twice
// as large as the one above it. Who reads does not wait meanwhile. False if there is
// nothing to be joined.
func (p *pending) join() bool {
	below, above := p.newest()
	if below == nil || len(below.changes) >= 2*len(above.changes) {
		return false
	}
	both := above.over(below)
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.fresh)
	if n < 2 || p.fresh[n-2] != below || p.fresh[n-1] != above { // they are on their way to Badger
		return false
	}
	p.cells += len(both.changes) - len(below.changes) - len(above.changes)
	p.bytes += both.bytes - below.bytes - above.bytes
	p.fresh = append(p.fresh[:n-2], both)
	return true
}

func (p *pending) newest() (below, above *layer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.fresh); n >= 2 {
		return p.fresh[n-2], p.fresh[n-1]
	}
	return nil, nil
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

// room bounds what a flush takes on the disk: REDO, where it needs that, and the log of
// Badger's memtable.
func (p *pending) room() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	cells, bytes := p.cells, p.bytes
	for _, l := range p.frozen {
		cells, bytes = cells+len(l.changes), bytes+l.bytes
	}
	if cells >= MaxCells || bytes >= MaxBytes {
		return 2 * bytes
	}
	return bytes
}

// freeze takes what is pending out of what add joins; nothing, if there is nothing. What
// was frozen before, and of which nobody has said that it is written, stays first: then
// it is not all.
func (p *pending) freeze() (layers []*layer, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.frozen) > 0 {
		return p.frozen, len(p.fresh) == 0
	}
	p.frozen, p.fresh, p.cells, p.bytes = p.fresh, nil, 0, 0
	return p.frozen, true
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
