package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos"
)

// proc is a process: one opening of one node's directory.
type proc struct {
	w       *world
	name    string
	n       int // how many there were of this name before
	dir     string
	labels  map[string]string
	opened  int64        // when New had returned
	stopped atomic.Int64 // when it was told to stop, 0: not yet
	died    atomic.Int64 // when it was stopped or killed
	disk    *disk
	cut     atomic.Bool   // it has no network any more
	deaf    atomic.Bool   // it has lost events
	dead    chan struct{} // closed when it was killed
	once    sync.Once

	up   bool               // the world's lock: New has returned, Run runs
	s    *chronos.Scheduler // nil until New has returned
	stop context.CancelFunc // ends Run
	ran  chan error
}

func (p *proc) String() string { return fmt.Sprintf("%s#%d", p.name, p.n) }

func (p *proc) killed() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

func (p *proc) die() {
	p.once.Do(func() {
		p.died.Store(now())
		close(p.dead)
	})
}

// open is the start of the process. It blocks as long as New does.
func (p *proc) open() error {
	w := p.w
	o := chronos.Options{
		Dir: p.dir, Node: p.name, Retention: chronos.Retention{Age: -1, Count: -1}, Logger: w.logger(p),
		Labels: p.labels, Concurrency: w.pro.Room, DrainTimeout: w.pro.Drain, StuckAfter: w.pro.Stuck,
	}
	if w.clustered {
		o.Cluster = w.membership(p)
	}
	s, err := chronos.New(o)
	if err != nil {
		return err
	}
	p.s, p.opened = s, now()
	p.listen()
	handlers := []string{"work"}
	if w.rare(p.name) {
		handlers = append(handlers, "rare")
	}
	for _, h := range handlers {
		if err := s.Handle(h, p.handler); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop, p.ran = cancel, make(chan error, 1)
	go func() { p.ran <- s.Run(ctx) }()
	return nil
}

// close ends the process in order.
func (p *proc) close() error {
	if p.s == nil {
		return nil
	}
	p.stopped.Store(now())
	p.stop()
	runErr := <-p.ran
	err := p.s.Close()
	for errors.Is(err, chronos.ErrDiskFull) { // it keeps its directory until there is room
		time.Sleep(p.w.pro.Heartbeat)
		err = p.s.Close()
	}
	return cmp.Or(err, runErr)
}

// disk is what a process's directory lies on.
type disk struct {
	mu    sync.Mutex
	write func() error // before each write to the log
	free  uint64
}

const plenty = 1 << 40

func (d *disk) before() error {
	d.mu.Lock()
	f := d.write
	d.mu.Unlock()
	if f == nil {
		return nil
	}
	return f()
}

func (d *disk) room(string) (free, total uint64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.free, plenty, nil
}

func (d *disk) set(free uint64, write func() error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free, d.write = free, write
}

func (w *world) newDir(name string) string {
	w.dirs++
	return filepath.Join(w.dir, fmt.Sprintf("%s-%d", name, w.dirs))
}
