package dispatch

// recentMax is how many ended attempts are remembered: what a node may have run
// while the commits of its results were under way, with room to spare.
const recentMax = 16_384

// recent remembers the attempts that ended last, so that one that is assigned
// again before its result is committed (after a restored snapshot, say) does not
// run twice. It grows with use, up to recentMax.
type recent struct {
	keys map[key]struct{}
	ring []key
	next int // the oldest, once the ring is full
}

func (r *recent) has(k key) bool {
	_, ok := r.keys[k]
	return ok
}

func (r *recent) add(k key) {
	if r.has(k) {
		return
	}
	if r.keys == nil {
		r.keys = make(map[key]struct{})
	}
	r.keys[k] = struct{}{}
	if len(r.ring) < recentMax {
		r.ring = append(r.ring, k)
		return
	}
	delete(r.keys, r.ring[r.next])
	r.ring[r.next] = k
	r.next = (r.next + 1) % recentMax
}
