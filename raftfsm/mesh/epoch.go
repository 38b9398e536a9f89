package mesh

import (
	"strconv"
	"strings"
)

// Epoch says how often a cluster was recovered from the loss of its majority, and
// by which list of members: "2-5f0c93a1b2c4". A cluster that never was is at
// Unrecovered; "" is the epoch of a node that has no state yet, or does not know
// it yet, and goes with any.
//
// Members that were lost are at an earlier one for good. Their log and the
// cluster's have parted, so nothing may be taken from them nor given to them.
type Epoch string

// Unrecovered is the epoch in which a cluster begins.
const Unrecovered Epoch = "0"

// Relation is how another node's epoch stands to one's own.
type Relation int

// The relations.
const (
	Same  Relation = iota // or one of the two is ""
	Older                 // the other one was left behind
	Newer                 // one was left behind oneself
	Apart                 // both were recovered, each by another list
)

// Number is how often the cluster was recovered.
func (e Epoch) Number() uint64 {
	digits, _, _ := strings.Cut(string(e), "-")
	n, _ := strconv.ParseUint(digits, 10, 64) // what is no number is no recovery
	return n
}

// Compare tells how other stands to e.
func (e Epoch) Compare(other Epoch) Relation {
	switch {
	case e == "" || other == "" || e == other:
		return Same
	case other.Number() < e.Number():
		return Older
	case other.Number() > e.Number():
		return Newer
	}
	return Apart
}
