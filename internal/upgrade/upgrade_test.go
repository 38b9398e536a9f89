// Package upgrade restarts a cluster, node by node, from an older program to this
// one while it works: three processes, built from two commits.
package upgrade

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

var previous = flag.String("previous", "", "the commit to upgrade from; without it the test is skipped")

// program builds the node. For the older one the tree of that commit is taken out
// of the repository, and the node's source put into it.
func program(t *testing.T, commit string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "node")
	tree := root
	if commit != "" {
		tree = t.TempDir()
		archive := command(t, root, "git", "archive", "--format=tar", "-o", filepath.Join(tree, "tree.tar"), commit)
		if out, err := archive.CombinedOutput(); err != nil {
			t.Skipf("the older program is in the history of the repository, which is not here: %v\n%s", err, out)
		}
		must(t, command(t, tree, "tar", "xf", "tree.tar"))
		must(t, command(t, tree, "mkdir", "-p", "internal/upgrade"))
		must(t, command(t, tree, "cp", "-r", filepath.Join(root, "internal/upgrade/node"), "internal/upgrade/"))
	}
	must(t, command(t, tree, "go", "build", "-buildvcs=false", "-o", binary, "./internal/upgrade/node"))
	return binary
}

func command(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), name, args...) //nolint:gosec // of this test's making
	cmd.Dir = dir
	return cmd
}

func must(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// line is what a node says, as its program writes it.
type line struct {
	Kind   string
	N      int
	Err    string
	Job    string
	Due    time.Time
	Token  uint64
	Rows   []chronos.Execution
	Status *struct {
		Level   int
		Ready   bool
		Leading bool
		Members []chronos.Member
	}
}

type order struct {
	N   int         `json:"n"`
	Op  string      `json:"op"`
	Job chronos.Job `json:"job"`
}

// cluster is three processes, with what their handlers did.
type cluster struct {
	t     *testing.T
	dir   string
	peers []string
	nodes map[string]*process

	mu     sync.Mutex
	starts map[string]int // by job and due instant
	live   map[string]int // by job
	most   map[string]int
	tokens map[string]uint64
}

type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	log   *os.File
	ready chan struct{}
	gone  chan struct{}

	mu      sync.Mutex
	n       int
	answers map[int]chan line
	held    map[string]int // starts of a job without an end
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t, dir: t.TempDir(), nodes: map[string]*process{}, starts: map[string]int{}, live: map[string]int{},
		most: map[string]int{}, tokens: map[string]uint64{}}
	for _, name := range []string{"a", "b", "c"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c.peers = append(c.peers, name+"="+l.Addr().String())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, p := range c.nodes {
			_ = p.cmd.Process.Kill()
			<-p.gone
		}
	})
	return c
}

func (c *cluster) start(node, binary string) {
	c.t.Helper()
	log, err := os.OpenFile(filepath.Join(c.dir, node+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	p := &process{ready: make(chan struct{}), gone: make(chan struct{}), answers: map[int]chan line{}, held: map[string]int{}, log: log}
	p.cmd = exec.Command(binary, "-node", node, "-dir", filepath.Join(c.dir, node), "-peers", strings.Join(c.peers, ",")) //nolint:gosec // of this test's making
	p.cmd.Stderr = log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.nodes[node] = p
	go c.listen(p, out)
}

// listen notes what a process says until it is gone.
func (c *cluster) listen(p *process, out io.Reader) {
	defer close(p.gone)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			continue // the last one of a process that was killed
		}
		switch l.Kind {
		case "ready":
			close(p.ready)
		case "start":
			c.begin(p, l)
		case "end":
			c.end(p, l.Job)
		case "answer":
			p.mu.Lock()
			p.answers[l.N] <- l
			p.mu.Unlock()
		}
	}
	_ = p.cmd.Wait()
	_ = p.log.Close()
	for job, n := range p.held { // it was killed
		for range n {
			c.end(p, job)
		}
	}
}

func (c *cluster) begin(p *process, l line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.starts[l.Job+l.Due.String()]++
	c.live[l.Job]++
	c.most[l.Job] = max(c.most[l.Job], c.live[l.Job])
	p.held[l.Job]++
	if l.Token <= c.tokens[l.Job] {
		c.t.Errorf("%s: token %d after %d", l.Job, l.Token, c.tokens[l.Job])
	}
	c.tokens[l.Job] = max(c.tokens[l.Job], l.Token)
}

func (c *cluster) end(p *process, job string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live[job]--
	p.held[job]--
}

const patience = time.Minute

func (c *cluster) awaitReady(node string) {
	c.t.Helper()
	p := c.nodes[node]
	select {
	case <-p.ready:
	case <-p.gone:
		c.t.Fatalf("node %s ended:\n%s", node, c.logOf(node))
	case <-time.After(patience):
		c.t.Fatalf("node %s is not ready:\n%s", node, c.logOf(node))
	}
}

func (c *cluster) logOf(node string) string {
	text, _ := os.ReadFile(filepath.Join(c.dir, node+".log"))
	return string(text[max(0, len(text)-4000):])
}

// stop ends a process in order, or at once.
func (c *cluster) stop(node string, signal syscall.Signal) {
	c.t.Helper()
	p := c.nodes[node]
	if err := p.cmd.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
	select {
	case <-p.gone:
	case <-time.After(patience):
		c.t.Fatalf("node %s does not stop:\n%s", node, c.logOf(node))
	}
}

