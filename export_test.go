package chronos

// StateOf is where a node's state stands, and its digest.
func StateOf(s *Scheduler) (index, digest uint64) {
	a := s.node.Store().Applied()
	return a.Index, a.Digest
}
