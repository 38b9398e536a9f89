package planner

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

const (
	// batchMax bounds how much of the due index one pass takes up.
	batchMax = 4_000
	// lookMax bounds a sleep, so that a step of the wall clock is seen.
	lookMax = int64(time.Second)
	// steadyMax is that of a clock that nobody steps.
	steadyMax = int64(24 * time.Hour)
	// troubleDelay is how long a job that cannot be planned is left alone.
	troubleDelay = int64(time.Minute)
	// retryDelay is the pause after a proposal that failed.
	retryDelay = 100 * time.Millisecond
)

// Config is what a planner needs of its host.
type Config struct {
	View      func(func(*store.Reader) error) error
	Propose   func(context.Context, []*raftfsm.Command) ([]*raftfsm.Result, error)
	Schedules *schedule.Cache
	LookAhead time.Duration
	Retention Retention // of jobs that set none of their own
	// Steady says that nothing but time moves the clock or changes the time-zone
	// data: they are looked at rarely, and retention is. For simulated years, which
	// would be spent with looking.
	Steady bool
	Logger *slog.Logger
}

// Planner turns the due index into Fire commands.
type Planner struct {
	cfg     Config
	agenda  agenda
	horizon horizon
	janitor *janitor
	wake    chan struct{}
}

// New makes a planner; Run sets it to work.
func New(cfg Config) *Planner {
	p := &Planner{cfg: cfg, janitor: newJanitor(cfg), wake: make(chan struct{}, 1)}
	p.agenda.reset()
	p.horizon.reset()
	return p
}

// Observe takes in what an applied batch means for the plan. It never blocks.
func (p *Planner) Observe(eff *raftfsm.Effects) {
	p.janitor.observe(eff)
	p.horizon.observe(eff)
	if eff.Restored || eff.Loaded {
		p.agenda.reset()
		p.poke()
	} else if p.agenda.observe(eff) {
		p.poke()
	}
}

func (p *Planner) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Trouble names the jobs that cannot be planned, and why.
func (p *Planner) Trouble() map[string]string {
	p.agenda.mu.Lock()
	defer p.agenda.mu.Unlock()
	out := make(map[string]string, len(p.agenda.trouble))
	for job, why := range p.agenda.trouble {
		out[job] = why
	}
	return out
}

