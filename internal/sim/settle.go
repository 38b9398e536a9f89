package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// live runs the simulation: it works until its time is over, and then mends
// everything and waits until nothing is left to do.
func (w *world) live() *dumps {
	w.born = now()
	for _, n := range w.names {
		w.start(n)
	}
	w.work()
	w.working.Go(w.nemesis)
	w.working.Go(w.far)
	if w.lies > 0 {
		w.working.Go(w.remember)
	}
	time.Sleep(w.pro.Length)
	close(w.ended)
	w.working.Wait()
	w.log.say("", "", "the simulation's time is over; everything is mended")
	w.heal()
	d := w.settle()
	w.closeAll()
	w.running.Wait()
	return d
}

// far notes how far the simulation is.
func (w *world) far() {
	begun := time.Now()
	for w.sleep(w.pro.Length / 1000) {
		w.progress.Store(int64(time.Since(begun)))
	}
}

// remember keeps earlier states of the directories, for the control in which a
// disk lies.
func (w *world) remember() {
	for w.sleep(w.lies) {
		w.rest(func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			for n, p := range w.procs {
				if p == nil || !p.up {
					continue
				}
				dir := w.newDir(n)
				if err := copyTree(p.dir, dir); err != nil {
					panic(err)
				}
				w.old[n] = dir
			}
		})
	}
}

// settle brings everybody up and waits until nothing is unfinished. It answers with
// what each node says then, nil if it does not come to that.
func (w *world) settle() *dumps {
	if !w.allUp() {
		return nil
	}
	time.Sleep(2*w.pro.Lease + 5*time.Second)
	if !w.pauseAll() || !w.finished() {
		return nil
	}
	time.Sleep(2*w.pro.Commit + w.pro.Heartbeat)
	return w.dumpAll()
}

// allUp starts again who is not there, or has stopped itself.
func (w *world) allUp() bool {
	for _, n := range w.members() {
		w.mu.Lock()
		p := w.procs[n]
		w.mu.Unlock()
		if p != nil {
			p.disk.set(plenty, nil)
		}
		if p != nil && p.up && p.s.Status().Err != nil {
			w.log.say(p.String(), "", "had stopped: %v", p.s.Status().Err)
			w.kill(n)
			p = nil
		}
		if p == nil {
			w.start(n)
		}
	}
	for begun := time.Now(); len(w.up()) < len(w.members()); time.Sleep(w.pro.Heartbeat) {
		if time.Since(begun) > 30*w.pro.Lease+5*time.Minute {
			w.log.fault("stuck", "", now(), "not all nodes come up: %d of %v", len(w.up()), w.members())
			return false
		}
	}
	return true
}

// settler is the actor of the pause that ends everything.
const settler = "settler"

func (w *world) pauseAll() bool {
	ctx := chronos.WithActor(context.Background(), settler)
	var err error
	for begun := time.Now(); time.Since(begun) < 20*w.pro.Lease+time.Minute; time.Sleep(w.pro.Heartbeat) {
		s := w.up()[0].s
		if err = s.Sync(ctx); err != nil {
			continue
		}
		if w.pausedAt == 0 { // what is answered with an error may have been done
			w.pausedAt = now()
		}
		if _, err = s.PauseAll(ctx, nil, ""); err == nil {
			return true
		}
	}
	w.log.fault("stuck", "", now(), "everything is mended, and calls fail: %v", err)
	return false
}

// finished waits until nothing is unfinished any more.
func (w *world) finished() bool {
	limit := 20*w.pro.Lease + 10*w.pro.Stuck + 500*w.pro.Unit
	for begun := time.Now(); ; time.Sleep(w.pro.Lease / 4) {
		n, example, err := w.unfinished()
		if err == nil && n == 0 {
			return true
		}
		if time.Since(begun) > limit {
			w.log.fault("stuck", jobOf(example), now(), "after %v %d executions are unfinished, such as of %s (%v): %s", limit, n, example, err, w.waiting(example))
			return false
		}
	}
}

// waiting says what the unfinished executions of a job wait for.
func (w *world) waiting(job string) (out string) {
	s := w.up()[0].s
	j, err := s.Get(context.Background(), job)
	out = fmt.Sprintf("%+v %v", j.State, err)
	for x, err := range s.Executions(context.Background(), chronos.Query{Job: job}) {
		if err != nil || !x.Final() {
			out += fmt.Sprintf("; %+v %v", x, err)
		}
	}
	return out
}

func (w *world) unfinished() (n int, example string, err error) {
	s := w.up()[0].s
	if err := s.Sync(context.Background()); err != nil {
		return 0, "", err
	}
	for j, err := range s.Jobs(context.Background(), nil) {
		if err != nil {
			return 0, "", err
		}
		if j.State.Unfinished+j.State.Buffered > 0 {
			n += j.State.Unfinished + j.State.Buffered
			example = j.ID
		}
	}
	return n, example, nil
}

func (w *world) closeAll() {
	var wg sync.WaitGroup
	for _, n := range w.members() {
		w.mu.Lock()
		p := w.procs[n]
		w.mu.Unlock()
		if p == nil {
			continue
		}
		w.mu.Lock()
		up := p.up
		w.mu.Unlock()
		if !up {
			p.die()
			w.net.Drop(w.addr(n))
			continue
		}
		wg.Go(func() {
			_ = p.close() // the last ones have nobody to tell
			p.die()
		})
	}
	wg.Wait()
}
