package chronos_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/pipenet"
)

// team is a cluster of schedulers in one bubble. Every start of a handler is
// noted by the team, not by the library.
type team struct {
	t     *testing.T
	net   pipenet.Network
	dir   string
	names []string
	nodes map[string]*chronos.Scheduler
	ends  map[string]func() error

	workers map[string]bool
	change  func(*chronos.Options)

	mu     sync.Mutex
	worker string // of one name; workers may be more
	starts []begun
	live   map[string]int // by job
	most   map[string]int
	groups map[string]string            // of jobs, counted as one more job
	labels map[string]map[string]string // of nodes
}

type begun struct {
	node, job string
	due, at   time.Time
	token     uint64
}

func newTeam(t *testing.T, names ...string) *team {
	return &team{t: t, dir: t.TempDir(), names: names, nodes: map[string]*chronos.Scheduler{}, ends: map[string]func() error{},
		workers: map[string]bool{}, live: map[string]int{}, most: map[string]int{}}
}

// together runs a test with nodes that have formed a cluster and run.
func together(t *testing.T, names []string, test func(t *testing.T, c *team)) {
	t.Helper()
	togetherAs(t, nil, names, test)
}

// togetherAs gives the nodes labels.
func togetherAs(t *testing.T, labels map[string]map[string]string, names []string, test func(t *testing.T, c *team)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, names...)
		c.labels = labels
		c.open(names...)
		for _, name := range names {
			c.run(name, "h")
		}
		defer c.closeAll()
		test(t, c)
	})
}

