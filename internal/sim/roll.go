package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// roll restarts all nodes in order, one by one, each when the one before is back,
// the leader last: what an upgrade does.
func (w *world) roll(r *rand.Rand, _ string) bool {
	names, last := w.members(), w.leader()
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	slices.SortStableFunc(names, func(a, b string) int { return boolCompare(a == last, b == last) })
	w.log.say("", "", "NEMESIS %v are restarted one by one", names)
	for _, n := range names {
		if !w.occupy(n) {
			return false
		}
		w.shut(n)
		w.start(n)
		w.vacate(n)
		if !w.await(n, 10*w.pro.Lease) {
			return false
		}
	}
	return true
}

// bereave has all nodes but the leader, and of five but one more, lost for ever at
// one moment, with their disks. The survivors go on by a peers file, as the
// documentation has it, and the others come back with empty ones. The leader has
// everything that was acknowledged, so nothing may be lost.
func (w *world) bereave(r *rand.Rand, _ string) bool {
	names := w.members()
	if len(names) < 3 || !w.occupyAll(names) {
		return false
	}
	defer func() {
		for _, n := range names {
			w.vacate(n)
		}
	}()
	lost, survivors, dead := w.loseMajority(r, names)
	if lost == nil {
		return false
	}
	w.log.say("", "", "NEMESIS %v are lost for ever; %v are recovered", lost, survivors)
	w.sleep(w.some(r))
	for _, n := range survivors {
		w.kill(n)
	}
	w.writePeers(survivors)
	for _, n := range survivors {
		w.start(n)
	}
	for _, n := range survivors {
		w.awaitAnyway(func() bool { return w.isUp(n) })
	}
	w.mu.Lock()
	for _, n := range lost {
		w.homes[n], w.gone[n] = w.newDir(n), true
	}
	w.mu.Unlock()
	for _, home := range dead {
		_ = os.RemoveAll(home)
	}
	for _, n := range lost {
		w.start(n)
	}
	w.awaitAnyway(func() bool { return w.voting(names) })
	return true
}

// loseMajority kills all but the survivors at one moment of rest, if the cluster is
// well then: nobody is cut off or down, and all say the same of who leads.
func (w *world) loseMajority(r *rand.Rand, names []string) (lost, survivors, dead []string) {
	w.rest(func() {
		leader := w.agreed(names)
		if leader == "" {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		survivors = []string{leader}
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, n := range names {
			switch {
			case n == leader:
			case len(survivors) < (len(names)-1)/2 && !w.worker[n]:
				survivors = append(survivors, n)
			default:
				lost = append(lost, n)
			}
		}
		for _, n := range lost {
			dead = append(dead, w.endNow(n))
		}
	})
	return lost, survivors, dead
}

// agreed is the leader, "" if not all nodes are up, within reach of each other, and
// of one mind.
func (w *world) agreed(names []string) string {
	up := w.up()
	w.mu.Lock()
	cut := len(w.cuts)
	w.mu.Unlock()
	if len(up) < len(names) || cut > 0 {
		return ""
	}
	leader := w.leader()
	for _, p := range up {
		if s := p.s.Status(); s.Leader != leader || s.Err != nil || s.Leading != (p.name == leader) {
			return ""
		}
	}
	return leader
}

func (w *world) occupyAll(names []string) bool {
	for i, n := range names {
		if !w.occupy(n) {
			for _, other := range names[:i] {
				w.vacate(other)
			}
			return false
		}
	}
	return true
}

func (w *world) writePeers(survivors []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var entries []string
	for _, n := range survivors {
		entries = append(entries, fmt.Sprintf(`{"node": %q, "addr": %q, "worker": %v}`, n, w.addrs[n], w.worker[n]))
	}
	for _, n := range survivors {
		if err := os.WriteFile(filepath.Join(w.homes[n], "peers.json"), []byte("["+strings.Join(entries, ",")+"]"), 0o600); err != nil {
			panic(err)
		}
	}
}

func (w *world) isUp(name string) bool {
	return slices.ContainsFunc(w.up(), func(p *proc) bool { return p.name == name })
}

// voting tells if all members are back, and have their votes.
func (w *world) voting(names []string) bool {
	leader := w.agreed(names)
	for _, p := range w.up() {
		if p.name != leader {
			continue
		}
		for _, m := range p.s.Status().Members {
			if !m.Voter && !w.works(m.Node) && !m.Removed {
				return false
			}
		}
		return true
	}
	return false
}

// works tells if a node is a worker, without a vote.
func (w *world) works(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.worker[name]
}

// awaitAnyway waits for something that has to come, also when the time is over: the
// cluster must not be left in the middle of it. What does not come is noted when
// everything is mended.
func (w *world) awaitAnyway(done func() bool) {
	for begun := time.Now(); !done() && time.Since(begun) < 20*w.pro.Lease; {
		time.Sleep(w.pro.Heartbeat)
	}
}
