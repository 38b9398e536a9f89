package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/pipenet"
	"github.com/chronos-go/chronos/internal/testhook"
	"github.com/chronos-go/chronos/raftfsm"
)

// world is one simulation.
type world struct {
	seed      uint64
	pro       profile
	log       *log
	net       pipenet.Network
	dir       string
	clustered bool
	verbose   io.Writer // what the nodes log, nil: nothing
	lies      time.Duration
	born      int64         // when the first processes were started
	pausedAt  int64         // when all jobs were paused at the end
	only      string        // names of faults, with commas; "": all
	progress  *atomic.Int64 // how far the simulation is, for who watches it from outside

	still chan struct{} // taken by who waits for a moment of rest

	mu      sync.Mutex
	founded []string // the first members
	names   []string // those that are to be there
	worker  map[string]bool
	addrs   map[string]string
	homes   map[string]string // directories
	old     map[string]string // earlier copies of them, for the control that loses writes
	procs   map[string]*proc
	all     []*proc // that there ever were
	opens   map[string]int
	busy    map[string]bool // somebody starts or ends it
	cuts    map[[2]string]bool
	alone   map[string]int64 // since when a node has been cut off
	dirs    int
	moves   int
	puts    map[string]*plan // by call
	backup  *backup
	gone    map[string]bool // names that were taken out of the cluster, or lost their disk

	running sync.WaitGroup // processes being opened or closed
	ended   chan struct{}  // no more calls, no more faults
	working sync.WaitGroup
}

// newWorld draws the shape of a simulation.
func newWorld(seed uint64, pro profile, dir string) *world {
	w := &world{
		seed: seed, pro: pro, log: newLog(), dir: dir, still: make(chan struct{}, 1), ended: make(chan struct{}),
		worker: map[string]bool{}, addrs: map[string]string{}, homes: map[string]string{}, old: map[string]string{}, procs: map[string]*proc{},
		opens: map[string]int{}, busy: map[string]bool{}, cuts: map[[2]string]bool{}, alone: map[string]int64{}, puts: map[string]*plan{}, gone: map[string]bool{},
	}
	return w
}

// shape makes the first members: 1, 3 or 5.
func (w *world) shape(nodes int) {
	w.clustered = nodes > 1 || random(w.seed, "solo").IntN(3) == 0
	for i := range nodes {
		w.founded = append(w.founded, string(rune('a'+i)))
	}
	w.names = slices.Clone(w.founded)
	w.move()
	for _, n := range w.names {
		w.homes[n] = w.newDir(n)
	}
	testhook.Raft = w.adjust
}

// adjust makes a node's insides fit for a simulation.
func (w *world) adjust(c *raftfsm.Config) {
	c.NoCompaction, c.NoSync, c.CommitTimeout = true, true, w.pro.Commit
	c.SnapshotThreshold, c.SnapshotInterval = w.pro.Snapshot, max(w.pro.Fault, 10*time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.procs[c.ID]
	if p != nil && random(w.seed, "compacts", p).IntN(4) == 0 { // a snapshot is always under way
		c.SnapshotThreshold, c.SnapshotInterval = 20, max(w.pro.Heartbeat, time.Second)
	}
	if p != nil && p.dir == c.Dir {
		c.LogWrite, c.Guard.Free, c.Guard.Reserve = p.disk.before, p.disk.room, -1
	}
}

// move gives every member a new address.
func (w *world) move() {
	w.moves++
	for _, n := range w.names {
		w.addrs[n] = fmt.Sprintf("%s.%d", n, w.moves)
	}
}

// rare tells if a node has the handler that few have.
func (w *world) rare(name string) bool { return name == "a" || name == "c" || len(name) > 1 }

func (w *world) logger(p *proc) *slog.Logger {
	if w.verbose == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(w.verbose, &slog.HandlerOptions{Level: slog.LevelInfo})).With("on", p.String())
}

func (w *world) membership(p *proc) *chronos.Cluster {
	w.mu.Lock()
	defer w.mu.Unlock()
	addr := w.addrs[p.name]
	dial := w.net.Dialer(addr)
	c := &chronos.Cluster{
		ID: "sim", Listener: w.net.Listen(addr), Heartbeat: w.pro.Heartbeat, Lease: w.pro.Lease, Worker: w.worker[p.name],
		JoinTimeout: max(time.Minute, 4*w.pro.Lease),
		Dial: func(ctx context.Context, to string) (net.Conn, error) {
			if p.cut.Load() {
				return nil, errDead
			}
			conn, err := dial(ctx, to)
			if err == nil && p.cut.Load() {
				return nil, errors.Join(errDead, conn.Close())
			}
			return conn, err
		},
	}
	names := w.names
	if slices.Contains(w.founded, p.name) && w.opens[p.name] == 1 {
		names = w.founded
	}
	for _, n := range names {
		c.Peers = append(c.Peers, chronos.Peer{Node: n, Addr: w.addrs[n]})
	}
	return c
}

// start lets a node's process begin, and again until it has.
func (w *world) start(name string) {
	w.mu.Lock()
	w.opens[name]++
	p := &proc{w: w, name: name, n: w.opens[name], dir: w.homes[name], labels: w.labels(name), dead: make(chan struct{}), disk: &disk{free: plenty}}
	w.procs[name], w.all = p, append(w.all, p)
	w.mu.Unlock()
	w.running.Go(func() { w.bring(p) })
}