// closeAll stops all nodes at once. None may have found another one's state to
// differ from its own.
func (c *team) closeAll() {
	for name, s := range c.nodes {
		st := s.Status()
		for _, m := range st.Members {
			if m.Differs || errors.Is(st.Err, chronos.ErrDiverged) {
				c.t.Errorf("%s: %+v, %v", name, m, st.Err)
			}
		}
	}
	var wg sync.WaitGroup
	for name, s := range c.nodes {
		wg.Go(func() {
			if end := c.ends[name]; end != nil {
				_ = end() // the last ones have nobody to tell
			}
			if err := s.Close(); err != nil {
				c.t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
}

func (c *team) options(name string) chronos.Options {
	log := quiet
	if os.Getenv("CHRONOS_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})).With("on", name)
	}
	o := chronos.Options{Dir: filepath.Join(c.dir, name), Node: name, Logger: log, Labels: c.labels[name]}
	o.Cluster = &chronos.Cluster{ID: "team", Listener: c.net.Listen("addr-" + name), Dial: c.net.Dialer("addr-" + name), Worker: name == c.worker || c.workers[name]}
	for _, n := range c.names {
		o.Cluster.Peers = append(o.Cluster.Peers, chronos.Peer{Node: n, Addr: "addr-" + n})
	}
	if c.change != nil {
		c.change(&o)
	}
	return o
}

// open opens nodes at the same time.
func (c *team) open(names ...string) {
	c.t.Helper()
	var wg sync.WaitGroup
	for _, name := range names {
		o := c.options(name)
		wg.Go(func() {
			s, err := chronos.New(o)
			c.mu.Lock()
			defer c.mu.Unlock()
			if err != nil {
				c.t.Errorf("New of %s: %v", name, err)
				return
			}
			c.nodes[name] = s
		})
	}
	wg.Wait()
	if c.t.Failed() {
		for _, s := range c.nodes {
			_ = s.Close()
		}
		c.t.FailNow()
	}
}

// run registers handlers, which take 300 ms, and runs a node.
func (c *team) run(name string, handlers ...string) {
	c.t.Helper()
	s := c.nodes[name]
	for _, h := range handlers {
		err := s.Handle(h, func(ctx context.Context, x chronos.Execution) error {
			c.begin(name, x)
			defer c.end(x)
			select {
			case <-time.After(300 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		if err != nil {
			c.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c.ends[name] = func() error {
		cancel()
		return <-done
	}
}

func (c *team) begin(node string, x chronos.Execution) {
	if x.Target != "" && x.Target != node || (x.Target != "") != strings.Contains(x.ID, "@") {
		c.t.Errorf("%s begins on %s, and says that it is for %q", x.ID, node, x.Target)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.starts = append(c.starts, begun{node, x.Job, x.Due, time.Now(), x.FencingToken})
	for _, name := range c.counted(x.Job) {
		c.live[name]++
		c.most[name] = max(c.most[name], c.live[name])
	}
}

// counted is what a start of a job counts for.
func (c *team) counted(job string) []string {
	if g := c.groups[job]; g != "" {
		return []string{job, g}
	}
	return []string{job}
}

// together counts jobs as one, beside each of them.
func (c *team) together(group string, jobs []chronos.Job) {
	c.groups = map[string]string{}
	for _, j := range jobs {
		c.groups[j.ID] = "group " + group
	}
}

func (c *team) end(x chronos.Execution) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.counted(x.Job) {
		c.live[name]--
	}
}

func (c *team) begun() []begun {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.starts)
}

func (c *team) mostOf(job string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most[job]
}

func (c *team) close(name string) {
	c.t.Helper()
	if err := c.ends[name](); err != nil {
		c.t.Errorf("Run of %s: %v", name, err)
	}
	if err := c.nodes[name].Close(); err != nil {
		c.t.Errorf("Close of %s: %v", name, err)
	}
	delete(c.nodes, name)
}

func (c *team) leader() string {
	c.t.Helper()
	for range 200 {
		for name, s := range c.nodes {
			if s.Status().Leading {
				return name
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatal("nobody leads")
	return ""
}

func (c *team) any() *chronos.Scheduler {
	return c.nodes[c.leader()]
}

// ledger lists the due instants of a job's rows and how many rows each has, on a
// node that has caught up.
func (c *team) ledger(node, job string) map[int64]chronos.Execution {
	c.t.Helper()
	if err := c.nodes[node].Sync(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	out := map[int64]chronos.Execution{}
	for x, err := range c.nodes[node].Executions(c.t.Context(), chronos.Query{Job: job}) {
		if err != nil {
			c.t.Fatal(err)
		}
		for n := range x.Count {
			due := x.Due.Add(time.Duration(n) * time.Second).Unix()
			if _, ok := out[due]; ok {
				c.t.Errorf("%s has two rows for %v", job, x.Due)
			}
			out[due] = x
		}
	}
	return out
}

// complete checks that every second from one instant up to another has its row.
func (c *team) complete(node, job string, from, to time.Time) {
	c.t.Helper()
	rows := c.ledger(node, job)
	for at := from; !at.After(to); at = at.Add(time.Second) {
		if _, ok := rows[at.Unix()]; !ok {
			c.t.Errorf("%s: no row for %v", job, at.Sub(epoch))
		}
	}
}

// Each due instant runs once in the whole cluster, and the work is spread.
func TestClusterRunsOnce(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		var jobs []chronos.Job
		for i := range 12 {
			jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: chronos.Every(time.Second)})
		}
		if _, err := c.nodes["b"].PutAll(t.Context(), jobs); err != nil {
			t.Fatal(err)
		}
		if _, err := c.nodes["b"].Get(t.Context(), "job-7"); err != nil {
			t.Errorf("b does not see its own write: %v", err)
		}
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		time.Sleep(30*time.Second + 500*time.Millisecond)
		seen, byNode := map[string]int{}, map[string]int{}
		for _, s := range c.begun() {
			seen[fmt.Sprint(s.job, s.due)]++
			byNode[s.node]++
			if late := s.at.Sub(s.due); late < 0 || late > 20*time.Millisecond {
				t.Errorf("%s due %v began %v late on %s", s.job, s.due, late, s.node)
			}
		}
		for k, n := range seen {
			if n != 1 {
				t.Errorf("%s ran %d times", k, n)
			}
		}
		for _, j := range jobs {
			c.complete("a", j.ID, begin, begin.Add(29*time.Second))
			if c.mostOf(j.ID) > 1 {
				t.Errorf("%s ran %d times at once", j.ID, c.mostOf(j.ID))
			}
		}
		total := len(c.begun())
		for _, n := range c.names {
			if share := byNode[n] * 1000 / total; share < 300 || share > 367 {
				t.Errorf("%s ran %d of %d", n, byNode[n], total)
			}
		}
	})
}

// Planning begins as soon as somebody runs, whenever the leader last looked.
func TestClusterPlansAtOnce(t *testing.T) {
	for _, after := range []time.Duration{0, 70 * time.Millisecond, 140 * time.Millisecond, 210 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			c := newTeam(t, "a", "b", "c")
			c.open("a", "b", "c")
			if _, err := c.any().Put(t.Context(), chronos.Job{ID: "j", Handler: "h", Schedule: chronos.Every(10 * time.Millisecond)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3*time.Second + after)
			ran := time.Now()
			c.run("b", "h")
			time.Sleep(time.Second)
			if starts := c.begun(); len(starts) == 0 || starts[0].at.Sub(ran) > 50*time.Millisecond {
				t.Errorf("after %v: %d starts; the first should have come within 50 ms: %v", after, len(starts), starts[:min(len(starts), 1)])
			}
			c.closeAll()
		})
	}
}

// A node without the handler gets none of it; one that nobody has waits.
func TestClusterHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b", "c")
		c.open("a", "b", "c")
		c.run("a", "x")
		c.run("b", "x", "y")
		c.run("c")
		for id, h := range map[string]string{"x": "x", "x2": "x", "x3": "x", "y": "y", "z": "z"} {
			if _, err := c.nodes["c"].Put(t.Context(), chronos.Job{ID: id, Handler: h, Schedule: chronos.Every(time.Second)}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		byNode := map[string]int{}
		for _, s := range c.begun() {
			byNode[s.job[:1]+" on "+s.node]++
		}
		if byNode["x on c"]+byNode["y on a"]+byNode["y on c"] > 0 || byNode["x on a"] == 0 || byNode["x on b"] == 0 || byNode["y on b"] < 9 {
			t.Errorf("%v", byNode)
		}
		waits := 0
		for _, x := range c.ledger("c", "z") {
			if x.Waiting == chronos.WaitingRoom {
				waits++
			}
		}
		if waits != 1 {
			t.Errorf("%d executions wait for a handler that nobody has", waits)
		}
		c.closeAll()
	})
}

// The leader is cut off while it runs jobs: it gives them up before anybody else
// may have them, the others go on within the lease, no instant is lost, and no
// exclusive job has two live attempts. When it is back it takes part again.
func TestClusterLeaderCutOff(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		for i := range 6 {
			if _, err := c.any().Put(t.Context(), chronos.Job{ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: chronos.Every(time.Second)}); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		time.Sleep(5 * time.Second)
		old := c.leader()
		cut := time.Now()
		c.net.Isolate("addr-" + old)
		time.Sleep(20 * time.Second)
		c.net.Join("addr-" + old)
		time.Sleep(10 * time.Second)
		if st := c.nodes[old].Status(); !st.Ready || st.Leader == "" {
			t.Errorf("after healing: %+v", st)
		}
		late, again := 0, false
		for _, s := range c.begun() {
			if s.node == old && s.at.After(cut.Add(4*time.Second)) && s.at.Before(cut.Add(20*time.Second)) {
				late++
			}
			again = again || s.node == old && s.at.After(cut.Add(22*time.Second))
		}
		if late > 0 {
			t.Errorf("the node that was cut off began %d attempts after its lease", late)
		}
		if !again {
			t.Error("it takes no part again")
		}
		for i := range 6 {
			job := fmt.Sprintf("job-%d", i)
			c.complete(c.leader(), job, begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
			if c.mostOf(job) > 1 {
				t.Errorf("%s had %d live attempts", job, c.mostOf(job))
			}
		}
		first := time.Time{}
		for _, s := range c.begun() {
			if s.node != old && s.at.After(cut) && (first.IsZero() || s.at.Before(first)) {
				first = s.at
			}
		}
		t.Logf("first start elsewhere %v after the cut", first.Sub(cut))
	})
}

// A planned stop hands leadership over and loses no punctuality.
func TestClusterPlannedStop(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		if _, err := c.any().Put(t.Context(), chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second)}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		time.Sleep(3*time.Second + 400*time.Millisecond)
		c.close(c.leader())
		time.Sleep(10 * time.Second)
		c.complete(c.leader(), "job", begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
		for _, s := range c.begun() {
			if late := s.at.Sub(s.due); late > 100*time.Millisecond {
				t.Errorf("due %v began %v late", s.due.Sub(begin), late)
			}
		}
	})
}

// A worker takes its share without a vote; a member that is removed runs nothing
// any more, and what it ran is resolved.
func TestClusterWorkerAndRemoval(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		for i := range 8 {
			if _, err := c.any().Put(t.Context(), chronos.Job{ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: chronos.Every(time.Second)}); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now().Truncate(time.Second).Add(time.Second)
		c.workers["w"] = true
		c.names = append(c.names, "w")
		c.open("w")
		c.run("w", "h")
		time.Sleep(10 * time.Second)
		members := c.nodes["w"].Status().Members
		if len(members) != 4 || members[3].Node != "w" || members[3].Voter || !members[0].Voter {
			t.Errorf("members %+v", members)
		}
		gone := "b"
		if c.leader() == gone {
			gone = "c"
		}
		if err := c.nodes["w"].RemoveMember(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		removed := time.Now()
		if err := c.nodes["w"].RemoveMember(t.Context(), "nobody"); !errors.Is(err, chronos.ErrNotFound) {
			t.Errorf("removal of nobody: %v", err)
		}
		time.Sleep(15 * time.Second)
		byNode, late := map[string]int{}, 0
		for _, s := range c.begun() {
			byNode[s.node]++
			if s.node == gone && s.at.After(removed.Add(5*time.Second)) {
				late++
			}
		}
		if byNode["w"] < 30 || late > 0 {
			t.Errorf("starts by node %v, %d on the removed one after its lease", byNode, late)
		}
		for i := range 8 {
			job := fmt.Sprintf("job-%d", i)
			c.complete("w", job, begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
			if c.mostOf(job) > 1 {
				t.Errorf("%s had %d live attempts", job, c.mostOf(job))
			}
		}
	})
}

// A directory of another cluster is refused, and so is that of a node that was
// removed, whether or not it was told before it stopped. One that runs stops by
// itself. With an empty directory it joins again.
func TestClusterRefusesDirectories(t *testing.T) {
	for _, told := range []bool{true, false} {
		t.Run(fmt.Sprintf("told=%v", told), func(t *testing.T) {
			together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
				gone := "b"
				if c.leader() == gone {
					gone = "c"
				}
				if !told {
					c.kill(gone)
				}
				if err := c.any().RemoveMember(t.Context(), gone); err != nil {
					t.Fatal(err)
				}
				time.Sleep(30 * time.Second) // the leader tries to tell it for some
				if told {
					if st := c.nodes[gone].Status(); !errors.Is(st.Err, chronos.ErrStopped) || st.Ready {
						t.Errorf("it was removed, and is %+v", st)
					}
					c.kill(gone)
				}
				begun := time.Now()
				if _, err := chronos.New(c.options(gone)); !errors.Is(err, chronos.ErrConflict) || !strings.Contains(err.Error(), "empty directory") {
					t.Errorf("removed: %v", err)
				}
				if d := time.Since(begun); d > 30*time.Second {
					t.Errorf("it took New %v to say so", d)
				}
				o := c.options(gone)
				o.Cluster.ID = "another"
				if _, err := chronos.New(o); !errors.Is(err, chronos.ErrConflict) {
					t.Errorf("of another cluster: %v", err)
				}
				if err := os.RemoveAll(filepath.Join(c.dir, gone)); err != nil {
					t.Fatal(err)
				}
				c.open(gone)
				c.run(gone, "h")
			})
		})
	}
}

// Options that cannot work are refused, by field.
func TestClusterOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b")
		for field, change := range map[string]func(*chronos.Options){
			"Options.Node":              func(o *chronos.Options) { o.Node = "" },
			"Options.TrustView":         func(o *chronos.Options) { o.TrustView = true },
			"Options.Cluster.ID":        func(o *chronos.Options) { o.Cluster.ID = "" },
			"Options.Cluster.Listener":  func(o *chronos.Options) { o.Cluster.Listener = nil },
			"Options.Cluster.Peers":     func(o *chronos.Options) { o.Node = "x" },
			"Options.Cluster.Heartbeat": func(o *chronos.Options) { o.Cluster.Heartbeat = time.Millisecond },
			"Options.Cluster.Lease":     func(o *chronos.Options) { o.Cluster.Lease = time.Second },
			"Options.Cluster.RemoveDeadAfter": func(o *chronos.Options) {
				o.Cluster.Lease, o.Cluster.RemoveDeadAfter = time.Minute, 90*time.Second
			},
			"Options.Cluster.JoinTimeout": func(o *chronos.Options) { o.Cluster.JoinTimeout = -1 },
		} {
			o := c.options("a")
			change(&o)
			_, err := chronos.New(o)
			wantField(t, err, field)
		}
		o := c.options("a")
		o.Cluster.JoinTimeout = 3 * time.Second
		if _, err := chronos.New(o); !errors.Is(err, chronos.ErrNoLeader) {
			t.Errorf("alone: %v", err)
		}
	})
}

// A call that decides by what its node knows of a job sees what was put on another
// node a moment ago, also where that has not heard of it yet.
func TestClusterCallsElsewhere(t *testing.T) {
	together(t, []string{"a", "b", "c"}, func(t *testing.T, c *team) {
		leader := c.leader()
		far := "a"
		if leader == far {
			far = "b"
		}
		c.net.Delay("addr-"+leader, "addr-"+far, 50*time.Millisecond)
		job := chronos.Job{ID: "job", Handler: "h", Schedule: chronos.Every(time.Second)}
		if _, err := c.nodes[leader].Put(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if err := c.nodes[far].Resume(t.Context(), "job"); err != nil {
			t.Errorf("Resume: %v", err)
		}
		job.Payload = []byte("2")
		if _, err := c.nodes[leader].Put(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if _, err := c.nodes[far].Rollback(t.Context(), "job", 1); err != nil {
			t.Errorf("Rollback: %v", err)
		}
		job.Schedule = chronos.Every(2 * time.Second)
		if _, err := c.nodes[leader].Put(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		to := time.Now()
		if n, err := c.nodes[far].Backfill(t.Context(), "job", chronos.BackfillRequest{From: to.Add(-10*time.Second + 1), To: to}); err != nil || n != 5 {
			t.Errorf("Backfill made %d: %v", n, err)
		}
	})
}
