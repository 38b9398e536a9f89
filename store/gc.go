package store

import (
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// collectEvery is how often the value log is looked at. Values are inline, so there is nothing
// to rewrite; the collector stands guard over that.
const collectEvery = 5 * time.Minute

// scrubEvery is how often everything is read and compared with its digest:
// half a second of one core for a million records, once a day.
const scrubEvery = 24 * time.Hour

func (s *Store) startCollector() {
	if s.opts.InMemory {
		return
	}
	s.wg.Go(func() {
		t := time.NewTicker(collectEvery)
		defer t.Stop()
		day := time.NewTicker(scrubEvery)
		defer day.Stop()
		for {
			select {
			case <-s.ctx.Done():
				return
			case <-t.C:
				s.collect()
			case <-day.C:
				s.scrub()
			}
		}
	})
}

// collect rewrites value-log files until there is nothing left to rewrite.
func (s *Store) collect() {
	g, err := s.pin()
	if err != nil {
		return
	}
	defer g.leave()
	for s.ctx.Err() == nil && s.checkRoom(g) == nil {
		err := g.db.RunValueLogGC(0.5)
		if err == nil {
			continue
		}
		if !errors.Is(err, badger.ErrNoRewrite) && !errors.Is(err, badger.ErrRejected) {
			s.log.Warn("store: value log collection", "error", err)
		}
		return
	}
}
