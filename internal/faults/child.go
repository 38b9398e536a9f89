package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/testhook"
	"github.com/chronos-go/chronos/raftfsm"
)

// childEnv carries a childConfig to the child, and tells it that it is one.
const childEnv = "CHRONOS_FAULTS_CHILD"

// childConfig says what a child process is to do.
type childConfig struct {
	Dir     string
	Journal string // outside of Dir
	Dump    string // where to leave what was found
	Log     string // what the library logs; appended
	Mode    string // modeWork or modeLook
	Seed    uint64

	NoSync   bool // control: nothing is fsynced
	AckEarly bool // control: answers are given before the write
	Fill     int  // size of the descriptions of edited jobs, to grow the log

	Cluster *nodeConfig // not nil: be a node of a cluster, and do what the parent orders
}

const (
	modeWork = "work" // dump, then run and change jobs until told to stop
	modeLook = "look" // dump, see if writing works, close
)

// What a parent tells a working child. Both stop the changes and wait until
// nothing is unfinished.
const (
	orderStop   = "stop"   // then close and exit
	orderSettle = "settle" // then wait to be killed
)

// exitRefused: New answered with an error, which is on stdout.
const exitRefused = 3

// refusal is what New said.
type refusal struct {
	Text                   string
	Corrupt, Full, Stopped bool
}

// childMain is the whole of a child process.
func childMain(text string) int {
	var cfg childConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	// Snapshots all the time, so that faults find one under way.
	testhook.Raft = func(c *raftfsm.Config) {
		c.NoSync = cfg.NoSync
		c.SnapshotThreshold, c.SnapshotInterval = 60, 150*time.Millisecond
		if cfg.Cluster != nil {
			c.SnapshotThreshold, c.SnapshotInterval = cfg.Cluster.Snapshot, time.Second
		}
	}
	rec, err := openRecorder(cfg.Journal)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	c := &child{cfg: cfg, rec: rec, rng: rand.New(rand.NewPCG(cfg.Seed, uint64(os.Getpid())))}
	if cfg.Cluster != nil {
		rec.node = cfg.Cluster.Node
		return c.runNode()
	}
	return c.run()
}

type child struct {
	cfg   childConfig
	rec   *recorder
	s     *chronos.Scheduler
	mu    sync.Mutex
	rng   *rand.Rand
	calls int
}

func (c *child) random(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

func (c *child) seq() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	return fmt.Sprintf("%d-%d", os.Getpid(), c.calls)
}

func (c *child) logger() *slog.Logger {
	f, err := os.OpenFile(c.cfg.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(f, nil)).With("pid", os.Getpid())
}

func (c *child) run() int {
	s, err := chronos.New(chronos.Options{
		Dir: c.cfg.Dir, Retention: chronos.Retention{Age: -1, Count: -1}, Logger: c.logger(), DrainTimeout: 2 * time.Second,
	})
	if err != nil {
		return refuse(err)
	}
	c.s = s
	if err := s.Handle("work", c.handle); err != nil {
		return fail("handle", err)
	}
	if err := c.dump(c.cfg.Dump); err != nil {
		return fail("dump", err)
	}
	c.rec.write(event{Kind: "open"})
	fmt.Println("ready")
	if c.cfg.Mode == modeLook {
		return c.look()
	}
	return c.work()
}

func refuse(err error) int {
	answer, _ := json.Marshal(refusal{
		Text: err.Error(), Corrupt: errors.Is(err, chronos.ErrCorrupt), Full: errors.Is(err, chronos.ErrDiskFull),
		Stopped: errors.Is(err, chronos.ErrStopped),
	})
	fmt.Println(string(answer))
	return exitRefused
}

func fail(what string, err error) int {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	return 1
}

// look sees if a directory that opened also serves, and closes it. Damage that
// is noticed only now is an answer, too.
func (c *child) look() int {
	err := c.probe()
	closed := c.s.Close()
	if err == nil {
		err = closed
	}
	if errors.Is(err, chronos.ErrCorrupt) || errors.Is(err, chronos.ErrStopped) {
		return refuse(err)
	}
	if err != nil {
		return fail("using it after opening", err)
	}
	return 0
}

