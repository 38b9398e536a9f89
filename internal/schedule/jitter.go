package schedule

import (
	"math/bits"
	"time"
)

// Offset returns by how much the execution of the job at due is put off: a
// stable pseudo-random duration in [0, Jitter), such that due plus the offset
// stays before next (the zero Time if nothing follows). It depends on the job
// and due only, so that every node and every version of this package gives the
// same answer; the test freezes some.
func (s *Schedule) Offset(job string, due, next time.Time) time.Duration {
	limit := s.jitter(due)
	if !next.IsZero() {
		limit = min(limit, next.Sub(due))
	}
	if limit <= 0 {
		return 0
	}
	scaled, _ := bits.Mul64(hash(job, due.UnixNano()), uint64(limit))
	return time.Duration(scaled)
}

// jitter is that of the first rule that has one and is due then.
func (s *Schedule) jitter(due time.Time) time.Duration {
	if len(s.rules) == 1 {
		return s.rules[0].spec.Jitter
	}
	for i := range s.rules {
		if r := &s.rules[i]; r.spec.Jitter != 0 && r.next(due.UnixNano()-1) == due.UnixNano() {
			return r.spec.Jitter
		}
	}
	return 0
}

// hash is FNV-1a over the job and the instant, followed by the finalizer of
// MurmurHash3 because FNV alone leaves the high bits of short inputs alike.
func hash(job string, due int64) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(job) {
		h = (h ^ uint64(job[i])) * prime
	}
	for shift := 0; shift < 64; shift += 8 {
		h = (h ^ uint64(due)>>shift&0xff) * prime
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
