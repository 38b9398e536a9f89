package raftfsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/chronos-go/chronos/store"
)

// settledCopy is what a backup of a scenario's state becomes.
func (s *scenario) settledCopy(now int64) *store.Store {
	s.t.Helper()
	out := memoryStore(s.t)
	copySnapshot(s.t, s.f.st, out)
	got, err := Settle(context.Background(), out, now, func(_ string, rec *store.Job, st *store.Schedule) (*Span, int64, error) {
		span := &Span{From: st.NextDue, To: now, Count: 1, Status: store.Status_STATUS_MISSED, Reason: store.Reason_REASON_RESTORE}
		if rec.Definition.Priority == 2 {
			return nil, 0, fmt.Errorf("no such zone")
		}
		return span, now + 1e9, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if got.Lost == 0 || got.Jobs == 0 {
		s.t.Fatalf("the scenario has nothing to settle: %+v", got)
	}
	return out
}

// loads are the commands that bring a settled state in.
func loads(t testing.TB, from *store.Store, restore string, now int64) (cmds []*Command) {
	t.Helper()
	body := &Load{Restore: []byte(restore), Node: "a", Incarnation: 1}
	send := func() {
		cmds = append(cmds, &Command{Now: now, Body: &Command_Load{Load: body}})
		body = &Load{Restore: body.Restore, Part: body.Part + 1, Node: body.Node, Incarnation: body.Incarnation}
	}
	err := from.View(func(r *store.Reader) error {
		return r.Loadable(func(key, payload []byte) error {
			body.Records = append(body.Records, &Loaded{Key: bytes.Clone(key), Payload: bytes.Clone(payload)})
			if len(body.Records) == 20 {
				send()
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	body.Last, body.Sequence = true, 1<<32
	send()
	return cmds
}

// TestSettleAndLoad: what a random log has led to, with everything unfinished
// that there can be, is settled and brought into another state machine. Every
// index and counter is right afterwards, at once and while that one goes on, and
// its log leads to the same bytes however it is batched.
func TestSettleAndLoad(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			old := newScenario(t, seed)
			for range 600 {
				old.step()
			}
			settled := old.settledCopy(old.now)
			check := &scenario{t: t, f: newFSM(settled, nil, slog.New(slog.DiscardHandler))}
			if err := check.audit(); err != nil {
				t.Fatalf("settled: %v", err)
			}
			wantSettled(t, settled, old.now)

			s := newScenario(t, seed+100)
			s.now, s.inc["a"] = old.now, 1
			s.entry(&Command{Now: s.now, Body: &Command_Open{Open: &Open{Node: "a", Incarnation: 1, Capacity: 3, Handlers: []string{"h", "k"}}}})
			for _, c := range loads(t, settled, "restore", s.now) {
				if res := s.entry(c)[0]; res.Code != Code_CODE_OK {
					t.Fatalf("part %d: %v", c.GetLoad().Part, res)
				}
			}
			if !s.last.Loaded || s.f.st.Applied().Sequence < 1<<32 {
				t.Error("the last part is not told, or tokens do not go on behind the old ones")
			}
			sameRecords(t, settled, s.f.st)
			for range 300 {
				s.step()
				if err := s.audit(); err != nil {
					t.Fatalf("after entry %d: %v", len(s.logs), err)
				}
			}
			rnd := rand.New(rand.NewPCG(seed, 2))
			sameState(t, "other batches", dump(t, s.f.st), dump(t, replay(t, memoryStore(t), s.logs, rnd)))
		})
	}
}

// wantSettled: nothing is unfinished, and nothing is due by now.
func wantSettled(t *testing.T, st *store.Store, now int64) {
	t.Helper()
	err := st.View(func(r *store.Reader) error {
		if err := r.Active("", "", "", func(job, exec string, _ *store.Active) (bool, error) {
			return false, fmt.Errorf("%s:%s is unfinished", job, exec)
		}); err != nil {
			return err
		}
		return r.Due(-1<<63, func(e store.DueEntry) (bool, error) {
			if e.At <= now || e.Kind != store.DueTick {
				return false, fmt.Errorf("%v is due", e)
			}
			return true, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sameRecords compares what can be loaded of two states.
func sameRecords(t *testing.T, want, got *store.Store) {
	t.Helper()
	records := func(st *store.Store) map[string]string {
		out := map[string]string{}
		err := st.View(func(r *store.Reader) error {
			return r.Loadable(func(key, payload []byte) error {
				out[string(key)] = string(payload)
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	sameState(t, "loaded", records(want), records(got))
}

// TestLoadRefused: parts come in order, of one restore, from a node that lives,
// into a state without jobs; meanwhile nothing else is done to jobs.
func TestLoadRefused(t *testing.T) {
	old := newScenario(t, 1)
	for range 300 {
		old.step()
	}
	parts := loads(t, old.settledCopy(old.now), "restore", old.now)
	s := newScenario(t, 2)
	answer := func(want Code, c *Command) {
		t.Helper()
		if res := s.entry(c)[0]; res.Code != want {
			t.Fatalf("%v, not %v", res, want)
		}
	}
	open := &Command{Body: &Command_Open{Open: &Open{Node: "a", Incarnation: 1}}}
	put := &Command{Body: &Command_Put{Put: &Put{Job: "other", Definition: &store.Definition{Handler: "h"}}}}
	unload := &Command{Body: &Command_Unload{Unload: &Unload{Restore: []byte("restore")}}}
	answer(Code_CODE_FENCED, parts[0])
	answer(Code_CODE_OK, open)
	answer(Code_CODE_CONFLICT, parts[1])
	bad := &Load{Restore: []byte("x"), Node: "a", Incarnation: 1, Records: []*Loaded{{Key: []byte("locks/job")}}}
	answer(Code_CODE_INVALID, &Command{Body: &Command_Load{Load: bad}})
	for _, made := range [][]byte{
		{0x2a, 0x01, 0xff},       // an actor that is not UTF-8
		{0x28, 0x01},             // an actor that is a number
		{0x2a, 0x05, 'a', 'b'},   // cut off
		{0xf8, 0xff, 0xff, 0xff}, // not even a field
	} {
		bad.Records[0] = &Loaded{Key: []byte("jobs/j"), Payload: made}
		answer(Code_CODE_INVALID, &Command{Body: &Command_Load{Load: bad}})
	}
	blank := dump(t, s.f.st)
	answer(Code_CODE_OK, parts[0])
	answer(Code_CODE_OK, parts[0]) // once more
	answer(Code_CODE_CONFLICT, parts[2])
	another := &Load{Restore: []byte("another"), Node: "a", Incarnation: 1, Last: true}
	answer(Code_CODE_CONFLICT, &Command{Body: &Command_Load{Load: another}})
	answer(Code_CODE_CONFLICT, put)
	for _, c := range []*Command{{Body: &Command_Fire{Fire: &Fire{Job: "j"}}}, {Body: &Command_Ready{Ready: &Ready{Job: "j"}}}} {
		answer(Code_CODE_CONFLICT, c)
	}
	if err := s.f.reload(); err != nil { // a restart does not forget
		t.Fatal(err)
	}
	answer(Code_CODE_OK, parts[1])
	for s.entry(unload)[0].Count > 0 {
		answer(Code_CODE_CONFLICT, parts[2]) // it was given up
	}
	answer(Code_CODE_STALE, unload)
	after := dump(t, s.f.st)
	delete(blank, "meta/applied")
	delete(after, "meta/applied")
	sameState(t, "given up", blank, after)
	answer(Code_CODE_OK, put)
	answer(Code_CODE_CONFLICT, parts[0])
}

// TestSettleMiscounted: a state whose counters are wrong is refused, not gone
// through for ever.
func TestSettleMiscounted(t *testing.T) {
	st := memoryStore(t)
	tx := st.Begin()
	err := errors.Join(
		tx.PutJob("j", &store.Job{Generation: 1, Version: 1, Definition: &store.Definition{Handler: "h"}}),
		tx.PutSchedule("j", &store.Schedule{Generation: 1, Active: 1}),
		tx.Commit(),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Settle(context.Background(), st, 1, nil); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

// TestSettleMadeUp: a backup that somebody made up, and in which there is what the state
// machine will take for granted that there is not, is refused.
func TestSettleMadeUp(t *testing.T) {
	const now = int64(1e9)
	tick := func(at int64) store.DueEntry { return store.DueEntry{At: at, Kind: store.DueTick, Job: "j"} }
	done := &store.Execution{Generation: 2, Due: 5, Status: store.Status_STATUS_SUCCEEDED}
	for name, c := range map[string]struct {
		refused bool
		more    func(tx *store.Tx) error
	}{
		"in order": {false, func(tx *store.Tx) error {
			return errors.Join(
				tx.PutExecution("j", store.ScheduledKey(5, 2), done), tx.PutExecution("j", store.ScheduledKey(6, 1), done),
				tx.PutExecution("j", store.ExecutionKey(7, store.Origin_ORIGIN_TRIGGER, "2"), done),
				tx.PutVersion("j", 1, &store.Version{Generation: 1, Definition: &store.Definition{}}),
				tx.PutVersion("j", 3, &store.Version{Generation: 2, Definition: &store.Definition{Handler: "h"}}),
			)
		}},
		"a row beyond the newest": {true, func(tx *store.Tx) error { return tx.PutExecution("j", store.ScheduledKey(6, 2), done) }},
		"a row of a node beyond it": {true, func(tx *store.Tx) error {
			return errors.Join(
				tx.PutExecution("j", store.ExecutionKey(7, store.Origin_ORIGIN_TRIGGER, "2"), done),
				tx.PutExecution("j", store.TargetKey(store.ScheduledKey(8, 2), "a"), done),
			)
		}},
		"a second tick":             {true, func(tx *store.Tx) error { return tx.PutDue(tick(now + 2)) }},
		"no tick":                   {true, func(tx *store.Tx) error { return tx.DeleteDue(tick(now + 1)) }},
		"a tick at another instant": {true, func(tx *store.Tx) error { return errors.Join(tx.DeleteDue(tick(now+1)), tx.PutDue(tick(now+2))) }},
		"nobody's tick":             {true, func(tx *store.Tx) error { return tx.PutDue(store.DueEntry{At: now + 1, Kind: store.DueTick, Job: "k"}) }},
		"a retry's entry": {true, func(tx *store.Tx) error {
			return tx.PutDue(store.DueEntry{At: now + 1, Kind: store.DueReady, Job: "j", Exec: "x"})
		}},
		"an index entry without a row": {true, func(tx *store.Tx) error {
			return errors.Join(
				tx.PutSchedule("j", &store.Schedule{Generation: 2, LastDue: 5, NextDue: now + 1, Active: 1}),
				tx.PutActive("j", "x", &store.Active{}),
			)
		}},
		"a schedule of another generation": {true, func(tx *store.Tx) error {
			return tx.PutSchedule("j", &store.Schedule{Generation: 1, LastDue: 5, NextDue: now + 1})
		}},
		"a job of a generation to come": {true, func(tx *store.Tx) error {
			return errors.Join(
				tx.PutJob("k", &store.Job{Generation: 10, Version: 3, Definition: &store.Definition{Handler: "h"}}),
				tx.PutSchedule("k", &store.Schedule{Generation: 10}),
			)
		}},
		"a job without a definition": {true, func(tx *store.Tx) error {
			return errors.Join(tx.PutJob("k", &store.Job{Generation: 3, Version: 3}), tx.PutSchedule("k", &store.Schedule{Generation: 3}))
		}},
		"a deleted job without one": {true, func(tx *store.Tx) error {
			return errors.Join(tx.PutJob("k", &store.Job{Generation: 3, Version: 3, Deleted: true}), tx.PutSchedule("k", &store.Schedule{Generation: 3, Rows: 1}))
		}},
		"a job without a schedule's record": {true, func(tx *store.Tx) error {
			return tx.PutJob("k", &store.Job{Version: 3, Definition: &store.Definition{Handler: "h"}})
		}},
		"a schedule's record without a job": {true, func(tx *store.Tx) error {
			return tx.PutSchedule("k", &store.Schedule{Generation: 3, Active: 1})
		}},
		"a version without a definition": {true, func(tx *store.Tx) error { return tx.PutVersion("j", 3, &store.Version{Generation: 2}) }},
		"a version beyond the newest": {true, func(tx *store.Tx) error {
			return tx.PutVersion("j", 4, &store.Version{Generation: 2, Definition: &store.Definition{Handler: "h"}})
		}},
		"a version of no job": {true, func(tx *store.Tx) error {
			return tx.PutVersion("k", 1, &store.Version{Generation: 2, Definition: &store.Definition{Handler: "h"}})
		}},
		"versions near their end": {true, func(tx *store.Tx) error {
			return tx.PutJob("j", &store.Job{Generation: 2, Version: math.MaxUint64 - 1, Definition: &store.Definition{Handler: "h", Schedule: "@every 1s"}})
		}},
		"tokens near their end": {true, func(tx *store.Tx) error { tx.Applied().Sequence = math.MaxUint64; return nil }},
		"what Apply does not expect": {true, func(tx *store.Tx) error {
			return errors.Join(tx.PutJob("k", &store.Job{Generation: 3, Definition: &store.Definition{FixedDelay: 1}}),
				tx.PutSchedule("k", &store.Schedule{Generation: 3, NextDue: 1}), tx.PutDue(store.DueEntry{At: 1, Kind: store.DueTick, Job: "k"}))
		}},
		"a row of a generation to come": {true, func(tx *store.Tx) error {
			return tx.PutExecution("j", store.ScheduledKey(4, 10), done)
		}},
		"the same of no job, for a node": {true, func(tx *store.Tx) error {
			return tx.PutExecution("k", store.TargetKey(store.ScheduledKey(4, 10), "a"), done)
		}},
		"an unfinished row that no index has": {true, func(tx *store.Tx) error {
			return tx.PutExecution("j", store.ScheduledKey(4, 2), &store.Execution{Generation: 2, Due: 4, Status: store.Status_STATUS_PENDING})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			st := memoryStore(t)
			tx := st.Begin()
			tx.Applied().Sequence = 9
			err := errors.Join(
				tx.PutJob("j", &store.Job{Generation: 2, Version: 3, Definition: &store.Definition{Handler: "h", Schedule: "@every 1s"}}),
				tx.PutSchedule("j", &store.Schedule{Generation: 2, LastDue: 5, NextDue: now + 1}),
				tx.PutDue(tick(now+1)), c.more(tx), tx.Commit(),
			)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Settle(context.Background(), st, now, nil)
			if c.refused != errors.Is(err, store.ErrCorrupt) || !c.refused && err != nil {
				t.Errorf("refused %v: %v", c.refused, err)
			}
		})
	}
}