func (c *child) probe() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	p := &plan{Job: "probe", Work: work{Seq: c.seq()}}
	if _, err := c.s.Put(ctx, p.job()); err != nil {
		return err
	}
	if _, err := c.s.Trigger(ctx, "probe", chronos.TriggerRequest{}); err != nil {
		return err
	}
	return c.s.Delete(ctx, "probe")
}

// work runs until the parent says "stop" (or kills the process).
func (c *child) work() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	run := make(chan error, 1)
	go func() { run <- c.s.Run(ctx) }()
	busy, still := context.WithCancel(ctx)
	defer still()
	var workers sync.WaitGroup
	c.startWorkers(busy, &workers)
	order, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return fail("stdin", err)
	}
	still()
	workers.Wait()
	if order != "" {
		if err := c.settle(); err != nil {
			return fail("settle", err)
		}
		if err := c.dump(c.cfg.Dump); err != nil {
			return fail("dump", err)
		}
	}
	if strings.TrimSpace(order) == orderSettle {
		fmt.Println("settled")
		select {} // the parent kills this process
	}
	cancel()
	if err := <-run; err != nil {
		return fail("run", err)
	}
	if err := c.s.Close(); err != nil {
		return fail("close", err)
	}
	return 0
}

// settleLimit is how long whatever a crash left behind may stay unfinished.
const settleLimit = 60 * time.Second

// behind tells if an instant of a job passed a while ago and has no row yet.
func behind(j chronos.Job) bool {
	return !j.State.NextDue.IsZero() && time.Since(j.State.NextDue) > behindBy
}

// catchUp waits until no job is behind, and notes when that was.
func (c *child) catchUp(ctx context.Context) error {
	for {
		late, now := "", time.Now()
		for j, err := range c.s.Jobs(ctx, nil) {
			if err != nil {
				return fmt.Errorf("behind after %v: %s (%w)", settleLimit, late, err)
			}
			if behind(j) {
				late = j.ID
			}
		}
		if late == "" {
			c.rec.even(now)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("behind after %v: %s", settleLimit, late)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// settle waits until no job is behind, pauses every job and waits until nothing is
// unfinished.
func (c *child) settle() error {
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	if err := c.catchUp(ctx); err != nil {
		return err
	}
	for j, err := range c.s.Jobs(ctx, nil) {
		if err != nil {
			return err
		}
		if !j.State.Paused {
			c.call("pause", j.ID, nil, func(ctx context.Context, _ string, e *event) error {
				return c.s.Pause(ctx, j.ID, "settling")
			})
		}
	}
	for {
		open := ""
		for j, err := range c.s.Jobs(ctx, nil) {
			if err != nil {
				return fmt.Errorf("unfinished after %v: %s (%w)", settleLimit, open, err)
			}
			if n := j.State.Unfinished + j.State.Buffered; n > 0 {
				open += fmt.Sprintf("%s has %d, ", j.ID, n)
			}
		}
		if open == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("unfinished after %v: %s", settleLimit, open)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// handle is the only handler. Start and end of each attempt go to the journal,
// so that what ran is known from outside the library.
func (c *child) handle(ctx context.Context, x chronos.Execution) (err error) {
	var w work
	if err := json.Unmarshal(x.Payload, &w); err != nil {
		return chronos.Permanent(err)
	}
	e := event{Job: x.Job, Exec: x.ID, Attempt: x.Attempt, Token: x.FencingToken, Gen: x.Generation, Version: x.Version, Due: nanos(x.Due)}
	start, end := e, e
	start.Kind, end.Kind = "start", "end"
	c.rec.write(start)
	defer func() {
		end.Text = "ok"
		if err != nil {
			end.Text = err.Error()
		}
		if ctx.Err() != nil {
			end.Cause = context.Cause(ctx).Error()
		}
		c.rec.write(end)
	}()
	var done <-chan time.Time
	if !w.Hold {
		done = time.After(time.Duration(w.Min+c.random(w.Max-w.Min+1)) * time.Millisecond)
	}
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.random(100) < w.Fail {
		return errors.New("told to fail")
	}
	return nil
}
