package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/chronos-go/chronos"
)

// replace takes a member out for good and has a new one join in its place.
func (w *world) replace(r *rand.Rand, target string) bool {
	if len(w.members()) < 3 || !w.well(target) || !w.occupy(target) {
		return false
	}
	defer w.vacate(target)
	down := r.IntN(2) == 0
	w.log.say("", "", "NEMESIS %s is replaced (down before: %v)", target, down)
	if down {
		w.kill(target)
	}
	if !w.remove(r, target) {
		w.log.say("", "", "NEMESIS %s is not replaced after all", target)
		if down {
			w.start(target)
		}
		return false
	}
	if !down {
		w.sleep(w.some(r))
		w.kill(target)
	}
	w.mu.Lock()
	was := w.worker[target]
	w.mu.Unlock()
	w.join(was)
	return true
}

// remove asks for the removal of a member, until the answer is sure.
func (w *world) remove(r *rand.Rand, target string) bool {
	for unsure := false; unsure || !w.over(); time.Sleep(w.pro.Heartbeat) {
		all := w.up()
		all = slices.DeleteFunc(all, func(p *proc) bool { return p.name == target })
		if len(all) == 0 {
			continue
		}
		p := all[r.IntN(len(all))]
		c := &call{seq: w.tell("nemesis"), op: "remove", arg: target}
		w.do(p, c, 4*w.pro.Lease, func(ctx context.Context, s *chronos.Scheduler) (func(), error) {
			return nil, s.RemoveMember(ctx, target)
		})
		if c.err == nil || errors.Is(c.err, chronos.ErrNotFound) {
			w.mu.Lock()
			w.gone[target] = true
			w.names = slices.DeleteFunc(w.names, func(n string) bool { return n == target })
			delete(w.addrs, target)
			delete(w.alone, target)
			w.mu.Unlock()
			return true
		}
		unsure = unsure || c.unsure
	}
	return false
}

// addWorker lets a node join that does not vote. There is one at most.
func (w *world) addWorker(_ *rand.Rand, _ string) bool {
	w.mu.Lock()
	some := len(w.worker) > 0
	w.mu.Unlock()
	if some {
		return false
	}
	w.join(true)
	return true
}

func (w *world) join(worker bool) {
	w.mu.Lock()
	w.dirs++
	name := fmt.Sprintf("n%d", w.dirs)
	w.log.say("", "", "NEMESIS %s joins (worker: %v)", name, worker)
	if worker {
		w.worker[name] = true
	}
	w.names = append(w.names, name)
	w.addrs[name] = fmt.Sprintf("%s.%d", name, w.moves)
	w.homes[name] = w.newDir(name)
	w.mu.Unlock()
	w.start(name)
	w.await(name, 10*w.pro.Lease)
}
