package store

import (
	"bytes"
	"sort"
)

// delta is what a commit did to one record.
type delta struct {
	key   []byte
	value []byte // nil: it is gone
	had   bool   // it was there before
}

// layer is what some commits in a row did, each record once, in key order. Layers
// lie over Badger's tables until they are written there; they never change.
type layer struct {
	changes []delta
	bytes   int      // of keys and values, with what Badger adds
	applied *Applied // where the newest of the commits has left the state
}

func newLayer(changes []delta, applied *Applied) *layer {
	l := &layer{changes: changes, applied: applied}
	for _, c := range changes {
		l.bytes += len(c.key) + len(c.value) + cellCost
	}
	return l
}

// floor is the first change that is not below key.
func (l *layer) floor(key []byte) int {
	return sort.Search(len(l.changes), func(i int) bool { return bytes.Compare(l.changes[i].key, key) >= 0 })
}

// find answers what the layer says of a key, nil if nothing.
func (l *layer) find(key []byte) *delta {
	if i := l.floor(key); i < len(l.changes) && bytes.Equal(l.changes[i].key, key) {
		return &l.changes[i]
	}
	return nil
}

// over lays a newer layer over an older one.
func (l *layer) over(older *layer) *layer {
	a, b := older.changes, l.changes
	out := make([]delta, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch order := bytes.Compare(a[0].key, b[0].key); {
		case order < 0:
			out, a = append(out, a[0]), a[1:]
		case order > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			if a[0].had || b[0].value != nil { // else it came and went
				out = append(out, delta{key: a[0].key, value: b[0].value, had: a[0].had})
			}
			a, b = a[1:], b[1:]
		}
	}
	out = append(append(out, a...), b...)
	return newLayer(out, l.applied)
}

// flatten makes one layer of many, oldest first.
func flatten(layers []*layer) *layer {
	if len(layers) == 1 {
		return layers[0]
	}
	half := len(layers) / 2
	return flatten(layers[half:]).over(flatten(layers[:half]))
}
