package sim

import (
	"maps"
	"slices"
	"time"
)

// What the nemesis does to the network, and since when whom it has cut off.

// cut stops what goes from one address to another.
func (w *world) cut(from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts[[2]string{from, to}] = true
	w.net.Cut(from, to)
	w.lonely()
}

func (w *world) mend(from, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.cuts, [2]string{from, to})
	w.net.Mend(from, to)
	w.lonely()
}

// heal mends everything.
func (w *world) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.addrs {
		for _, b := range w.addrs {
			w.net.Delay(a, b, 0)
			w.net.Mend(a, b)
		}
	}
	clear(w.cuts)
	w.lonely()
}

// lonely finds out who is cut off: who can ask nobody and be answered. The lock is
// held.
func (w *world) lonely() {
	for name, addr := range w.addrs {
		off := len(w.addrs) > 1
		for _, other := range slices.Sorted(maps.Values(w.addrs)) {
			if other != addr && !w.cuts[[2]string{addr, other}] && !w.cuts[[2]string{other, addr}] {
				off = false
			}
		}
		switch was := w.alone[name]; {
		case off && was == 0:
			w.alone[name] = now()
			w.watch(name, w.alone[name])
		case !off:
			delete(w.alone, name)
		}
	}
}

// watch looks, when a node has been cut off for what its lease is worth to it,
// whether it has given up everything.
func (w *world) watch(name string, at int64) {
	p := w.procs[name]
	if p == nil {
		return
	}
	patience := w.pro.Lease*7/10 + w.pro.Lease/40 + time.Millisecond
	time.AfterFunc(patience, func() {
		w.mu.Lock()
		same := w.alone[name] == at && w.procs[name] == p
		w.mu.Unlock()
		if !same {
			return
		}
		for _, a := range w.log.liveOn(p) {
			w.log.fault("fence", a.job, now(), "cut off since %s, and still runs %s", clock(at), a)
		}
		w.log.count("self-fencings checked", 1)
	})
}

// strayed tells since when a process is cut off for so long that it must begin
// nothing any more, 0 if it may.
func (w *world) strayed(p *proc) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.alone[p.name]
	if at == 0 || w.procs[p.name] != p || now()-at <= int64(w.pro.Lease*7/10) {
		return 0
	}
	return at
}
