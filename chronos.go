package chronos

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos/dispatch"
	"github.com/chronos-go/chronos/internal/planner"
	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/internal/testhook"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// Options configure a Scheduler. The zero value of every field but Dir is a
// documented default. They cannot be changed after New.
type Options struct {
	// Dir is the directory that holds everything. It is created if missing, and
	// belongs to one process at a time. Required unless InMemory is set.
	Dir string
	// TrustView is for one start after the log (raft.db) was lost or damaged, by
	// a person's decision: the state is kept as it is, if it verifies, and a
	// new log begins there. Without it New refuses with ErrCorrupt.
	TrustView bool
	// InMemory keeps everything in memory: all jobs are lost at the end. For tests.
	InMemory bool
	// Node names this process in the history, and is its identity in a cluster, where
	// of nodes with equally few attempts the one whose name sorts first gets the next.
	// Default "local"; required in a cluster.
	Node string
	// Cluster makes the scheduler one of several that share their jobs. Default:
	// it is alone.
	Cluster *Cluster
	// Labels say what this node is, for jobs that ask for it (Placement.Labels):
	// a zone, a GPU. At most 32, keys up to 64 bytes and values up to 256.
	Labels map[string]string
	// Concurrency is how many attempts run at once on this node. What is due
	// beyond it waits by priority and age. In a cluster it is a bound, not a weight
	// (Placement). Default 10,000.
	Concurrency int
	// DrainTimeout is how long Run lets attempts finish after its context has
	// ended, before their contexts end too. Default 10 s.
	DrainTimeout time.Duration
	// StuckAfter is how long a handler may ignore its ended context before it is
	// reported as stuck and its place is given up. Default 30 s.
	StuckAfter time.Duration
	// Retention bounds the ledger of jobs that do not say otherwise. Default 30
	// days and 1,000 rows a job; negative fields set no limit.
	Retention Retention
	// MaxOutput is how many bytes of an attempt's output are kept. Default 64
	// KiB, at most 256 KiB.
	MaxOutput int
	// Client sends webhooks. Default: a client of its own, without redirects,
	// proxy or access to link-local and cloud metadata addresses. A client given
	// here has to guard addresses itself.
	Client *http.Client
	// BlockPrivate lets the default client refuse private and loopback
	// addresses, too: set it where others than the host's own people write jobs.
	BlockPrivate bool
	// Around is told of each attempt on this node before it begins and when it is
	// over, in order: for traces and measurements, and for what handlers shall find in
	// their contexts. See Around.
	Around []Around
	// Logger gets what goes wrong (and, at debug level, more). Default
	// slog.Default().
	Logger *slog.Logger
}

const (
	defaultConcurrency = 10_000
	defaultDrain       = 10 * time.Second
	defaultStuck       = 30 * time.Second
	defaultMaxOutput   = 64 << 10
	mostOutput         = 256 << 10
	defaultKeepAge     = 30 * 24 * time.Hour
	defaultKeepCount   = 1_000

	// lookAhead is how long before an instant its fire is committed, so that at
	// the instant only a timer stands between tick and handler. It is no whole second:
	// instants mostly are, and what is due at the next one is planned when what has
	// been due at this one has begun, and mostly ended.
	lookAhead = 750 * time.Millisecond
)

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" && !o.InMemory {
		return o, invalid("Options.Dir", "is required; set InMemory to lose all jobs at the end")
	}
	if o.Dir != "" && o.InMemory {
		return o, invalid("Options.InMemory", "and Dir exclude each other; set one")
	}
	if o.Cluster != nil {
		c, err := o.Cluster.withDefaults(&o)
		if err != nil {
			return o, err
		}
		o.Cluster = &c
	}
	if o.Node == "" {
		o.Node = "local"
	}
	if err := checkID("Options.Node", o.Node); err != nil {
		return o, err
	}
	if err := checkLabels("Options.Labels", o.Labels); err != nil {
		return o, err
	}
	for _, n := range []struct {
		field string
		v     int64
	}{
		{"Options.Concurrency", int64(o.Concurrency)}, {"Options.DrainTimeout", int64(o.DrainTimeout)},
		{"Options.StuckAfter", int64(o.StuckAfter)}, {"Options.MaxOutput", int64(o.MaxOutput)},
	} {
		if n.v < 0 {
			return o, invalid(n.field, "is negative")
		}
		if n.v > int64(maxDuration) {
			return o, invalid(n.field, "is above %v", maxDuration)
		}
	}
	if o.MaxOutput > mostOutput {
		return o, invalid("Options.MaxOutput", "%d is above %d", o.MaxOutput, mostOutput)
	}
	o.Concurrency = orDefault(o.Concurrency, defaultConcurrency)
	o.DrainTimeout = orDefault(o.DrainTimeout, defaultDrain)
	o.StuckAfter = orDefault(o.StuckAfter, defaultStuck)
	o.MaxOutput = orDefault(o.MaxOutput, defaultMaxOutput)
	o.Retention.Age = orDefault(o.Retention.Age, defaultKeepAge)
	o.Retention.Count = orDefault(o.Retention.Count, defaultKeepCount)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

