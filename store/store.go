package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
)

// Options says where the state is and how careful to be with it.
type Options struct {
	// Dir is the host's directory; the state is in state/ below it.
	Dir string
	// InMemory keeps everything on the heap and nothing on disk.
	InMemory bool
	// Logger receives what is worth knowing; nil is silence.
	Logger *slog.Logger
	// OnCorrupt hears, from a goroutine of the store, that a verification in
	// the background found damage. It must not call Close.
	OnCorrupt func(error)
	// OnFailed hears, once, that a write failed half-way, so that nothing more is
	// written (ErrFailed). It is called in the middle of things: it must not call
	// the store.
	OnFailed func(error)
	// Busy is asked by a flush that nobody waits for whether there will be something
	// more urgent within a time; nil is never. While it answers true the flush waits,
	// for a second at the most.
	Busy func(within time.Duration) bool
	// Guard watches the disk. Nil makes one for Dir with the default sizes.
	Guard *Guard
	// NoSync gives up durability. For tests: the control that must fail.
	NoSync bool
	// NoCompaction runs Badger without its compactors, whose ticks dominate
	// a simulated day. For tests.
	NoCompaction bool
	// verifyInline overrides up to how many records an unclean start is
	// verified before Open returns; tests set it.
	verifyInline uint64
	// roomy is for a disk with room for large compactions.
	roomy bool
	// memTable is the memtable's size while a restore to disk is under way.
	memTable int64
	// failpoint, when set, is asked before each step of a restore.
	failpoint func(step string) error
}

// Store is the state of one node. Its methods may be called from any
// goroutine; a Tx is the exception.
type Store struct {
	opts    Options
	log     *slog.Logger
	layout  layout
	guard   *Guard
	lock    *DirLock
	unclean bool

	applied atomic.Pointer[Applied]
	logID   atomic.Pointer[string]
	failed  atomic.Pointer[error]
	txOpen  atomic.Bool

	exclusive sync.Mutex // one Restore or Close at a time
	mu        sync.Mutex // what follows
	gen       *generation
	badgers   []*generation // every one whose Badger is open
	closed    bool

	stop    context.CancelFunc
	ctx     context.Context
	refused chan struct{}  // wakes the watch
	dirty   chan struct{}  // tells the flusher that there is something
	enough  chan struct{}  // and that there is much
	wg      sync.WaitGroup // collector, verification, removal of old generations
}

