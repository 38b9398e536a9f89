//go:build !linux

package store

import "os"

// allocate does nothing here. On Windows a file's length is allocated when it
// is set; elsewhere the guard's floor has to cover Badger's sparse files.
func allocate(string, int64) error { return nil }

func extend(*os.File, int64) bool { return false }
