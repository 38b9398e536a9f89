// Package bench compares Chronos with its peers, in one run each. It is a module
// of its own, so that no host pays for the peers. The benchmarks here are of what
// the libraries compute; bench/peers measures whole schedulers.
//
//	go test -bench . -benchmem
//	go run ./peers
package bench
