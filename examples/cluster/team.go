package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

// nodes are the names of the three.
var nodes = []string{"a", "b", "c"}

// patience is how long anything may take that has to happen.
const patience = 30 * time.Second

// team is the three nodes as their parent has them. One goroutine does all of it.
type team struct {
	out   io.Writer
	dir   string
	inbox chan message

	alive  map[string]*process
	going  map[string]bool // it may end: it was told to, or was killed
	addrs  map[string]string
	leader string
	seen   []start
	book   *ledger // as last told
}

func newTeam(out io.Writer, dir string) *team {
	return &team{
		out: out, dir: dir, inbox: make(chan message),
		alive: map[string]*process{}, going: map[string]bool{}, addrs: map[string]string{},
	}
}

// hear takes in messages, and prints what is of interest, until one is the last
// that is wanted or the context ends.
func (t *team) hear(ctx context.Context, enough func(message) bool) error {
	for {
		select {
		case m := <-t.inbox:
			if err := t.note(m); err != nil {
				return err
			}
			if enough(m) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await waits for something that has to happen.
func (t *team) await(ctx context.Context, what string, enough func(message) bool) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := t.hear(limited, enough)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("after %v there is still no sign that %s", patience, what)
	}
	return err
}

// watch lets time pass.
func (t *team) watch(ctx context.Context, d time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := t.hear(limited, func(message) bool { return false })
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil
	}
	return err
}

// note keeps what a message says.
func (t *team) note(m message) error {
	switch m.Kind {
	case listens:
		t.addrs[m.node] = m.Addr
	case leading:
		t.noteLeader(m)
	case starts:
		m.Start.node = m.node
		t.seen = append(t.seen, *m.Start)
		t.event(m.node, "%-8s  starts%s", m.Start.Job, again(m.Start))
	case tells:
		t.book = m.Ledger
	case ended:
		return t.noteEnd(m)
	}
	return nil
}

func (t *team) noteLeader(m message) {
	if m.Leads {
		t.leader = m.node
		t.event(m.node, "leads")
	} else if t.leader == m.node {
		t.leader = ""
	}
}

func (t *team) noteEnd(m message) error {
	p := t.alive[m.node]
	p.stdin.Close()
	delete(t.alive, m.node)
	if t.leader == m.node {
		t.leader = ""
	}
	if !t.going[m.node] {
		return fmt.Errorf("node %s has ended by itself (%v); it logged last:\n%s", m.node, m.err, p.lastLog())
	}
	return nil
}

// again says why an attempt is not the first.
func again(s *start) string {
	if s.Attempt == 1 {
		return ""
	}
	return fmt.Sprintf(", attempt %d for %s: the node that had it died", s.Attempt, clock(s.Due))
}

// form starts the nodes and makes them know each other.
func (t *team) form(ctx context.Context) error {
	t.line("Three processes become one scheduler, in %s", t.dir)
	for _, name := range nodes {
		if err := t.launch(ctx, name); err != nil {
			return err
		}
	}
	if err := t.await(ctx, "all nodes listen", func(message) bool { return len(t.addrs) == len(nodes) }); err != nil {
		return err
	}
	for _, name := range nodes {
		t.line("  node %s  %s, TLS 1.3, both sides with a certificate", name, t.addrs[name])
		if err := t.alive[name].order(order{Peers: t.peers()}); err != nil {
			return err
		}
	}
	running := 0
	return t.await(ctx, "all nodes run, and one leads", func(m message) bool {
		if m.Kind == runs {
			running++
		}
		return running == len(nodes) && t.leader != ""
	})
}

func (t *team) launch(ctx context.Context, name string) error {
	p, err := launch(ctx, filepath.Join(t.dir, name), t.inbox)
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	t.alive[name], t.going[name] = p, false
	return nil
}

func (t *team) peers() []chronos.Peer {
	var out []chronos.Peer
	for _, name := range nodes {
		out = append(out, chronos.Peer{Node: name, Addr: t.addrs[name]})
	}
	return out
}

// refuse shows what somebody gets at a node's port who knows the authority, but
// has no certificate of it.
func (t *team) refuse(ctx context.Context) error {
	pool, err := trusted(filepath.Join(t.dir, nodes[0]))
	if err != nil {
		return err
	}
	answer, err := knock(ctx, t.addrs[nodes[0]], &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: serverName})
	if len(answer) > 0 || err == nil {
		return fmt.Errorf("the cluster port answered somebody without a certificate: %q", answer)
	}
	t.line("\nSomebody without a certificate gets: %v\n", err)
	return nil
}

// knock sends the hello of a node and gives what comes back.
func knock(ctx context.Context, addr string, config *tls.Config) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return hello(ctx, conn)
}

// hello is "CHRM", version 1, for commands, and three texts with their lengths:
// cluster, node, address.
func hello(ctx context.Context, conn net.Conn) ([]byte, error) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, "CHRM\x01C\x00\x0b\x07example\x01z\x00"); err != nil {
		return nil, err
	}
	answer := make([]byte, 10)
	n, err := io.ReadFull(conn, answer)
	return answer[:n], err
}

// failover is the kill of a leader, and what followed.
type failover struct {
	killed string
	at     time.Time
	leader string
	led    time.Duration // from the kill until the others have a leader
}

