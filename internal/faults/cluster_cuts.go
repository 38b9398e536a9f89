package faults

// How a network can be cut: the text of a "cut" in the journal, which also names
// the node that is alone.
const (
	cutAll = "all" // nobody has a majority
)