// Scheduler is an open directory of jobs. Its methods may be called from any
// goroutine.
type Scheduler struct {
	options     Options
	log         *slog.Logger
	incarnation atomic.Uint64 // of this opening, or since its lease was lost: what others held is over

	node       *raftfsm.Node
	dispatcher *dispatch.Dispatcher
	planner    *planner.Planner
	reporter   *reporter
	hub        *hub
	alarms     *alarms
	tally      tally
	schedules  schedule.Cache // of what is stored
	member     *member        // nil without a cluster
	held       heldLocks
	opened     atomic.Bool // node may be used by whoever hears of effects

	mu      sync.Mutex
	runEnd  context.CancelFunc // not nil while Run runs
	runDone chan struct{}
	done    atomic.Bool

	announcing chan struct{} // one announcement at a time
	capacity   int64         // as last announced, or to be when the node takes part again

	restoring sync.Mutex // one Restore at a time

	closing  sync.Mutex
	shut     bool
	closeErr error
}

// New opens a directory, or makes it. It recovers what a crash left behind: a
// write that was acknowledged is there, and attempts that were running are
// found and resolved as their jobs' Delivery says. Nothing fires before Run,
// because jobs on disk must not run before the host has registered its
// handlers; every other method may be used at once.
func New(options Options) (*Scheduler, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Scheduler{options: options, log: options.Logger, hub: newHub(), announcing: make(chan struct{}, 1)}
	s.incarnation.Store(newIncarnation())
	s.reporter = newReporter(s)
	s.alarms = newAlarms(s)
	running := dispatch.Config{
		Grace: options.StuckAfter, MaxOutput: options.MaxOutput, Client: options.Client,
		BlockPrivate: options.BlockPrivate, Logger: options.Logger, Report: s.reporter.report, Around: s.around(),
	}
	if options.Cluster != nil {
		s.member = newMember(s)
		running.MayStart, running.Wait = s.member.mayStart, s.member.behind
	}
	s.dispatcher = dispatch.New(running)
	s.planner = planner.New(planner.Config{
		View: func(fn func(*store.Reader) error) error { return s.node.Store().View(fn) },
		Propose: func(ctx context.Context, c []*raftfsm.Command) ([]*raftfsm.Result, error) {
			return s.node.Propose(ctx, c)
		},
		Schedules: &s.schedules, LookAhead: lookAhead, Logger: options.Logger,
		Retention: planner.Retention{Age: max(options.Retention.Age, 0), Count: uint64(max(options.Retention.Count, 0))},
		Steady:    testhook.ProcessOf(options.Logger) != nil,
	})
	cfg := raftfsm.Config{
		ID: options.Node, Dir: options.Dir, InMemory: options.InMemory, Logger: options.Logger, OnApply: s.applied,
		Busy: s.dispatcher.Rush, TrustView: options.TrustView,
	}
	if c := options.Cluster; c != nil {
		cfg.Cluster, cfg.StartTimeout = c.raftCluster(), c.JoinTimeout
	}
	if p := testhook.ProcessOf(options.Logger); p != nil {
		testhook.Rest(&cfg)
		p.OnKill(s.dispatcher.Close)
	}
	if testhook.Raft != nil {
		testhook.Raft(&cfg)
	}
	s.node, err = raftfsm.OpenNode(cfg)
	if err != nil {
		s.dispatcher.Close()
		return nil, translate(err)
	}
	s.opened.Store(true)
	s.reporter.start()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := errors.Join(s.sweepScratch(), s.takeOver(ctx)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.member != nil {
		s.member.start()
	} else if err := s.node.Raise(ctx, time.Now().UnixNano()); err != nil {
		return nil, errors.Join(translate(err), s.Close())
	}
	s.tally.start()
	s.alarms.start()
	return s, nil
}

func newIncarnation() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])>>1 | 1
}

// takeOver declares this opening of the node, which takes nothing yet, and
// resolves what earlier ones left behind.
func (s *Scheduler) takeOver(ctx context.Context) error {
	s.checkClock()
	if err := s.alone(ctx, func() error { return s.open(ctx, s.incarnation.Load(), 0) }); err != nil {
		return err
	}
	for after := ""; ; {
		body := &raftfsm.Resolve{Node: s.options.Node, Incarnation: s.incarnation.Load(), After: after}
		res, err := s.propose(ctx, &raftfsm.Command{Body: &raftfsm.Command_Resolve{Resolve: body}})
		if err != nil {
			return err
		}
		if res.Count > 0 {
			s.log.Info("chronos: attempts of an earlier process were found and resolved", "count", res.Count)
		}
		if after = res.Cursor; after == "" {
			return s.sweepRestore(ctx)
		}
	}
}