// Run plans until ctx ends. It starts with a look at the whole index. It
// returns when all that it started has ended.
func (p *Planner) Run(ctx context.Context) {
	p.agenda.reset()
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { p.janitor.run(ctx) })
	beside.Go(func() { p.survey(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
		if err := p.pass(ctx); err != nil && ctx.Err() == nil {
			p.complain(err)
			if !pause(ctx, retryDelay) {
				return
			}
		}
		timer.Reset(p.sleep())
	}
}

func (p *Planner) complain(err error) {
	level := slog.LevelWarn
	if errors.Is(err, raftfsm.ErrNoLeader) || errors.Is(err, raftfsm.ErrClosed) {
		level = slog.LevelDebug
	}
	p.cfg.Logger.Log(context.Background(), level, "chronos: planning is held up and will be tried again", "error", err)
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (p *Planner) sleep() time.Duration {
	_, act := p.agenda.due(int64(p.cfg.LookAhead))
	now, most := time.Now().UnixNano(), lookMax
	if p.cfg.Steady {
		most = steadyMax
	}
	if act > now+most {
		return time.Duration(most)
	}
	return time.Duration(max(act-now, 0))
}

// pass deals with everything that is due by now plus the look-ahead.
func (p *Planner) pass(ctx context.Context) error {
	work, err := p.collect()
	if err != nil {
		return err
	}
	if len(work) == 0 {
		return nil
	}
	return p.propose(ctx, work)
}

// item is one command, and the due entry it answers.
type item struct {
	entry    store.DueEntry
	cmd      *raftfsm.Command
	priority int32
}

// byPriority sorts work so that of what is due at one instant the most
// important gets what room there is.
func byPriority(a, b item) int {
	return cmp.Or(cmp.Compare(a.entry.At, b.entry.At), cmp.Compare(b.priority, a.priority))
}

// collect reads what is due and makes the commands for it.
func (p *Planner) collect() ([]item, error) {
	now := time.Now().UnixNano()
	horizon := now + int64(p.cfg.LookAhead)
	from, ready, settle := p.agenda.begin(now)
	scanned, next := horizon+1, int64(maxInstant)
	var work []item
	err := p.cfg.View(func(r *store.Reader) error {
		for _, e := range ready {
			p.plan(r, e, now, &work)
		}
		return r.Due(from, func(e store.DueEntry) (bool, error) {
			if e.At > horizon || len(work) >= batchMax {
				scanned, next = min(e.At, horizon+1), e.At
				return false, nil
			}
			if !p.agenda.isHeld(e) {
				p.plan(r, e, now, &work)
			}
			return true, nil
		})
	})
	if err != nil {
		scanned = from
		for _, e := range ready {
			p.agenda.hold(e, now)
		}
	}
	p.agenda.end(scanned, next)
	slices.SortStableFunc(work, byPriority)
	if settle {
		work = append(work, item{cmd: &raftfsm.Command{Now: now, Body: &raftfsm.Command_Barrier{Barrier: &raftfsm.Barrier{}}}})
	}
	return work, err
}

// plan adds the command for one due entry, or holds the entry back.
func (p *Planner) plan(r *store.Reader, e store.DueEntry, now int64, work *[]item) {
	cmd, priority := &raftfsm.Command{Now: now}, int32(0)
	switch e.Kind {
	case store.DueTick:
		fire, prio, err := p.tick(r, e, now)
		var bad *scheduleError
		if err != nil && !errors.As(err, &bad) {
			p.agenda.hold(e, now+int64(retryDelay)) // the store has to say what is wrong with it
			p.complain(err)
			return
		}
		if err != nil {
			p.giveUp(e, now, err)
			return
		}
		if fire == nil {
			return
		}
		p.agenda.clearTrouble(e.Job)
		cmd.Body, priority = &raftfsm.Command_Fire{Fire: fire}, prio
	case store.DueReady:
		cmd.Body = &raftfsm.Command_Ready{Ready: &raftfsm.Ready{Job: e.Job, Execution: e.Exec, ReadyAt: e.At}}
	case store.DueDeadline:
		if e.At >= now {
			p.agenda.hold(e, e.At+1)
			return
		}
		cmd.Body = &raftfsm.Command_Ready{Ready: &raftfsm.Ready{Job: e.Job, Execution: e.Exec, ReadyAt: e.At, Deadline: true}}
	}
	*work = append(*work, item{e, cmd, priority})
}

// giveUp leaves a job alone for a while that cannot be planned. The others go
// on, and the job is named in the status.
func (p *Planner) giveUp(e store.DueEntry, now int64, err error) {
	p.agenda.hold(e, now+troubleDelay)
	if p.agenda.setTrouble(e.Job, err.Error()) {
		p.cfg.Logger.Error("chronos: job cannot be scheduled, put it again with a valid definition", "job", e.Job, "error", err)
	}
}

func (p *Planner) propose(ctx context.Context, work []item) error {
	cmds := make([]*raftfsm.Command, len(work))
	for i, it := range work {
		cmds[i] = it.cmd
	}
	results, err := p.cfg.Propose(ctx, cmds)
	if err != nil {
		for _, it := range work {
			if it.entry.Job == "" {
				p.agenda.unsettle()
				continue
			}
			p.agenda.end(it.entry.At, it.entry.At)
		}
		return err
	}
	for i, res := range results {
		if res.Code == raftfsm.Code_CODE_BUSY {
			p.agenda.hold(work[i].entry, max(work[i].entry.At, time.Now().UnixNano()+int64(busyDelay)))
		}
	}
	return nil
}

// busyDelay is how long a fire waits whose instant has come while its job is still
// busy: a node was asked to give an attempt back, and has not answered yet. It may
// be far away, or dead.
const busyDelay = 10 * time.Millisecond
