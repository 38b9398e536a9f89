package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"
)

// fault is something that the nemesis can do. It returns when it is over.
type fault struct {
	name   string
	weight int
	many   bool // needs companions
	do     func(w *world, r *rand.Rand, target string) bool
}

var faults = []fault{
	{"cut off", 10, true, (*world).cutOff},
	{"cut off one way", 8, true, (*world).cutOneWay},
	{"cut a link", 6, true, (*world).cutLink},
	{"split", 4, true, (*world).split},
	{"delay", 8, true, (*world).slowLinks},
	{"connections lost", 6, true, (*world).lose},
	{"kill", 12, false, (*world).crash},
	{"restart", 6, false, (*world).restart},
	{"leader stopped", 6, true, (*world).retire},
	{"leader killed", 6, true, (*world).behead},
	{"all killed", 3, false, (*world).crashAll},
	{"all killed and moved", 2, true, (*world).crashAndMove},
	{"slow disk", 6, false, (*world).slowDisk},
	{"hung disk", 2, true, (*world).hungDisk},
	{"failing disk", 4, false, (*world).failingDisk},
	{"full disk", 4, false, (*world).fullDisk},
	{"lost disk", 3, true, (*world).lostDisk},
	{"member replaced", 3, true, (*world).replace},
	{"rolling restart", 3, false, (*world).roll},
	{"majority lost", 2, true, (*world).bereave},
	{"worker added", 2, true, (*world).addWorker},
}

// chosen are the faults that this simulation has.
func (w *world) chosen() (out []fault) {
	for _, f := range faults {
		if w.only == "" || slices.Contains(strings.Split(w.only, ","), f.name) {
			out = append(out, f)
		}
	}
	return out
}

// nemesis does one thing after the other, sometimes two at once, until the
// simulation's time is over.
func (w *world) nemesis() {
	r := random(w.seed, "nemesis")
	slots := make(chan struct{}, 2)
	faults, total := w.chosen(), 0
	for _, f := range faults {
		total += f.weight
	}
	for w.sleep(between(r, w.pro.Fault/4, w.pro.Fault*7/4)) {
		f, n := faults[0], r.IntN(total)
		for _, f = range faults {
			if n -= f.weight; n < 0 {
				break
			}
		}
		members := w.members()
		target, mine := members[r.IntN(len(members))], rand.New(rand.NewPCG(r.Uint64(), 0))
		if f.many && len(members) < 2 {
			continue
		}
		slots <- struct{}{}
		w.working.Go(func() {
			defer func() { <-slots }()
			if f.do(w, mine, target) {
				w.log.count("fault: "+f.name, 1)
			}
		})
	}
}

// some is how long a fault lasts: shorter or longer than the lease.
func (w *world) some(r *rand.Rand) time.Duration {
	return between(r, w.pro.Heartbeat, w.pro.Lease/2+time.Duration(r.IntN(3))*w.pro.Lease)
}

func (w *world) others(name string) (out []string) {
	for _, n := range w.members() {
		if n != name {
			out = append(out, n)
		}
	}
	return out
}

func (w *world) addr(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.addrs[name]
}

type link struct{ from, to string }

// during cuts links, and mends them after a while.
func (w *world) during(links []link, d time.Duration, format string, args ...any) bool {
	w.log.say("", "", "NEMESIS %s for %v", fmt.Sprintf(format, args...), d.Round(time.Millisecond))
	for _, l := range links {
		w.cut(l.from, l.to)
	}
	w.sleep(d)
	for _, l := range links {
		w.mend(l.from, l.to)
	}
	w.log.say("", "", "NEMESIS mends %s", fmt.Sprintf(format, args...))
	return true
}

// cutOff separates a node from all others. Longer than a lease it is also as near
// as a simulation comes to a frozen process, which runs on meanwhile.
func (w *world) cutOff(r *rand.Rand, target string) bool {
	if r.IntN(2) == 0 {
		if l := w.leader(); l != "" {
			target = l
		}
	}
	var links []link
	at := w.addr(target)
	for _, o := range w.others(target) {
		links = append(links, link{at, w.addr(o)}, link{w.addr(o), at})
	}
	return w.during(links, w.some(r), "%s is cut off", target)
}

