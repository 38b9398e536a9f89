package planner

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// A job whose instant has come and that is busy for half a second, because a node
// far away was asked to give an attempt back, is asked for now and then, and not
// without end.
func TestBusyAfterTheInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := store.Open(store.Options{InMemory: true, NoCompaction: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = st.Close() }()
		due := time.Now().UnixNano()
		tx := st.Begin()
		err = errors.Join(
			tx.PutJob("j", &store.Job{Generation: 1, Version: 1, Definition: &store.Definition{Schedule: "@every 1h", Handler: "h"}}),
			tx.PutSchedule("j", &store.Schedule{Generation: 1, NextDue: due}),
			tx.PutDue(store.DueEntry{At: due, Kind: store.DueTick, Job: "j"}),
			tx.Commit(),
		)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer stop()
		asked := 0
		p := New(Config{
			View: st.View, Schedules: new(schedule.Cache), LookAhead: time.Second, Logger: slog.New(slog.DiscardHandler),
			Propose: func(_ context.Context, cmds []*raftfsm.Command) ([]*raftfsm.Result, error) {
				if asked++; asked > 1_000 {
					stop() // no time passes: it would go on for ever
				}
				out := make([]*raftfsm.Result, len(cmds))
				for i := range out {
					out[i] = &raftfsm.Result{Code: raftfsm.Code_CODE_BUSY}
				}
				return out, nil
			},
		})
		p.Run(ctx)
		if asked < 10 || asked > 60 {
			t.Errorf("asked %d times in half a second", asked)
		}
	})
}
