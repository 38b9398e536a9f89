package faults

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/chronos-go/chronos"
)

// obey does what the parent wants of this node.
func (c *child) obey(o order, a *answer) error {
	ctx, cancel := context.WithTimeout(chronos.WithActor(context.Background(), o.Seq), orderLimit)
	defer cancel()
	switch o.Op {
	case opPut:
		job, err := c.s.Put(ctx, o.Plan.job())
		a.Version = job.Version
		return err
	case opTrigger:
		x, err := c.s.Trigger(ctx, o.Job, chronos.TriggerRequest{Key: o.Seq})
		a.Exec = x.ID
		return err
	case opBackfill:
		n, err := c.s.Backfill(ctx, o.Job, chronos.BackfillRequest{
			From: time.Unix(0, o.From), To: time.Unix(0, o.To), Overlap: chronos.OverlapAllowAll, Key: o.Seq,
		})
		a.Count = n
		return err
	case opPause:
		_, err := c.s.PauseAll(ctx, nil, "settling")
		return err
	}
	return c.tell(ctx, o, a)
}

// tell answers orders that change nothing.
func (c *child) tell(ctx context.Context, o order, a *answer) error {
	switch o.Op {
	case opStatus:
		return c.status(a)
	case opSync:
		return c.s.Sync(ctx)
	case opBehind:
		return c.count(ctx, a, func(j chronos.Job) int { return btoi(behind(j)) })
	case opUnfinishedOf:
		j, err := c.s.Get(ctx, o.Job)
		a.Count = j.State.Unfinished
		return err
	case opUnfinished:
		return c.count(ctx, a, func(j chronos.Job) int { return j.State.Unfinished + j.State.Buffered })
	case opDump:
		return c.dumpNode(ctx, o.Path)
	case opRows:
		return c.rows(o.Job, a)
	case opMemory:
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		a.Heap = m.HeapInuse
		return nil
	case opProfile:
		return profile(o.Path)
	}
	return fmt.Errorf("no such order: %q", o.Op)
}

func (c *child) status(a *answer) error {
	st := c.s.Status()
	a.Ready, a.Leading, a.Applied = st.Ready && st.Running, st.Leading, st.AppliedIndex
	for _, m := range st.Members {
		a.Voters += btoi(m.Voter)
	}
	return st.Err
}

// rows counts what backfills of a job ran, by its ledger.
func (c *child) rows(job string, a *answer) error {
	for x, err := range c.s.Executions(context.Background(), chronos.Query{Job: job}) {
		if err != nil {
			return err
		}
		a.Count += btoi(x.Status == chronos.StatusSucceeded && x.Origin == chronos.OriginBackfill)
	}
	return nil
}

// profile is that of the processor, for ten seconds.
func profile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	time.Sleep(10 * time.Second)
	pprof.StopCPUProfile()
	return nil
}

// quiet is a handler that leaves no trace outside of the ledger.
func quiet(context.Context, chronos.Execution) error { return nil }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// count adds something up over all jobs, as the whole cluster knows them.
func (c *child) count(ctx context.Context, a *answer, of func(chronos.Job) int) error {
	if err := c.s.Sync(ctx); err != nil {
		return err
	}
	for j, err := range c.s.Jobs(ctx, nil) {
		if err != nil {
			return err
		}
		a.Count += of(j)
	}
	return nil
}

// dumpNode writes down everything that this node's own state says of the jobs that
// leave a trace outside.
func (c *child) dumpNode(ctx context.Context, path string) error {
	if err := c.s.Sync(ctx); err != nil {
		return err
	}
	var ids []string
	for j, err := range c.s.Jobs(ctx, nil) {
		if err != nil {
			return err
		}
		if j.Handler != "quiet" {
			ids = append(ids, j.ID)
		}
	}
	return c.dumpJobs(path, ids)
}
