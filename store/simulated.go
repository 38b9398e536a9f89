package store

import (
	"reflect"

	"github.com/dgraph-io/badger/v4"
)

// rest takes Badger's pool of allocators from it, and ends the goroutine that looks
// after the pool every two seconds: two thirds of what a simulated year costs.
// Without a pool each table is built with an allocator of its own. Badger offers no
// option for it, and takes a nil pool for none. Only a database in memory can do
// without from the beginning: one that was read from files is writing tables by now.
// Where the field has another name one day, time is slower, and a test says so.
func rest(db *badger.DB) bool {
	f := reflect.ValueOf(db).Elem().FieldByName("allocPool")
	if !f.IsValid() || f.Kind() != reflect.Pointer || f.IsNil() {
		return false
	}
	pool := reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
	release := pool.MethodByName("Release")
	if !release.IsValid() {
		return false
	}
	release.Call(nil)
	pool.SetZero()
	return true
}
