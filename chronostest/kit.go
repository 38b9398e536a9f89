package chronostest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/pipenet"
	"github.com/chronos-go/chronos/internal/testhook"
)

// maxNodes bounds Options.Nodes. Every node of a cluster beats several times a
// second, so that more of them make virtual time slow.
const maxNodes = 7

// Options say what New opens. Only Declare is required.
type Options struct {
	// Declare is what your program does between chronos.New and Run: it registers
	// the handlers and puts the jobs. It is called whenever a node is started, on
	// each node, as your program would. Required. An error fails the test.
	Declare func(s *chronos.Scheduler) error
	// Start is where the clock stands when the schedulers are opened. To get there
	// costs nothing. Default: where it stands; a bubble begins at
	// 2000-01-01T00:00:00Z, and no clock goes back.
	Start time.Time
	// Nodes makes a cluster of so many voters, called node-1, node-2 and so on,
	// that are connected by pipes. From 1 to 7. Default 1: a scheduler that is
	// alone, called node-1.
	Nodes int
	// OnDisk keeps the state of a single scheduler in tb.TempDir, so that it can be
	// killed and restarted. Default: it is in memory, which is several times as
	// fast. A cluster is always on disk.
	OnDisk bool
	// Adjust changes the options of a node before it is opened: its Concurrency,
	// Labels, Logger and so on. Node and the directory are given. Default: those of
	// chronos.Options, without a log, and with a Retention that keeps everything.
	Adjust func(node string, o *chronos.Options)
	// Zone is where the times in ledgers and messages are written. Default UTC.
	Zone *time.Location
}

// Kit is a scheduler on virtual time, or a cluster of them. Its methods are to be
// called from the goroutine of the test. Where one cannot do what it is asked to
// do, it ends the test with Fatal and says why.
type Kit struct {
	tb      testing.TB
	options Options
	net     pipenet.Network
	dir     string // "" in memory
	names   []string
	nodes   map[string]*node
	gone    sync.WaitGroup // killed nodes that are still being closed
}

// New opens the schedulers, has them declare their jobs, and lets them run. It has
// to be called inside a bubble, with the testing.T of the bubble: the one that
// synctest.Test gives to its function. They are closed when the test ends.
func New(tb testing.TB, options Options) *Kit {
	tb.Helper()
	requireBubble(tb)
	if options.Zone == nil {
		options.Zone = time.UTC
	}
	options.Nodes = max(options.Nodes, 1)
	switch {
	case options.Declare == nil:
		tb.Fatal("chronostest: Options.Declare is required: register your handlers and put your jobs there")
	case options.Nodes > maxNodes:
		tb.Fatalf("chronostest: Options.Nodes is %d; at most %d are possible", options.Nodes, maxNodes)
	}
	k := &Kit{tb: tb, options: options, nodes: map[string]*node{}}
	if !options.Start.IsZero() {
		k.startAt(options.Start)
	}
	if options.Nodes > 1 || options.OnDisk {
		k.dir = tb.TempDir() // before the cleanup, which comes first then
	}
	for i := range options.Nodes {
		name := fmt.Sprintf("node-%d", i+1)
		k.names = append(k.names, name)
		k.nodes[name] = k.newNode(name)
	}
	tb.Cleanup(k.close)
	k.begin(k.names...)
	return k
}

// requireBubble fails the test where there is no virtual time.
func requireBubble(tb testing.TB) {
	tb.Helper()
	if !inBubble() {
		tb.Fatal("chronostest: New has to be called inside a bubble: synctest.Test(t, func(t *testing.T) { k := chronostest.New(t, ...) })")
	}
}

func inBubble() (yes bool) {
	defer func() { yes = recover() == nil }()
	synctest.Wait()
	return yes
}

func (k *Kit) startAt(t time.Time) {
	k.tb.Helper()
	if time.Until(t) < 0 {
		k.tb.Fatalf("chronostest: Options.Start is %s, and it is %s already: a bubble begins at 2000-01-01T00:00:00Z, and no clock goes back", k.text(t), k.text(time.Now()))
	}
	time.Sleep(time.Until(t))
}

// begin opens nodes at the same time, as the first ones of a cluster have to be,
// has each of them declare its jobs, and lets them run.
func (k *Kit) begin(names ...string) {
	k.tb.Helper()
	for _, name := range names {
		k.nodes[name].move()
	}
	errs := make([]error, len(names))
	var opening sync.WaitGroup
	for i, name := range names {
		o := k.schedulerOptions(name) // here, and not beside each other: Adjust is the test's
		opening.Go(func() { errs[i] = k.nodes[name].open(o) })
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		k.tb.Fatalf("chronostest: %v", err)
	}
	for _, name := range names {
		if err := k.options.Declare(k.nodes[name].s); err != nil {
			k.tb.Fatalf("chronostest: Options.Declare on %s: %v", name, err)
		}
		k.nodes[name].run()
	}
	synctest.Wait()
}