func (c *cluster) ask(node string, o order) (line, error) {
	c.t.Helper()
	p := c.nodes[node]
	got := make(chan line, 1)
	p.mu.Lock()
	p.n++
	o.N = p.n
	p.answers[o.N] = got
	p.mu.Unlock()
	text, err := json.Marshal(o)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", text); err != nil {
		return line{}, err
	}
	select {
	case l := <-got:
		if l.Err != "" {
			return l, errors.New(l.Err)
		}
		return l, nil
	case <-p.gone:
		c.t.Fatalf("node %s ended:\n%s", node, c.logOf(node))
	case <-time.After(patience):
		c.t.Fatalf("node %s does not answer:\n%s", node, c.logOf(node))
	}
	return line{}, nil
}

// settled waits until a condition holds.
func (c *cluster) settled(what string, cond func() bool) {
	c.t.Helper()
	for begun := time.Now(); !cond(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > patience {
			c.t.Fatalf("%s: not within %v\n%s", what, patience, c.logOf("a"))
		}
	}
}

func (c *cluster) level(node string) int {
	l, err := c.ask(node, order{Op: "status"})
	if err != nil {
		c.t.Fatalf("status of %s: %v\n%s", node, err, c.logOf(node))
	}
	return l.Status.Level
}

// TestFromThePreviousProgram upgrades a cluster at work, one node after the other,
// one of them after a kill. No instant is lost, none runs twice at once, and what
// is new works in the end. Then one goes back, and is refused.
func TestFromThePreviousProgram(t *testing.T) {
	if *previous == "" {
		t.Skip("-previous names the commit to upgrade from: make upgrade")
	}
	older, newer := program(t, *previous), program(t, "")
	c := newCluster(t)
	for _, n := range []string{"a", "b", "c"} {
		c.start(n, older)
	}
	for _, n := range []string{"a", "b", "c"} {
		c.awaitReady(n)
	}
	for i := range 10 {
		c.put("a", chronos.Job{ID: fmt.Sprint("job-", i), Handler: "work", Schedule: chronos.Every(time.Second), Misfire: chronos.MisfireAll, Overlap: chronos.OverlapBufferAll})
	}
	begin := time.Now().Truncate(time.Second).Add(2 * time.Second)
	time.Sleep(3 * time.Second)
	for i, n := range []string{"a", "b", "c"} {
		signal := syscall.SIGTERM
		if i == 1 {
			signal = syscall.SIGKILL
		}
		c.stop(n, signal)
		c.start(n, newer)
		c.awaitReady(n)
		if i < 2 {
			keyed := chronos.Job{ID: "keyed", Handler: "work", Schedule: chronos.Every(time.Second), Concurrency: chronos.Concurrency{Key: "k"}}
			if _, err := c.ask(n, order{Op: "put", Job: keyed}); err == nil || !strings.Contains(err.Error(), "Job.Concurrency") {
				t.Errorf("a concurrency key while %d of 3 are upgraded: %v", i+1, err)
			}
		}
		time.Sleep(2 * time.Second)
	}
	c.settled("the level rises", func() bool { return c.level("a") >= 2 && c.level("b") >= 2 && c.level("c") >= 2 })
	c.put("b", chronos.Job{ID: "keyed", Handler: "work", Schedule: chronos.Every(time.Second), Concurrency: chronos.Concurrency{Key: "k"}})
	time.Sleep(3 * time.Second)
	end := time.Now().Add(-2 * time.Second)
	for i := range 10 {
		c.check(fmt.Sprint("job-", i), begin, end)
	}
	l, err := c.ask("c", order{Op: "ledger", Job: chronos.Job{ID: "keyed"}})
	if err != nil || len(l.Rows) < 2 {
		t.Errorf("%d rows of a job with a concurrency key: %v", len(l.Rows), err)
	}

	c.stop("c", syscall.SIGTERM)
	c.start("c", older)
	select {
	case <-c.nodes["c"].gone:
	case <-c.nodes["c"].ready:
		t.Error("the older program goes on where the newer one was")
	case <-time.After(patience):
		t.Error("the older program hangs on the newer one's directory")
	}
}

func (c *cluster) put(node string, job chronos.Job) {
	c.t.Helper()
	if _, err := c.ask(node, order{Op: "put", Job: job}); err != nil {
		c.t.Fatalf("put on %s: %v\n%s", node, err, c.logOf(node))
	}
}

// check holds a job's ledger, as each node has it, against every second of a time
// and against what ran.
func (c *cluster) check(job string, begin, end time.Time) {
	c.t.Helper()
	for _, n := range []string{"a", "b", "c"} {
		l, err := c.ask(n, order{Op: "ledger", Job: chronos.Job{ID: job}})
		if err != nil {
			c.t.Fatal(err)
		}
		rows := map[int64]int{}
		for _, x := range l.Rows {
			for i := range x.Count {
				rows[x.Due.Unix()+int64(i)]++
			}
		}
		for at := begin; at.Before(end); at = at.Add(time.Second) {
			if rows[at.Unix()] != 1 {
				c.t.Errorf("%s on %s: %d rows for %v", job, n, rows[at.Unix()], at)
			}
		}
		c.mu.Lock()
		for _, x := range l.Rows {
			if x.Status == chronos.StatusSucceeded && c.starts[job+x.Due.String()] == 0 {
				c.t.Errorf("%s due %v succeeded and never started", job, x.Due)
			}
		}
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most[job] > 1 {
		c.t.Errorf("%s ran %d times at once", job, c.most[job])
	}
}