func (w *world) bring(p *proc) {
	for {
		w.log.say(p.String(), "", "opens")
		err := p.open()
		if p.killed() {
			_ = p.close()
			_ = os.RemoveAll(p.dir)
			return
		}
		if err == nil {
			break
		}
		w.log.say(p.String(), "", "did not open: %v", err)
		select {
		case <-time.After(w.pro.Lease / 4):
		case <-p.dead:
			return
		}
	}
	w.mu.Lock()
	p.up = true
	w.mu.Unlock()
	w.log.say(p.String(), "", "is up")
}

// rest waits until nothing moves, and does something then.
func (w *world) rest(what func()) {
	w.still <- struct{}{}
	synctest.Wait()
	what()
	<-w.still
}

// kill is the end of a process at this moment: what it has written stays, and
// nothing else. The goroutines of the process cannot be killed; they lose their
// network and their directory, nobody listens to them any more, and they are
// closed beside everything else.
func (w *world) kill(name string) {
	w.mu.Lock()
	p := w.procs[name]
	w.mu.Unlock()
	if p == nil {
		return
	}
	w.rest(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.endNow(name)
	})
	w.log.say(p.String(), "", "KILLED")
}

// endNow kills a process at a moment of rest, and answers where what is left of it
// is. The lock is held.
func (w *world) endNow(name string) (home string) {
	p := w.procs[name]
	if p == nil {
		return w.homes[name]
	}
	home = w.newDir(name)
	if err := copyTree(w.survives(p), home); err != nil {
		panic(err)
	}
	p.cut.Store(true)
	w.net.Drop(w.addrs[name]) // first: what the dead process does from now on, nobody hears
	p.die()
	w.homes[name], w.procs[name] = home, nil
	if p.up {
		w.running.Go(func() {
			_ = p.close()
			_ = os.RemoveAll(p.dir)
		})
	}
	return home
}

// survives is what is left of a directory: all of it, or, on a disk that lies, an
// earlier state.
func (w *world) survives(p *proc) string {
	if old := w.old[p.name]; w.lies > 0 && old != "" {
		return old
	}
	return p.dir
}

// stop ends a process in order. It reports whether its directory can be used.
func (w *world) shut(name string) {
	w.mu.Lock()
	p, addr := w.procs[name], w.addrs[name]
	up := p != nil && p.up
	w.mu.Unlock()
	if !up {
		w.kill(name)
		return
	}
	w.log.say(p.String(), "", "stops")
	err := p.close()
	w.log.say(p.String(), "", "has stopped: %v", err)
	p.die()
	w.net.Drop(addr)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.procs[name] = nil
	if p.s.Status().Err != nil || err != nil { // the directory may still be locked
		home := w.newDir(name)
		if err := copyTree(p.dir, home); err != nil {
			panic(err)
		}
		w.homes[name] = home
	}
}

// occupy takes a node for something that starts or ends its process.
func (w *world) occupy(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[name] {
		return false
	}
	w.busy[name] = true
	return true
}

func (w *world) vacate(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, name)
}

// members lists who is to be there.
func (w *world) members() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.names)
}

// up lists the processes that can be called.
func (w *world) up() (out []*proc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.names {
		if p := w.procs[n]; p != nil && p.up {
			out = append(out, p)
		}
	}
	return out
}

// pick draws a process, nil if none is up.
func (w *world) pick(r *rand.Rand) *proc {
	all := w.up()
	if len(all) == 0 {
		return nil
	}
	return all[r.IntN(len(all))]
}

// leader is the node that leads, "" if none says so.
func (w *world) leader() string {
	for _, p := range w.up() {
		if p.s.Status().Leading {
			return p.name
		}
	}
	return ""
}

// over tells if the time of the simulation has run out.
func (w *world) over() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// sleep waits; false if the simulation ends meanwhile.
func (w *world) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return !w.over()
	case <-w.ended:
		return false
	}
}

// planned remembers what a call puts.
func (w *world) planned(seq string, p *plan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.puts[seq] = p
}

// putBy is the plan that a call has put, nil if there is none.
func (w *world) putBy(seq string) *plan {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.puts[seq]
}

// after is time.After, but no longer than the simulation.
func (w *world) after(d time.Duration) <-chan time.Time {
	out := make(chan time.Time)
	w.working.Go(func() {
		w.sleep(d)
		close(out)
	})
	return out
}

// begins is how long after the bubble's beginning the simulation starts: just
// before clocks are put forward or back, some nights, and anywhere in a year else.
func (w *world) begins() time.Duration {
	r := random(w.seed, "begins")
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	night := []time.Time{
		time.Date(2000, 3, 26, 1, 0, 0, 0, time.UTC), time.Date(2000, 10, 29, 1, 0, 0, 0, time.UTC), // Berlin
		time.Date(2000, 4, 2, 7, 0, 0, 0, time.UTC), time.Date(2000, 10, 29, 6, 0, 0, 0, time.UTC), // New York
	}[r.IntN(4)]
	if r.IntN(2) == 0 {
		return night.Add(-between(r, 0, w.pro.Length)).Sub(start)
	}
	return between(r, 0, 365*24*time.Hour)
}
