package raftfsm

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// scenario drives a state machine with a random but plausible log: jobs of
// every policy are put, edited, paused and deleted, instants fire early and
// late, attempts end in every way, nodes come and go. It sees only what a
// host would: the store and the effects.
type scenario struct {
	t    testing.TB
	rnd  *rand.Rand
	f    *fsm
	logs []*raft.Log
	now  int64
	last *Effects

	live map[string]Assignment // by job, execution and token
	inc  map[string]uint64
	jobs []string

	// crowded has nodes that have no room for long and then much, for jobs of one kind
	// that may not start late: queues become long, and go in one entry.
	crowded bool
}

func memoryStore(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(store.Options{InMemory: true, Logger: slog.New(slog.DiscardHandler), NoCompaction: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func newScenario(t testing.TB, seed uint64) *scenario {
	s := &scenario{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: 1_000_000_000_000,
		live: map[string]Assignment{}, inc: map[string]uint64{},
	}
	s.f = newFSM(memoryStore(t), s.observe, slog.New(slog.DiscardHandler))
	for i := range 6 {
		s.jobs = append(s.jobs, fmt.Sprintf("job-%d", i))
	}
	return s
}

func liveKey(job, exec string, token uint64) string { return fmt.Sprintf("%s:%s:%d", job, exec, token) }

func (s *scenario) observe(eff *Effects) {
	s.last = eff
	for _, a := range eff.Assigned {
		s.live[liveKey(a.Job, a.Exec, a.Execution.Token)] = a
	}
	for _, h := range eff.Revoked {
		delete(s.live, liveKey(h.Job, h.Exec, h.Token))
	}
}

// entry applies one log entry of these commands and returns their results.
func (s *scenario) entry(cmds ...*Command) []*Result {
	s.t.Helper()
	data, err := encodeBatch(&Batch{Commands: cmds})
	if err != nil {
		s.t.Fatal(err)
	}
	l := &raft.Log{Index: uint64(len(s.logs) + 1), Term: 1, Type: raft.LogCommand, Data: data}
	s.logs = append(s.logs, l)
	res := s.f.ApplyBatch([]*raft.Log{l})[0].(*entryResult)
	if res.err != nil {
		s.t.Fatalf("entry %d: %v", l.Index, res.err)
	}
	return res.results
}

func (s *scenario) pick(n int) int { return s.rnd.IntN(n) }

func (s *scenario) job() string { return s.jobs[s.pick(len(s.jobs))] }

func (s *scenario) state(job string) (rec *store.Job, st *store.Schedule) {
	err := s.f.st.View(func(r *store.Reader) (err error) {
		if rec, err = r.Job(job); err != nil {
			return err
		}
		st, err = r.Schedule(job)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if st == nil {
		st = &store.Schedule{}
	}
	return rec, st
}

// step makes one random entry.
func (s *scenario) step() {
	s.now += int64(s.pick(800)) * 1_000_000
	n := 1 + s.pick(4)
	var cmds []*Command
	for range n {
		if c := s.command(); c != nil {
			c.Now = s.now
			if s.pick(5) == 0 {
				c.Now -= int64(s.pick(3)) * 1_000_000_000 // another clock, a little behind
			}
			if s.pick(3) == 0 {
				c.Id = []byte(fmt.Sprintf("%016d", s.rnd.Uint64()%1e16))
			}
			cmds = append(cmds, c)
		}
	}
	if len(cmds) > 0 {
		s.entry(cmds...)
	}
}

func (s *scenario) command() *Command {
	switch k := s.pick(100); {
	case k < 10:
		return s.put()
	case k < 12:
		return &Command{Body: &Command_Delete{Delete: &Delete{Job: s.job()}}}
	case k < 14:
		return &Command{Body: &Command_Pause{Pause: &Pause{Job: s.job()}}}
	case k < 17:
		return s.resume()
	case k < 45:
		return s.fire()
	case k < 50:
		return s.trigger()
	case k < 52:
		return &Command{Body: &Command_Backfill{Backfill: &Backfill{
			Job: s.job(), Id: fmt.Sprint(s.pick(5)), Due: []int64{s.now - 5e9, s.now - 4e9}, HasOverlap: true,
			Overlap: store.Overlap(s.pick(6)),
		}}}
	case k < 75:
		return s.report()
	case k < 80:
		return s.readyDue()
	case k < 84:
		return s.session()
	case k < 87:
		return s.someExecution(func(job, exec string) *Command {
			return &Command{Body: &Command_Cancel{Cancel: &Cancel{Job: job, Execution: exec, Terminate: s.pick(2) == 0}}}
		})
	case k < 89:
		return s.someExecution(func(job, exec string) *Command {
			return &Command{Body: &Command_Redrive{Redrive: &Redrive{Job: job, Execution: exec}}}
		})
	case k < 93:
		return &Command{Body: &Command_Prune{Prune: &Prune{Job: s.job(), Before: s.now - 30e9, Keep: 20, Limit: uint32(1 + s.pick(10))}}}
	case k < 97:
		node := s.node()
		switch s.pick(6) {
		case 0:
			return &Command{Body: &Command_Forget{Forget: &Forget{Node: node, Incarnation: s.inc[node]}}}
		case 1:
			return &Command{Body: &Command_Hold{Hold: &Hold{Node: node, Incarnation: s.inc[node], Term: uint64(s.pick(2)), Held: s.pick(2) == 0}}}
		case 2, 3:
			return &Command{Body: &Command_Expire{Expire: &Expire{Node: node, Incarnation: s.inc[node], Term: uint64(s.pick(2))}}}
		}
		return &Command{Body: &Command_Resolve{Resolve: &Resolve{Node: node, Incarnation: s.inc[node]}}}
	default:
		return &Command{Body: &Command_Barrier{Barrier: &Barrier{}}}
	}
}

func (s *scenario) node() string { return []string{"a", "b"}[s.pick(2)] }

func (s *scenario) session() *Command {
	node := s.node()
	if s.pick(3) == 0 || s.inc[node] == 0 {
		s.inc[node]++
		for k, a := range s.live {
			if a.Execution.Node == node {
				delete(s.live, k)
			}
		}
	}
	open := &Open{Node: node, Incarnation: s.inc[node], Capacity: int64(s.pick(6))}
	open.Handlers = [][]string{{"h"}, {"h", "k"}, nil}[s.pick(3)]
	if s.crowded {
		open.Handlers, open.Capacity = []string{"h"}, int64(s.pick(8)/7*24)
	}
	if s.pick(2) == 0 {
		open.Labels = []*store.Label{{Key: "zone", Value: []string{"x", "y"}[s.pick(2)]}}
	}
	return &Command{Body: &Command_Open{Open: open}}
}

func (s *scenario) put() *Command {
	job := s.job()
	rec, st := s.state(job)
	def := &store.Definition{
		Schedule: "@every 1s", Handler: []string{"h", "k"}[s.pick(2)], Overlap: store.Overlap(s.pick(6)),
		BufferMax: 3, Misfire: store.Misfire(s.pick(4)), Delivery: store.Delivery(s.pick(2)),
		Priority: int32(s.pick(5) - 2), Payload: bytes.Repeat([]byte{'x'}, s.pick(50)),
		Retry:       &store.Retry{MaxAttempts: int32(1 + s.pick(3)), Initial: 1e9, Multiplier: 2, Max: 60e9},
		RemoveAfter: s.pick(8) == 0, PauseOnFailure: s.pick(10) == 0,
	}
	switch s.pick(6) {
	case 0:
		def.StartDeadline = 2e9
	case 1:
		def.FixedDelay = 3e9
	case 2:
		def.MaxRuns = 5
	case 3:
		def.Webhook, def.Handler = &store.Webhook{Url: "http://example.com"}, ""
	}
	if s.place(def); s.crowded {
		def.Handler, def.Webhook, def.NodeLabels, def.EveryNode = "h", nil, nil, false
		def.StartDeadline, def.BufferMax = int64(1+s.pick(8))*5e8, 20
		def.Overlap = []store.Overlap{store.Overlap_OVERLAP_ALLOW_ALL, store.Overlap_OVERLAP_BUFFER_ALL, store.Overlap_OVERLAP_BUFFER_ALL}[s.pick(3)]
	}
	put := &Put{Job: job, Definition: def, NextDue: s.now + int64(s.pick(3000))*1e6, BaseDue: st.NextDue, BaseWithdrawn: st.Withdrawn}
	if rec != nil && !rec.Deleted {
		put.BaseVersion = rec.Version
		if st.NextDue != 0 && st.NextDue < s.now && s.pick(2) == 0 {
			put.Overdue = &Span{From: st.NextDue, To: st.NextDue, Count: 1, Status: store.Status_STATUS_MISSED, Reason: store.Reason_REASON_EDIT}
		}
	} else {
		put.BaseDue, put.BaseWithdrawn = 0, 0
	}
	return &Command{Body: &Command_Put{Put: put}}
}

// place gives some jobs demands on nodes, and places to share.
func (s *scenario) place(def *store.Definition) {
	switch s.pick(6) {
	case 0:
		def.EveryNode, def.MaxRuns, def.FixedDelay = true, 0, 0
	case 1:
		def.Sticky = true
	}
	if s.pick(4) == 0 {
		def.NodeLabels = []*store.Label{{Key: "zone", Value: []string{"x", "y"}[s.pick(2)]}}
	}
	if s.pick(3) == 0 {
		def.SucceedWithin = int64(1+s.pick(20)) * 1e9
	}
	if s.pick(3) == 0 {
		def.ConcurrencyKey, def.ConcurrencyLimit = []string{"p", "q"}[s.pick(2)], int64(1+s.pick(3))
	}
}

func (s *scenario) resume() *Command {
	job := s.job()
	rec, st := s.state(job)
	return &Command{Body: &Command_Resume{Resume: &Resume{
		Job: job, BaseVersion: rec.GetVersion(), BaseDue: st.PausedDue, NextDue: s.now + 1e9, BaseWithdrawn: st.Withdrawn,
	}}}
}

func (s *scenario) fire() *Command {
	job := s.job()
	rec, st := s.state(job)
	if rec == nil || st.NextDue == 0 || st.NextDue > s.now+1e9 {
		return nil
	}
	f := &Fire{Job: job, Generation: rec.Generation, Version: rec.Version, ExpectDue: st.NextDue, BaseWithdrawn: st.Withdrawn}
	due := st.NextDue
	if s.pick(6) == 0 {
		f.Spans = []*Span{{From: due, To: due + 2e9, Count: 3, Status: store.Status_STATUS_MISSED, Reason: store.Reason_REASON_CATCH_UP}}
		due += 3e9
	}
	for range 1 + s.pick(2) {
		f.Runs = append(f.Runs, &Run{Due: due, StartAt: due + int64(s.pick(2))*int64(s.pick(9))*1e9})
		due += 1e9
	}
	if s.pick(10) > 0 {
		f.NextDue = due
	}
	f.CatchingUp = s.pick(5) == 0
	return &Command{Body: &Command_Fire{Fire: f}}
}

func (s *scenario) trigger() *Command {
	t := &Trigger{Job: s.job(), Execution: store.ExecutionKey(s.now, store.Origin_ORIGIN_TRIGGER, fmt.Sprint(s.rnd.Uint32()))}
	if s.pick(2) == 0 {
		t.Key = fmt.Sprint("key-", s.pick(5))
	}
	if s.pick(3) == 0 {
		t.HasPayload, t.Payload = true, []byte("payload of the trigger")
	}
	if s.pick(3) == 0 {
		t.HasOverlap, t.Overlap = true, store.Overlap(s.pick(6))
	}
	return &Command{Body: &Command_Trigger{Trigger: t}}
}

// report ends an attempt that is live, or repeats or forges a report.
func (s *scenario) report() *Command {
	for _, key := range sortedKeys(s.live) {
		if s.pick(3) > 0 {
			continue
		}
		a := s.live[key]
		token := a.Execution.Token
		if s.pick(10) == 0 {
			token-- // a stale attempt
		} else if s.pick(4) > 0 {
			delete(s.live, key)
		}
		if s.pick(4) == 0 {
			back := &HandBack{Job: a.Job, Execution: a.Exec, Token: token, Started: s.pick(2) == 0}
			back.Kept = back.Started && s.pick(2) == 0
			return &Command{Body: &Command_HandBack{HandBack: back}}
		}
		status := []store.Status{
			store.Status_STATUS_SUCCEEDED, store.Status_STATUS_FAILED, store.Status_STATUS_TIMED_OUT, store.Status_STATUS_CANCELED,
		}[s.pick(4)]
		return &Command{Body: &Command_Finish{Finish: &Finish{
			Job: a.Job, Execution: a.Exec, Token: token, Status: status, Started: s.now - 1e6, Ended: s.now,
			RetryAt: s.now + int64(s.pick(5))*1e9, Permanent: s.pick(8) == 0, Snooze: s.pick(8) == 0,
			Error: "it went wrong", Output: []byte("out"), PauseJob: s.pick(20) == 0, Stuck: s.pick(20) == 0,
		}}}
	}
	return nil
}

// readyDue answers an entry of the due index that is not a tick.
func (s *scenario) readyDue() *Command {
	var cmd *Command
	err := s.f.st.View(func(r *store.Reader) error {
		return r.Due(-1<<63, func(e store.DueEntry) (bool, error) {
			if e.Kind == store.DueTick || e.At > s.now+1e9 {
				return true, nil
			}
			cmd = &Command{Body: &Command_Ready{Ready: &Ready{
				Job: e.Job, Execution: e.Exec, ReadyAt: e.At, Deadline: e.Kind == store.DueDeadline,
			}}}
			return s.pick(2) == 0, nil
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return cmd
}

func (s *scenario) someExecution(fn func(job, exec string) *Command) *Command {
	job := s.job()
	var keys []string
	err := s.f.st.View(func(r *store.Reader) error {
		return r.Executions(job, "", func(exec string, _ *store.Execution) (bool, error) {
			keys = append(keys, exec)
			return true, nil
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(keys) == 0 {
		return nil
	}
	return fn(job, keys[s.pick(len(keys))])
}
