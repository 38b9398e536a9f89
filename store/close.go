package store

import "errors"

// Close ends the store and marks the stop as clean. It waits for open views,
// snapshots and the open transaction, if there is one; scans under way end
// early with ErrClosed. When the disk has
// no room for what Badger must still write, Close answers ErrDiskFull and can
// be called again; until then the store is closed to everybody else.
func (s *Store) Close() error {
	s.shutOut()
	s.exclusive.Lock()
	defer s.exclusive.Unlock()
	g := s.live()
	if g == nil {
		return nil
	}
	g.retire()
	s.wg.Wait()
	<-g.idle
	if err := s.roomToClose(g); err != nil {
		return err
	}
	err := s.lastFlush(g)
	if errors.Is(err, ErrDiskFull) {
		return err
	}
	if err == nil { // Badger has more to write out now
		if err := s.roomToClose(g); err != nil {
			return err
		}
	}
	err = errors.Join(err, s.shut(g))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gen = nil
	return err
}

// lastFlush writes what is pending, unless an earlier write failed.
func (s *Store) lastFlush(g *generation) error {
	if s.failure() == nil {
		return s.flush(g, last)
	}
	return nil
}

// shutOut lets nobody in any more and hurries those who are in.
func (s *Store) shutOut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, g := range s.badgers {
		g.aborted.Store(true)
	}
	s.stop()
}

func (s *Store) live() *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gen
}

// shut closes Badger and leaves CLEAN behind when all went well.
func (s *Store) shut(g *generation) error {
	err := s.stopGeneration(g)
	if err == nil && s.failure() == nil && g.dir != "" {
		if err := s.layout.writeClean(g.name); err != nil {
			s.log.Warn("store: this stop could not be marked as clean, the next start takes longer", "error", err)
		}
	}
	if s.lock != nil {
		s.lock.Unlock()
	}
	return err
}