// Open opens the state below Dir, or creates an empty one where there is none.
// Whatever looks wrong is ErrCorrupt: the caller quarantines the state and
// rebuilds it. ErrDiskFull, ErrLocked and ErrFormat say what they say.
func Open(o Options) (s *Store, err error) {
	s = &Store{opts: o, log: o.Logger, layout: layoutOf(o.Dir), refused: make(chan struct{}, 1), dirty: make(chan struct{}, 1), enough: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.opts.verifyInline == 0 {
		s.opts.verifyInline = verifyInline
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	defer func() {
		if p := recover(); p != nil {
			err = corrupt("opening %q panicked: %v", s.layout.state, p)
		}
		if err != nil {
			s.abandon()
			s = nil
		}
	}()
	if o.InMemory {
		err = s.openMemory()
	} else {
		err = s.openDisk()
	}
	if err != nil {
		return s, err
	}
	s.startFlusher()
	s.startCollector()
	s.startWatch()
	return s, s.verifyStart()
}

// abandon gives back what a failed Open holds.
func (s *Store) abandon() {
	s.stop()
	s.wg.Wait()
	if s.gen != nil {
		_ = s.stopGeneration(s.gen)
	}
	if s.lock != nil {
		s.lock.Unlock()
	}
}

func (s *Store) openMemory() error {
	var err error
	s.opts.roomy = true
	if s.gen, err = s.startGeneration("memory", "", s.opts); err != nil {
		return err
	}
	if err := writeMeta(s.gen.db, &Format{Version: firstFormat}, &Applied{}); err != nil {
		return err
	}
	return s.load()
}

func (s *Store) openDisk() error {
	if s.opts.Dir == "" {
		return errors.New("store: Options.Dir is empty")
	}
	if err := os.MkdirAll(s.layout.state, 0o700); err != nil {
		return err
	}
	lock, err := lockFile(s.layout.lock(), s.layout.state)
	if err != nil {
		return err
	}
	s.lock = lock
	if s.guard = s.opts.Guard; s.guard == nil {
		if s.guard, err = NewGuard(s.opts.Dir, GuardOptions{Logger: s.log}); err != nil {
			return err
		}
	}
	if err := s.guard.Check(); err != nil {
		return err
	}
	s.opts.roomy = s.guard.roomy()
	name, err := s.layout.readCurrent()
	if err != nil {
		return err
	}
	if err := s.layout.sweep(name); err != nil {
		return err
	}
	if name == "" {
		return s.create()
	}
	return s.reopen(name)
}

// create makes the first generation. CREATING tells a later start that what
// it finds without a CURRENT never was anybody's state.
func (s *Store) create() error {
	if err := os.WriteFile(s.layout.creating(), nil, 0o600); err != nil {
		return err
	}
	if err := errors.Join(syncDir(s.layout.state), syncDir(s.opts.Dir)); err != nil {
		return err
	}
	name, err := s.layout.nextGeneration()
	if err != nil {
		return err
	}
	dir := s.layout.gen(name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if s.gen, err = s.startGeneration(name, dir, s.opts); err != nil {
		return err
	}
	if err := writeMeta(s.gen.db, &Format{Version: firstFormat}, &Applied{}); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil { // Badger has synced the files
		return err
	}
	if err := s.layout.setCurrent(name); err != nil {
		return err
	}
	if err := removeDurably(s.layout.creating()); err != nil {
		return err
	}
	return s.load()
}

// reopen opens the live generation. Nothing of it is mapped, and nothing is
// written, before its files are known to be good.
func (s *Store) reopen(name string) error {
	if err := removeDurably(s.layout.creating()); err != nil {
		return err
	}
	dir := s.layout.gen(name)
	clean, err := s.layout.checkClean(name)
	if err != nil {
		return err
	}
	s.unclean = !clean
	if s.unclean {
		s.log.Info("store: the last stop was not clean, checking the state", "dir", dir)
		if err := inspect(dir); err != nil {
			return err
		}
	}
	if err := removeDurably(s.layout.clean()); err != nil {
		return err
	}
	if s.gen, err = s.startGeneration(name, dir, s.opts); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	return s.gen.mark.compare(s.applied.Load().Index)
}

// load reads the engine's own records of the generation just opened.
func (s *Store) load() error {
	if err := s.checkWritten(); err != nil {
		return err
	}
	if err := s.mend(s.gen); err != nil {
		return err
	}
	txn := s.gen.db.NewTransaction(false)
	defer txn.Discard()
	format := &Format{}
	if err := readMeta(txn, keyFormat, format); err != nil {
		return err
	}
	applied, err := readApplied(txn)
	if err != nil {
		return err
	}
	s.logID.Store(&format.LogId)
	s.applied.Store(applied)
	return nil
}

// checkWritten refuses what a newer build wrote, before anything of it is changed.
func (s *Store) checkWritten() error {
	txn := s.gen.db.NewTransaction(false)
	defer txn.Discard()
	format := &Format{}
	if err := readMeta(txn, keyFormat, format); err != nil {
		return err
	}
	return checkFormat(format.Version, s.layout.state)
}

// Applied is a copy of the newest committed position in the log.
func (s *Store) Applied() *Applied { return proto.CloneOf(s.applied.Load()) }

// Index is the newest committed entry of the log.
func (s *Store) Index() uint64 { return s.applied.Load().GetIndex() }

// Level is the feature level that the newest committed entry has left; see
// [Applied].
func (s *Store) Level() uint32 { return s.applied.Load().GetLevel() }

// LogID ties this state to its Raft log; "" until it is set.
func (s *Store) LogID() string { return *s.logID.Load() }

// SetLogID writes the log ID. It is durable when this returns.
func (s *Store) SetLogID(id string) error {
	g, err := s.pin()
	if err != nil {
		return err
	}
	defer g.leave()
	if err := s.failure(); err != nil {
		return err
	}
	if err := s.checkRoom(g); err != nil {
		return err
	}
	return g.write(func() error {
		if err := s.failure(); err != nil { // while this one waited
			return err
		}
		if err := writeMeta(g.db, &Format{Version: formatOf(s.applied.Load()), LogId: id}, nil); err != nil {
			return s.fail(err)
		}
		s.logID.Store(&id)
		return nil
	})
}

func (s *Store) format() *Format {
	return &Format{Version: formatOf(s.applied.Load()), LogId: s.LogID()}
}

// Unclean says that the stop before this start was not a clean one.
func (s *Store) Unclean() bool { return s.unclean }

// Guard is the disk guard that this store asks before it writes; nil in memory.
func (s *Store) Guard() *Guard { return s.guard }

// pin answers the live generation, which stays open until it is left.
func (s *Store) pin() (*generation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.gen.enter() {
		return nil, ErrClosed
	}
	return s.gen, nil
}

// startGeneration opens a generation, stopGeneration closes it; between them
// the watch knows of it.
func (s *Store) startGeneration(name, dir string, o Options) (*generation, error) {
	g, err := openGeneration(name, dir, o, s.log)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.badgers = append(s.badgers, g)
	}
	return g, err
}

func (s *Store) stopGeneration(g *generation) error {
	err := g.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.badgers = slices.DeleteFunc(s.badgers, func(o *generation) bool { return o == g })
	return err
}

func (s *Store) running() []*generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.badgers)
}

// lives tells if a generation is the one that is read and written, as long as any is.
func (s *Store) lives(g *generation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gen == g && !s.closed && s.failed.Load() == nil
}

// checkRoom asks whether a commit may touch the disk.
func (s *Store) checkRoom(g *generation) error {
	if s.guard == nil {
		return nil
	}
	err := s.guard.Check()
	if err == nil {
		err = g.files.ready()
	}
	if err != nil {
		return s.refuse(err)
	}
	return nil
}

// failure answers why the store writes nothing any more, nil while it does.
func (s *Store) failure() error {
	if p := s.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// fail ends all writing. The error never is ErrDiskFull, whatever the cause: who waits
// for room would wait for ever.
func (s *Store) fail(cause error) error {
	err := fmt.Errorf("%w: close it and open it again: %w", ErrFailed, cause)
	if errors.Is(cause, ErrDiskFull) {
		err = fmt.Errorf("%w: close it and open it again: %v", ErrFailed, cause)
	}
	if s.failed.CompareAndSwap(nil, &err) && s.opts.OnFailed != nil {
		s.opts.OnFailed(err)
	}
	return err
}
