package store

import (
	"bytes"
	"errors"
	"runtime/debug"

	"github.com/dgraph-io/badger/v4"
)

// fetch reads and checks one value; nil when the key is absent. The slice is
// the caller's to keep.
func fetch(txn *badger.Txn, key []byte) (value []byte, err error) {
	defer trap(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, blameState(err)
	}
	value, err = item.ValueCopy(nil)
	if err != nil {
		return nil, blameState(err)
	}
	if _, err = unseal(key, value); err != nil {
		return nil, err
	}
	return value, nil
}

// cursor walks committed records and checks each one. Only the calls into
// Badger run under recover, never what the caller does between them.
type cursor struct {
	it      *badger.Iterator
	prefix  []byte
	reverse bool
	key     []byte // of the record under the cursor; valid until the next move
	value   []byte
	ok      bool
}

func newCursor(txn *badger.Txn, prefix []byte, reverse bool) (c *cursor, err error) {
	defer trap(&err)
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false
	o.Reverse = reverse
	if !reverse { // Badger's own prefix bound does not fit a seek from behind it
		o.Prefix = prefix
	}
	return &cursor{it: txn.NewIterator(o), prefix: prefix, reverse: reverse}, nil
}

func (c *cursor) close() { c.it.Close() }

// begin moves to the first record in the direction of the cursor, from start on.
func (c *cursor) begin(start []byte) error {
	if err := c.seek(start); err != nil {
		return err
	}
	if c.reverse && !c.ok && len(c.key) > 0 && bytes.Equal(c.key, start) {
		return c.next() // the seek may stop on the first key behind the prefix
	}
	return nil
}

func (c *cursor) seek(key []byte) (err error) {
	defer trap(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	c.it.Seek(key)
	return c.load()
}

func (c *cursor) next() (err error) {
	defer trap(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	c.it.Next()
	return c.load()
}

func (c *cursor) load() error {
	c.ok = c.it.Valid()
	if !c.ok {
		return nil
	}
	item := c.it.Item()
	c.key = item.Key()
	if !bytes.HasPrefix(c.key, c.prefix) {
		c.ok = false
		return nil
	}
	var err error
	if c.value, err = item.ValueCopy(c.value); err != nil {
		return blameState(err)
	}
	_, err = unseal(c.key, c.value)
	return err
}

// behind is the smallest key that sorts after all keys with this prefix; nil
// when there is none.
func behind(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] != 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