func (w *world) cutOneWay(r *rand.Rand, target string) bool {
	if r.IntN(2) == 0 {
		if l := w.leader(); l != "" {
			target = l
		}
	}
	var links []link
	at, out := w.addr(target), r.IntN(2) == 0
	for _, o := range w.others(target) {
		if out {
			links = append(links, link{at, w.addr(o)})
		} else {
			links = append(links, link{w.addr(o), at})
		}
	}
	return w.during(links, w.some(r), "%s is cut off one way (out: %v)", target, out)
}

func (w *world) cutLink(r *rand.Rand, target string) bool {
	others := w.others(target)
	o := others[r.IntN(len(others))]
	links := []link{{w.addr(target), w.addr(o)}}
	if r.IntN(2) == 0 {
		links = append(links, link{w.addr(o), w.addr(target)})
	}
	return w.during(links, w.some(r), "link of %s and %s, %d ways", target, o, len(links))
}

// split cuts the cluster in two.
func (w *world) split(r *rand.Rand, _ string) bool {
	names := w.members()
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	at := 1 + r.IntN(len(names)-1)
	var links []link
	for _, a := range names[:at] {
		for _, b := range names[at:] {
			links = append(links, link{w.addr(a), w.addr(b)}, link{w.addr(b), w.addr(a)})
		}
	}
	return w.during(links, w.some(r), "%v and %v are split", names[:at], names[at:])
}

// slowLinks delays all of a node's links, up to what an election waits for.
func (w *world) slowLinks(r *rand.Rand, target string) bool {
	d, most := w.some(r), between(r, time.Millisecond, w.pro.Heartbeat/2)
	w.log.say("", "", "NEMESIS links of %s are delayed by up to %v for %v", target, most, d)
	var links []link
	for _, o := range w.others(target) {
		links = append(links, link{w.addr(target), w.addr(o)}, link{w.addr(o), w.addr(target)})
	}
	for _, l := range links {
		w.net.Delay(l.from, l.to, between(r, 0, most))
	}
	w.sleep(d)
	for _, l := range links {
		w.net.Delay(l.from, l.to, 0)
	}
	return true
}

// lose breaks connections, a few times.
func (w *world) lose(r *rand.Rand, target string) bool {
	w.log.say("", "", "NEMESIS connections of %s are lost", target)
	for range 1 + r.IntN(5) {
		for _, o := range w.others(target) {
			w.net.Break(w.addr(target), w.addr(o))
		}
		if !w.sleep(between(r, 0, w.pro.Heartbeat)) {
			break
		}
	}
	return true
}

// down keeps a node away for a while.
func (w *world) down(r *rand.Rand, name string, end func(string)) bool {
	if !w.occupy(name) {
		return false
	}
	defer w.vacate(name)
	end(name)
	d := time.Duration(0)
	if r.IntN(3) > 0 {
		d = w.some(r)
	}
	w.sleep(d)
	w.start(name)
	return true
}

func (w *world) crash(r *rand.Rand, target string) bool   { return w.down(r, target, w.kill) }
func (w *world) restart(r *rand.Rand, target string) bool { return w.down(r, target, w.shut) }

func (w *world) retire(r *rand.Rand, _ string) bool {
	l := w.leader()
	return l != "" && w.down(r, l, w.shut)
}

func (w *world) behead(r *rand.Rand, _ string) bool {
	l := w.leader()
	return l != "" && w.down(r, l, w.kill)
}

// crashAll kills every process.
func (w *world) crashAll(r *rand.Rand, _ string) bool { return w.outage(r, false) }

// crashAndMove has them come back under other addresses.
func (w *world) crashAndMove(r *rand.Rand, _ string) bool { return w.outage(r, true) }