func (k *Kit) schedulerOptions(name string) chronos.Options {
	n := k.nodes[name]
	o := chronos.Options{Logger: slog.New(slog.DiscardHandler), Retention: chronos.Retention{Age: -1, Count: -1}}
	if k.options.Nodes > 1 {
		o.Cluster = &chronos.Cluster{ID: "chronostest"}
	}
	if k.options.Adjust != nil {
		k.options.Adjust(name, &o)
	}
	o.Node, o.Dir, o.InMemory = name, n.dir, n.dir == ""
	if o.Cluster != nil {
		o.Cluster.Listener, o.Cluster.Dial = k.net.Listen(n.addr), k.net.Dialer(n.addr)
		o.Cluster.Peers = nil
		for _, peer := range k.names {
			o.Cluster.Peers = append(o.Cluster.Peers, chronos.Peer{Node: peer, Addr: k.nodes[peer].addr})
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	n.process = testhook.NewProcess(o.Logger.Handler())
	o.Logger = slog.New(n.process)
	return o
}

// close stops everything, because a bubble ends with its last goroutine.
func (k *Kit) close() {
	k.tb.Helper()
	errs := make([]error, len(k.names))
	var closing sync.WaitGroup
	for i, name := range k.names {
		closing.Go(func() { errs[i] = k.nodes[name].close(len(k.names) == 1) })
	}
	closing.Wait()
	k.gone.Wait()
	if err := errors.Join(errs...); err != nil {
		k.tb.Errorf("chronostest: at the end of the test: %v", err)
	}
}

// Nodes are the names of all nodes, those that are down among them.
func (k *Kit) Nodes() []string { return slices.Clone(k.names) }

// Node is the scheduler of a node that is up, for calls of your own. After a
// restart it is another one.
func (k *Kit) Node(name string) *chronos.Scheduler {
	k.tb.Helper()
	n := k.up(name)
	return n.s
}

// Scheduler is the scheduler to make calls on: of a cluster the leader, or where
// nobody leads the node that has heard the most.
func (k *Kit) Scheduler() *chronos.Scheduler {
	k.tb.Helper()
	var best *chronos.Scheduler
	var most uint64
	for _, name := range k.names {
		n := k.nodes[name]
		if n.s == nil {
			continue
		}
		st := n.s.Status()
		if st.Leading && !n.cut {
			return n.s
		}
		if best == nil || st.AppliedIndex > most {
			best, most = n.s, st.AppliedIndex
		}
	}
	if best == nil {
		k.tb.Fatal("chronostest: every node is down; Restart one first")
	}
	return best
}

// Leader is the name of the node that leads. It waits for up to 30 s of virtual
// time for one to be elected.
func (k *Kit) Leader() string {
	k.tb.Helper()
	const step = 50 * time.Millisecond
	for waited := time.Duration(0); waited < 30*time.Second; waited += step {
		for _, name := range k.names {
			if n := k.nodes[name]; n.s != nil && !n.cut && (n.s.Status().Leading || len(k.names) == 1) {
				return name
			}
		}
		time.Sleep(step)
	}
	k.tb.Fatalf("chronostest: nobody leads: %s", k.nodesText())
	return ""
}

func (k *Kit) nodesText() string {
	up := 0
	text := ""
	for _, name := range k.names {
		n := k.nodes[name]
		state := "up"
		switch {
		case n.s == nil || n.ran == nil:
			state = "down"
		case n.cut:
			state = "cut off"
		default:
			up++
		}
		text += ", " + name + " is " + state
	}
	return fmt.Sprintf("%d of %d are in touch%s", up, len(k.names), text)
}

// node is one node, over all its openings.
type node struct {
	k     *Kit
	name  string
	dir   string // "" in memory
	addr  string
	moves int
	cut   bool

	process *testhook.Process

	s   *chronos.Scheduler // nil while it is down
	end context.CancelFunc
	ran chan error // nil while Run does not run
}

func (k *Kit) newNode(name string) *node {
	n := &node{k: k, name: name}
	if k.dir != "" {
		n.dir = filepath.Join(k.dir, name)
	}
	return n
}

// move gives the node an address of its own for each opening, so that one which
// was killed stays cut off while its next one is reached.
func (n *node) move() {
	n.moves++
	n.addr = fmt.Sprintf("%s.%d", n.name, n.moves)
}

func (n *node) open(o chronos.Options) error {
	s, err := chronos.New(o)
	if err != nil {
		return fmt.Errorf("opening %s: %w", n.name, err)
	}
	n.s = s
	return nil
}

func (n *node) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ran, s := make(chan error, 1), n.s
	go func() { ran <- s.Run(ctx) }()
	n.end, n.ran = cancel, ran
}

// halt ends Run, with its drain.
func (n *node) halt() error {
	if n.ran == nil {
		return nil
	}
	n.end()
	err := <-n.ran
	n.ran = nil
	if err != nil {
		return fmt.Errorf("running %s: %w", n.name, err)
	}
	return nil
}

// close ends everything. What the last nodes of a cluster can not tell anybody is
// no error.
func (n *node) close(alone bool) error {
	if n.s == nil {
		return nil
	}
	err := n.halt()
	if !alone && (errors.Is(err, chronos.ErrNoLeader) || errors.Is(err, context.DeadlineExceeded)) {
		err = nil
	}
	err = errors.Join(err, n.s.Close())
	n.s = nil
	return err
}

// image is a copy of the directory, as a kill leaves it. Nothing is being written:
// everything in the bubble waits.
func (n *node) image() (string, error) {
	synctest.Wait()
	dir, err := os.MkdirTemp(n.k.dir, n.name+"-")
	if err != nil {
		return "", err
	}
	return dir, os.CopyFS(dir, os.DirFS(n.dir))
}
