package planner

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/store"
)

// benchmarkDue is what one pass takes up at the most.
const benchmarkDue = batchMax

// indexed is a store with jobs that are due now, and others that wait for a year.
func indexed(b *testing.B, idle int) *store.Store {
	b.Helper()
	st, err := store.Open(store.Options{Dir: b.TempDir(), NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	now := time.Now().UnixNano()
	put := func(tx *store.Tx, job, text string, due int64) {
		for _, err := range []error{
			tx.PutJob(job, &store.Job{Generation: 1, Version: 1, Definition: &store.Definition{Schedule: text, Handler: "h"}}),
			tx.PutSchedule(job, &store.Schedule{Generation: 1, NextDue: due}),
			tx.PutDue(store.DueEntry{At: due, Kind: store.DueTick, Job: job}),
		} {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	const step = 1000
	for from := 0; from < benchmarkDue+idle; from += step {
		tx := st.Begin()
		for i := from; i < min(from+step, benchmarkDue+idle); i++ {
			// the schedules of what is due are of many texts, as those of many hosts are
			job, text, due := fmt.Sprintf("job-%07d", i), fmt.Sprintf("@every %ds", 1+i%100), now/1e9*1e9
			if i >= benchmarkDue {
				text, due = "0 0 1 1 *", now+int64(365*24*time.Hour)+int64(i)
			}
			put(tx, job, text, due)
		}
		tx.Applied().Index++
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	return st
}

// BenchmarkCollect reads what is due from the index and makes the commands that
// fire it, beside few and many jobs that wait.
func BenchmarkCollect(b *testing.B) {
	for _, idle := range []int{0, 200_000} {
		b.Run(fmt.Sprintf("idle=%d", idle), func(b *testing.B) {
			st := indexed(b, idle)
			p := New(Config{View: st.View, Schedules: new(schedule.Cache), LookAhead: time.Second, Logger: slog.New(slog.DiscardHandler)})
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				p.agenda.reset() // from the beginning
				work, err := p.collect()
				if err != nil || len(work) < benchmarkDue {
					b.Fatalf("%d fires: %v", len(work), err)
				}
				n += len(work)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/fire")
		})
	}
}

// BenchmarkCollectNothing is a look at an index in which nothing is due, behind the
// tombstones of much that was: the watermark passes them by.
func BenchmarkCollectNothing(b *testing.B) {
	st := indexed(b, 10_000)
	var entries []store.DueEntry
	if err := st.View(func(r *store.Reader) error {
		return r.Due(minInstant, func(e store.DueEntry) (bool, error) {
			entries = append(entries, e)
			return len(entries) < benchmarkDue, nil
		})
	}); err != nil {
		b.Fatal(err)
	}
	tx := st.Begin()
	for _, e := range entries {
		if err := tx.DeleteDue(e); err != nil {
			b.Fatal(err)
		}
	}
	tx.Applied().Index++
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	p := New(Config{View: st.View, Schedules: new(schedule.Cache), LookAhead: time.Second, Logger: slog.New(slog.DiscardHandler)})
	b.ReportAllocs()
	for b.Loop() {
		if work, err := p.collect(); err != nil || len(work) > 0 {
			b.Fatalf("%d fires: %v", len(work), err)
		}
	}
}
