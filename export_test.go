package chronos

import "github.com/chronos-go/chronos/store"

// StateOf is where a node's state stands, and its digest.
func StateOf(s *Scheduler) (index, digest uint64) {
	a := s.node.Store().Applied()
	return a.Index, a.Digest
}

// Corrupt changes a scheduler's state beside the log, so that its own checks find
// nothing wrong with it. Nothing may be applied meanwhile.
func Corrupt(s *Scheduler) error {
	tx := s.node.Store().Begin()
	defer tx.Discard()
	if err := tx.PutHeld("ghost", &store.Held{Node: "nobody", Token: 1}); err != nil {
		return err
	}
	return tx.Commit()
}
