// Package moving is the code of docs/moving.md: the same work with another scheduler,
// and with Chronos. Its tests compile it, run what needs no database, and see to it that
// the page has the same text.
//
// It is a module of its own, which nobody imports: it needs all those schedulers.
package moving