// checkClock says when the clock is behind what the log has seen. It is safe:
// what has fired does not fire again; but nothing is due until it catches up.
func (s *Scheduler) checkClock() {
	newest := instant(s.node.Store().Applied().GetLogTime())
	if behind := time.Until(newest); behind > time.Second {
		s.log.Warn("chronos: the clock is behind the newest entry in the log; instants that have fired do not fire again", "behind", behind)
	}
}

// setCapacity tells the log how many attempts this node takes, and what
// handlers it has.
func (s *Scheduler) setCapacity(ctx context.Context, n int64) error {
	return s.alone(ctx, func() error {
		s.capacity = n
		return s.announceAlone(ctx)
	})
}

// alone has one announcement be committed before the next one is made, so that
// the log never ends with an older one.
func (s *Scheduler) alone(ctx context.Context, announce func() error) error {
	select {
	case s.announcing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.announcing }()
	return announce()
}

// announceAlone repeats the newest announcement. While the node is fenced none is
// made: it follows when the node takes part again.
func (s *Scheduler) announceAlone(ctx context.Context) error {
	incarnation := s.incarnation.Load() // before the look at the fence, which changes it
	if s.member != nil && s.member.fenced.Load() {
		return nil
	}
	return s.open(ctx, incarnation, s.capacity)
}

func (s *Scheduler) open(ctx context.Context, incarnation uint64, capacity int64) error {
	body := &raftfsm.Open{Node: s.options.Node, Incarnation: incarnation, Capacity: capacity, Handlers: s.dispatcher.Handlers()}
	if c := s.options.Cluster; c != nil {
		body.Addr = c.addr(s.options.Node)
	}
	body.Features = s.node.Knows()
	if s.node.Level() >= raftfsm.Level2 {
		body.Labels = labelRecords(s.options.Labels)
	}
	res, err := s.propose(ctx, &raftfsm.Command{Body: &raftfsm.Command_Open{Open: body}})
	switch {
	case err != nil:
		return err
	case res.Code == raftfsm.Code_CODE_FENCED && s.member != nil:
		s.member.lapse() // its next beat takes it in again
	case res.Code == raftfsm.Code_CODE_INVALID:
		return verdict(res)
	}
	return nil
}

// announce repeats setCapacity after a handler was added while Run runs.
func (s *Scheduler) announce() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.alone(ctx, func() error {
		if s.capacity == 0 {
			return nil
		}
		return s.announceAlone(ctx)
	})
}

// propose commits one command and gives its result, stamped with the clock.
func (s *Scheduler) propose(ctx context.Context, c *raftfsm.Command) (*raftfsm.Result, error) {
	if c.Now == 0 {
		c.Now = time.Now().UnixNano()
	}
	results, err := s.node.Propose(ctx, []*raftfsm.Command{c})
	if err != nil {
		return nil, translate(err)
	}
	return results[0], nil
}

// Close ends Run, if it runs, with its drain, gives back the locks that this node
// has, and closes the directory. Calls after it answer ErrClosed. It may be called
// more than once; after ErrDiskFull it has to be, when there is room, for the
// directory to be let go.
func (s *Scheduler) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	if !s.shut {
		s.closeErr = s.close()
		s.shut = !errors.Is(s.closeErr, ErrDiskFull)
	}
	return s.closeErr
}

func (s *Scheduler) close() error {
	s.mu.Lock()
	s.done.Store(true)
	end, done := s.runEnd, s.runDone
	if end != nil {
		end()
	}
	s.mu.Unlock()
	if end != nil {
		<-done
	}
	s.giveBack(s.held.lose(ErrClosed))
	s.alarms.stop()
	s.reporter.stop()
	if s.member != nil {
		s.member.stop()
		if err := s.node.TransferLeadership(); err != nil {
			s.log.Info("chronos: leadership could not be handed over; the others elect", "error", err)
		}
	}
	err := s.node.Close()
	s.held.asking.Wait()
	s.dispatcher.Close()
	s.hub.close()
	if err != nil {
		return translate(err)
	}
	return nil
}

func (s *Scheduler) closed() bool { return s.done.Load() }

// begin is the gate of every public call.
func (s *Scheduler) begin(ctx context.Context) error {
	if s.closed() {
		return ErrClosed
	}
	return ctx.Err()
}