func (w *world) outage(r *rand.Rand, moved bool) bool {
	var mine []string
	for _, n := range w.members() {
		if w.occupy(n) {
			mine = append(mine, n)
			defer w.vacate(n)
		}
	}
	if moved && len(mine) < len(w.members()) {
		return false
	}
	w.log.say("", "", "NEMESIS all of %v are killed", mine)
	r.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
	for _, n := range mine {
		w.kill(n)
	}
	w.sleep(w.some(r))
	if moved {
		w.heal()
		w.mu.Lock()
		w.move()
		w.lonely()
		w.mu.Unlock()
	}
	for _, n := range mine {
		w.start(n)
	}
	return true
}

func (w *world) diskOf(name string) *disk {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.procs[name]; p != nil && p.up {
		return p.disk
	}
	return nil
}

// slowDisk lets each write to the log take up to a heartbeat or two.
func (w *world) slowDisk(r *rand.Rand, target string) bool {
	d := w.diskOf(target)
	if d == nil {
		return false
	}
	most := between(r, time.Millisecond, w.pro.Heartbeat*2)
	w.log.say("", "", "NEMESIS the disk of %s is slow, up to %v", target, most)
	seed := r.Uint64()
	mine := rand.New(rand.NewPCG(seed, 1))
	d.set(plenty, func() error {
		d.mu.Lock()
		wait := between(mine, 0, most)
		d.mu.Unlock()
		time.Sleep(wait)
		return nil
	})
	w.sleep(w.some(r))
	if r.IntN(3) == 0 { // it ends by a kill, perhaps within a write
		return w.down(r, target, w.kill)
	}
	d.set(plenty, nil)
	return true
}

// hungDisk does not answer at all for a while.
func (w *world) hungDisk(r *rand.Rand, target string) bool {
	d := w.diskOf(target)
	if d == nil {
		return false
	}
	w.log.say("", "", "NEMESIS the disk of %s hangs", target)
	back := make(chan struct{})
	d.set(plenty, func() error { <-back; return nil })
	w.sleep(between(r, w.pro.Heartbeat*5, w.pro.Heartbeat*15))
	d.set(plenty, nil)
	close(back)
	return true
}

// failingDisk has one write to the log fail. The node stops itself, and is started
// again after a while.
func (w *world) failingDisk(r *rand.Rand, target string) bool {
	d := w.diskOf(target)
	if d == nil || !w.occupy(target) {
		return false
	}
	w.log.say("", "", "NEMESIS the disk of %s fails", target)
	d.set(plenty, func() error { return syscall.EIO })
	w.sleep(w.some(r))
	w.vacate(target)
	return w.down(r, target, w.kill)
}

func (w *world) fullDisk(r *rand.Rand, target string) bool {
	d := w.diskOf(target)
	if d == nil {
		return false
	}
	w.log.say("", "", "NEMESIS the disk of %s is full", target)
	d.set(1<<20, nil)
	w.sleep(w.some(r))
	d.set(plenty, nil)
	return true
}

// lostDisk starts a node under its old name in an empty directory. Only one at a
// time, and only while the others are well: it loses what only it had.
func (w *world) lostDisk(r *rand.Rand, target string) bool {
	if len(w.members()) < 3 || !w.well(target) || !w.occupy(target) {
		return false
	}
	defer w.vacate(target)
	w.log.say("", "", "NEMESIS the disk of %s is lost", target)
	w.kill(target)
	w.sleep(w.some(r))
	w.mu.Lock()
	w.gone[target] = true
	w.homes[target] = w.newDir(target)
	w.mu.Unlock()
	w.start(target)
	w.await(target, 10*w.pro.Lease)
	return true
}

// well tells if all members but one are up, with nothing cut: the one is not
// needed.
func (w *world) well(but string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.names {
		if p := w.procs[n]; n != but && (p == nil || !p.up || w.busy[n]) {
			return false
		}
	}
	return len(w.cuts) == 0
}

func (w *world) await(name string, most time.Duration) bool {
	for begun := time.Now(); time.Since(begun) < most; {
		if slices.ContainsFunc(w.up(), func(p *proc) bool { return p.name == name }) {
			return true
		}
		if !w.sleep(w.pro.Heartbeat) {
			return false
		}
	}
	return false
}
