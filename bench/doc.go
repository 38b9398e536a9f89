// Package bench compares Chronos with its peers, in one run each. It is a module
// of its own, so that no host pays for the peers.
//
//	go test -bench . -benchmem
package bench