// failOver kills the leader while it works, and sees the others go on.
func (t *team) failOver(ctx context.Context) (*failover, error) {
	err := t.await(ctx, "the leader works", func(m message) bool { return m.Kind == starts && m.node == t.leader })
	if err != nil {
		return nil, err
	}
	o := &failover{killed: t.leader, at: time.Now()}
	t.going[o.killed] = true
	if err := t.alive[o.killed].kill(); err != nil {
		return nil, fmt.Errorf("node %s cannot be killed: %w", o.killed, err)
	}
	t.event(o.killed, "leads, and is killed in the middle of its work")
	began := false
	err = t.await(ctx, "the others take over", func(m message) bool {
		began = began || m.Kind == starts && m.node != o.killed && m.Start.Due.After(o.at)
		if m.Kind == leading && m.Leads && m.node != o.killed && o.leader == "" {
			o.leader, o.led = m.node, time.Since(o.at)
		}
		return o.leader != "" && began
	})
	return o, err
}

// restart starts a node again, on its directory and wherever there is a free
// port: the others find out where it is.
func (t *team) restart(ctx context.Context, name string) error {
	if t.alive[name] != nil {
		return fmt.Errorf("node %s was killed, and lives", name)
	}
	if err := t.launch(ctx, name); err != nil {
		return err
	}
	is := func(k kind) func(message) bool {
		return func(m message) bool { return m.Kind == k && m.node == name }
	}
	if err := t.await(ctx, "the node listens again", is(listens)); err != nil {
		return err
	}
	t.event(name, "is started again, at %s", t.addrs[name])
	if err := t.alive[name].order(order{Peers: t.peers()}); err != nil {
		return err
	}
	if err := t.await(ctx, "the node has joined", is(runs)); err != nil {
		return err
	}
	t.event(name, "has joined, and takes work")
	return t.await(ctx, "the node works again", is(starts))
}

// audit asks one node for the ledger until everything up to now is finished, or
// should be.
func (t *team) audit(ctx context.Context, o *failover) (*finding, error) {
	to := time.Now()
	for deadline := to.Add(patience); ; {
		if err := t.alive[o.killed].order(order{Do: tell, To: to}); err != nil {
			return nil, err
		}
		if err := t.await(ctx, "the node tells its ledger", func(m message) bool { return m.Kind == tells }); err != nil {
			return nil, err
		}
		found := audit(t.book, t.seen, o, to)
		if len(found.faults) == 0 || time.Now().After(deadline) {
			return found, found.err()
		}
		if err := t.watch(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func (t *team) summary(o *failover, f *finding) {
	byNode := map[string]int{}
	for _, s := range t.seen {
		byNode[s.node]++
	}
	var shares []string
	for _, name := range nodes {
		shares = append(shares, fmt.Sprintf("%s %d", name, byNode[name]))
	}
	t.line("\nThe ledger, as node %s has it, from %s to %s:", o.killed, clock(f.from), clock(f.to))
	t.line("  instants   %d of %d jobs, each has one row and succeeded: none is lost, none doubled", f.instants, len(jobs()))
	t.line("  starts     %s", strings.Join(shares, ", "))
	t.line("  repeated   %d, which node %s had when it was killed", f.repeated, o.killed)
	t.line("  fail-over  %s leads %v after the kill; the next due instant starts %v after it, the first that %s planned %v",
		o.leader, ms(o.led), ms(f.next.Sub(o.at)), o.leader, ms(f.planned.Sub(o.at)))
	t.line("  latest     %v after its instant; what a dead node had waits for the end of its lease, %v", ms(f.longest), lease)
}

// stop ends Run on one node after the other, and then the nodes. Each of them
// has others beside it while it hands over what it ran; all that is left for the
// last one is to close its files.
func (t *team) stop(ctx context.Context) error {
	t.line("")
	for _, name := range nodes {
		if err := t.rest(ctx, name); err != nil {
			return err
		}
	}
	for _, name := range nodes {
		if err := t.leave(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (t *team) rest(ctx context.Context, name string) error {
	if err := t.alive[name].order(order{Do: rest}); err != nil {
		return err
	}
	return t.await(ctx, "node "+name+" takes no more work", func(m message) bool { return m.Kind == rests && m.node == name })
}

func (t *team) leave(ctx context.Context, name string) error {
	p := t.alive[name]
	t.going[name] = true
	if err := p.order(order{Do: stop}); err != nil {
		return err
	}
	var how error
	err := t.await(ctx, "node "+name+" ends", func(m message) bool {
		how = m.err
		return m.Kind == ended && m.node == name
	})
	if err != nil {
		return err
	}
	if how != nil {
		return fmt.Errorf("node %s did not end well (%w); it logged last:\n%s", name, how, p.lastLog())
	}
	t.event(name, "has stopped")
	return nil
}

// end kills what still runs and waits until it has ended.
func (t *team) end() {
	for _, p := range t.alive {
		t.going[p.name] = true
		_ = p.kill() // it may just have ended by itself
	}
	for len(t.alive) > 0 {
		_ = t.note(<-t.inbox) // every process says at last that it ended
	}
}

func (t *team) line(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

func (t *team) event(node, format string, args ...any) {
	t.line("  %s  %s  %s", clock(time.Now()), node, fmt.Sprintf(format, args...))
}

func clock(at time.Time) string { return at.Local().Format("15:04:05.00") }

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
