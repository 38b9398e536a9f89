package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// nodeEnv tells a process that it is a node, and where its files are.
const nodeEnv = "CHRONOS_EXAMPLE_NODE"

// lease is how long the others leave a node that they do not hear of what it
// runs. The default is a little longer than one likes to watch.
const lease = 3 * time.Second

// jobs are the same on every node. What is missed while nobody leads is made up
// for, so that each due instant runs: the default would run only the last one.
func jobs() []chronos.Job {
	var out []chronos.Job
	for _, id := range []string{"invoices", "mails", "reports"} {
		out = append(out, chronos.Job{
			ID: id, Handler: "work", Schedule: chronos.Every(time.Second),
			Misfire: chronos.MisfireAll, Overlap: chronos.OverlapAllowAll,
		})
	}
	return out
}

// node is one process of the cluster.
type node struct {
	name, home string
	s          *chronos.Scheduler

	mu  sync.Mutex // messages stay whole
	out *json.Encoder
}

// nodeMain is the whole of a child process. It ends when it is told to, or when
// its parent has gone: then at once, as if it had been killed, which it survives.
func nodeMain(home string, stdin io.Reader, stdout io.Writer) int {
	n := &node{name: filepath.Base(home), home: home, out: json.NewEncoder(stdout)}
	orders, gone := make(chan order), make(chan struct{})
	go func() {
		defer close(gone)
		for in := json.NewDecoder(stdin); ; {
			var o order
			if in.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- n.serve(orders) }()
	select {
	case <-gone:
		return 1
	case err := <-ended:
		if err != nil {
			fmt.Fprintf(os.Stderr, "node %s: %v\n", n.name, err)
			return 1
		}
		return 0
	}
}

// serve listens, learns where the others are, and is a node until told to stop.
func (n *node) serve(orders <-chan order) error {
	config, err := mutualTLS(n.home)
	if err != nil {
		return err
	}
	plain, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	n.say(message{Kind: listens, Addr: plain.Addr().String()})
	peers := <-orders
	n.s, err = chronos.New(options(n.name, n.home, tls.NewListener(plain, config), config, peers.Peers))
	if err != nil {
		return errors.Join(err, plain.Close())
	}
	if err := n.work(orders); err != nil {
		return errors.Join(err, n.s.Close())
	}
	<-orders // stop
	return n.s.Close()
}

// options are all that makes a scheduler a node of a cluster.
func options(name, home string, listener net.Listener, config *tls.Config, peers []chronos.Peer) chronos.Options {
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 2 * time.Second}, Config: config}
	return chronos.Options{
		Dir:  filepath.Join(home, "data"), // every node has its own
		Node: name,
		Cluster: &chronos.Cluster{
			ID: "example", Peers: peers, Listener: listener, Lease: lease,
			Dial: func(ctx context.Context, addr string) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", addr) },
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})).With("on", name),
	}
}

// work runs the scheduler until the parent says that it is enough. Every node
// declares the jobs at every start, because an unchanged one makes no new version.
func (n *node) work(orders <-chan order) error {
	if err := n.s.Handle("work", n.handle); err != nil {
		return err
	}
	if _, err := n.s.PutAll(context.Background(), jobs()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var watcher sync.WaitGroup
	watcher.Go(func() { n.watchLeader(ctx) })
	run := make(chan error, 1)
	go func() { run <- n.s.Run(ctx) }()
	n.say(message{Kind: runs})
	err := n.obey(ctx, orders)
	cancel() // Run takes nothing new then, and lets what runs finish
	watcher.Wait()
	err = errors.Join(err, <-run)
	n.say(message{Kind: rests})
	return err
}

func (n *node) obey(ctx context.Context, orders <-chan order) error {
	for o := range orders {
		if o.Do == rest {
			break
		}
		if err := n.tellLedger(ctx, o.To); err != nil {
			return err
		}
	}
	return nil
}

// handle is the job: it tells that it began, and takes a while.
func (n *node) handle(ctx context.Context, x chronos.Execution) error {
	n.say(message{Kind: starts, Start: &start{Job: x.Job, Due: x.Due, At: time.Now(), Attempt: x.Attempt}})
	select {
	case <-time.After(200 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (n *node) watchLeader(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for led := false; ; {
		if leads := n.s.Status().Leading; leads != led {
			led = leads
			n.say(message{Kind: leading, Leads: leads})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tellLedger sends the rows up to an instant, as this node knows them.
func (n *node) tellLedger(ctx context.Context, to time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := n.s.Sync(ctx); err != nil { // this node may be a moment behind
		return err
	}
	book := &ledger{Since: map[string]time.Time{}}
	for job, err := range n.s.Jobs(ctx, nil) {
		if err != nil {
			return err
		}
		book.Since[job.ID] = job.State.CreatedAt
	}
	for x, err := range n.s.Executions(ctx, chronos.Query{To: to}) {
		if err != nil {
			return err
		}
		book.Rows = append(book.Rows, row{
			Job: x.Job, Due: x.Due, Created: x.CreatedAt, Status: x.Status, Count: x.Count, Attempts: x.Attempt,
		})
	}
	n.say(message{Kind: tells, Ledger: book})
	return nil
}

// say sends a message. It cannot fail in a way that matters: without a parent
// this process is about to end.
func (n *node) say(m message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = n.out.Encode(m)
}
